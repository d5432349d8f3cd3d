"""Stage expiry, the end of expired stock: what lies longer than its site allows is proposed to be destroyed, with a witness.

Expired stock stays on hand until it is destroyed. Moved to a quarantine place (segregated) or not, a lot that expired more than
`destroy_after_days` ago is a command to destroy it, one for each place, with the approvals that the rules ask for. What the
command says follows the stock: it ends when nothing of the lot is left there. Recalled stock is never proposed: its notice says
what to do.
That expired or quarantined stock was destroyed by one person alone is a fact, and a case.
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

import msgspec

from schemas.codes import normalise_lot
from schemas.events import ReferenceChange
from schemas.ids import derived_id
from schemas.kinds import CLOSED_COMMAND_STATES, CommandKind, CommandState, EventKind, Urgency
from schemas.records import Command, SuggestedLot
from schemas.reference import Item, Site
from streams.ledger.model import CardKey, LotFacts, LotId, OrderKey, effective_expiry, is_blocked, order_of, usable_at
from streams.ledger.postings import WASTE
from streams.site import orders
from streams.site.desk import Desk, order_text, replace
from streams.site.shelf_tables import Condemned
from streams.site.tables import Timer
from streams.site.work import Work
from streams.times import end_of_day_us, from_us, iso_date, to_us

_LAST_DAY: Final = date(9999, 1, 1)
DOCUMENT: Final = "a document reference (DEA Form 41, 21 CFR 1317.95) before a controlled substance is destroyed"


def schedule(desk: Desk, card: CardKey, lot: LotId, facts: LotFacts) -> None:
    """Look at a lot at a place when it has been expired for as long as the site allows."""
    record = desk.catalog.site(card[0])
    due = None if record is None else _due_us(facts, record)
    if due is not None:
        desk.schedule(due, Timer("destroy", (*card, lot.product, lot.lot, lot.container)))


def _due_us(facts: LotFacts, record: Site) -> int | None:
    expiry = effective_expiry(facts, record.zone)
    if expiry is None or record.destroy_after_days is None:
        return None
    day = iso_date(expiry)
    last = day + timedelta(days=min(record.destroy_after_days, max(0, (_LAST_DAY - day).days)))
    return end_of_day_us(last, record.zone)


def changed(desk: Desk, change: ReferenceChange, before: Site | None) -> list[CardKey]:
    """The days a site allows changed: its lots are looked at again; returns the cards whose commands may end."""
    after = desk.catalog.record(change)
    if (before.destroy_after_days if before else None) == (after.destroy_after_days if after else None):
        return []
    for key, _ in list(desk.lot_places.scan((change.id,))):
        site, item, product, number, place, container = (str(part) for part in key)
        card, lot = (site, place, item), LotId(product, number, container)
        schedule(desk, card, lot, desk.book.lot_facts(card, lot))
    return [(str(key[0]), str(key[1]), str(key[2])) for key, _ in desk.shelf.condemned.scan((change.id,))]


def fell_due(desk: Desk, timer: Timer) -> CardKey:
    """A lot at a place has been expired for so long: watch it from now on; returns its card."""
    site, location, item, product, number, container = timer.subject
    card: CardKey = (site, location, item)
    held = desk.shelf.condemned.get(card) or ()
    if not any((one.product, one.lot, one.container) == (product, number, container) for one in held):
        desk.shelf.condemned.put(card, (*held, Condemned(product, number, container)))
    return card


def look(desk: Desk, card: CardKey) -> None:
    """Bring the commands to destroy what lies at a place up to what lies there."""
    held = desk.shelf.condemned.get(card)
    item = desk.catalog.item(card[2])
    if held and item is not None:
        seen = tuple(_look_at(desk, card, item, one) for one in held)
        if seen != held:
            desk.shelf.condemned.put(card, seen)


def _look_at(desk: Desk, card: CardKey, item: Item, one: Condemned) -> Condemned:
    lot = LotId(one.product, one.lot, one.container)
    quantity = max(0, desk.book.lots.get((*card, *_parts(lot))) or 0)
    command: Command | None = desk.commands.get((card[0], one.command_id)) if one.command_id else None
    is_open = command is not None and command.state not in CLOSED_COMMAND_STATES
    why_not = _why_not(desk, card, lot)
    if command is not None and is_open and (not quantity or why_not):
        _end(desk, card, lot, command, why_not if quantity else None)
    elif command is not None and is_open and quantity != command.quantity:
        _resize(desk, card, item, lot, command, quantity)
    elif not is_open and quantity and not why_not and not (command is not None and _refused(command)):
        return msgspec.structs.replace(one, command_id=_propose(desk, card, item, lot, quantity))
    return one if quantity else msgspec.structs.replace(one, command_id="")


def _parts(lot: LotId) -> tuple[str, str, str]:
    return lot.product, lot.lot, lot.container


def _why_not(desk: Desk, card: CardKey, lot: LotId) -> str | None:
    """Why a lot is not to be destroyed now; None when it is."""
    facts, record = desk.book.lot_facts(card, lot), desk.catalog.site(card[0])
    due = None if record is None else _due_us(facts, record)
    if is_blocked(facts, desk.now_us):
        return "the lot is recalled: what its notice asks for is done"
    return None if due is not None and due <= desk.now_us else "the site allows it to lie longer"


def _refused(command: Command) -> bool:
    """Whether a person ended the command: it is not proposed again while the stock lies there."""
    return any(approval.action == "cancel" for approval in command.approvals[-1:])


def _propose(desk: Desk, card: CardKey, item: Item, lot: LotId, quantity: int) -> str:
    site, location, _ = card
    facts, record = desk.book.lot_facts(card, lot), desk.catalog.site(site)
    due = (_due_us(facts, record) if record is not None else None) or desk.now_us
    expiry = effective_expiry(facts, record.zone if record is not None else "UTC")
    armed_by = f"expired|{'|'.join(_parts(lot))}|{expiry}"
    name = "\x1f".join(_parts(lot))
    command_id = derived_id("command", site, item.id, location, CommandKind.DESTROY, name, "", "", armed_by)
    label = facts.lot_text or lot.lot
    days = record.destroy_after_days if record is not None else None
    proof: dict[str, Any] = {
        "trigger": f"{quantity} {item.base_unit} of lot {label} at {location} expired on {expiry}, and the site destroys "
        f"expired stock that lies longer than {days} days",
        "armed_by": armed_by, "position": {"on_hand": desk.book.card(card).on_hand, "of_lot": quantity},
        "policy": {"destroy_after_days": days, "revision": desk.catalog.revision("site", site)},
        "arithmetic": f"all of the lot there = {quantity}",
        "witness": "two people destroy it: the witness is another than the actor",
        "lot": {"product": lot.product, "lot": lot.lot, "container": lot.container},
    }  # fmt: skip
    if item.schedule is not None:
        proof["document_required"] = DOCUMENT
    made = Command(
        command_id=command_id, revision=1, site=site, location=location, item=item.id, kind=CommandKind.DESTROY,
        state=CommandState.ISSUED, urgency=Urgency.ROUTINE, quantity=quantity, unit=item.base_unit, opened_at=from_us(due),
        updated_at=desk.at, proof=proof, lots=_lots(facts, card, lot, quantity),
    )  # fmt: skip
    made = orders.governed(desk, made, item, _value(desk, item, lot, quantity))
    before = desk.commands.get((site, command_id))
    if before is None:
        orders.publish(desk, made)
    else:  # it had been destroyed or moved, and some came back: approved anew
        orders.publish(desk, replace(made, revision=before.revision + 1, approvals=before.approvals))
    desk.count(site, "destructions_proposed")
    return command_id


def _lots(facts: LotFacts, card: CardKey, lot: LotId, quantity: int) -> tuple[SuggestedLot, ...]:
    expiry = None if facts.expiry is None else iso_date(facts.expiry)
    named = SuggestedLot(
        location=card[1], product=lot.product, lot=facts.lot_text or lot.lot, quantity=quantity, expiry=expiry,
        container=lot.container or None, beyond_use=None if facts.beyond is None else from_us(facts.beyond),
    )  # fmt: skip
    return (named,)


def _value(desk: Desk, item: Item, lot: LotId, quantity: int) -> Decimal:
    """What the stock had cost, by the product's cost; nothing where that is not known."""
    found = desk.catalog.product(lot.product) if lot.product else None
    own = [desk.catalog.product(one) for one in desk.catalog.products_of(item.id)] if found is None else [found]
    costs = [one.unit_cost for one in own if one is not None and one.unit_cost is not None]
    return max(costs, default=Decimal(0)) * quantity


