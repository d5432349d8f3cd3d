"""Stage orders: the life of commands, from the need that opened them to the supply that satisfied them.

A need closes by the refill, receipt or transfer that satisfies it, whether or not anyone answered the command. Each (id,
revision) is written once. Forecasts and the network's proposals inform; approvals decide.
"""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from typing import Any, Final

from schemas.codec import encode
from schemas.codes import normalise_lot
from schemas.events import Decision, OrderAnswer, Proposal
from schemas.ids import derived_id
from schemas.keys import encode_key
from schemas.kinds import CLOSED_COMMAND_STATES, CommandKind, CommandState, Urgency
from schemas.log import Output
from schemas.records import Approval, Command, Position, SuggestedLot
from schemas.reference import Item, ParPolicy
from schemas.topics import COMMANDS, NETWORK_LOG, POSITIONS, SHADOW_COMMANDS
from streams.ledger.model import UNKNOWN_LOT, Card, CardKey, LotId, OrderKey, usable_at
from streams.site import allocation, demand, documents, levels, network_feed, roles
from streams.site.desk import Desk, order_text, replace
from streams.times import from_us

_ANSWERABLE: Final = frozenset({CommandState.ISSUED, CommandState.ACKNOWLEDGED, CommandState.REJECTED})
"""States an ERP's answer can change. One that waits for approval or is closed is not the ERP's to move."""
ROLLED_BACK: Final = "withdrawn: the site went back to its other system; stop what is not on its way yet"
_URGENCY_RANK: Final = {Urgency.ROUTINE: 0, Urgency.CRITICAL: 1, Urgency.STOCK_OUT: 2}


def supply_due(command: Command | None) -> int:
    """Base units that an ERP has confirmed for a card's open command."""
    if command is None or command.state is not CommandState.ACKNOWLEDGED:
        return 0
    return int(command.proof.get("confirmed", 0))


def open_need(
    desk: Desk, card: CardKey, policy: ParPolicy, standing: Card, turned: OrderKey, urgency: Urgency
) -> str | None:
    """Turn an armed card into a command; None when nothing would be asked for."""
    site, location, item_id = card
    item = desk.catalog.item(item_id)
    held_back = allocation.allocated(desk, card)
    usable = max(standing.usable, 0) - held_back
    quantity = levels.order_quantity(policy, usable, 0)
    if item is None or quantity <= 0:
        return None
    command_id = derived_id("command", site, item_id, location, policy.kind, "", "", "", order_text(turned))
    held = desk.commands.get((site, command_id))
    if held is not None:
        return held.command_id if held.state is CommandState.CANCELLED else _reopen(desk, held, urgency)
    set_aside = f", {held_back} of it allocated" if held_back else ""
    proof: dict[str, Any] = {
        "trigger": f"usable {standing.usable} at {location}{set_aside} is at or below minimum {policy.minimum}"
        if urgency is Urgency.ROUTINE
        else f"usable {standing.usable} at {location}{set_aside} is at or below critical {policy.critical}",
        "armed_by": order_text(turned),
        "position": {
            "on_hand": standing.on_hand, "usable": standing.usable, "due": 0, **({"allocated": held_back} if held_back else {}),
        },
        "policy": {
            "minimum": policy.minimum, "par": policy.par, "maximum": policy.maximum, "critical": policy.critical,
            "satisfied_at": levels.satisfied_at(policy), "multiple": policy.multiple,
            "revision": desk.catalog.revision("par_policy", "|".join(card)),
        },
        "arithmetic": f"par {policy.par} - usable {standing.usable}{f' + allocated {held_back}' if held_back else ''} - due 0, "
        f"in multiples of {policy.multiple} = {quantity}",
        "daily_demand": str(demand.daily(desk, card)),
    }  # fmt: skip
    purchase = policy.kind is CommandKind.PURCHASE
    command = Command(
        command_id=command_id, revision=1, site=site, location=location, item=item_id, kind=policy.kind,
        state=CommandState.AWAITING_SUPPLIER if purchase else CommandState.ISSUED, urgency=urgency, quantity=quantity,
        unit=item.base_unit, opened_at=from_us(turned[0]), updated_at=desk.at, proof=proof, source_location=policy.source,
    )  # fmt: skip
    if not purchase:
        command = governed(desk, with_lots(desk, command), item, Decimal(0))
    if sum(lot.quantity for lot in command.lots) < quantity:
        standing_in = substitutes(desk, site, policy.source or location, item)
        command = replace(command, proof={**command.proof, **({"substitutes": standing_in} if standing_in else {})})
    command = place(desk, command)
    desk.count(site, "needs_opened")
    if urgency is Urgency.STOCK_OUT:
        desk.count(site, "stock_outs")
        text = f"{item.name} is out of stock at {location}"
        desk.alert(site, "stock_out", text, command_id, location=location, item=item_id)
    ask_network(desk, command)
    return command_id


