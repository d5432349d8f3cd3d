"""Stage recall: a notice blocks its lots at this site from the moment this partition reads it.

Blocked stock stays on hand and leaves usable stock at once, wherever it lies. Every block names its notice: reading the same
notice again changes nothing, a narrowed one lets go of what it no longer names, a released one ends its own blocks only.
Stock whose lot nobody knows may be of the recalled lot: it is a case to inspect.
"""

from __future__ import annotations

import msgspec

from schemas.ids import derived_id
from schemas.reference import RecallNotice
from streams.ledger.model import UNKNOWN_LOT, CardKey, LotFacts, LotId
from streams.site import ledger, lots
from streams.site.desk import Desk


def apply(desk: Desk, notice: RecallNotice) -> list[CardKey]:
    """Bring the blocks of a notice up to what it says now; returns the cards that changed."""
    touched: list[CardKey] = []
    for key, facts in list(desk.book.facts.scan(())):
        site, item_id, lot = str(key[0]), str(key[1]), LotId(str(key[2]), str(key[3]))
        wanted = notice.released is None and lots.covers(desk, notice, item_id, lot)
        changed = _changed(facts, notice.id, desk.now_us, wanted=wanted)
        if changed is None:
            continue
        desk.book.facts.put((site, item_id, lot.product, lot.lot), changed)
        touched.extend(_mark_everywhere(desk, site, item_id, lot))
        _tell(desk, notice, site, item_id, lot, facts.lot_text or lot.lot, blocked=wanted)
    if notice.released is None:
        _ask_to_inspect(desk, notice)
    return touched


def _changed(facts: LotFacts, notice: str, now_us: int, *, wanted: bool) -> LotFacts | None:
    """The facts with the notice's block opened or ended; None when nothing changes."""
    is_open = any(end is None and name == notice for _, end, name in facts.blocks)
    if is_open == wanted:
        return None
    if wanted:
        return msgspec.structs.replace(facts, blocks=(*facts.blocks, (now_us, None, notice)))
    ended = tuple((start, now_us if end is None and name == notice else end, name) for start, end, name in facts.blocks)
    return msgspec.structs.replace(facts, blocks=ended)


def _tell(desk: Desk, notice: RecallNotice, site: str, item_id: str, lot: LotId, label: str, *, blocked: bool) -> None:
    verb = f"recalled (class {notice.classification})" if blocked else "released"
    text = f"lot {label} of {item_id} is {verb}: {notice.reason or notice.id}"
    desk.alert(site, "recall", text, notice.id, item_id, lot.product, lot.lot, verb, item=item_id, lot=label)
    if blocked:
        case_id = derived_id("case", "recall", site, notice.id, item_id, lot.product, lot.lot)
        desk.case_open(case_id, site, "recall", text, item=item_id)


def _ask_to_inspect(desk: Desk, notice: RecallNotice) -> None:
    """A case for every place that holds stock of an unknown lot of a recalled item."""
    items = {product.item for product in desk.catalog.products() if product.id in notice.products}
    for key, quantity in desk.book.lots.scan(()):
        site, location, item_id, lot = str(key[0]), str(key[1]), str(key[2]), str(key[4])
        if item_id in items and lot == UNKNOWN_LOT and quantity > 0:
            case_id = derived_id("case", "recall_inspect", site, notice.id, location, item_id)
            text = f"{quantity} of {item_id} at {location} are of an unknown lot: inspect them for recall {notice.id}"
            desk.case_open(case_id, site, "recall_inspect", text, location=location, item=item_id)


def _mark_everywhere(desk: Desk, site: str, item_id: str, lot: LotId) -> list[CardKey]:
    """Have every card that ever held the lot folded from now on with the changed facts."""
    item = desk.catalog.item(item_id)
    if item is None:
        return []
    touched: list[CardKey] = []
    for location, container in lots.places_of(desk, site, item_id, lot):
        card: CardKey = (site, location, item_id)
        ledger.mark(desk, card, desk.now_us, LotId(lot.product, lot.lot, container), item)
        touched.append(card)
    return touched