def _resize(desk: Desk, card: CardKey, item: Item, lot: LotId, command: Command, quantity: int) -> None:
    """More or less of the lot lies there now. Who approved less has not approved more."""
    facts = desk.book.lot_facts(card, lot)
    proof = {**command.proof, "arithmetic": f"all of the lot there = {quantity}"}
    sized = replace(command, quantity=quantity, lots=_lots(facts, card, lot, quantity), proof=proof)
    if quantity > command.quantity:
        sized = orders.governed(desk, replace(sized, state=CommandState.ISSUED), item, _value(desk, item, lot, quantity))
    changes = {name: getattr(sized, name) for name in ("quantity", "lots", "state", "approval_role", "proof")}
    orders.revise(desk, command, **changes)


def _end(desk: Desk, card: CardKey, lot: LotId, command: Command, why_not: str | None) -> None:
    """Nothing of the lot is left there, or it is not to be destroyed any more."""
    by = _destroyed_by(desk, card, lot) if why_not is None else None
    if by is not None:
        closed = max(from_us(by[0]), command.opened_at)
        proof = {**command.proof, "satisfied_by": order_text(by)}
        orders.revise(desk, command, state=CommandState.SATISFIED, closed_at=closed, proof=proof)
    else:
        reason = why_not or "nothing of the lot lies there any more, and it was not destroyed there: it was moved or counted away"
        orders.revise(desk, command, state=CommandState.CANCELLED, closed_at=max(desk.at, command.opened_at), reason=reason)


