"""What a person may write on paper for a place, an item and a unit, and what it means at a site. Pure; guesses nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from schemas.codes import GTIN, ITEM, NDC, PRODUCT, Code, lookup_key, ndc_ten_digits, ndc_ten_of_gtin
from schemas.reference import CodeLink, Item, Location, Product, Site, UnitFactor
from schemas.units import canonical_unit
from topology.reference_files.model import ReferenceRecord

KINDS = ("site", "location", "item", "product", "code", "unit_factor")
"""Kinds of reference records that paper is read by."""
_MASS = frozenset({"mcg", "mg", "g"})


class UnclearError(Exception):
    """What was written can't be taken; the text says why, and what to write."""


@dataclass(frozen=True, slots=True)
class Named:
    """What a code names: the item, a product or none, and the code by which the hub finds it."""

    item: Item
    product: str
    code: Code


class Known:
    """Reference data of one site."""

    def __init__(self, site: str, records: Iterable[ReferenceRecord]) -> None:
        """`records` are those of `KINDS`."""
        held = [record for _, _, record in records]
        self.site = next((one for one in held if isinstance(one, Site) and one.id == site), None)
        locations = [one for one in held if isinstance(one, Location) and one.site == site]
        self._paths = {one.path for one in locations}
        self._places: defaultdict[str, set[str]] = defaultdict(set)
        for place in locations:
            for name in (place.path, *place.codes):
                self._places[name.strip().upper()].add(place.path)
        self._items = {one.id: one for one in held if isinstance(one, Item)}
        self._units = {(one.item, canonical_unit(one.unit)) for one in held if isinstance(one, UnitFactor)}
        self._links: defaultdict[str, list[CodeLink]] = defaultdict(list)
        for link in held:
            if isinstance(link, CodeLink) and link.site in ("", site):
                self._links[lookup_key(link.system, link.value)[1].upper()].append(link)
        self._names: defaultdict[str, set[tuple[str, str, str, str]]] = defaultdict(set)
        for one in held:
            if isinstance(one, Item):
                self._add(one.id, "", [Code(system=ITEM, value=one.id), *one.codes])
            if isinstance(one, Product):
                codes = [Code(system=PRODUCT, value=one.id), *one.codes]
                codes += [Code(system=GTIN, value=level.gtin) for level in one.levels]
                codes += [Code(system=NDC, value=one.ndc)] if one.ndc else []
                codes += [Code(system=GTIN, value=one.gtin)] if one.gtin else []
                self._add(one.item, one.id, codes)

    def _add(self, item: str, product: str, codes: Sequence[Code]) -> None:
        for code in codes:
            entry = (item, product, code.system, code.value)
            self._names[lookup_key(code.system, code.value)[1].upper()].add(entry)
            ten = ndc_ten_digits(code.value) if code.system == NDC else None
            if ten:
                self._names[ten].add(entry)

    def place(self, text: str) -> str:
        """The path that a path or a code of a place names. Raises `UnclearError`."""
        wanted = text.strip().strip("/")
        paths = self._places.get(wanted.upper(), set())
        if len(paths) == 1:
            return next(iter(paths))
        if len(paths) > 1:
            msg = f"location: {text} names {' and '.join(sorted(paths))}: write the whole path"
            raise UnclearError(msg)
        above = next((part for part in _above(wanted) if part in self._paths), None)
        if above is None:
            msg = f"location: {text} is no place of the site: write a place as it stands on the stock list"
            raise UnclearError(msg)
        return wanted

    def registered(self, path: str) -> str:
        """The registered place that a path is or lies below; the path itself when there is none."""
        return next((part for part in (path, *_above(path)) if part in self._paths), path)

    def named(self, text: str, day: date) -> Named:
        """The item that a code names on a day. Raises `UnclearError`."""
        keys = {text.strip().upper(), *(lookup_key(system, text)[1].upper() for system in (NDC, GTIN))}
        ten = ndc_ten_of_gtin(lookup_key(GTIN, text)[1])
        found = {entry for key in keys for entry in self._names.get(key, ())} or set(self._names.get(ten or "", ()))
        found |= {
            (one.item, one.product, one.system, one.value) for key in keys for one in self._links.get(key, ())
            if (one.valid_from or date.min) <= day <= (one.valid_to or date.max)
        }  # fmt: skip
        items = {entry[0] for entry in found}
        if not items:
            msg = f"code: {text} names no item: write the code as it stands on the stock list"
            raise UnclearError(msg)
        if len(items) > 1 or (only := next(iter(items))) not in self._items:
            msg = f"code: {text} names {' and '.join(sorted(items))}: write the item's id"
            raise UnclearError(msg)
        products = {entry[1] for entry in found if entry[1]}
        if len(products) != 1:
            return Named(self._items[only], "", Code(system=ITEM, value=only))
        _, product, system, value = min(entry for entry in found if entry[1])
        return Named(self._items[only], product, Code(system=system, value=value))

    def unit(self, text: str, item: Item, quantity: Decimal) -> str:
        """The unit, which is the item's base unit when none is written. Raises `UnclearError`."""
        if not text or canonical_unit(text) == item.base_unit:
            if quantity != int(quantity):
                msg = f"quantity: {quantity} {item.base_unit} of {item.id} is not a whole number"
                raise UnclearError(msg)
            return item.base_unit
        unit = canonical_unit(text)
        strength = canonical_unit(item.strength_unit) if item.strength_unit else ""
        if (item.id, unit) in self._units or unit == strength or (unit in _MASS and strength in _MASS):
            return text
        msg = f"unit: {text} of {item.id} is not known: write {item.base_unit}"
        raise UnclearError(msg)


def _above(path: str) -> list[str]:
    """The paths above one, the nearest first."""
    parts = path.split("/")
    return ["/".join(parts[:length]) for length in range(len(parts) - 1, 0, -1)]
