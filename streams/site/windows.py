"""Stage expiry: a lot that enters an expiry window is spoken of, once, with what is on hand.

Which windows there are is the site's word for the item's class, else the site's own. The expiry may become known late, the
windows may change, and the lot may be gone and come back: it is spoken of when it is inside a window and on hand, once for each.
Of several windows that a lot is inside of, the narrowest is spoken of.
"""

from __future__ import annotations

from datetime import date
from typing import Final

from schemas.events import ReferenceChange
from schemas.reference import Item
from streams.ledger.model import UNKNOWN_LOT, CardKey, LotFacts, LotId, effective_expiry
from streams.site.desk import Desk
from streams.site.tables import Timer
from streams.times import iso_date, start_of_day_us

_FIRST_DAY: Final = date(1900, 1, 1).toordinal()
_SAID, _MISSED = 1, 2
_OF_CLASS: Final = ("item_class", "schedule", "storage")


def days_of(desk: Desk, site: str, item: str) -> tuple[int, ...]:
    """The windows of an item at a site: of its own class, else of its handling (controlled, its storage), else the site's."""
    record, found = desk.catalog.site(site), desk.catalog.item(item)
    if record is None:
        return ()
    for name in _classes(found):
        of_class = desk.catalog.expiry_window(site, name)
        if of_class is not None:
            return of_class.days
    return record.expiry_windows_days


def _classes(item: Item | None) -> tuple[str, ...]:
    if item is None:
        return ()
    own = (item.item_class,) if item.item_class is not None else ()
    return (*own, *(("controlled",) if item.schedule is not None else ()), item.storage)


def schedule(desk: Desk, site: str, item: str, lot: LotId, facts: LotFacts, *, since_us: int | None = None) -> None:
    """Have it said when the lot enters each window; with `since_us`, only windows that it enters after that.

    What is opened or made for a day is inside every window at once, and has an alert of its own (`beyond_use`).
    """
    record = desk.catalog.site(site)
    expiry = None if record is None else effective_expiry(facts, record.zone)
    if record is None or expiry is None or lot.lot == UNKNOWN_LOT:
        return
    for days in days_of(desk, site, item):
        at = start_us(expiry, days, record.zone)
        is_ahead = since_us is None or at > since_us
        if is_ahead and desk.shelf.windows.get((site, item, lot.product, lot.lot, expiry, days)) != _SAID:
            desk.schedule(at, Timer("window", (site, item, lot.product, lot.lot, str(days))))


def start_us(expiry: str, days: int, zone_name: str) -> int:
    """The instant a lot enters a window: the site's midnight that many days before its last day."""
    return start_of_day_us(date.fromordinal(max(iso_date(expiry).toordinal() - days, _FIRST_DAY)), zone_name)


def enter(desk: Desk, timer: Timer) -> None:
    """A lot entered a window: say it; where none is on hand, when some comes."""
    site, item_id, product, number, days = timer.subject
    lot = LotId(product, number)
    item, record = desk.catalog.item(item_id), desk.catalog.site(site)
    facts = desk.book.facts_of((site, "", item_id), lot)
    expiry = None if record is None else effective_expiry(facts, record.zone)
    if item is None or record is None or expiry is None:
        return
    windows = days_of(desk, site, item_id)
    inside = [one for one in windows if start_us(expiry, one, record.zone) <= desk.now_us]
    if int(days) != min(inside, default=-1):
        return
    said = (site, item_id, product, number, expiry, int(days))
    missed = (site, item_id, product, number)
    if desk.shelf.windows.get(said) == _SAID:
        return
    places = desk.lot_places.scan((site, item_id, product, number))
    on_hand = sum(desk.book.lots.get((site, key[4], item_id, product, number, key[5])) or 0 for key, _ in places)
    if on_hand <= 0:
        desk.shelf.windows.put(missed, _MISSED)
        return
    desk.shelf.windows.put(said, _SAID)
    text = f"{item.name}: {on_hand} {item.base_unit} of lot {facts.lot_text or number} " + (
        f"are at their last day ({expiry})" if days == "0" else f"expire within {days} days ({expiry})"
    )
    desk.alert(site, "expiring", text, item_id, product, number, days, expiry, item=item_id, product=product, lot=number)


def came(desk: Desk, card: CardKey, lot: LotId) -> None:
    """Stock of a lot came to a place: if it had entered a window while none was on hand, it is spoken of now."""
    missed = (card[0], card[2], lot.product, lot.lot)
    if desk.shelf.windows.get(missed) is not None:
        desk.shelf.windows.delete(missed)
        schedule(desk, card[0], card[2], lot, desk.book.lot_facts(card, lot))


def changed(desk: Desk, change: ReferenceChange, before: object) -> None:
    """Windows changed, or which of them an item goes by: what that concerns is looked at again."""
    after = desk.catalog.record(change)
    if change.kind == "site":
        if _part(before, "expiry_windows_days", "zone") != _part(after, "expiry_windows_days", "zone"):
            _again(desk, change.id, None)
    elif change.kind == "item":
        if before is not None and _part(before, *_OF_CLASS) != _part(after, *_OF_CLASS):
            _again(desk, None, change.id)
    elif change.kind == "expiry_window" and before != after:
        _again(desk, change.id.split("|")[0], None)


def _part(record: object, *names: str) -> tuple[object, ...]:
    return tuple(getattr(record, name, None) for name in names)


def _again(desk: Desk, site: str | None, item: str | None) -> None:
    for key, _ in list(desk.book.facts.scan(() if site is None else (site,))):
        if item in (None, str(key[1])):
            lot = LotId(str(key[2]), str(key[3]))
            schedule(desk, str(key[0]), str(key[1]), lot, desk.book.lot_facts((str(key[0]), "", str(key[1])), lot))