def _destroyed_by(desk: Desk, card: CardKey, lot: LotId) -> OrderKey | None:
    """The entry by which the last of a lot left a place, if that destroyed it."""
    for key, entry in desk.book.history.scan(card, reverse=True):
        if any(one == lot and delta < 0 for one, delta in entry.deltas):
            return order_of(key) if entry.to_account == WASTE else None
    return None


def check(desk: Desk, work: Work, lot: LotId) -> None:
    """Stock was destroyed where it stood: of expired, quarantined or recalled stock, and by a command, two people do it.

    Controlled substances are asked for a witness whatever their stock was (`controlled`).
    """
    event = work.event
    if event.kind is not EventKind.DISCARD or work.item.schedule is not None:
        return
    if event.actor and event.witness and event.witness != event.actor:
        return
    facts = desk.book.facts_of((event.site, work.location, work.item.id), lot)
    command = desk.commands.get((event.site, event.order_id)) if event.order_id else None
    asked = command is not None and command.kind is CommandKind.DESTROY
    if usable_at(facts, to_us(event.occurred)) and not asked:
        return
    found = "the witness is the same person" if event.witness and event.actor else "no two people are named"
    of_lot = f", lot {facts.lot_text or normalise_lot(event.lot or '')}" if event.lot else ""
    text = f"{work.quantity} {work.item.base_unit} of {work.item.name}{of_lot} were destroyed at {work.location} and {found}"
    case_id = derived_id("case", "unwitnessed_destruction", event.site, event.event_key)
    desk.case_open(
        case_id, event.site, "unwitnessed_destruction", f"{text}: have a second person confirm it", location=work.location,
        item=work.item.id, event_id=event.event_id, raw=event.raw,
    )  # fmt: skip
    desk.count(event.site, "unwitnessed_destructions")
