"""Stage resolve: the sender's codes become an item, a product and a place; its quantity becomes whole base units.

What is not known makes the event wait (`Missing`); nothing is ever taken 1:1 and nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Final

import msgspec

from schemas.codes import GTIN, Code, lookup_key
from schemas.events import StockEvent
from schemas.kinds import ConsumptionRuleKind, Feed
from schemas.reference import Item, Product
from schemas.units import canonical_unit
from streams.catalog import Catalog, ancestors

PACK: Final = "pack"
BASE_UNITS_MAX: Final = 1_000_000_000
"""Base units of one event; beyond it a unit or a factor is wrong."""
_ONE: Final = Fraction(1)
_MASS_MCG: Final[dict[str, int]] = {"mcg": 1, "mg": 1_000, "g": 1_000_000}


class Missing(msgspec.Struct, frozen=True):
    """A fact that has to arrive before the event can be applied."""

    code: str
    reason: str
    waits_for: tuple[tuple[str, str, str], ...]


class Resolved(msgspec.Struct, frozen=True):
    """Item and product of an event."""

    item: Item
    product: str


def resolve_item(catalog: Catalog, event: StockEvent) -> Resolved | Missing:
    """The item all the event's known codes agree on, and the product when they name one."""
    candidates: dict[str, set[str]] = {}
    for code in event.codes:
        for named_item, product in catalog.by_code(code, event.site, event.occurred):
            products = candidates.setdefault(named_item, set())
            if product:
                products.add(product)
    if len(candidates) == 1:
        item_id, products = next(iter(candidates.items()))
        item = catalog.item(item_id)
        if item is not None:
            return Resolved(item, products.pop() if len(products) == 1 else "")
    return _unresolved(event, sorted(candidates))


def _unresolved(event: StockEvent, candidates: Sequence[str]) -> Missing:
    """Why the codes of an event name no item."""
    named = ", ".join(f"{code.system} {code.value}" for code in event.codes) or "no code at all"
    waits = tuple(("code", *lookup_key(code.system, code.value)) for code in event.codes) or (("code", "", ""),)
    if not candidates:
        reason = f"no item is known by {named}: add the code to an item or product of the item master"
        return Missing("unknown_code", reason, waits)
    if len(candidates) > 1:
        reason = f"{named} point to different items ({', '.join(candidates)}): correct the item master"
        return Missing("ambiguous_code", reason, waits)
    reason = f"{named} names item {candidates[0]}, which is not in the item master"
    return Missing("unknown_item", reason, (("item", candidates[0], ""), *waits))


def resolve_place(catalog: Catalog, event: StockEvent, codes: tuple[str, ...], pocket: str | None) -> str | Missing:
    """The path of the first code that names a place, with the pocket below it.

    A dispense that names no place left the site's one dispensing store.
    """
    known = catalog.resolved_places.get((event.site, codes, pocket))
    if known is not None:
        return known
    for code in codes:
        paths = catalog.places(event.site, code)
        if len(paths) > 1:
            reason = f"the place {code} names {' and '.join(paths)} at site {event.site}: give each its own code"
            return Missing("ambiguous_location", reason, (("place", event.site, code.strip().upper()),))
        if paths:
            return catalog.resolved(event.site, codes, pocket, f"{paths[0]}/{pocket.strip('/')}" if pocket else paths[0])
        governed = catalog.location(event.site, code) if "/" in code else None
        if governed is not None and not pocket:
            return catalog.resolved(event.site, codes, pocket, code)
    if not codes and event.feed is Feed.DISPENSE:
        stores = catalog.dispensing_stores(event.site)
        if len(stores) == 1:
            return stores[0]
    named = ", ".join(codes) or "none given"
    reason = f"the place ({named}) is not known at site {event.site}: add the code to a location"
    names = dict.fromkeys(path.strip().upper() for code in codes for path in ancestors(code))
    waits = tuple(("place", event.site, name) for name in names) or (("place", event.site, ""),)
    return Missing("unknown_location", reason, waits)


