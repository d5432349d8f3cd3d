"""Stage recall: a notice blocks its lots at this site from the moment this partition reads it.

Blocked stock stays on hand and leaves usable stock at once, wherever it lies. Every block names its notice: reading the same
notice again changes nothing, a narrowed one lets go of what it no longer names, a released one ends its own blocks only.

Stock whose lot nobody knows may be of the recalled lot: it is a case to inspect. Under a class I notice (a reasonable probability
of serious harm or death, 21 CFR 7.3(m)) it may not be given either, at any place, until a person has inspected that place and
closed the case (`suspicion`). A lot that is first heard of later is blocked and said then (`lots`).

Stock that was made of recalled stock is recalled as well (`genealogy`), whichever of the two the hub heard of first.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from schemas.ids import derived_id
from schemas.reference import RecallNotice
from streams.ledger.book import ALL
from streams.ledger.model import UNKNOWN_LOT, CardKey, LotFacts, LotId, Suspicion
from streams.site import genealogy, ledger, lots, orders, suspicion
from streams.site.desk import Desk
from streams.site.genealogy import Taint


def apply(desk: Desk, notice: RecallNotice) -> list[CardKey]:
    """Bring the blocks of a notice up to what it says now; returns the cards that changed."""
    touched: list[CardKey] = []
    follow, concerned = not desk.prepared.is_empty(), set[str]()
    for key, facts in list(desk.book.facts.scan(())):
        site, item_id, lot = str(key[0]), str(key[1]), LotId(str(key[2]), str(key[3]))
        found = _sync(desk, notice, site, item_id, lot, facts, follow=follow)
        concerned.update([item_id] if found else [])
        touched.extend(found)
    items = tuple(sorted({one.item for one in desk.catalog.products() if one.id in notice.products}))
    suspected = suspicion.items_of(desk, notice.id)
    touched.extend(_suspect(desk, notice, items))
    suspicion.over(desk, notice, items, suspected - suspicion.items_of(desk, notice.id))
    if notice.released is None:
        _ask_to_inspect(desk, notice, items)
        orders.stop_lots(desk, {*items, *concerned}, notice.id)
    return touched


def _sync(
    desk: Desk, notice: RecallNotice, site: str, item_id: str, lot: LotId, facts: LotFacts, *, follow: bool = True
) -> list[CardKey]:
    """Bring the block of a notice on one lot up to what is known; returns the cards that changed.

    `follow`: look at what the lot was made of. What may have been made of a recalled lot is a case to trace and, where the notice
    is of class I, blocked until the case is closed.
    """
    covered = notice.released is None and lots.covers(desk, notice, item_id, lot)
    taint = Taint.NONE
    if follow and not covered and notice.released is None:
        taint = genealogy.taint(desk, notice, site, item_id, lot)
    trace = (site, notice.id, item_id, lot.product, lot.lot)
    open_trace = taint is Taint.POSSIBLE and desk.prepared.traced.get(trace) is None
    label = facts.lot_text or lot.lot
    if open_trace:
        text = f"lot {label} of {item_id} was made of an unknown lot that recall {notice.id} may name: find out, then close"
        case_id = derived_id("case", "recall_trace", *trace)
        desk.case_open(case_id, site, "recall_trace", text, reopen=True, item=item_id)
        desk.prepared.traces.put((site, case_id), (notice.id, item_id, lot.product, lot.lot))
    wanted = covered or taint is Taint.SURE or (open_trace and notice.classification == "I")
    changed = _changed(facts, notice.id, desk.now_us, wanted=wanted)
    if changed is None:
        return []
    desk.book.facts.put((site, item_id, lot.product, lot.lot), changed)
    if not open_trace:
        lots.tell_recall(desk, notice, site, item_id, lot, label, blocked=wanted, made_of=taint is Taint.SURE)
    return _mark_everywhere(desk, site, item_id, lot)


def review(desk: Desk, names: Iterable[tuple[str, str, str]]) -> list[CardKey]:
    """What lots are made of, or whose they are, is known better: recalls follow it to everything made of them."""
    notices = [notice for notice in desk.catalog.recalls() if notice.released is None]
    if not notices:
        return []
    wanted = dict.fromkeys(
        (site, *name) for site, item, number in names for name in genealogy.descendants(desk, site, item, number)
    )
    rows = [
        (site, item, LotId(str(key[2]), number))
        for site, item, number in wanted
        for key, _ in list(desk.book.facts.scan((site, item)))
        if key[3] == number
    ]
    touched: list[CardKey] = []
    for site, item, lot in rows:
        for notice in notices:
            facts = desk.book.facts.get((site, item, lot.product, lot.lot))
            if facts is not None:
                touched += _sync(desk, notice, site, item, lot, facts)
    return touched


def traced(desk: Desk, site: str, case_id: str) -> list[CardKey]:
    """A case to trace was closed: the lot is clear of its notice from now on; returns the cards that changed."""
    named = desk.prepared.traces.get((site, case_id))
    notice = None if named is None else next((one for one in desk.catalog.recalls() if one.id == named[0]), None)
    if named is None or notice is None:
        return []
    _, item, product, number = named
    desk.prepared.traced.put((site, notice.id, item, product, number), desk.now_us)
    facts = desk.book.facts.get((site, item, product, number))
    return [] if facts is None else _sync(desk, notice, site, item, LotId(product, number), facts)


def _suspect(desk: Desk, notice: RecallNotice, items: tuple[str, ...]) -> list[CardKey]:
    """Bring the suspicion of unknown lots up to what a notice says now; returns the cards that changed."""
    held = desk.book.suspicions.get(ALL) or ()
    wanted = items if notice.released is None and notice.classification == "I" else ()
    mine = next((one for one in held if one.notice == notice.id and one.end is None), None)
    if wanted == (mine.items if mine is not None else ()):
        return []
    now = desk.now_us
    changed = tuple(msgspec.structs.replace(one, end=now) if one is mine else one for one in held)
    desk.book.suspicions.put(ALL, (*changed, Suspicion(notice.id, wanted, now)) if wanted else changed)
    concerned = {*wanted, *(mine.items if mine is not None else ())}
    places = [key for key, _ in desk.lot_places.scan(()) if str(key[3]) == UNKNOWN_LOT and str(key[1]) in concerned]
    cards: dict[CardKey, None] = {}
    for site, item_id, product, lot, location, container in places:
        card: CardKey = (str(site), str(location), str(item_id))
        _mark(desk, card, LotId(str(product), str(lot), str(container)))
        cards[card] = None
    return list(cards)


def _mark(desk: Desk, card: CardKey, lot: LotId) -> None:
    item = desk.catalog.item(card[2])
    if item is not None:
        ledger.mark(desk, card, desk.now_us, lot, item)


def _changed(facts: LotFacts, notice: str, now_us: int, *, wanted: bool) -> LotFacts | None:
    """The facts with the notice's block opened or ended; None when nothing changes."""
    is_open = any(end is None and name == notice for _, end, name in facts.blocks)
    if is_open == wanted:
        return None
    if wanted:
        return msgspec.structs.replace(facts, blocks=(*facts.blocks, (now_us, None, notice)))
    ended = tuple((start, now_us if end is None and name == notice else end, name) for start, end, name in facts.blocks)
    return msgspec.structs.replace(facts, blocks=ended)


def _ask_to_inspect(desk: Desk, notice: RecallNotice, items: tuple[str, ...]) -> None:
    """A case for every place that holds stock of an unknown lot of a recalled item."""
    for key, quantity in desk.book.lots.scan(()):
        site, location, item_id, lot = str(key[0]), str(key[1]), str(key[2]), str(key[4])
        if item_id in items and lot == UNKNOWN_LOT and quantity > 0:
            suspicion.inspect(desk, site, notice.id, location, item_id, quantity)


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
