"""Lots of a site: which product a lot belongs to, when it expires, where it lies, and what is due when it does.

A lot is known by product and number. A feed that states only the item and the lot number means the one product of the item
that has such a lot, or the item's only product; where neither is certain the product stays unstated.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final

import msgspec

from schemas.codes import normalise_lot
from schemas.ids import derived_id
from schemas.reference import RecallNotice
from streams.ledger.model import NO_FACTS, UNKNOWN_LOT, Block, CardKey, LotFacts, LotId
from streams.site.desk import Desk
from streams.site.tables import Timer
from streams.times import end_of_day_us, iso_date, start_of_day_us

if TYPE_CHECKING:
    from streams.site.work import Work


_NEVER: Final = date(9999, 12, 31)
"""Feeds write the last date there is for lots that never expire."""
_FIRST_DAY: Final = date(1900, 1, 1).toordinal()


def identify(desk: Desk, work: Work) -> LotId:
    """The lot an event speaks of; notes its product, expiry and number as stated."""
    event = work.event
    if not event.lot:
        return LotId(work.product, UNKNOWN_LOT, event.container or "") if work.product and event.container else _unknown(event)
    number = normalise_lot(event.lot)
    product = work.product or _product_of(desk, event.site, work.item.id, number)
    if product and not work.product:
        desk.lot_products.put((event.site, work.item.id, number), (product,))
    lot = LotId(product, number, event.container or "")
    _learn(desk, work, lot)
    return lot


def newly_known(desk: Desk, work: Work) -> str | None:
    """The number of the event's lot when this event is the first to name the lot's product."""
    event = work.event
    if not event.lot or not work.product:
        return None
    number = normalise_lot(event.lot)
    key = (event.site, work.item.id, number)
    known = desk.lot_products.get(key) or ()
    if work.product in known:
        return None
    desk.lot_products.put(key, tuple(sorted((*known, work.product))))
    return None if known else number


def _unknown(event: object) -> LotId:
    return LotId("", UNKNOWN_LOT, getattr(event, "container", None) or "")


def _product_of(desk: Desk, site: str, item: str, number: str) -> str:
    """The only product that is known to have such a lot, or the item's only product."""
    known = desk.lot_products.get((site, item, number)) or ()
    if known:
        return known[0] if len(known) == 1 else ""
    products = desk.catalog.products_of(item)
    return products[0] if len(products) == 1 else ""


def _learn(desk: Desk, work: Work, lot: LotId) -> None:
    """Note number and expiry as stated. Two expiry dates of one lot are a case; the earlier one is used."""
    event, item = work.event, work.item
    key = (event.site, item.id, lot.product, lot.lot)
    facts = desk.book.facts.get(key)
    stated = event.expiry.isoformat() if event.expiry else None
    if facts is None:
        facts = LotFacts(lot_text=event.lot or lot.lot, blocks=blocks_for(desk, item.id, lot))
        if stated is None:
            desk.book.facts.put(key, facts)
            return
    if stated is None or facts.expiry == stated:
        return
    if facts.expiry is not None:
        case_id = derived_id("case", "expiry_conflict", *key)
        earlier, later = sorted((facts.expiry, stated))
        text = f"lot {facts.lot_text} of {item.name} was reported with expiry {earlier} and {later}: {earlier} is used"
        desk.case_open(case_id, event.site, "expiry_conflict", text, item=item.id, raw=event.raw)
        if facts.expiry < stated:
            return
    _set_expiry(desk, event.site, item.id, lot, facts, stated)


def _set_expiry(desk: Desk, site: str, item: str, lot: LotId, facts: LotFacts, stated: str) -> None:
    """Take an expiry date in, and have cards that hold the lot already marked at it."""
    day = iso_date(stated)
    record = desk.catalog.site(site)
    zone_name = record.zone if record else "UTC"
    expires = end_of_day_us(day, zone_name) if day < _NEVER else None
    learned = msgspec.structs.replace(facts, expiry=stated, expires=expires)
    desk.book.facts.put((site, item, lot.product, lot.lot), learned)
    schedule_windows(desk, site, item, lot, learned)
    unit = found.base_unit if (found := desk.catalog.item(item)) is not None else ""
    for location, container in places_of(desk, site, item, lot):
        held = LotId(lot.product, lot.lot, container)
        _schedule_expiry(desk, (site, location, item), held, learned)
        desk.balance((site, location, item), held, unit)


def schedule_windows(desk: Desk, site: str, item: str, lot: LotId, facts: LotFacts) -> None:
    """Have it said when the lot enters each expiry window of the site."""
    record = desk.catalog.site(site)
    if record is None or facts.expiry is None:
        return
    for days in record.expiry_windows_days:
        entered = window_start_us(iso_date(facts.expiry), days, record.zone)
        desk.schedule(entered, Timer("window", (site, item, lot.product, lot.lot, str(days))))


def window_start_us(expiry: date, days: int, zone_name: str) -> int:
    """The instant a lot enters an expiry window: the site's midnight that many days before its last day."""
    return start_of_day_us(date.fromordinal(max(expiry.toordinal() - days, _FIRST_DAY)), zone_name)


def first_touch(desk: Desk, card: CardKey, lot: LotId) -> None:
    """The first time a card holds a lot: remember the place, and have it marked when the lot expires or is blocked."""
    site, location, item = card
    key = (site, item, lot.product, lot.lot, location, lot.container)
    if desk.lot_places.get(key) is not None:
        return
    desk.lot_places.put(key, 1)
    facts = desk.book.facts_of(card, lot)
    if facts is NO_FACTS:
        return
    if facts.expires is not None:
        _schedule_expiry(desk, card, lot, facts)
    for start, end, _ in facts.blocks:
        for instant in (start, end):
            if instant is not None:
                desk.schedule(instant, Timer("mark", (*card, lot.product, lot.lot, lot.container)))


def _schedule_expiry(desk: Desk, card: CardKey, lot: LotId, facts: LotFacts) -> None:
    if facts.expires is not None:
        desk.schedule(facts.expires, Timer("mark", (*card, lot.product, lot.lot, lot.container)))


def places_of(desk: Desk, site: str, item: str, lot: LotId) -> list[tuple[str, str]]:
    """Places (and containers) that ever held a lot at a site."""
    found = desk.lot_places.scan((site, item, lot.product, lot.lot))
    return [(str(key[4]), str(key[5])) for key, _ in found]


def blocks_for(desk: Desk, item: str, lot: LotId) -> tuple[Block, ...]:
    """Blocks of a lot seen for the first time: a recall that was read before covers it from then on."""
    return tuple(
        (desk.now_us, None, notice.id)
        for notice in desk.catalog.recalls()
        if notice.released is None and covers(desk, notice, item, lot)
    )


def covers(desk: Desk, notice: RecallNotice, item: str, lot: LotId) -> bool:
    """Whether a recall notice covers a lot. A lot whose product is not stated is covered when the item has such a product."""
    if lot.product:
        if lot.product not in notice.products:
            return False
    elif not any(desk.catalog.has_product(item, product) for product in notice.products):
        return False
    return notice.all_lots or lot.lot in {normalise_lot(text) for text in notice.lots}
