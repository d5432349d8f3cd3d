"""Stage requests: a cabinet's pick list, or another system's supply request, becomes part of the card's one open need.

It joins the need that is open. Where none is, it opens one if the cabinet replenishes itself or the hub has no levels for the
card; else it is noted: the hub's own levels decide. A newer request takes the place of an older one. What a request opened is
satisfied by the first stock that is brought to the place afterwards, and gives way to a need of the hub's own levels.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from schemas.events import StockEvent
from schemas.ids import derived_id
from schemas.kinds import CLOSED_COMMAND_STATES, CommandKind, CommandState, EventKind, Urgency
from schemas.records import Command
from schemas.reference import Item
from streams.ledger.model import CardKey, OrderKey
from streams.site import allocation, demand, orders
from streams.site.desk import Desk
from streams.site.work import Work
from streams.times import to_us

REQUESTS_KEPT_MAX: Final = 20
"""Requests that stand in a command's proof, the last so many."""
_BRINGS: Final = frozenset(
    {
        EventKind.REFILL, EventKind.LOAD, EventKind.RECEIVE, EventKind.RETURN, EventKind.ADJUST_IN, EventKind.TRANSFER_IN,
    }
)  # fmt: skip
_BRINGS_TO_OTHER: Final = frozenset({EventKind.PUT_AWAY, EventKind.PICK})


def take(desk: Desk, event: StockEvent, item: Item, place: str, quantity: int) -> tuple[str, str]:
    """What becomes of a request: a reason code and a sentence."""
    card: CardKey = (event.site, place, item.id)
    need = desk.needs.get(card)
    standing = _open(desk, card, desk.requested.get(card))
    own = _open(desk, card, need.command_id if need is not None else None)
    if own is not None:
        orders.revise(desk, own, proof=_with(own.proof, event, quantity))
        return "joined_need", f"the request of {quantity} {item.base_unit} joins command {own.command_id}, which is open"
    if quantity <= 0:
        return "noted", f"nothing is asked for at {place}"
    if standing is not None:
        orders.revise(desk, standing, quantity=quantity, proof=_with(standing.proof, event, quantity))
        return "joined_need", f"it takes the place of the request before, in command {standing.command_id}: {quantity} now"
    location = desk.catalog.location(event.site, place)
    policy = desk.catalog.policy(*card)
    if location is not None and location.replenisher == "erp":
        return "noted", f"the ERP replenishes {place}: nothing is asked for"
    if policy is not None and (location is None or location.replenisher != "cabinet"):
        usable = allocation.free(desk, card)
        return "noted", f"usable {usable} at {place}, minimum {policy.minimum}: no need is open, and its levels decide"
    command = _command(desk, event, item, card, quantity)
    desk.requested.put(card, command.command_id)
    orders.place(desk, command)
    desk.count(event.site, "needs_opened")
    return "opened_need", f"the request opens command {command.command_id}: {quantity} {item.base_unit} to {place}"


def _command(desk: Desk, event: StockEvent, item: Item, card: CardKey, quantity: int) -> Command:
    site, place, _ = card
    standing = desk.book.card(card)
    location = desk.catalog.location(site, place)
    source = location.refill_from if location is not None else None
    armed_by = f"request|{event.event_key}"
    proof = {
        "trigger": f"{event.source} asked for {quantity} {item.base_unit}", "armed_by": armed_by,
        "position": {"on_hand": standing.on_hand, "usable": standing.usable, "due": 0}, "policy": {},
        "arithmetic": f"requested {quantity}", "daily_demand": str(demand.daily(desk, card)),
    }  # fmt: skip
    made = Command(
        command_id=derived_id("command", site, item.id, place, CommandKind.RESTOCK, "", "", "", armed_by), revision=1, site=site,
        location=place, item=item.id, kind=CommandKind.RESTOCK, state=CommandState.ISSUED,
        urgency=Urgency.STOCK_OUT if standing.usable <= 0 else Urgency.ROUTINE, quantity=quantity, unit=item.base_unit,
        opened_at=event.occurred, updated_at=desk.at, proof=_with(proof, event, quantity), source_location=source,
    )  # fmt: skip
    return orders.governed(desk, orders.with_lots(desk, made), item, Decimal(0))


def _with(proof: dict[str, Any], event: StockEvent, quantity: int) -> dict[str, Any]:
    """The proof with a request in it."""
    asked = {"source": event.source, "event": event.event_key, "quantity": quantity, "at": event.occurred.isoformat()}
    return {**proof, "requests": [*proof.get("requests", ()), asked][-REQUESTS_KEPT_MAX:]}


def _open(desk: Desk, card: CardKey, command_id: str | None) -> Command | None:
    command: Command | None = desk.commands.get((card[0], command_id)) if command_id is not None else None
    return None if command is None or command.state in CLOSED_COMMAND_STATES else command


def brought(desk: Desk, work: Work) -> None:
    """Stock was brought to a place: what a request had opened there before is satisfied."""
    event = work.event
    place = work.location if event.kind in _BRINGS else work.other if event.kind in _BRINGS_TO_OTHER else None
    if place is None:
        return
    card: CardKey = (event.site, place, work.item.id)
    command = _open(desk, card, desk.requested.get(card))
    if command is not None and event.occurred >= command.opened_at:
        by: OrderKey = (to_us(event.occurred), event.device_sequence, 0, event.event_key, 0)
        orders.satisfy(desk, card, command.command_id, by)
        desk.requested.delete(card)


def give_way(desk: Desk, card: CardKey) -> None:
    """The hub's own levels open a need: what a request had opened ends, so that one need is open."""
    command = _open(desk, card, desk.requested.get(card))
    if command is not None:
        why = "the need of the place's own levels stands instead"
        orders.revise(desk, command, state=CommandState.CANCELLED, closed_at=desk.at, reason=why)
        desk.requested.delete(card)
