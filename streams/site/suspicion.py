"""Stage suspicion: stock of an unknown lot of an item of which a class I recall is open may not be given, place by place.

A person who has inspected a place closes its case, and the place is clear from then on. What comes in afterwards without a lot is
suspected again. A case to inspect ends with the reason when its recall is over (released, lowered in class, narrowed).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from schemas.ids import derived_id
from schemas.reference import RecallNotice
from streams.ledger.book import ALL
from streams.ledger.model import UNKNOWN_LOT, CardKey, Suspicion, lift_of
from streams.site.desk import Desk
from streams.site.tables import Timer

_BY_RECALL: Final = "recall"
"""Who ended a case to inspect whose recall is over."""


def open_ones(desk: Desk, item: str) -> list[Suspicion]:
    """Suspicions that an item is under now."""
    return [one for one in desk.book.suspicions.get(ALL) or () if one.end is None and item in one.items]


def items_of(desk: Desk, notice: str) -> frozenset[str]:
    """Items that a notice puts under suspicion now."""
    held = desk.book.suspicions.get(ALL) or ()
    return frozenset(item for one in held if one.notice == notice and one.end is None for item in one.items)


def inspect(desk: Desk, site: str, notice: str, location: str, item: str, quantity: int) -> None:
    """Ask a person to look which lots lie at a place.

    Again where it has become suspect since it was inspected, and where the recall had ended (`over`) and is in force again.
    """
    lifts = desk.book.lifts.get((site, location, item)) or ()
    again = any(one.notice == notice and lift_of(one, lifts) is None for one in open_ones(desk, item))
    case_id = derived_id("case", "recall_inspect", site, notice, location, item)
    before = desk.cases.get((site, case_id))
    had_ended = before is not None and before.closed_by == _BY_RECALL and desk.inspections.get((site, case_id)) is None
    text = f"{quantity} of {item} at {location} are of an unknown lot: inspect them for recall {notice}, then close the case"
    desk.case_open(case_id, site, "recall_inspect", text, reopen=again or had_ended, location=location, item=item)
    desk.inspections.put((site, case_id), (location, item, notice))


def over(desk: Desk, notice: RecallNotice, items: Collection[str], before: Collection[str]) -> None:
    """End the cases to inspect whose cause is gone: the recall was released, lowered from class I, or no longer names the item.

    An inspection is a task and not a finding: its end says nothing of stock, so it ends for controlled substances too. `items`
    are those the notice names now, `before` those it suspected until now.
    """
    for key, (_, item, name) in list(desk.inspections.scan(())):
        if name != notice.id:
            continue
        if notice.released is not None:
            why = f"recall {notice.id} was released by {notice.released}"
            desk.inspections.delete(key)
        elif item not in items:
            why = f"recall {notice.id} names no product of {item} any more"
            desk.inspections.delete(key)
        elif item in before:
            why = f"recall {notice.id} is of class {notice.classification} now and blocks no unknown lots"
        else:
            continue
        desk.case_end(str(key[1]), str(key[0]), _BY_RECALL, why)


def came(desk: Desk, card: CardKey, us: int, quantity: int) -> None:
    """Stock of an unknown lot came to a place: it may be of a lot that is recalled, whatever was inspected there before."""
    site, location, item = card
    quantity += max(0, desk.book.lots.get((*card, "", UNKNOWN_LOT, "")) or 0)
    for one in open_ones(desk, item):
        lifts = desk.book.lifts.get(card) or ()
        lifted = lift_of(one, lifts)
        if lifted is not None:
            if us < lifted[0]:
                continue  # it had come before the place was inspected
            desk.book.lifts.put(card, tuple((lift[0], us, lift[2]) if lift is lifted else lift for lift in lifts))
            _mark(desk, card, us)
        inspect(desk, site, one.notice, location, item, quantity)


def found(desk: Desk, card: CardKey) -> None:
    """A place was counted as a whole: what is of no stated lot there is to be inspected, where it is not clear already."""
    site, location, item = card
    quantity = desk.book.lots.get((*card, "", UNKNOWN_LOT, "")) or 0
    lifts = desk.book.lifts.get(card) or ()
    for one in open_ones(desk, item) if quantity > 0 else ():
        if lift_of(one, lifts) is None:
            inspect(desk, site, one.notice, location, item, quantity)


def cleared(desk: Desk, site: str, case_id: str) -> list[CardKey]:
    """A case to inspect was closed: the place is clear of its notice from now on; returns the card that changed."""
    named = desk.inspections.get((site, case_id))
    if named is None:
        return []
    location, item, notice = named
    card: CardKey = (site, location, item)
    lifts = desk.book.lifts.get(card) or ()
    if not any(one.notice == notice and lift_of(one, lifts) is None for one in open_ones(desk, item)):
        return []
    desk.book.lifts.put(card, (*lifts, (desk.now_us, None, notice)))
    _mark(desk, card, desk.now_us)
    return [card]


def _mark(desk: Desk, card: CardKey, us: int) -> None:
    """Have the card folded with what may be given from an instant on of the unknown lots that it ever held."""
    site, location, item = card
    for key, _ in desk.lot_places.scan((site, item)):
        product, lot, place, container = (str(part) for part in key[2:])
        if lot == UNKNOWN_LOT and place == location:
            desk.schedule(us, Timer("mark", (*card, product, lot, container)))