def _reopen(desk: Desk, held: Command, urgency: Urgency) -> str:
    """A late event took the satisfaction back: the same need, armed by the same entry, goes on as the next revision."""
    proof = {name: value for name, value in held.proof.items() if name != "satisfied_by"}
    ask_network(desk, revise(desk, held, state=state_again(desk, held), closed_at=None, proof=proof, urgency=urgency))
    return held.command_id


def state_again(desk: Desk, held: Command) -> CommandState:
    """The state from which a command goes on: as if nobody had answered it, but with the approvals and the document it has."""
    if held.kind is CommandKind.PURCHASE and held.supplier is None:
        return CommandState.AWAITING_SUPPLIER
    approved = any(approval.action == "approve" for approval in held.approvals)
    state = CommandState.AWAITING_APPROVAL if held.approval_role is not None and not approved else CommandState.ISSUED
    return documents.gate(desk, replace(held, state=state), desk.catalog.item(held.item)).state


def with_lots(desk: Desk, command: Command) -> Command:
    """A new command with the lots it takes, as its proof says; as it is where it takes from no store."""
    if not allocation.holds(command):
        return command
    mine = allocation.plan(desk, allocation.source_of(command), command)[command.command_id]
    taking: Command = replace(command, lots=mine.lots, proof={**command.proof, "allocation": mine.told})
    return taking


def place(desk: Desk, command: Command) -> Command:
    """Publish a new command; where it takes lots, the others of the store that wait behind it take what it leaves."""
    command = publish(desk, command)
    if allocation.holds(command):
        allocation.remember(desk, command)
        _reallocate(desk, allocation.source_of(command), changed=True)
    return command


def reallocate(desk: Desk, touched: Collection[CardKey]) -> None:
    """Cards changed: what the open commands take from them may change with them."""
    sources = dict.fromkeys(card for card in touched if desk.shelf.outgoing.get(card))
    for card in touched:
        need = desk.needs.get(card)
        command = desk.commands.get((card[0], need.command_id)) if need is not None else None
        if command is not None and allocation.lacks_other(desk, command):
            sources[allocation.source_of(command)] = None
    for card in sources:
        if card not in desk.planned:
            _reallocate(desk, card)


def _reallocate(desk: Desk, card: CardKey, *, changed: bool = False) -> None:
    """Bring the lots of a store's open commands up to what stands now, and publish where the store stands if that changed."""
    desk.planned.add(card)
    for command_id, mine in allocation.plan(desk, card).items():
        command = desk.commands.get((card[0], command_id))
        if command is not None and allocation.differs(command, mine):
            revise(desk, command, lots=mine.lots, proof={**command.proof, "allocation": mine.told})
            changed = True
    if changed:
        publish_position(desk, card, desk.catalog.policy(*card), desk.book.card(card))


