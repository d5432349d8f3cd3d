"""Stage recall: a notice blocks its lots at this site from the moment this partition reads it.

Blocked stock stays on hand and leaves usable stock at once, wherever it lies. Reading the same notice again changes nothing;
a released notice ends the block from the moment of reading.
"""

from __future__ import annotations

import msgspec

from schemas.ids import derived_id
from schemas.reference import RecallNotice
from streams.ledger.model import CardKey, LotFacts, LotId
from streams.site import ledger, lots
from streams.site.desk import Desk
from streams.site.par import thresholds


def apply(desk: Desk, notice: RecallNotice) -> list[CardKey]:
    """Block or release the lots of a notice; returns the cards that changed."""
    touched: list[CardKey] = []
    affected = [
        (str(key[0]), str(key[1]), LotId(str(key[2]), str(key[3])), facts)
        for item in sorted({product.item for product in desk.catalog.products() if product.id in notice.products})
        for site in _sites(desk)
        for key, facts in desk.book.facts.scan((site, item))
    ]
    for site, item_id, lot, facts in affected:
        if not lots.covers(desk, notice, item_id, lot):
            continue
        changed = _released(facts, desk.now_us) if notice.released else _blocked(facts, desk.now_us)
        if changed is None:
            continue
        desk.book.facts.put((site, item_id, lot.product, lot.lot), changed)
        touched.extend(_mark_everywhere(desk, site, item_id, lot))
        verb = "released" if notice.released else f"recalled (class {notice.classification})"
        text = f"lot {facts.lot_text or lot.lot} of {item_id} is {verb}: {notice.reason or notice.id}"
        desk.alert(site, "recall", text, notice.id, item_id, lot.product, lot.lot, verb, item=item_id, lot=lot.lot)
        if not notice.released:
            case_id = derived_id("case", "recall", site, notice.id, item_id, lot.product, lot.lot)
            desk.case_open(case_id, site, "recall", text, item=item_id)
    return touched


def _sites(desk: Desk) -> list[str]:
    """Sites that have any lot in this partition."""
    return sorted({str(key[0]) for key, _ in desk.book.facts.scan(())})


def _blocked(facts: LotFacts, now_us: int) -> LotFacts | None:
    if any(end is None for _, end in facts.blocks):
        return None
    return msgspec.structs.replace(facts, blocks=(*facts.blocks, (now_us, None)))


def _released(facts: LotFacts, now_us: int) -> LotFacts | None:
    if not any(end is None for _, end in facts.blocks):
        return None
    return msgspec.structs.replace(facts, blocks=tuple((start, now_us if end is None else end) for start, end in facts.blocks))


def _mark_everywhere(desk: Desk, site: str, item_id: str, lot: LotId) -> list[CardKey]:
    """Have every card that ever held the lot folded from now on with the changed facts."""
    item = desk.catalog.item(item_id)
    if item is None:
        return []
    touched: list[CardKey] = []
    for location, container in lots.places_of(desk, site, item_id, lot):
        card: CardKey = (site, location, item_id)
        held = LotId(lot.product, lot.lot, container)
        ledger.mark(desk, card, desk.now_us, held, item, thresholds(desk, card))
        touched.append(card)
    return touched
