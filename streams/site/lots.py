"""Lots of a site: when they expire, which notices cover them, where they lie, and what is due when it does.

A lot is known by product and number; `lot_names` says which product a number means that came without one.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final

import msgspec

from schemas.codes import normalise_lot
from schemas.ids import derived_id
from schemas.reference import RecallNotice
from streams.ledger.model import NO_FACTS, UNKNOWN_LOT, CardKey, LotFacts, LotId
from streams.site import destruction, given, lot_names, windows
from streams.site.desk import Desk
from streams.site.tables import Timer
from streams.times import end_of_day_us, iso_date

if TYPE_CHECKING:
    from streams.site.work import Work


_NEVER: Final = date(9999, 12, 31)
"""Feeds write the last date there is for lots that never expire."""


def identify(desk: Desk, work: Work) -> LotId:
    """The lot an event speaks of; notes its product, expiry and number as stated."""
    event = work.event
    if not event.lot:
        return LotId(work.product, UNKNOWN_LOT, event.container or "") if work.product and event.container else _unknown(event)
    number = normalise_lot(event.lot)
    product = work.product or lot_names.product_of(desk, event.site, work.item.id, number)
    lot = LotId(product, number, event.container or "")
    _learn(desk, work, lot)
    return lot


def _unknown(event: object) -> LotId:
    return LotId("", UNKNOWN_LOT, getattr(event, "container", None) or "")


def _learn(desk: Desk, work: Work, lot: LotId) -> None:
    """Note number and expiry as stated.

    A date that was told without a product holds for each product that has the number. Of a number whose product nobody can tell,
    the earliest date of any of them holds.
    """
    event, site, item = work.event, work.event.site, work.item
    stated = event.expiry.isoformat() if event.expiry else None
    facts = desk.book.facts.get((site, item.id, lot.product, lot.lot))
    if work.product:
        if facts is not None and (stated is None or facts.expiry == stated):
            return
        dates = (stated,) if stated is not None else ()
        _hear(desk, work, lot, (*lot_names.unstated(desk, site, item.id, lot.lot).expiries, *dates) if facts is None else dates)
        doubt(desk, site, item.id, lot.lot)
        return
    before = lot_names.unstated(desk, site, item.id, lot.lot)
    said = lot_names.note(desk, site, item.id, lot, stated)
    if facts is not None and said == before:
        return
    for product in lot_names.named(desk, site, item.id, lot.lot) or ((lot.product,) if lot.product else ()):
        _hear(desk, work, LotId(product, lot.lot), said.expiries)
    if not lot.product:
        if facts is None:
            begin(desk, site, item.id, lot, event.lot or lot.lot)
        if len(said.expiries) > 1:
            _conflict(desk, work, lot, said.expiries[0], said.expiries[-1])
        doubt(desk, site, item.id, lot.lot)


def _hear(desk: Desk, work: Work, lot: LotId, dates: tuple[str, ...]) -> None:
    """Take in what was said of when a lot expires. Two dates are a case; the earlier one is used."""
    site, item = work.event.site, work.item
    key = (site, item.id, lot.product, lot.lot)
    if desk.book.facts.get(key) is None:
        begin(desk, site, item.id, lot, work.event.lot or lot.lot)
    for stated in dates:
        known = desk.book.facts.get(key) or NO_FACTS
        if known.expiry == stated:
            continue
        if known.expiry is not None:
            _conflict(desk, work, lot, *sorted((known.expiry, stated)))
        if known.expiry is None or stated < known.expiry:
            _set_expiry(desk, site, item.id, lot, known, stated)


def _conflict(desk: Desk, work: Work, lot: LotId, earlier: str, later: str) -> None:
    site, item = work.event.site, work.item
    case_id = derived_id("case", "expiry_conflict", site, item.id, lot.product, lot.lot)
    text = f"lot {work.event.lot} of {item.name} was reported with expiry {earlier} and {later}: {earlier} is used"
    desk.case_open(case_id, site, "expiry_conflict", text, item=item.id, raw=work.event.raw)


def doubt(desk: Desk, site: str, item: str, number: str) -> None:
    """Bring the expiry of a number whose product nobody can tell up to what is known; nothing where there is no such lot."""
    facts = desk.book.facts.get((site, item, "", number))
    if facts is None:
        return
    products = lot_names.named(desk, site, item, number)
    told = [desk.book.facts.get((site, item, product, number)) for product in products]
    dates = [*lot_names.unstated(desk, site, item, number).expiries, *(one.expiry for one in told if one and one.expiry)]
    if dates and (facts.expiry is None or min(dates) < facts.expiry):
        _set_expiry(desk, site, item, LotId("", number), facts, min(dates))


def begin(desk: Desk, site: str, item: str, lot: LotId, text: str) -> None:
    """A lot is heard of for the first time: a notice that was read before covers it from now on."""
    covering = recalls_of(desk, item, lot)
    facts = LotFacts(lot_text=text, blocks=tuple((desk.now_us, None, notice.id) for notice in covering))
    desk.book.facts.put((site, item, lot.product, lot.lot), facts)
    for notice in covering:
        tell_recall(desk, notice, site, item, lot, text, blocked=True)
    if not desk.prepared.is_empty():
        desk.prepared.to_review.append((site, item, lot.lot))  # the number may have been made here before, of whichever product


def _set_expiry(desk: Desk, site: str, item: str, lot: LotId, facts: LotFacts, stated: str) -> None:
    """Take an expiry date in, and have cards that hold the lot already marked at it."""
    day = iso_date(stated)
    record = desk.catalog.site(site)
    zone_name = record.zone if record else "UTC"
    expires = end_of_day_us(day, zone_name) if day < _NEVER else None
    learned = msgspec.structs.replace(facts, expiry=stated, expires=expires)
    desk.book.facts.put((site, item, lot.product, lot.lot), learned)
    windows.schedule(desk, site, item, lot, learned)
    found = desk.catalog.item(item)
    for location, container in places_of(desk, site, item, lot):
        held, card = LotId(lot.product, lot.lot, container), (site, location, item)
        _schedule_expiry(desk, card, held, learned)
        desk.balance(card, held, found.base_unit if found is not None else "")
        if found is not None:
            given.since_expiry(desk, card, held, desk.book.lot_facts(card, held), found)


def first_touch(desk: Desk, card: CardKey, lot: LotId) -> None:
    """The first time a card holds a lot: remember the place, and have it marked when the lot expires or is blocked."""
    site, location, item = card
    key = (site, item, lot.product, lot.lot, location, lot.container)
    if desk.book.lots.get((*card, lot.product, lot.lot, lot.container)) or desk.lot_places.get(key) is not None:
        return  # what lies there was touched when it came; the lot's row is read for the posting anyway
    desk.lot_places.put(key, 1)
    if lot.container:
        desk.prepared.container_places.put((site, item, lot.container, lot.product, lot.lot, location), 1)
    facts = desk.book.lot_facts(card, lot)
    if facts is NO_FACTS:
        return
    if facts.expires is not None:
        _schedule_expiry(desk, card, lot, facts)
    for start, end, _ in facts.blocks:
        for instant in (start, end):
            if instant is not None:
                desk.schedule(instant, Timer("mark", (*card, lot.product, lot.lot, lot.container)))


def forget_place(desk: Desk, card: CardKey, lot: LotId) -> None:
    """No entry of a card is of the lot any more."""
    site, location, item = card
    desk.lot_places.delete((site, item, lot.product, lot.lot, location, lot.container))
    if lot.container:
        desk.prepared.container_places.delete((site, item, lot.container, lot.product, lot.lot, location))


def _schedule_expiry(desk: Desk, card: CardKey, lot: LotId, facts: LotFacts) -> None:
    if facts.expires is not None:
        desk.schedule(facts.expires, Timer("mark", (*card, lot.product, lot.lot, lot.container)))
        destruction.schedule(desk, card, lot, facts)


def places_of(desk: Desk, site: str, item: str, lot: LotId) -> list[tuple[str, str]]:
    """Places (and containers) that ever held a lot at a site."""
    found = desk.lot_places.scan((site, item, lot.product, lot.lot))
    return [(str(key[4]), str(key[5])) for key, _ in found]


def recalls_of(desk: Desk, item: str, lot: LotId) -> list[RecallNotice]:
    """The notices in force that cover a lot: one that was read before the lot was first heard of covers it from then on."""
    named = (lot.product,) if lot.product else desk.catalog.products_of(item)
    found = desk.catalog.recalls_naming(named)
    return [notice for notice in found if notice.released is None and covers(desk, notice, item, lot)]


def tell_recall(
    desk: Desk, notice: RecallNotice, site: str, item: str, lot: LotId, label: str, *, blocked: bool, made_of: bool = False
) -> None:
    """Say that a notice covers a lot (or what it is `made_of`), or covers it no longer; that it does is a case."""
    verb = f"recalled (class {notice.classification})" if blocked else "released"
    origin = " as made of a recalled lot" if made_of else ""
    text = f"lot {label} of {item} is {verb}{origin}: {notice.reason or notice.id}"
    desk.alert(site, "recall", text, notice.id, item, lot.product, lot.lot, verb, item=item, lot=label)
    if blocked:
        case_id = derived_id("case", "recall", site, notice.id, item, lot.product, lot.lot)
        desk.case_open(case_id, site, "recall", text, item=item)


def let_go(desk: Desk, item: str, lot: LotId, facts: LotFacts) -> LotFacts:
    """The facts of a lot without the blocks of recalls that do not cover it, now that its product is known: they end now."""
    covering = {notice.id for notice in recalls_of(desk, item, lot)}
    blocks = tuple(
        (start, desk.now_us if end is None and notice not in covering else end, notice) for start, end, notice in facts.blocks
    )
    return msgspec.structs.replace(facts, blocks=blocks)


def covers(desk: Desk, notice: RecallNotice, item: str, lot: LotId) -> bool:
    """Whether a recall notice covers a lot. A lot whose product is not stated is covered when the item has such a product."""
    if lot.product:
        if lot.product not in notice.products:
            return False
    elif not any(desk.catalog.has_product(item, product) for product in notice.products):
        return False
    return notice.all_lots or lot.lot in {normalise_lot(text) for text in notice.lots}
