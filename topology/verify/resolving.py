"""What an event means with the reference data in force: the place, the item and product, and whole base units.

Anything that is not known or not certain makes the event wait (`Waits`); nothing is guessed and nothing is taken 1:1.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Final

from schemas.codes import lookup_key
from schemas.reference import Item, Location, Product
from schemas.units import canonical_unit
from topology.verify.known import Known
from topology.verify.transfers import way
from topology.verify.words import Told

_MICROGRAMS: Final = {"mcg": 1, "mg": 1_000, "g": 1_000_000}
_BASE_UNITS_MAX: Final = 1_000_000_000
_USES_WHOLE: Final = frozenset({"whole_container", "patient_specific"})
DECREMENTS: Final = frozenset({"vend", "dispense", "administer"})
"""Kinds that only the feed with authority at the place may post."""
_GOES_TO: Final = frozenset({"put_away", "pick"})
_FILLED_FROM: Final = frozenset({"refill", "load", "unload"})


class WaitsError(Exception):
    """A fact is missing: about the place, or about the item and its units."""

    def __init__(self, *, place: bool) -> None:
        """Say what kind of fact."""
        super().__init__()
        self.place = place


class OnlyDetailError(Exception):
    """Another feed decrements at the place: the event moves nothing."""


class Meant:
    """An event in the hub's terms."""

    __slots__ = ("begin", "item", "other", "place", "product", "quantity")

    def __init__(self, place: str, item: Item, product: str, quantity: int) -> None:
        """`other` is where it went or where refills come from; `begin` a begin count that a person verified."""
        self.place = place
        self.item = item
        self.product = product
        self.quantity = quantity
        self.other: str | None = None
        self.begin: int | None = None


def meaning(known: Known, event: Told) -> Meant:
    """What an event means now. Raises `WaitsError` or `OnlyDetailError`."""
    place = place_of(known, event, event.location_codes, event.pocket)
    governing = known.governing(event.site, place)
    bound = event.kind in DECREMENTS or event.feed == "charge"
    if bound and governing is not None and event.feed not in (governing.authority, "paper"):
        raise OnlyDetailError
    item, product = item_of(known, event)
    quantity = _base_units(known, event, item, product, place, event.quantity, dose=event.quantity_is_dose)
    meant = Meant(place, item, product, quantity)
    meant.other = _other(known, event, governing)
    if event.begin_count is not None and event.begin_count_verified and event.kind not in ("load", "count"):
        try:
            meant.begin = _base_units(known, event, item, product, place, event.begin_count, dose=False)
        except WaitsError:
            meant.begin = None  # a count that does not convert says nothing
    return meant


def _other(known: Known, event: Told, governing: Location | None) -> str | None:
    if event.kind == "transfer_out":
        return way(event.partner or "", event.shipment or "")
    if event.kind == "transfer_in":
        return event.partner or ""
    if event.kind in _GOES_TO and event.to_location_codes:
        target = place_of(known, event, event.to_location_codes, event.to_pocket)
        return _way_in(known, event.site, target) or target
    if event.kind == "dispense" and event.to_location_codes:
        try:
            return _way_in(known, event.site, place_of(known, event, event.to_location_codes, event.to_pocket))
        except WaitsError:
            return None
    if event.kind in _FILLED_FROM and governing is not None:
        return governing.refill_from
    return None


def _way_in(known: Known, site: str, target: str) -> str | None:
    """The place in transit that a cabinet is filled from, where it is one."""
    cabinet = known.governing(site, target)
    source = cabinet.refill_from if cabinet is not None and cabinet.kind == "cabinet" else None
    return source if source is not None and known.is_transit(site, source) else None


def place_of(known: Known, event: Told, names: tuple[str, ...], pocket: str | None) -> str:
    """The path of the first name that is known; a dispense without any left the site's one dispensing store."""
    for name in names:
        paths = known.places(event.site, name)
        if len(paths) > 1:
            raise WaitsError(place=True)
        if paths:
            path = next(iter(paths))
            return f"{path}/{pocket.strip('/')}" if pocket else path
        if "/" in name and not pocket and known.governing(event.site, name) is not None:
            return name
    if not names and event.feed == "dispense":
        stores = known.dispensing_stores(event.site)
        if len(stores) == 1:
            return stores[0]
    raise WaitsError(place=True)


def item_of(known: Known, event: Told) -> tuple[Item, str]:
    """The one item that all known codes agree on; the product where they name exactly one."""
    named = {entry for code in event.codes for entry in known.named_by(code, event.site, event.occurred)}
    items = {item for item, _ in named}
    products = {product for _, product in named if product}
    item = known.item(next(iter(items))) if len(items) == 1 else None
    if item is None:
        raise WaitsError(place=False)
    return item, products.pop() if len(products) == 1 else ""


def _base_units(
    known: Known, event: Told, item: Item, product: str, place: str, stated: Decimal | None, *, dose: bool
) -> int:
    """A stated quantity in whole base units."""
    if stated is None or not event.unit:
        raise WaitsError(place=False)
    unit = canonical_unit(event.unit)
    if unit == item.base_unit and stated == (whole := int(stated)):
        return whole
    factor = _factor(known, item, product, unit)
    box = known.product(product) if unit == "pack" and product else None
    scanned = {lookup_key(code.system, code.value)[1] for code in event.codes if code.system == "gtin"}
    if box is not None and unit != item.base_unit and scanned:
        factor = _of_package(box, scanned, factor)
    if factor is None:
        raise WaitsError(place=False)
    exact = Fraction(stated) * factor
    if exact > _BASE_UNITS_MAX:
        raise WaitsError(place=False)
    if exact.denominator == 1:
        return exact.numerator
    rule = known.consumption(event.site, place, item.id)
    if dose and (rule.rule if rule is not None else item.consumption_rule) in _USES_WHOLE:
        return -(-exact.numerator // exact.denominator)
    if event.kind == "waste" and stated is event.quantity:
        raise OnlyDetailError  # part of a container that had left before
    raise WaitsError(place=False)


def _of_package(product: Product, scanned: set[str], usual: Fraction | None) -> Fraction | None:
    """Base units in the scanned package: the product's own one as usual, another one as its levels say."""
    contents = {level.gtin: level.quantity for level in product.levels}
    stated = {product.gtin, *(lookup_key(code.system, code.value)[1] for code in product.codes if code.system == "gtin")}
    own = {gtin for gtin in scanned - contents.keys() if gtin in stated or (not product.gtin and gtin[0] == "0")}
    if own == scanned:
        return usual
    return Fraction(contents[next(iter(scanned))]) if len(scanned) == 1 and scanned <= contents.keys() else None


def _factor(known: Known, item: Item, product: str, unit: str) -> Fraction | None:
    """Base units in one unit of the item; None when nobody said."""
    if unit == item.base_unit:
        return Fraction(1)
    stated = known.factor(item.id, unit)
    if stated is not None:
        return Fraction(stated.numerator, stated.denominator)
    box = known.product(product) if unit == "pack" and product else None
    if box is not None:
        return Fraction(box.package_quantity)
    if item.strength_amount is None or item.strength_unit is None:
        return None
    strength = canonical_unit(item.strength_unit)
    if unit == strength:
        return 1 / Fraction(item.strength_amount)
    if unit in _MICROGRAMS and strength in _MICROGRAMS:
        return Fraction(_MICROGRAMS[unit], _MICROGRAMS[strength]) / Fraction(item.strength_amount)
    return None
