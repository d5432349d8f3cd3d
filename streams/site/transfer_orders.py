"""Stage orders, for transfers between sites: a person asks, the sender reserves or refuses, what was received closes it.

The receiver's need stays its own command and waits; the sender's, of kind `transfer`, is what its people execute, and its id
is the shipment's number. Each end knows of the other by notices.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from schemas.events import Decision
from schemas.ids import derived_id
from schemas.kinds import CLOSED_COMMAND_STATES, CommandKind, CommandState, Urgency
from schemas.records import Approval, Command
from schemas.reference import Item
from schemas.transfers import TransferNotice, TransferStep
from streams.ledger.model import CardKey
from streams.site import allocation, network_feed, orders
from streams.site.desk import Desk

_MAY_ASK: Final = frozenset({"pharmacist", "buyer"})
_ENDS: Final = frozenset({"cancelled", "reject"})
"""Reason codes of decisions after which nothing will be sent."""
_NOT_TO_BE_SENT: Final = frozenset({CommandState.AWAITING_APPROVAL, CommandState.REJECTED, CommandState.CANCELLED})
_CAN_STILL: Final = frozenset(
    {CommandState.AWAITING_SUPPLIER, CommandState.AWAITING_APPROVAL, CommandState.ISSUED, CommandState.REJECTED}
)
"""States of a purchase need in which nobody has ordered yet."""


# ---- the receiver --------------------------------------------------------------------------------------------------------


def ask(desk: Desk, decision: Decision) -> tuple[str, str]:
    """A person wants a purchase need met by another site. A reason code and a sentence."""
    command: Command | None = desk.commands.get((decision.site, decision.target))
    if command is None:
        return "unknown_target", f"no command {decision.target} is known at site {decision.site}"
    if command.kind is not CommandKind.PURCHASE or command.state not in _CAN_STILL:
        return "not_transferable", f"the command is a {command.kind}, {command.state}: only a purchase nobody has ordered can be"
    held = [role for role in desk.catalog.roles_of(decision.actor) if not role.sites or decision.site in role.sites]
    if not any(role.role in _MAY_ASK for role in held):
        return "not_authorised", f"{decision.actor} is neither pharmacist nor buyer at {decision.site}"
    option = _option(command, decision.option)
    if option is None:
        offered = ", ".join(sorted(str(one.get("from_site")) for one in _options(command))) or "none"
        return "unknown_option", f"{decision.option or 'no site'} is no transfer of this command; there are {offered}"
    asked = {"from_site": decision.option, "quantity": command.quantity, "state": "asked"}
    approval = Approval(actor=decision.actor, action=decision.action, at=decision.at, reason=decision.reason)
    asking = orders.revise(
        desk, command, state=CommandState.AWAITING_SUPPLIER, supplier=None, approval_role=None,
        approvals=(*command.approvals, approval), proof={**command.proof, "transfer": asked},
        reason=f"site {decision.option} is asked for a transfer",
    )  # fmt: skip
    notice = TransferNotice(
        step=TransferStep.ASKED, from_site=str(decision.option), to_site=command.site, shipment="", item=command.item,
        quantity=command.quantity, at=decision.at, version=asking.revision, location=str(option["from_location"]),
        need=command.command_id,
    )  # fmt: skip
    network_feed.ask_for_transfer(desk, notice)
    return "asked", f"site {decision.option} is asked for {command.quantity} {command.unit}"


def _options(command: Command) -> list[dict[str, Any]]:
    return [one for one in command.proof.get("options", ()) if one.get("kind") == "transfer"]


def _option(command: Command, site: str | None) -> dict[str, Any] | None:
    return next((one for one in _options(command) if one.get("from_site") == site), None)


def take(desk: Desk, notice: TransferNotice) -> list[CardKey]:
    """What another site asks for, or answers; returns the cards that changed."""
    if notice.step is TransferStep.ASKED:
        _reserve(desk, notice)
        return []
    command: Command | None = desk.commands.get((notice.to_site, notice.need or ""))
    said = command.proof.get("transfer", {}) if command is not None else {}
    if command is None or command.state in CLOSED_COMMAND_STATES or said.get("from_site") != notice.from_site:
        return []
    if notice.step is TransferStep.AGREED:
        if said.get("state") == "asked":
            agreed = {**said, "state": "agreed", "shipment": notice.shipment, "quantity": notice.quantity}
            proof = {**command.proof, "transfer": agreed, "confirmed": notice.quantity}
            orders.revise(desk, command, state=CommandState.ACKNOWLEDGED, proof=proof, document=notice.shipment, reason=None)
    elif said.get("state") in ("asked", "agreed"):
        proof = {name: value for name, value in command.proof.items() if name != "confirmed"}
        proof["transfer"] = {**said, "state": "refused", "why": notice.reason}
        refused = orders.revise(
            desk, command, state=CommandState.AWAITING_SUPPLIER, proof=proof,
            reason=f"site {notice.from_site} sends nothing: {notice.reason}",
        )  # fmt: skip
        orders.ask_network(desk, refused)
    return [(command.site, command.location, command.item)]


# ---- the sender ----------------------------------------------------------------------------------------------------------


def _reserve(desk: Desk, notice: TransferNotice) -> None:
    """Reserve what another site asks for, if that leaves this site its par level; else refuse it, and say why."""
    site, place, item = notice.from_site, notice.location or "", desk.catalog.item(notice.item)
    armed_by = f"transfer|{notice.to_site}|{notice.need}|{notice.version}"
    command_id = derived_id("command", site, notice.item, place, CommandKind.TRANSFER, "", "", "", armed_by)
    if desk.commands.get((site, command_id)) is not None:
        return
    card: CardKey = (site, place, notice.item)
    usable, reserved = desk.book.card(card).usable, _reserved(desk, card) + allocation.allocated(desk, card)
    policy = desk.catalog.policy(*card)
    par = policy.par if policy is not None else 0
    free = max(usable - reserved - par, 0)
    if item is None or free < notice.quantity:
        unit = item.base_unit if item is not None else ""
        why = f"usable {usable} - reserved {reserved} - par {par} at {place} leaves {free} {unit}, asked {notice.quantity}"
        _answer(desk, notice, TransferStep.REFUSED, command_id, why)
        return
    proof: dict[str, Any] = {
        "trigger": f"site {notice.to_site} asks for {notice.quantity} {item.base_unit}", "armed_by": armed_by,
        "position": {"on_hand": desk.book.card(card).on_hand, "usable": usable, "reserved": reserved}, "policy": {"par": par},
        "arithmetic": f"usable {usable} - reserved {reserved} - par {par} = {free}, asked {notice.quantity}",
        "daily_demand": "0", "to_site": notice.to_site, "need": notice.need, "need_version": notice.version,
    }  # fmt: skip
    command = Command(
        command_id=command_id, revision=1, site=site, location=place, item=notice.item, kind=CommandKind.TRANSFER,
        state=CommandState.ISSUED, urgency=Urgency.ROUTINE, quantity=notice.quantity, unit=item.base_unit, opened_at=notice.at,
        updated_at=desk.at, proof=proof, source_location=place, document=None,
        lots=allocation.first_expiring(desk, card, notice.quantity),
    )  # fmt: skip
    orders.publish(desk, orders.governed(desk, command, item, _value(desk, item, notice.quantity)))
    _answer(desk, notice, TransferStep.AGREED, command_id, None)


def _reserved(desk: Desk, card: CardKey) -> int:
    """What open transfers will still take from a card."""
    found = 0
    for _, command in desk.commands.scan((card[0],)):
        if command.kind is CommandKind.TRANSFER and (command.location, command.item) == card[1:] and is_open(command):
            found += max(command.quantity - int(command.proof.get("sent", 0)), 0)
    return found


def is_open(command: Command) -> bool:
    """Whether a command may still be executed."""
    return command.state not in CLOSED_COMMAND_STATES and command.state is not CommandState.REJECTED


def _value(desk: Desk, item: Item, quantity: int) -> Decimal:
    """Estimated value by the dearest stated cost of the item's products; 0 where none is stated."""
    products = [desk.catalog.product(one) for one in desk.catalog.products_of(item.id)]
    costs = [one.unit_cost for one in products if one is not None and one.unit_cost is not None]
    return max(costs, default=Decimal(0)) * quantity