def base_units(
    catalog: Catalog, event: StockEvent, resolved: Resolved, location: str, *, counted: Decimal | None = None
) -> int | Missing:
    """The event's quantity in whole base units of the item, by exact factors and the place's consumption rule.

    With `counted`, what was counted in the event's unit instead: a count is never a dose.
    """
    item = resolved.item
    quantity = event.quantity if counted is None else counted
    is_dose = event.quantity_is_dose and counted is None
    if quantity is None:
        return Missing("no_quantity", "the message states no quantity: enter what was used", (("never", event.event_id, ""),))
    if not event.unit:
        reason = f"quantity {quantity} of {item.id} has no unit: give the unit in the feed or its profile"
        return Missing("no_unit", reason, (("unit", item.id, ""),))
    unit = canonical_unit(event.unit)
    product = catalog.product(resolved.product) if resolved.product else None
    factor = unit_factor(catalog, item, product, unit, event.codes)
    if factor is None and unit == PACK and product is not None:
        scanned = ", ".join(code.value for code in event.codes if code.system == GTIN)
        reason = f"GTIN {scanned} is a package of {product.id} whose content is not known: add it to the product's levels"
        return Missing("unknown_package", reason, (("unit", item.id, unit),))
    if factor is None:
        reason = f"no factor from {event.unit} to {item.base_unit} is known for item {item.id}: add a unit factor"
        return Missing("unknown_unit", reason, (("unit", item.id, unit),))
    if factor == 1 and quantity == (whole := int(quantity)):
        return whole
    exact = Fraction(quantity) * factor
    if exact.denominator == 1 and exact <= BASE_UNITS_MAX:
        return exact.numerator
    return _rounded(catalog, event, item, location, exact, stated=f"{quantity} {event.unit} of item {item.id}", is_dose=is_dose)


def _rounded(
    catalog: Catalog, event: StockEvent, item: Item, location: str, exact: Fraction, *, stated: str, is_dose: bool
) -> int | Missing:
    """A dose in whole containers, where the place's consumption rule says so."""
    waits = (("unit", item.id, canonical_unit(event.unit or "")),)
    if exact > BASE_UNITS_MAX:
        reason = f"{stated} is more than {BASE_UNITS_MAX} {item.base_unit}: check its units and factors"
        return Missing("absurd_quantity", reason, waits)
    rule = catalog.consumption_rule(event.site, location, item.id)
    kind = rule.rule if rule is not None else item.consumption_rule
    if is_dose and kind in (ConsumptionRuleKind.WHOLE_CONTAINER, ConsumptionRuleKind.PATIENT_SPECIFIC):
        return -(-exact.numerator // exact.denominator)
    shown = Decimal(exact.numerator) / Decimal(exact.denominator)
    reason = (
        f"{stated} is {shown.normalize():f} {item.base_unit}, not a whole number: "
        "choose a smaller base unit or the whole-container rule"
    )
    return Missing("fractional_quantity", reason, waits)


def unit_factor(
    catalog: Catalog, item: Item, product: Product | None, unit: str, codes: Sequence[Code] = ()
) -> Fraction | None:
    """Base units in one `unit` of the item: itself, the scanned package, a stated factor, the product's package, or by strength.

    `codes` are what names the product: a GTIN says which of its packages is meant.
    """
    if unit == item.base_unit:
        return _ONE
    gtins = {lookup_key(code.system, code.value)[1] for code in codes if code.system == GTIN} if unit == PACK else None
    if gtins and product is not None and not all(is_own_package(product, gtin) for gtin in gtins):
        return _of_level(product, gtins)
    stated = catalog.factor(item.id, unit)
    if stated is not None:
        return Fraction(stated.numerator, stated.denominator)
    if unit == PACK and product is not None:
        return Fraction(product.package_quantity)
    if item.strength_amount is not None and item.strength_unit is not None:
        strength_unit = canonical_unit(item.strength_unit)
        if unit == strength_unit:
            return 1 / Fraction(item.strength_amount)
        if unit in _MASS_MCG and strength_unit in _MASS_MCG:
            return Fraction(_MASS_MCG[unit], _MASS_MCG[strength_unit]) / Fraction(item.strength_amount)
    return None


def is_own_package(product: Product, gtin: str) -> bool:
    """Whether a GTIN of 14 digits is the product's own package: a stated one, or, where none is stated, one of indicator 0.

    Another indicator is another level of packaging (GS1 General Specifications §2.1.6: 1 to 8; 9 is a variable measure).
    """
    if any(gtin == level.gtin for level in product.levels):
        return False
    stated = {lookup_key(code.system, code.value)[1] for code in product.codes if code.system == GTIN}
    return gtin == product.gtin or gtin in stated or (product.gtin is None and gtin.startswith("0"))


def _of_level(product: Product, gtins: set[str]) -> Fraction | None:
    """Base units in the one package that GTINs name; None when that is not known."""
    found = {level.quantity for level in product.levels if level.gtin in gtins}
    return Fraction(found.pop()) if len(found) == 1 and len(gtins) == 1 else None
