"""Stage whole count: a count of a whole place, lot by lot. The first of a place is its opening balance, against `opening`.

What happened before it is history: it may still arrive, and never changes what is on hand, because the count sets every lot and
absorbs it. A later count by lot finds a variance, as any count does.
"""

from __future__ import annotations

from dataclasses import replace

from schemas.events import FoundLot, StockEvent
from schemas.kinds import EventKind
from streams.ledger.model import CardKey, Found, LotId
from streams.ledger.postings import OPENING, VARIANCE, counted_by_lot
from streams.site import clockfold, clocks, ledger
from streams.site.desk import Desk, no_exponent
from streams.site.resolve import Missing, resolve_item
from streams.site.work import Work, WorkOf


def is_whole(event: StockEvent) -> bool:
    """Whether an event counts a whole place, lot by lot. An opening count that found nothing says so: the place is empty."""
    return event.kind is EventKind.OPENING or bool(event.found)


def parts_of(event: StockEvent) -> list[StockEvent]:
    """The event for each lot it speaks of, as if it spoke of that lot alone; any other event as it is."""
    return [_part(event, one) for one in event.found] or [event]


def _part(event: StockEvent, one: FoundLot) -> StockEvent:
    """A lot whose codes the event names among its own is of those alone: the event's others are of its other lots."""
    codes = one.codes if one.codes and set(one.codes) <= set(event.codes) else (*event.codes, *one.codes)
    return replace(event, codes=codes, quantity=one.quantity, lot=one.lot, expiry=one.expiry, found=())


def understood(desk: Desk, event: StockEvent, place: str, work_of: WorkOf) -> tuple[Work, list[Work]] | Missing:
    """The count and its lots in the hub's terms; the first fact that is missing for one of them. All lots must be of one item."""
    parts: list[Work] = []
    for one in parts_of(event):
        work = work_of(desk, one, place)
        if isinstance(work, Missing):
            return work
        parts.append(work)
    resolved = resolve_item(desk.catalog, event)
    if isinstance(resolved, Missing):
        items = sorted({part.item.id for part in parts})
        if len(items) == 1:
            return resolved
        reason = f"a count of a place is of one item, and this one names lots of {', '.join(items)}: count each by itself"
        return Missing(resolved.code, reason, resolved.waits_for)
    return Work(event, resolved.item, resolved.product, place, None, sum(part.quantity for part in parts)), parts


def post(desk: Desk, whole: Work, parts: list[Work]) -> tuple[list[CardKey], str]:
    """Post a count whose lots are all known; returns the cards it touched, and what it did in words."""
    touched: list[CardKey] = []
    heard: dict[LotId, Found] = {}
    # All lots are heard of before any is counted: one that gets its product by this count is counted under it.
    for part in parts if whole.event.found else ():
        touched += ledger.hear_of_lot(desk, part)[1]
    for part, stated in zip(parts, whole.event.found, strict=False):
        lot = ledger.hear_of_lot(desk, part)[0]
        before = heard.get(lot)
        quantity = part.quantity + (before.quantity if before is not None else 0)
        unstated = (part.quantity if stated.lot and not part.product else 0) + (before.unstated if before is not None else 0)
        cost = no_exponent(stated.unit_cost) or (before.unit_cost if before is not None else "")
        heard[lot] = Found(lot, quantity, cost, unstated)
    opening = whole.event.kind is EventKind.OPENING
    clockfold.check(desk, whole.event, whole.item, whole.location)
    clocks.check(desk, whole.event)
    made = counted_by_lot(whole.location, tuple(heard.values()), OPENING if opening else VARIANCE)
    touched += ledger.post_count(desk, whole, made)
    total = sum(one.quantity for one in heard.values())
    what = "opening balance" if opening else "count by lot"
    text = f"{what} of {whole.location}: {total} {whole.item.base_unit} in {len(heard)} lots"
    return list(dict.fromkeys(touched)), text
