"""The MIMIC-III demo's prescriptions as an item master and as dispenses: what a hospital's own rows say, nothing added.

An item is a formulary code in one strength (however it is spelled) and one dispensing unit, a product is an NDC. Contents of a container
are read off the strength's words where they say them. Source of the rows: the open MIMIC-III clinical database demo (PhysioNet, ODbL 1.0).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path
from typing import Final, NamedTuple

from schemas.codes import Code
from schemas.events import StockEvent
from schemas.reference import Item, Product, UnitFactor
from schemas.units import canonical_unit
from tests.support.facts import told
from tests.support.world import STORE

FILE: Final = Path(__file__).resolve().parents[4] / "shared" / "data" / "stock" / "mimic3_demo" / "prescriptions.csv"
_NUMBER: Final = r"(\d[\d,]*\.?\d*|\.\d+)"
_MASS: Final = r"(mg|mcg|gm|g|units?|meq|mmol)"
_PER_ML: Final = re.compile(rf"{_NUMBER} ?{_MASS} ?/ ?ml ?[-;] ?{_NUMBER} ?ml\b")
_IN_ML: Final = re.compile(rf"{_NUMBER} ?{_MASS} ?/ ?{_NUMBER} ?ml\b")
_MASS_ALONE: Final = re.compile(rf"{_NUMBER} ?{_MASS}\b(?! ?/)")
_ML_ALONE: Final = re.compile(rf"{_NUMBER} ?ml\b")


class Contents(NamedTuple):
    """What one dispensing unit holds; None where the words don't say."""

    mass: Decimal | None = None
    mass_unit: str | None = None
    volume: Decimal | None = None


def rows() -> list[dict[str, str]]:
    """The rows of the file."""
    with FILE.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def contents(strength: str, unit: str) -> Contents:
    """What a strength says that one `unit` holds: `40mg/4mL Vial` is 40 mg in 4 mL; a concentration alone says it of a mL only."""
    words = strength.strip().lower()
    if found := _PER_ML.search(words):
        per_ml, volume = _amount(found[1]), _amount(found[3])
        return _of(per_ml, found[2], Decimal(1)) if unit == "mL" else _of(per_ml * volume, found[2], volume)
    if found := _IN_ML.search(words):
        mass, volume = _amount(found[1]), _amount(found[3])
        return _of(_exact(mass, volume), found[2], Decimal(1)) if unit == "mL" else _of(mass, found[2], volume)
    if words.count("/") or unit == "mL":
        return Contents(volume=Decimal(1)) if unit == "mL" else Contents()
    if found := _MASS_ALONE.search(words):
        return _of(_amount(found[1]), found[2], None)
    found = _ML_ALONE.search(words)
    return Contents(volume=_amount(found[1])) if found else Contents()


def _amount(text: str) -> Decimal:
    return Decimal(text.replace(",", ""))


def _exact(mass: Decimal, volume: Decimal) -> Decimal | None:
    """Mass in a mL, where it is a decimal."""
    found = mass / volume
    return found if found * volume == mass and found.as_tuple().exponent > -7 else None  # type: ignore[operator]


def _of(mass: Decimal | None, unit: str, volume: Decimal | None) -> Contents:
    return Contents(mass, canonical_unit(unit) if mass else None, volume)


def master(prescriptions: list[dict[str, str]]) -> Iterator[Item | Product | UnitFactor]:
    """Items, products and factors, each once."""
    items: dict[tuple[object, ...], str] = {}
    products: set[tuple[str, str]] = set()
    for row in prescriptions:
        unit = canonical_unit(row["form_unit_disp"])
        if not (row["formulary_drug_cd"] and row["prod_strength"] and unit):
            continue
        holds = contents(row["prod_strength"], unit)
        spelled = holds if any(holds) else "".join(row["prod_strength"].lower().split())
        key = (row["formulary_drug_cd"], spelled, unit)
        if key not in items:
            items[key] = f"i{len(items)}"
            yield from _item(items[key], row, unit, holds)
        ndc = row["ndc"]
        if len(ndc) == 11 and (ndc, items[key]) not in products:
            products.add((ndc, items[key]))
            hyphenated = f"{ndc[:5]}-{ndc[5:9]}-{ndc[9:]}"
            yield Product(id=f"p{len(products)}", item=items[key], labeler=ndc[:5], package_quantity=1, ndc=hyphenated)


def _item(id_: str, row: dict[str, str], unit: str, holds: Contents) -> Iterator[Item | UnitFactor]:
    yield Item(
        id=id_, name=f"{row['drug']} {row['prod_strength']}", base_unit=unit, strength_amount=holds.mass, strength_unit=holds.mass_unit,
    )  # fmt: skip
    if holds.volume and unit != "mL":
        factor = 1 / Fraction(holds.volume)
        yield UnitFactor(item=id_, unit="mL", numerator=factor.numerator, denominator=factor.denominator)


def dispense(row: dict[str, str]) -> StockEvent | str:
    """A row as a dispense of its dose, or why a feed would refuse it."""
    stated = row["dose_val_rx"]
    try:
        quantity = Decimal(stated) if stated else None
    except InvalidOperation:
        return "a dose that is no number (a range, or with a comma)"
    codes = (Code(system="ndc", value=row["ndc"]),) if len(row["ndc"]) == 11 else ()
    return told(
        "dispense", None if quantity is None else str(quantity), place=STORE, key=f"rx|{row['row_id']}", codes=codes,
        unit=row["dose_unit_rx"] or None, quantity_is_dose=True,
    )  # fmt: skip
