"""Stage count-back: what somebody counted, or the device expected, against what the ledger says.

A begin count that a person verified is an absolute count right before the event: the variance posts first, then the event.
A begin count the device merely expected, one beside a load, and every cycle count, are only compared. Comparing waits for the
site's lateness, because a late event may still explain the difference; for controlled items a difference that stays is a
discrepancy case.
"""

from __future__ import annotations

from schemas.events import StockEvent
from schemas.ids import derived_id
from schemas.kinds import EventKind
from schemas.reference import Item
from streams.ledger.model import CardKey, EntryKind, OrderKey, history_key
from streams.site import controlled
from streams.site.desk import Desk
from streams.site.par import lateness_us
from streams.site.resolve import Missing, Resolved, base_units
from streams.site.tables import Timer


def is_posted(event: StockEvent) -> bool:
    """Whether a begin count is posted: a person verified it, and the event does not state the pocket's content itself."""
    return event.begin_count_verified and event.kind not in (EventKind.LOAD, EventKind.COUNT)


def begin_units(desk: Desk, event: StockEvent, resolved: Resolved, location: str) -> int | None:
    """The begin count in base units; None when there is none, it does not convert, or nothing would come of it."""
    if event.begin_count is None or event.kind is EventKind.COUNT:
        return None
    if not is_posted(event) and resolved.item.schedule is None:
        return None
    units = base_units(desk.catalog, event, resolved, location, counted=event.begin_count)
    return None if isinstance(units, Missing) else units


def watch(desk: Desk, event: StockEvent, item: Item, card: CardKey, order: OrderKey, expected: int | None) -> None:
    """Have a count compared when the site's lateness has passed. Expectations are compared for controlled items only."""
    if event.kind is EventKind.COUNT or (is_posted(event) and expected is not None):
        subject: tuple[str, ...] = (*card, event.event_id, "counted")
    elif expected is not None and item.schedule is not None:
        subject = (*card, event.event_id, str(expected))
    else:
        return
    desk.schedule(order[0] + lateness_us(desk, card), Timer("count", subject, order))


def check(desk: Desk, timer: Timer) -> None:
    """Compare, now that late events had their time."""
    site, location, item_id, event_id, stated = timer.subject
    card: CardKey = (site, location, item_id)
    item = desk.catalog.item(item_id)
    if timer.order is None or item is None:
        return
    entry = desk.book.history.get(history_key(card, timer.order))
    if not _stands(desk, card, timer.order) or (entry is not None and entry.kind is EntryKind.VOID):
        return
    if stated != "counted":
        difference = int(stated) - _before(desk, card, timer.order)
    elif entry is None:
        return
    else:
        difference = sum(delta for _, delta in entry.deltas)
        desk.count(site, "counts")
        desk.count(site, "counts_exact", int(difference == 0))
    if difference == 0 or item.schedule is None:
        return
    case_id = derived_id("case", "discrepancy", *card, event_id)
    text = f"{item.name} at {location}: {difference:+d} {item.base_unit} against the ledger; ask who accessed it before and now"
    facts = {"difference": difference, "previous_event": _previous(desk, card, timer.order), "event": event_id}
    controlled.case(desk, site, case_id, "discrepancy", text, location=location, item=item_id, event_id=event_id, facts=facts)


def _stands(desk: Desk, card: CardKey, order: OrderKey) -> bool:
    """Whether the event of an order was not taken back. One that moves nothing at its place has no entry that could say so."""
    seen = desk.seen.get((card[0], order[3]))
    return seen is None or seen.status not in {"reversed", "reversed_early"}


def _before(desk: Desk, card: CardKey, order: OrderKey) -> int:
    """On hand right before an entry."""
    for _, entry in desk.book.history.scan(card, start=history_key(card, order), reverse=True):
        return entry.on_hand
    return 0


def _previous(desk: Desk, card: CardKey, order: OrderKey) -> str:
    """The event that accessed the card before."""
    for _, entry in desk.book.history.scan(card, start=history_key(card, order), reverse=True):
        if entry.event_id:
            return entry.event_id
    return ""
