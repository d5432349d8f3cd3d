"""What codes and units of a charge or an administration mean, by the newest reference data. Pure lookups, no guess."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import Any, Final

from schemas.codes import GTIN, ITEM, NDC, PRODUCT, lookup_key, ndc_ten_digits, ndc_ten_of_gtin
from schemas.kinds import ConsumptionRuleKind
from schemas.units import canonical_unit

_TEN: Final = "ndc10"
_MASS_MCG: Final = {"mcg": 1, "mg": 1_000, "g": 1_000_000}
_WHOLE: Final = frozenset({ConsumptionRuleKind.WHOLE_CONTAINER.value, ConsumptionRuleKind.PATIENT_SPECIFIC.value})
_PACK: Final = "pack"

Document = dict[str, Any]
Key = tuple[str, str]


class Master:
    """The item master of the reference documents, by code."""

    def __init__(self, documents: Callable[[str], Iterable[Document]], day: Callable[[str, str], str]) -> None:
        """`documents` gives those of a kind; `day` the date of an instant at a site."""
        self._day = day
        self._items = {str(one["id"]): one for one in documents("item")}
        self._products = {str(one["id"]): one for one in documents("product")}
        self._factors = {(str(one["item"]), canonical_unit(str(one["unit"]))): one for one in documents("unit_factor")}
        self._codes: dict[Key, set[tuple[str, str]]] = {}
        self._links: dict[Key, list[Document]] = {}
        for item in self._items.values():
            self._add(((code["system"], code["value"]) for code in item.get("codes") or ()), (str(item["id"]), ""))
        for product in self._products.values():
            self._add(_codes_of(product), (str(product["item"]), str(product["id"])))
        for link in documents("code"):
            for key in _with_ten(str(link["system"]), str(link["value"])):
                self._links.setdefault(key, []).append(link)

    def _add(self, codes: Iterable[Key], means: tuple[str, str]) -> None:
        for system, value in codes:
            for key in _with_ten(system, value):
                self._codes.setdefault(key, set()).add(means)

    def item_of(self, codes: Sequence[Key], site: str, instant: str) -> tuple[str, str] | None:
        """The item all known codes agree on, and its product where they name one; None when there is none or more than one."""
        found: dict[str, set[str]] = {}
        for system, value in codes:
            for item, product in self._meanings(lookup_key(system, value), value, site, instant):
                found.setdefault(item, set()).update({product} - {""})
        if len(found) != 1:
            return None
        item, products = next(iter(found.items()))
        return item, products.pop() if len(products) == 1 else ""

    def _meanings(self, key: Key, text: str, site: str, instant: str) -> set[tuple[str, str]]:
        if key[0] == ITEM:
            return {(text.strip(), "")} if text.strip() in self._items else set()
        found = self._named(key, site, instant) or self._named((f"{key[0]}@{site}", key[1]), site, instant)
        ten = key[1] if key[0] == NDC and len(key[1]) == 10 else ndc_ten_of_gtin(key[1]) if key[0] == GTIN else None
        return found or (self._named((_TEN, ten), site, instant) if ten else set())

    def _named(self, key: Key, site: str, instant: str) -> set[tuple[str, str]]:
        links = self._links.get(key, ())
        day = self._day(site, instant) if links else ""
        linked = {
            (str(link["item"]), str(link.get("product") or ""))
            for link in links
            if (link.get("site") or "") in ("", site)
            and (link.get("valid_from") or "") <= day
            and (not link.get("valid_to") or day <= str(link["valid_to"]))
        }
        return self._codes.get(key, set()) | linked

    def base_units(self, means: tuple[str, str], quantity: str | None, unit: str | None, *, is_dose: bool) -> int | str:
        """A quantity in whole base units of the item; or in words why it can't be compared."""
        item, product = self._items.get(means[0]), self._products.get(means[1])
        if quantity is None or item is None:
            return "it states no quantity" if item is not None else "its item is not in the item master"
        if not unit:
            return "its quantity has no unit"
        factor = self._factor(item, product, canonical_unit(unit))
        if factor is None:
            return f"no factor from {unit} to {item['base_unit']}"
        exact = Fraction(quantity) * factor
        if exact.denominator == 1:
            return exact.numerator
        if is_dose and item.get("consumption_rule", ConsumptionRuleKind.WHOLE_CONTAINER.value) in _WHOLE:
            return -(-exact.numerator // exact.denominator)
        return f"{quantity} {unit} is no whole number of {item['base_unit']}"

    def _factor(self, item: Document, product: Document | None, unit: str) -> Fraction | None:
        if unit == item["base_unit"]:
            return Fraction(1)
        stated = self._factors.get((str(item["id"]), unit))
        if stated is not None:
            return Fraction(int(stated["numerator"]), int(stated.get("denominator") or 1))
        if unit == _PACK and product is not None:
            return Fraction(int(product["package_quantity"]))
        if not item.get("strength_amount") or not item.get("strength_unit"):
            return None
        strength = canonical_unit(str(item["strength_unit"]))
        if unit == strength:
            return 1 / Fraction(str(item["strength_amount"]))
        if unit in _MASS_MCG and strength in _MASS_MCG:
            return Fraction(_MASS_MCG[unit], _MASS_MCG[strength]) / Fraction(str(item["strength_amount"]))
        return None


def _codes_of(product: Document) -> list[Key]:
    codes = [(PRODUCT, str(product["id"])), *((code["system"], code["value"]) for code in product.get("codes") or ())]
    codes += [(system, str(product[name])) for system, name in ((NDC, "ndc"), (GTIN, "gtin")) if product.get(name)]
    return codes + [(GTIN, str(level["gtin"])) for level in product.get("levels") or ()]


def _with_ten(system: str, value: str) -> list[Key]:
    """The key of a code; of a hyphenated NDC also the ten digits that a package bears."""
    key = lookup_key(system, value)
    ten = ndc_ten_digits(value.strip()) if key[0] == NDC and "-" in value else None
    return [key, *([(_TEN, ten)] if ten else [])]
