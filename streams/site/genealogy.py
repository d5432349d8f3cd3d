"""What lots are made of: the lines of transforms that stand, and what a recall of an input means for an output.

A lot is surely of a recalled one when something it was made of is, however many steps back; possibly when something it was made
of was of an unknown lot of a recalled item. Lots of an item are the same by number and product; where a line did not state the
product, by what is known of the number now.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import IntEnum

from schemas.codes import normalise_lot
from schemas.reference import RecallNotice
from streams.ledger.model import UNKNOWN_LOT, LotId
from streams.site import lot_names, lots
from streams.site.desk import Desk
from streams.site.preparation_tables import ANY, Line
from streams.site.work import Work

Name = tuple[str, LotId]
"""Item and lot; the lot's container says nothing here."""


class Taint(IntEnum):
    """Whether a lot is of something that a notice recalls."""

    NONE = 0
    POSSIBLE = 1
    SURE = 2


def note(desk: Desk, site: str, event_key: str, inputs: Iterable[Line], outputs: Iterable[Line]) -> None:
    """A transform was posted: what it used, and what it made."""
    used, made = tuple(dict.fromkeys(inputs)), tuple(dict.fromkeys(outputs))
    desk.prepared.made.put(ANY, ((), ()))
    desk.prepared.made.put((site, event_key), (used, made))
    for key, _ in list(desk.prepared.traced.scan((site,))):
        if any((key[2], key[4]) == (item, number) for item, _, number in made):
            desk.prepared.traced.delete(key)  # what was traced before says nothing of what went in now
    for item, product, number in made:
        desk.prepared.made_of.put((site, item, number, product, event_key), used)
        desk.prepared.to_review.append((site, item, number))
    for item, product, number in used:
        desk.prepared.used_for.put((site, item, number, product, event_key), made)


def forget(desk: Desk, site: str, event_key: str) -> None:
    """A transform was taken back."""
    lines = desk.prepared.made.get((site, event_key))
    if lines is None:
        return
    used, made = lines
    desk.prepared.made.delete((site, event_key))
    for item, product, number in made:
        desk.prepared.made_of.delete((site, item, number, product, event_key))
        desk.prepared.to_review.append((site, item, number))
    for item, product, number in used:
        desk.prepared.used_for.delete((site, item, number, product, event_key))


def hears(desk: Desk, work: Work) -> None:
    """It names a product for its lot number for the first time: what lines without a product are of may be known better."""
    event = work.event
    if not event.lot or not work.product or desk.prepared.is_empty():
        return
    number = normalise_lot(event.lot)
    if work.product not in lot_names.named(desk, event.site, work.item.id, number):
        desk.prepared.to_review.append((event.site, work.item.id, number))


def taint(desk: Desk, notice: RecallNotice, site: str, item: str, lot: LotId) -> Taint:
    """Whether a lot was made of what a notice recalls; its own number is not looked at."""
    found = Taint.NONE
    seen: set[tuple[str, str, str]] = set()
    ahead: list[Name] = [(item, lot)]
    while ahead:
        item, lot = ahead.pop()
        for line in _parents(desk, site, item, lot):
            parent = _known(desk, site, line)
            if parent.lot == UNKNOWN_LOT:
                found = max(found, _of_unknown(desk, notice, line[0], parent.product))
            elif lots.covers(desk, notice, line[0], parent):
                return Taint.SURE
            elif (line[0], parent.product, parent.lot) not in seen:
                seen.add((line[0], parent.product, parent.lot))
                ahead.append((line[0], parent))
    return found


def descendants(desk: Desk, site: str, item: str, number: str) -> list[tuple[str, str]]:
    """Items and lot numbers of a lot and of everything that was made of it, in order."""
    found = {(item, number): None}
    ahead = [(item, number)]
    while ahead:
        item, number = ahead.pop()
        for _, made in desk.prepared.used_for.scan((site, item, number)):
            for child_item, _, child in made:
                if (child_item, child) not in found:
                    found[child_item, child] = None
                    ahead.append((child_item, child))
    return list(found)


def _parents(desk: Desk, site: str, item: str, lot: LotId) -> Iterator[Line]:
    """Lines that a lot was made of in one step."""
    for key, used in list(desk.prepared.made_of.scan((site, item, lot.lot))):
        made = _known(desk, site, (item, str(key[3]), lot.lot))
        if not made.product or not lot.product or made.product == lot.product:
            yield from used


def _known(desk: Desk, site: str, line: Line) -> LotId:
    """The lot of a line, by what is known of its product now."""
    item, product, number = line
    return LotId(product if product or number == UNKNOWN_LOT else lot_names.product_of(desk, site, item, number), number)


def _of_unknown(desk: Desk, notice: RecallNotice, item: str, product: str) -> Taint:
    """Stock of no stated lot is surely recalled when all lots of all products that it could be of are."""
    possible = {product} if product else set(desk.catalog.products_of(item))
    recalled = possible & set(notice.products)
    if recalled and recalled == possible and notice.all_lots:
        return Taint.SURE
    return Taint.POSSIBLE if recalled else Taint.NONE
