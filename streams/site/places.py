"""Stage places: a place that becomes a quarantine place, or is one no longer, has its cards judged anew.

Whether a place is for quarantine is a fact about the place, not about a time: its cards are folded again as if it had always been
so.
"""

from __future__ import annotations

from schemas.events import ReferenceChange, StockEvent
from schemas.kinds import LocationKind
from schemas.reference import Location
from streams.catalog import ancestors
from streams.ledger.model import CardKey
from streams.site import ledger, par
from streams.site.desk import Desk
from streams.site.resolve import Missing, resolve_place


def way_to_cabinet(desk: Desk, site: str, place: str | Missing) -> str | Missing:
    """Where stock goes that is issued to a place: onto its way, where the place's refills are told by its cabinet.

    A cabinet whose `refill_from` is a place in transit tells what was filled: that clears the way (`domain` §4, central fill).
    """
    if isinstance(place, Missing):
        return place
    governing = desk.catalog.location(site, place)
    way = governing.refill_from if governing is not None and governing.kind is LocationKind.CABINET else None
    return way if way is not None and desk.catalog.is_transit(site, way) else place


def dispensed_to(desk: Desk, event: StockEvent) -> str | None:
    """The way onto which a dispense puts stock, where it fills a cabinet that tells its refills; None when a patient gets it."""
    place = resolve_place(desk.catalog, event, event.to_location_codes, event.to_pocket)
    way = way_to_cabinet(desk, event.site, place)
    return None if isinstance(way, Missing) or way == place else way


def changed(desk: Desk, change: ReferenceChange, before: Location | None) -> list[CardKey]:
    """Fold the cards below a place again whose isolation has changed; returns them."""
    after: Location | None = desk.catalog.record(change)
    site, path = change.id.split("|")
    kinds = [None if one is None else one.kind for one in (before, after)]
    above = any(desk.catalog.is_quarantine(site, one) for one in ancestors(path)[1:])
    if kinds[0] == kinds[1] or not (above or LocationKind.QUARANTINE in kinds):
        return []
    touched: dict[CardKey, None] = {}
    for key, _ in desk.book.cards.scan((site,)):
        place = str(key[1])
        if place == path or place.startswith(f"{path}/"):
            touched[str(key[0]), place, str(key[2])] = None
    for card in touched:
        item = desk.catalog.item(card[2])
        posted = desk.book.refold(card, par.thresholds(desk, card)) if item is not None else None
        if posted is None or item is None:
            continue
        ledger.settle(desk, card, posted, item)
        for lot in desk.book.lot_quantities(card):
            desk.balance(card, lot, item.base_unit)
    return list(touched)
