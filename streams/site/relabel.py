"""What a lot number means that came without its product has changed: everything told that way moves to what it means now.

Feeds that send the item's code only may speak of a lot before the scan that names its product arrives, or before a second product
turns out to have a lot of the same number. The ledger must not depend on which came first, so entries are rewritten and their
cards folded again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from schemas.events import StockEvent
from schemas.reference import Item
from streams.ledger.model import NO_FACTS, CardKey, Entry, EntryKind, Found, LotFacts, LotId, unopened
from streams.ledger.postings import SUSPENSE, stock
from streams.site import allocation, ledger, lot_names, lots, windows
from streams.site.lot_names import Renaming
from streams.site.par import thresholds
from streams.times import to_us

if TYPE_CHECKING:
    from streams.site.desk import Desk


def relabel(desk: Desk, event: StockEvent, item: Item, change: Renaming) -> list[CardKey]:
    """Move what was told of a lot number without its product to what that means now; returns the cards that were rewritten."""
    site, number = event.site, change.number
    old, new = LotId(change.before, number), LotId(change.now, number)
    facts = desk.book.facts.get((site, item.id, old.product, number)) or NO_FACTS
    if desk.book.facts.get((site, item.id, new.product, number)) is None:
        _inherit(desk, site, item.id, (old, new), facts)
    renamed: dict[CardKey, list[tuple[LotId, LotId, int]]] = {}
    for location, container in lots.places_of(desk, site, item.id, old):
        card: CardKey = (site, location, item.id)
        names = LotId(old.product, number, container), LotId(new.product, number, container)
        quantity, left = _rewrite(desk, card, *names)
        if not left:
            lots.forget_place(desk, card, names[0])
        renamed.setdefault(card, []).append((*names, quantity))
    for card, changed in renamed.items():
        _publish(desk, event, item, card, changed)
    if old.product not in lot_names.named(desk, site, item.id, number):
        desk.book.facts.delete((site, item.id, old.product, number))
    return list(renamed)


def _inherit(desk: Desk, site: str, item: str, names: tuple[LotId, LotId], facts: LotFacts) -> None:
    """The lot as it is named now is as blocked as it was under its old name, by the notices that cover it."""
    old, new = names
    if old.product and not new.product:
        lots.begin(desk, site, item, new, facts.lot_text or new.lot)
        lots.doubt(desk, site, item, new.lot)
        return
    facts = lots.let_go(desk, item, new, facts)
    desk.book.facts.put((site, item, new.product, new.lot), facts)
    windows.schedule(desk, site, item, new, facts)


def _rewrite(desk: Desk, card: CardKey, old: LotId, new: LotId) -> tuple[int, bool]:
    """Entries told without a product get the new name; marks of a name that nobody uses any more go.

    Returns the quantity that changed its name, and whether any entry is left under the old one.
    """
    history = desk.book.history
    found = [(key, entry) for key, entry in history.scan(card) if _speaks_of(entry, old)]
    left = any(_is_stated(entry, old) for _, entry in found)
    quantity = 0
    for key, entry in found:
        if entry.kind is EntryKind.MARK:
            if not left:
                history.delete(key)
        elif not left or (entry.unstated and old in _names(entry)):
            quantity += sum(delta for lot, delta in entry.deltas if lot == old)
            history.put(key, _renamed(entry, old, new))
        elif any(one.lot == old and one.unstated for one in entry.found):
            # What the count did to either lot is worked out anew when the card is folded.
            history.put(key, msgspec.structs.replace(entry, found=_found(entry, old, new, whole=False)))
    lots.first_touch(desk, card, new)  # before anything lies there under the new name: what lies there counts as touched
    if quantity:
        _move(desk, card, old, -quantity)
        _move(desk, card, new, quantity)
    if not left:
        allocation.renamed(desk, card, old, new)
    return quantity, left


def _speaks_of(entry: Entry, lot: LotId) -> bool:
    return lot in _names(entry) or any(one == lot for one, _ in entry.deltas) or any(one.lot == lot for one in entry.found)


def _is_stated(entry: Entry, lot: LotId) -> bool:
    """Whether an entry was told of the lot with its product."""
    if any(one.lot == lot and one.unstated < one.quantity for one in entry.found):
        return True
    return lot in _names(entry) and entry.kind is not EntryKind.MARK and not entry.unstated


def _names(entry: Entry) -> tuple[LotId | None, ...]:
    """The lots an entry is told of: an opening also of the stock that is opened."""
    if entry.kind is EntryKind.SPLIT and entry.lot is not None:
        return entry.lot, unopened(entry.lot)
    return (entry.lot,)


def _move(desk: Desk, card: CardKey, lot: LotId, quantity: int) -> None:
    held = desk.book.lots.get((*card, lot.product, lot.lot, lot.container)) or 0
    desk.book.set_lot(card, lot, held + quantity)


def _renamed(entry: Entry, old: LotId, new: LotId) -> Entry:
    deltas: dict[LotId, int] = {}
    for lot, delta in entry.deltas:
        name = new if lot == old else lot
        deltas[name] = deltas.get(name, 0) + delta
    named, found = new if entry.lot == old else entry.lot, _found(entry, old, new, whole=True)
    return msgspec.structs.replace(entry, lot=named, deltas=tuple(deltas.items()), found=found)


def _found(entry: Entry, old: LotId, new: LotId, *, whole: bool) -> tuple[Found, ...]:
    """What a count by lot found, each lot once: of the old one all, or what was told without product, is of the new."""
    found: dict[LotId, Found] = {}
    for one in entry.found:
        if one.lot != old:
            _add(found, one)
            continue
        moved = one.quantity if whole or one.unstated == one.quantity else one.unstated
        _add(found, Found(new, moved, one.unit_cost, one.unstated))
        if moved < one.quantity:
            _add(found, Found(old, one.quantity - moved, one.unit_cost))
    return tuple(found.values())


def _add(found: dict[LotId, Found], more: Found) -> None:
    before = found.get(more.lot, Found(more.lot, 0))
    quantity, unstated = before.quantity + more.quantity, before.unstated + more.unstated
    found[more.lot] = Found(more.lot, quantity, more.unit_cost or before.unit_cost, unstated)


def _publish(desk: Desk, event: StockEvent, item: Item, card: CardKey, names: list[tuple[LotId, LotId, int]]) -> None:
    """Publish that quantities changed their names, and fold the card again: once, when the lot has its name in all containers."""
    posted = desk.book.refold(card, thresholds(desk, card))
    for old, new, quantity in names:
        for number, (lot, amount) in enumerate(((old, -quantity), (new, quantity))):
            if amount:
                source, target = (SUSPENSE, stock(card[1])) if amount > 0 else (stock(card[1]), SUSPENSE)
                cause = f"{event.event_key}|{card[1]}|{new.lot}|{new.container}"
                ledger.movement(
                    desk, event.site, item, lot, abs(amount), source, target, event_id=event.event_id, kind="identify",
                    occurred_us=to_us(event.occurred), cause=cause, number=30_000 + number,
                )  # fmt: skip
    if posted is not None:
        ledger.settle(desk, card, posted, item)
    for old, new, _ in names:
        desk.balance(card, old, item.base_unit)
        desk.balance(card, new, item.base_unit)
