"""Which product a lot number is of, where an event names only the item: what was said of the number so far, and what follows.

A number that one product is known to have means that product. One that several have could be of any of them: its product is left
open. While nobody has named a product, an item with one product means that one. So the answer depends on all that was said, never
on what was said first; when it changes, `relabel` moves what was told without a product.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from schemas.codes import normalise_lot
from streams.site.desk import Desk
from streams.site.tables import LotUnstated

if TYPE_CHECKING:
    from streams.ledger.model import LotId
    from streams.site.work import Work

_NOTHING = LotUnstated()


class Renaming(msgspec.Struct, frozen=True, gc=False):
    """A lot number, and the product it meant and means now for those who name none; empty: nobody can tell."""

    number: str
    before: str
    now: str


def named(desk: Desk, site: str, item: str, number: str) -> tuple[str, ...]:
    """The products that were named with a lot number."""
    return desk.lot_products.get((site, item, number)) or ()


def product_of(desk: Desk, site: str, item: str, number: str) -> str:
    """The product that a lot number means without one; empty where nobody can tell."""
    known = named(desk, site, item, number)
    if known:
        return known[0] if len(known) == 1 else ""
    said = desk.lot_unstated.get((site, item, number))
    if said is not None:
        return said.product
    products = desk.catalog.products_of(item)
    return products[0] if len(products) == 1 else ""


def newly_named(desk: Desk, work: Work) -> Renaming | None:
    """What changes when this event names a product for its lot number for the first time."""
    event = work.event
    if not event.lot or not work.product:
        return None
    number = normalise_lot(event.lot)
    key = (event.site, work.item.id, number)
    known = desk.lot_products.get(key) or ()
    if work.product in known:
        return None
    said = desk.lot_unstated.get(key)
    before = "" if said is None or len(known) > 1 else known[0] if known else said.product
    desk.lot_products.put(key, tuple(sorted((*known, work.product))))
    now = "" if known else work.product
    return None if said is None or before == now else Renaming(number, before, now)


def unstated(desk: Desk, site: str, item: str, number: str) -> LotUnstated:
    """What was said of a lot number without its product."""
    return desk.lot_unstated.get((site, item, number)) or _NOTHING


def note(desk: Desk, site: str, item: str, lot: LotId, expiry: str | None) -> LotUnstated:
    """Remember that a lot was told without its product, and the expiry date that was told; returns all that was."""
    key = (site, item, lot.lot)
    said = desk.lot_unstated.get(key)
    if said is not None and (expiry is None or expiry in said.expiries):
        return said
    dates = () if said is None else said.expiries
    taken_for = said.product if said is not None else "" if named(desk, site, item, lot.lot) else lot.product
    found = LotUnstated(tuple(sorted((*dates, expiry))) if expiry is not None else dates, taken_for)
    desk.lot_unstated.put(key, found)
    return found