def stop_lots(desk: Desk, items: Collection[str], notice: str) -> None:
    """Open commands that would take lots which may not be given any more name others; the proof says why."""
    for _, command in list(desk.commands.scan(())):
        if command.state in CLOSED_COMMAND_STATES or command.item not in items or not command.lots:
            continue
        if command.kind is CommandKind.RETURN:
            continue  # what may not be given is what goes back
        stopped = [lot.lot for lot in command.lots if not _may_take(desk, command, lot)]
        if stopped:
            taking = with_lots(desk, command)
            lots = taking.lots if taking is not command else tuple(one for one in command.lots if one.lot not in stopped)
            proof = {**taking.proof, "recalls": {**command.proof.get("recalls", {}), notice: stopped}}
            revise(desk, command, lots=lots, proof=proof)


def _may_take(desk: Desk, command: Command, suggested: SuggestedLot) -> bool:
    number = suggested.lot if suggested.lot == UNKNOWN_LOT else normalise_lot(suggested.lot)
    card = (command.site, suggested.location, command.item)
    return usable_at(desk.book.facts_of(card, LotId(suggested.product, number, suggested.container or "")), desk.now_us)


def substitutes(desk: Desk, site: str, place: str, item: Item) -> list[dict[str, Any]]:
    """Items that may stand in and are usable at a place: for a person to choose, nothing is done with them."""
    found = []
    for id_ in desk.catalog.substitutes(site, item):
        card = desk.book.cards.get((site, place, id_))
        other = desk.catalog.item(id_)
        free = allocation.free(desk, (site, place, id_)) if card is not None else 0
        if free > 0 and other is not None:
            found.append({"item": id_, "location": place, "usable": free, "unit": other.base_unit})
    return found


def publish(desk: Desk, command: Command) -> Command:
    """Store and publish a revision, as it was published: that of a site that is not live goes nowhere it could be executed."""
    live, key = desk.catalog.is_live(command.site), (command.site, command.command_id)
    if not live:
        command = _withdrawn(desk, desk.commands.get(key), command)
    if command.shadow == live:
        command = replace(command, shadow=not live)
    desk.commands.put(key, command)
    desk.emit(COMMANDS if live else SHADOW_COMMANDS, encode_key(key), encode(command), "Command", command.site)
    return command


def revise(desk: Desk, command: Command, **changes: Any) -> Command:
    """The next revision of a command. One that takes lots no longer lets go of them; one that takes other quantities, again."""
    revised: Command = replace(command, revision=command.revision + 1, updated_at=desk.at, **changes)
    held, holds = allocation.holds(command), allocation.holds(revised)
    anew = held != holds or (holds and command.quantity != revised.quantity)
    if holds and anew:
        revised = with_lots(desk, revised)
    elif anew:
        told = {**revised.proof.get("allocation", {}), "released": str(revised.state)}
        revised = replace(revised, proof={**revised.proof, "allocation": told})
    revised = publish(desk, revised)
    if anew:
        allocation.remember(desk, revised)
        _reallocate(desk, allocation.source_of(revised), changed=True)
    return revised


def _withdrawn(desk: Desk, said: Command | None, command: Command) -> Command:
    """The first revision after a roll-back takes back the executable one before it; returns the one that follows."""
    if said is None or said.shadow or said.state in CLOSED_COMMAND_STATES:
        return command
    back: Command = replace(
        said, revision=command.revision, state=CommandState.CANCELLED, closed_at=desk.at, updated_at=desk.at, reason=ROLLED_BACK
    )  # fmt: skip
    desk.emit(COMMANDS, encode_key((back.site, back.command_id)), encode(back), "Command", back.site)
    answered = said.state is command.state is CommandState.ACKNOWLEDGED
    following: Command = replace(
        command, revision=command.revision + 1, state=state_again(desk, command) if answered else command.state
    )  # fmt: skip
    return following


def escalate(desk: Desk, command_id: str, card: CardKey, urgency: Urgency) -> None:
    """Raise the urgency of an open command; it is never lowered while the need is open."""
    command = desk.commands.get((card[0], command_id))
    if command is None or command.state in CLOSED_COMMAND_STATES:
        return
    if _URGENCY_RANK[urgency] > _URGENCY_RANK[command.urgency]:
        revise(desk, command, urgency=urgency)
        if urgency is Urgency.STOCK_OUT:
            desk.count(card[0], "stock_outs")
            item = desk.catalog.item(card[2])
            text = f"{item.name if item else card[2]} is out of stock at {card[1]}"
            desk.alert(card[0], "stock_out", text, command_id, location=card[1], item=card[2])


