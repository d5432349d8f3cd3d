"""Stage orders: the life of commands, from the need that opened them to the supply that satisfied them.

A need closes by the refill, receipt or transfer that satisfies it, whether or not anyone answered the command. Each (id,
revision) is written once. Forecasts and the network's proposals inform; approvals decide.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from schemas.codec import encode
from schemas.events import Decision, OrderAnswer, Proposal
from schemas.ids import derived_id
from schemas.keys import encode_key
from schemas.kinds import CLOSED_COMMAND_STATES, CommandKind, CommandState, Urgency
from schemas.log import Output
from schemas.records import Approval, Command, Position, SuggestedLot
from schemas.reference import Item, ParPolicy
from schemas.topics import COMMANDS, NETWORK_LOG, POSITIONS
from streams.ledger.model import Card, CardKey, LotId, OrderKey, usable_at
from streams.site import demand, levels
from streams.site.desk import Desk, order_text, replace
from streams.times import from_us, iso_date

_ANSWERABLE: Final = frozenset({CommandState.ISSUED, CommandState.ACKNOWLEDGED, CommandState.REJECTED})
"""States an ERP's answer can change. One that waits for approval or is closed is not the ERP's to move."""
_MAY_CANCEL: Final = frozenset({"pharmacist", "buyer"})
SUGGESTED_LOTS_MAX: Final = 10
_URGENCY_RANK: Final = {Urgency.ROUTINE: 0, Urgency.CRITICAL: 1, Urgency.STOCK_OUT: 2}


def supply_due(desk: Desk, card: CardKey) -> int:
    """Base units that an ERP has confirmed for the card's open command."""
    need = desk.needs.get(card)
    if need is None:
        return 0
    command = desk.commands.get((card[0], need.command_id))
    if command is None or command.state is not CommandState.ACKNOWLEDGED:
        return 0
    return int(command.proof.get("confirmed", 0))


def open_need(
    desk: Desk, card: CardKey, policy: ParPolicy, standing: Card, turned: OrderKey, urgency: Urgency
) -> str | None:
    """Turn an armed card into a command; None when nothing would be asked for."""
    site, location, item_id = card
    item = desk.catalog.item(item_id)
    quantity = levels.order_quantity(policy, standing.usable, 0)
    if item is None or quantity <= 0:
        return None
    command_id = derived_id("command", site, item_id, location, policy.kind, "", "", "", order_text(turned))
    held = desk.commands.get((site, command_id))
    if held is not None:
        return held.command_id if held.state is CommandState.CANCELLED else _reopen(desk, held, urgency)
    lots = suggested_lots(desk, site, policy.source, item_id, quantity) if policy.source else ()
    proof: dict[str, Any] = {
        "trigger": f"usable {standing.usable} at {location} is at or below minimum {policy.minimum}"
        if urgency is Urgency.ROUTINE
        else f"usable {standing.usable} at {location} is at or below critical {policy.critical}",
        "armed_by": order_text(turned),
        "position": {"on_hand": standing.on_hand, "usable": standing.usable, "due": 0},
        "policy": {
            "minimum": policy.minimum, "par": policy.par, "maximum": policy.maximum, "critical": policy.critical,
            "satisfied_at": levels.satisfied_at(policy), "multiple": policy.multiple,
            "revision": desk.catalog.revision("par_policy", "|".join(card)),
        },
        "arithmetic": f"par {policy.par} - usable {standing.usable} - due 0, in multiples of {policy.multiple} = {quantity}",
        "daily_demand": str(demand.daily(desk, card)),
    }  # fmt: skip
    purchase = policy.kind is CommandKind.PURCHASE
    command = Command(
        command_id=command_id, revision=1, site=site, location=location, item=item_id, kind=policy.kind,
        state=CommandState.AWAITING_SUPPLIER if purchase else CommandState.ISSUED, urgency=urgency, quantity=quantity,
        unit=item.base_unit, opened_at=from_us(turned[0]), updated_at=desk.at, proof=proof, source_location=policy.source,
        lots=lots,
    )  # fmt: skip
    if not purchase:
        command = _governed(desk, command, item, Decimal(0))
    publish(desk, command)
    desk.count(site, "needs_opened")
    if urgency is Urgency.STOCK_OUT:
        desk.count(site, "stock_outs")
        text = f"{item.name} is out of stock at {location}"
        desk.alert(site, "stock_out", text, command_id, location=location, item=item_id)
    if purchase:
        _ask_network(desk, command)
    return command_id


def _reopen(desk: Desk, held: Command, urgency: Urgency) -> str:
    """A late event took the satisfaction back: the same need, armed by the same entry, goes on as the next revision."""
    proof = {name: value for name, value in held.proof.items() if name != "satisfied_by"}
    approved = any(approval.action == "approve" for approval in held.approvals)
    if held.kind is CommandKind.PURCHASE and held.supplier is None:
        state = CommandState.AWAITING_SUPPLIER
    elif held.approval_role is not None and not approved:
        state = CommandState.AWAITING_APPROVAL
    else:
        state = CommandState.ISSUED
    reopened = revise(desk, held, state=state, closed_at=None, proof=proof, urgency=urgency)
    if state is CommandState.AWAITING_SUPPLIER:
        _ask_network(desk, reopened)
    return held.command_id