def _answer(desk: Desk, asked: TransferNotice, step: TransferStep, shipment: str, reason: str | None) -> None:
    answer = replace(asked, step=step, shipment=shipment, reason=reason)
    network_feed.tell_site(desk, asked.from_site, answer)


def decided(desk: Desk, decision: Decision, code: str) -> None:
    """A person at the sender rejected or cancelled its command: the receiver hears of it, unless something was sent."""
    command: Command | None = desk.commands.get((decision.site, decision.target))
    if command is None or command.kind is not CommandKind.TRANSFER or code not in _ENDS or command.proof.get("sent"):
        return
    reason = decision.reason
    notice = TransferNotice(
        step=TransferStep.REFUSED, from_site=command.site, to_site=str(command.proof["to_site"]), shipment=command.command_id,
        item=command.item, quantity=command.quantity, at=desk.at, need=command.proof.get("need"),
        reason=f"its command was {command.state}" + (f": {reason}" if reason else ""),
    )  # fmt: skip
    network_feed.tell_site(desk, command.site, notice)


def progress(desk: Desk, transfer: tuple[str, str, str, str], sent: int, received: int, under_way: int) -> None:
    """What became of the command whose id is the shipment's number: on its way, or closed with what was received."""
    from_site, _, shipment, item = transfer
    command: Command | None = desk.commands.get((from_site, shipment))
    if command is None or command.kind is not CommandKind.TRANSFER or command.item != item:
        return
    if sent and command.state in _NOT_TO_BE_SENT:
        text = f"{sent} {command.unit} of transfer {shipment} were sent, and its command is {command.state}"
        case_id = derived_id("case", "transfer_unapproved", from_site, shipment)
        desk.case_open(case_id, from_site, "transfer_unapproved", text, location=command.location, item=item)
    lost = max(sent - received - under_way, 0)
    known = {"sent": sent, "received": received, "under_way": under_way, "lost": lost}
    state = command.state
    if sent >= command.quantity and under_way == 0:
        state = CommandState.SATISFIED
    elif sent and state is not CommandState.CANCELLED:
        state = CommandState.IN_TRANSIT
    elif state in (CommandState.IN_TRANSIT, CommandState.SATISFIED):
        state = CommandState.ISSUED
    if state is command.state and all(command.proof.get(name, 0) == value for name, value in known.items()):
        return
    closed_at = command.closed_at if state is CommandState.CANCELLED else desk.at if state is CommandState.SATISFIED else None
    orders.revise(desk, command, state=state, proof={**command.proof, **known}, closed_at=closed_at)
