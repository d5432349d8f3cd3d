"""A lot that was spoken of without its product becomes known: everything said of it before moves to the product.

Feeds that send the item's code only may speak of a lot before the scan that names its product arrives. The ledger must not
depend on which came first, so the earlier entries are rewritten under the product and their cards folded again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from schemas.events import StockEvent
from schemas.reference import Item
from streams.ledger.model import CardKey, Entry, EntryKind, LotId
from streams.ledger.postings import SUSPENSE, stock
from streams.site import ledger, lots
from streams.site.par import thresholds
from streams.times import to_us

if TYPE_CHECKING:
    from streams.site.desk import Desk


def relabel(desk: Desk, event: StockEvent, item: Item, number: str, product: str) -> list[CardKey]:
    """Move what stands under the unstated product of a lot to `product`; returns the cards that were rewritten."""
    facts = desk.book.facts.get((event.site, item.id, "", number))
    if facts is None:
        return []
    key = (event.site, item.id, product, number)
    if desk.book.facts.get(key) is None:
        desk.book.facts.put(key, facts)
        lots.schedule_windows(desk, event.site, item.id, LotId(product, number), facts)
    touched: list[CardKey] = []
    for location, container in lots.places_of(desk, event.site, item.id, LotId("", number)):
        card: CardKey = (event.site, location, item.id)
        old, new = LotId("", number, container), LotId(product, number, container)
        quantity = _rewrite(desk, card, old, new)
        _publish(desk, event, item, card, (old, new), quantity)
        touched.append(card)
    return touched


def _rewrite(desk: Desk, card: CardKey, old: LotId, new: LotId) -> int:
    """Entries of the old lot become entries of the new one; its marks go, those of the new lot are set again.

    Returns the quantity that changed its name.
    """
    history = desk.book.history
    for key, entry in list(history.scan(card)):
        if entry.kind is EntryKind.MARK and entry.lot == old:
            history.delete(key)
        elif entry.lot == old or any(lot == old for lot, _ in entry.deltas):
            history.put(key, _renamed(entry, old, new))
    lots_table = desk.book.lots
    quantity = lots_table.get((*card, old.product, old.lot, old.container)) or 0
    if quantity:
        before = lots_table.get((*card, new.product, new.lot, new.container)) or 0
        lots_table.delete((*card, old.product, old.lot, old.container))
        lots_table.put((*card, new.product, new.lot, new.container), before + quantity)
    desk.lot_places.delete((card[0], card[2], old.product, old.lot, card[1], old.container))
    lots.first_touch(desk, card, new)
    return quantity


def _renamed(entry: Entry, old: LotId, new: LotId) -> Entry:
    deltas: dict[LotId, int] = {}
    for lot, delta in entry.deltas:
        name = new if lot == old else lot
        deltas[name] = deltas.get(name, 0) + delta
    return msgspec.structs.replace(entry, lot=new if entry.lot == old else entry.lot, deltas=tuple(deltas.items()))


def _publish(desk: Desk, event: StockEvent, item: Item, card: CardKey, names: tuple[LotId, LotId], quantity: int) -> None:
    """Publish that the quantity changed its name, and fold the card again."""
    posted = desk.book.refold(card, thresholds(desk, card))
    old, new = names
    for number, (lot, amount) in enumerate(((old, -quantity), (new, quantity))):
        if amount:
            source, target = (SUSPENSE, stock(card[1])) if amount > 0 else (stock(card[1]), SUSPENSE)
            ledger.movement(
                desk, event.site, item, lot, abs(amount), source, target, event_id=event.event_id, kind="identify",
                occurred_us=to_us(event.occurred), cause=f"{event.event_key}|{card[1]}|{new.container}", number=30_000 + number,
            )  # fmt: skip
    if posted is not None:
        ledger.settle(desk, card, posted, item)
    desk.balance(card, old, item.base_unit)
    desk.balance(card, new, item.base_unit)