def satisfy(desk: Desk, card: CardKey, command_id: str, by: OrderKey) -> None:
    """The supply arrived: the command is done, whoever answered it."""
    command = desk.commands.get((card[0], command_id))
    if command is None or command.state in CLOSED_COMMAND_STATES:
        return
    proof = {**command.proof, "satisfied_by": order_text(by)}
    revise(desk, command, state=CommandState.SATISFIED, closed_at=from_us(by[0]), proof=proof)
    desk.count(card[0], "needs_closed")


def ask_network(desk: Desk, command: Command) -> None:
    """Send a purchase need of a live site to the network processor, which weighs suppliers and other sites."""
    if command.state is not CommandState.AWAITING_SUPPLIER or command.shadow:
        return
    key = encode_key((command.site, command.command_id))
    desk.out.append(Output(NETWORK_LOG, key, encode(command), "Command", partition=0, subject=command.site))


def take_proposal(desk: Desk, proposal: Proposal) -> None:
    """The network's answer to a purchase need: the site issues it, or keeps waiting when nobody sells the item."""
    command = desk.commands.get((proposal.site, proposal.command_id))
    item = desk.catalog.item(proposal.item)
    if command is None or item is None or command.state is not CommandState.AWAITING_SUPPLIER:
        return
    if not desk.catalog.is_live(proposal.site):
        return  # it was asked before the site went back to shadow, and is asked again when it goes live
    proof = {**command.proof, "options": list(proposal.options)}
    if proposal.supplier is None:
        revise(desk, command, proof=proof, reason="no supplier of the network sells this item")
        return
    taken = next(option for option in proposal.options if option.get("supplier") == proposal.supplier)
    pack = int(taken["pack"])
    quantity = -(-command.quantity // pack) * pack
    value = Decimal(str(taken["price"])) * quantity
    ready = replace(command, supplier=proposal.supplier, quantity=quantity, proof=proof, state=CommandState.ISSUED)
    checked = governed(desk, ready, item, value)
    publish(desk, replace(checked, revision=command.revision + 1, updated_at=desk.at))


def governed(desk: Desk, command: Command, item: Item, value: Decimal) -> Command:
    """The command, waiting for approval where a rule asks for one. The first rule that applies names the role."""
    for rule in desk.catalog.approval_rules():
        if command.kind not in rule.kinds:
            continue
        applies = (
            (rule.controlled and item.schedule is not None)
            or (rule.non_formulary and not desk.catalog.is_formulary(command.site, item))
            or (rule.value_from is not None and value >= rule.value_from)
        )
        if applies:
            proof = {**command.proof, "approval_rule": rule.id, "estimated_value": str(value)}
            waiting: Command = replace(
                command, state=CommandState.AWAITING_APPROVAL, approval_role=rule.role, proof=proof
            )
            return waiting
    return documents.gate(desk, command, item)


def decide(desk: Desk, decision: Decision) -> tuple[str, str]:
    """A person's decision on a command. Returns a reason code and a sentence; an illegal request is refused with its reason."""
    command = desk.commands.get((decision.site, decision.target))
    if command is None:
        return "unknown_target", f"no command {decision.target} is known at site {decision.site}"
    if command.state in CLOSED_COMMAND_STATES:
        return "already_closed", f"the command is {command.state}: nothing is left to decide"
    if decision.action == "document":
        code, reason, changed = documents.supplied(desk, command, decision)
        if changed is not None:
            publish(desk, replace(changed, revision=command.revision + 1, updated_at=desk.at))
        return code, reason
    if decision.action == "cancel":
        refused = roles.lacks(desk, decision.actor, decision.site, roles.MAY_CANCEL)
        if refused is not None:
            return "not_authorised", refused
        approvals = _with(command, decision)
        revise(desk, command, state=CommandState.CANCELLED, approvals=approvals, closed_at=decision.at, reason=decision.reason)
        return "cancelled", "the command is cancelled; the need stays open on the card until supply arrives"
    return _judge(desk, command, decision)


def _with(command: Command, decision: Decision) -> tuple[Approval, ...]:
    approval = Approval(actor=decision.actor, action=decision.action, at=decision.at, reason=decision.reason)
    return (*command.approvals, approval)


def _judge(desk: Desk, command: Command, decision: Decision) -> tuple[str, str]:
    """Approve or reject a command that waits for it."""
    if not desk.catalog.is_live(command.site):
        return "site_not_live", f"site {command.site} is not live: nothing is executed, so nothing is approved or rejected"
    if command.state is not CommandState.AWAITING_APPROVAL:
        return "not_awaiting_approval", f"the command is {command.state}, it waits for no approval"
    refused = roles.lacks(desk, decision.actor, decision.site, (command.approval_role or roles.PHARMACIST,))
    if refused is not None:
        return "not_authorised", refused
    state = CommandState.ISSUED if decision.action == "approve" else CommandState.REJECTED
    state = documents.gate(desk, replace(command, state=state), desk.catalog.item(command.item)).state
    revise(desk, command, state=state, approvals=_with(command, decision), reason=decision.reason)
    return decision.action, f"the command is {state}"


def answer(desk: Desk, reply: OrderAnswer) -> tuple[str, str]:
    """An ERP's answer. Answers come in any order, repeated, or never; a closed command keeps its state."""
    command = desk.commands.get((reply.site, reply.command_id))
    if command is None:
        return "unknown_command", f"no command {reply.command_id} is known at site {reply.site}"
    answers = command.proof.get("answers", [])
    if any(entry["answer_id"] == reply.answer_id for entry in answers):
        return "duplicate", "this answer was received before"
    entry = {
        "answer_id": reply.answer_id, "status": reply.status, "at": reply.at.isoformat(), "reason": reply.reason,
        "quantity": int(reply.quantity) if reply.quantity is not None else command.quantity, "document": reply.document,
    }  # fmt: skip
    answers = sorted((*answers, entry), key=lambda one: (one["at"], one["answer_id"]))
    proof = {**command.proof, "answers": answers}
    if command.state not in _ANSWERABLE:
        revise(desk, command, proof=proof)
        return "noted", f"noted; the command is {command.state} and stays so"
    newest = answers[-1]
    if newest["status"] == "rejected":
        revise(desk, command, state=CommandState.REJECTED, proof=proof, reason=newest["reason"])
    else:
        proof["confirmed"] = newest["quantity"]
        revise(desk, command, state=CommandState.ACKNOWLEDGED, proof=proof, document=newest["document"] or command.document)
    return reply.status, f"the command is {newest['status']} by its newest answer"


def publish_position(desk: Desk, card: CardKey, policy: ParPolicy | None, standing: Card) -> None:
    """Publish where the item stands at the place."""
    site, location, item_id = card
    item = desk.catalog.item(item_id)
    if item is None:
        return
    need = desk.needs.get(card)
    command = desk.commands.get((site, need.command_id)) if need is not None else None
    daily = demand.daily(desk, card)
    held_back = allocation.allocated(desk, card)
    free = max(0, max(standing.usable, 0) - held_back)
    record = Position(
        site=site, location=location, item=item_id, on_hand=standing.on_hand, usable=free, allocated=held_back,
        due=supply_due(command), unit=item.base_unit,
        as_of=from_us(max(desk.now_us, standing.last[0] if standing.last else 0)),
        minimum=policy.minimum if policy else None, par=policy.par if policy else None,
        critical=policy.critical if policy else None, open_command=need.command_id if need else None,
        urgency=command.urgency if command else None, daily_demand=daily,
        days_to_stock_out=demand.days_left(free, daily), shadow=not desk.catalog.is_live(site),
    )  # fmt: skip
    desk.emit(POSITIONS, encode_key(card), encode(record), "Position", site)
    if policy is not None and policy.kind is CommandKind.PURCHASE:
        network_feed.note(desk, card)
