"""What people write on a count list or stock list, as places, items, lots and base units of a site. Pure; guesses nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Final
from zoneinfo import ZoneInfo

from schemas.codes import normalise_lot
from schemas.reference import Item, Product, UnitFactor
from schemas.units import canonical_unit
from streams.ledger.model import UNKNOWN_LOT
from topology.downtime.entry import written_expiry, written_quantity
from topology.downtime.known import KINDS, Known, Named, UnclearError
from topology.reference_files.model import ReferenceRecord

PACKS: Final = frozenset({"pack", "package", "box"})
"""Units that mean a package of the product where the item has no factor of its own for them."""
__all__ = ["KINDS", "Line", "Words", "written_expiry", "written_quantity"]


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a list in the hub's terms. `lot` is none where the list states none; `key` is the form in which lots compare."""

    row: int
    location: str
    item: Item
    product: str
    quantity: int
    lot: str | None = None
    expiry: date | None = None
    stated: str = ""
    """Quantity and unit as written."""

    @property
    def key(self) -> str:
        """The lot in the form in which lots compare."""
        return normalise_lot(self.lot) if self.lot else UNKNOWN_LOT


class Words:
    """The words of one site."""

    def __init__(self, site: str, records: Iterable[ReferenceRecord], pockets: Iterable[tuple[str, str]]) -> None:
        """`records` are those of `KINDS`; `pockets` the places and items that have levels or stock."""
        held = list(records)
        self.known = Known(site, held)
        self._products = {one.id: one for _, _, one in held if isinstance(one, Product)}
        self._factors = {
            (one.item, canonical_unit(one.unit)): Fraction(one.numerator, one.denominator)
            for _, _, one in held if isinstance(one, UnitFactor)
        }  # fmt: skip
        self._pockets: dict[str, list[str]] = {}
        for place, item in sorted(pockets):
            self._pockets.setdefault(item, []).append(place)

    @property
    def zone(self) -> str:
        """The time zone of the site."""
        return self.known.site.zone if self.known.site is not None else "UTC"

    def day(self, at: datetime) -> date:
        """The site's date of an instant."""
        return at.astimezone(ZoneInfo(self.zone)).date()

    def place(self, text: str, below: str, item: Item | None) -> str:
        """The place that a path or code and a path below it name; the only pocket of the item where it names what is above.

        Raises `UnclearError`.
        """
        if not text:
            msg = "location: is missing"
            raise UnclearError(msg)
        named = self.known.place(text)
        place = f"{named}/{below.strip('/')}" if below.strip("/") else named
        if item is None:
            return place
        pockets = self._pockets.get(item.id, [])
        under = [one for one in pockets if one.startswith(f"{place}/")]
        if place in pockets or not under:
            return place
        if len(under) == 1:
            return under[0]
        msg = f"location: {place} holds {item.id} at {', '.join(under)}: write which"
        raise UnclearError(msg)

    def line(self, cells: Mapping[str, str], row: int, day: date) -> Line:
        """A row with `location`, `pocket`, `code`, `quantity`, `unit`, `lot` and `expiry`. Raises `UnclearError`."""
        named = self.known.named(cells["code"], day) if cells.get("code") else None
        if named is None:
            msg = "code: is missing"
            raise UnclearError(msg)
        if not cells.get("quantity"):
            msg = "quantity: is missing; nothing there is 0"
            raise UnclearError(msg)
        quantity = written_quantity(cells["quantity"])
        lot = cells.get("lot") or None
        if lot is not None and len(lot) > 50:
            msg = f"lot: {lot[:20]}… is longer than 50 characters"
            raise UnclearError(msg)
        expiry = written_expiry(cells.get("expiry") or "")
        if expiry is not None and lot is None:
            msg = "lot: is missing beside an expiry date: write the lot, or neither"
            raise UnclearError(msg)
        place = self.place(cells.get("location") or "", cells.get("pocket") or "", named.item)
        unit = cells.get("unit") or ""
        whole = self.base_units(unit, named, quantity)
        return Line(
            row=row, location=place, item=named.item, product=named.product, quantity=whole, lot=lot, expiry=expiry,
            stated=f"{quantity} {unit or named.item.base_unit}",
        )  # fmt: skip

    def base_units(self, unit: str, named: Named, quantity: Decimal) -> int:
        """The quantity in base units of the item. Raises `UnclearError`."""
        factor = self.factor(unit, named)
        if factor is None:
            msg = f"unit: {unit} of {named.item.id} is not known: write {named.item.base_unit}"
            raise UnclearError(msg)
        exact = Fraction(quantity) * factor
        if exact.denominator != 1:
            base = named.item.base_unit
            msg = f"quantity: {quantity} {unit or base} of {named.item.id} is not a whole number of {base}"
            raise UnclearError(msg)
        return exact.numerator

    def factor(self, unit: str, named: Named) -> Fraction | None:
        """Base units in one `unit`; None where nothing says."""
        name = canonical_unit(unit) if unit else named.item.base_unit
        if name == named.item.base_unit:
            return Fraction(1)
        found = self._factors.get((named.item.id, name))
        product = self._products.get(named.product)
        if found is None and name in PACKS and product is not None:
            return Fraction(product.package_quantity)
        return found

    def factors_of(self, item: str) -> list[tuple[str, Fraction]]:
        """Every factor that may have been mistaken for another: the item's units, and the packages of its products."""
        found = {(unit, factor) for (of, unit), factor in self._factors.items() if of == item}
        found |= {(f"package of {one.id}", Fraction(one.package_quantity)) for one in self._products.values() if one.item == item}
        return sorted((name, factor) for name, factor in found if factor != 1)