def suggested_lots(desk: Desk, site: str, source: str, item: str, quantity: int) -> tuple[SuggestedLot, ...]:
    """Lots of the source to take, first expiring first; lots without expiry last (`domain` §3.4, FEFO)."""
    card: CardKey = (site, source, item)
    found = []
    for key, on_hand in desk.book.lots.scan(card):
        lot = LotId(str(key[3]), str(key[4]), str(key[5]))
        facts = desk.book.facts_of(card, lot)
        if on_hand > 0 and usable_at(facts, desk.now_us):
            found.append((facts.expiry or "9999-12-31", lot.lot, lot, facts, on_hand))
    taken: list[SuggestedLot] = []
    for _, _, lot, facts, on_hand in sorted(found, key=lambda row: (row[0], row[1], row[2].product)):
        if quantity <= 0 or len(taken) == SUGGESTED_LOTS_MAX:
            break
        expiry = None if facts.expiry is None else iso_date(facts.expiry)
        take = min(quantity, on_hand)
        taken.append(
            SuggestedLot(location=source, product=lot.product, lot=facts.lot_text or lot.lot, quantity=take, expiry=expiry)
        )
        quantity -= take
    return tuple(taken)


def publish(desk: Desk, command: Command) -> None:
    """Store and publish a revision."""
    desk.commands.put((command.site, command.command_id), command)
    desk.emit(COMMANDS, encode_key((command.site, command.command_id)), encode(command), "Command", command.site)


def revise(desk: Desk, command: Command, **changes: Any) -> Command:
    """The next revision of a command."""
    revised: Command = replace(command, revision=command.revision + 1, updated_at=desk.at, **changes)
    publish(desk, revised)
    return revised


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


def _ask_network(desk: Desk, command: Command) -> None:
    """Send a purchase need to the network processor, which weighs suppliers and other sites."""
    key = encode_key((command.site, command.command_id))
    desk.out.append(Output(NETWORK_LOG, key, encode(command), "Command", partition=0, subject=command.site))


def take_proposal(desk: Desk, proposal: Proposal) -> None:
    """The network's answer to a purchase need: the site issues it, or keeps waiting when nobody sells the item."""
    command = desk.commands.get((proposal.site, proposal.command_id))
    item = desk.catalog.item(proposal.item)
    if command is None or item is None or command.state is not CommandState.AWAITING_SUPPLIER:
        return
    proof = {**command.proof, "options": list(proposal.options)}
    if proposal.supplier is None:
        revise(desk, command, proof=proof, reason="no supplier of the network sells this item")
        return
    taken = next(option for option in proposal.options if option.get("supplier") == proposal.supplier)
    pack = int(taken["pack"])
    quantity = -(-command.quantity // pack) * pack
    value = Decimal(str(taken["price"])) * quantity
    ready = replace(command, supplier=proposal.supplier, quantity=quantity, proof=proof, state=CommandState.ISSUED)
    governed = _governed(desk, ready, item, value)
    publish(desk, replace(governed, revision=command.revision + 1, updated_at=desk.at))


def _governed(desk: Desk, command: Command, item: Item, value: Decimal) -> Command:
    """The command, waiting for approval where a rule asks for one. The first rule that applies names the role."""
    for rule in desk.catalog.approval_rules():
        if command.kind not in rule.kinds:
            continue
        applies = (
            (rule.controlled and item.schedule is not None)
            or (rule.non_formulary and not item.formulary)
            or (rule.value_from is not None and value >= rule.value_from)
        )
        if applies:
            proof = {**command.proof, "approval_rule": rule.id, "estimated_value": str(value)}
            waiting: Command = replace(
                command, state=CommandState.AWAITING_APPROVAL, approval_role=rule.role, proof=proof
            )
            return waiting
    return command


def decide(desk: Desk, decision: Decision) -> tuple[str, str]:
    """A person's decision on a command. Returns a reason code and a sentence; an illegal request is refused with its reason."""
    command = desk.commands.get((decision.site, decision.target))
    if command is None:
        return "unknown_target", f"no command {decision.target} is known at site {decision.site}"
    if command.state in CLOSED_COMMAND_STATES:
        return "already_closed", f"the command is {command.state}: nothing is left to decide"
    held = [role for role in desk.catalog.roles_of(decision.actor) if not role.sites or decision.site in role.sites]
    approval = Approval(actor=decision.actor, action=decision.action, at=decision.at, reason=decision.reason)
    approvals = (*command.approvals, approval)
    if decision.action == "cancel":
        if not any(role.role in _MAY_CANCEL for role in held):
            return "not_authorised", f"{decision.actor} is neither pharmacist nor buyer at {decision.site}"
        revise(desk, command, state=CommandState.CANCELLED, approvals=approvals, closed_at=decision.at, reason=decision.reason)
        return "cancelled", "the command is cancelled; the need stays open on the card until supply arrives"
    if command.state is not CommandState.AWAITING_APPROVAL:
        return "not_awaiting_approval", f"the command is {command.state}, it waits for no approval"
    if not any(role.role == command.approval_role for role in held):
        return "not_authorised", f"{decision.actor} does not hold the role {command.approval_role} at {decision.site}"
    state = CommandState.ISSUED if decision.action == "approve" else CommandState.REJECTED
    revise(desk, command, state=state, approvals=approvals, reason=decision.reason)
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
    record = Position(
        site=site, location=location, item=item_id, on_hand=standing.on_hand, usable=max(standing.usable, 0),
        due=supply_due(desk, card), unit=item.base_unit,
        as_of=from_us(max(desk.now_us, standing.last[0] if standing.last else 0)),
        minimum=policy.minimum if policy else None, par=policy.par if policy else None,
        critical=policy.critical if policy else None, open_command=need.command_id if need else None,
        urgency=command.urgency if command else None, daily_demand=daily,
        days_to_stock_out=demand.days_left(standing.usable, daily),
    )  # fmt: skip
    desk.emit(POSITIONS, encode_key(card), encode(record), "Position", site)
    if policy is not None and policy.kind is CommandKind.PURCHASE:
        desk.changed.put(card, 1)
