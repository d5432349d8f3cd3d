"""The drug catalogue of the simulated network: real hospital drugs with public NDCs.

Owns reading `catalogue.csv` into `Drug` records. NDCs are those of the FDA's public NDC directory; GTINs follow from them
(GS1 General Specifications: indicator, 03, ten NDC digits, check digit). Prices and doses are plausible, not real.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Final

from schemas.codes import CodeError, gtin_of_ndc, ndc_ten_digits, parse_ndc

CATALOGUE_PATH: Final = Path(__file__).with_name("catalogue.csv")


@dataclass(frozen=True, slots=True, eq=False)
class Box:
    """One product: what a labeler sells. `package` is base units in one package, `cost` a price per base unit.

    `ndc` is hyphenated as FDA lists it; `ndc11` has eleven digits, 5-4-2, as billing systems write it.
    """

    id: str
    item: str
    labeler: str
    ndc: str
    ndc11: str
    gtin: str
    local: str
    package: int
    cost: Decimal


@dataclass(frozen=True, slots=True, eq=False)
class Drug:
    """One item of the catalogue and how it is typically used. `places`: C cabinet, W ward, R central pharmacy, F clinic."""

    item: str
    number: int
    name: str
    base_unit: str
    strength_amount: Decimal | None
    strength_unit: str
    form: str
    rule: str
    schedule: int | None
    formulary: bool
    storage: str
    high_alert: bool
    dose: int
    route: str
    per_day: int
    places: str
    container: str
    boxes: tuple[Box, ...]

    @property
    def local(self) -> str:
        """The item's code in the hospital's own drug file."""
        return f"MED{self.number:04d}"

    @property
    def controlled(self) -> bool:
        """Whether it is on a DEA schedule."""
        return self.schedule is not None


def _box(row: dict[str, str], suffix: str, number: int) -> Box:
    ndc = row["ndc" + suffix]
    digits = ndc_ten_digits(ndc)
    if digits is None:
        msg = f"catalogue: NDC {ndc} of {row['item']} does not have ten digits"
        raise CodeError(msg)
    order = suffix or "1"
    return Box(
        id=f"{row['item']}-{order}",
        item=row["item"],
        labeler=row["labeler" + suffix],
        ndc=ndc,
        ndc11=parse_ndc(ndc).canonical[1:],
        gtin=gtin_of_ndc(digits),
        local=f"MED{number:04d}-{order}",
        package=int(row["package" + suffix]),
        cost=Decimal(row["cost" + suffix]),
    )


def _drug(row: dict[str, str], number: int) -> Drug:
    return Drug(
        item=row["item"],
        number=number,
        name=row["name"],
        base_unit=row["base_unit"],
        strength_amount=Decimal(row["strength_amount"]) if row["strength_amount"] else None,
        strength_unit=row["strength_unit"],
        form=row["form"],
        rule=row["rule"],
        schedule=int(row["schedule"]) if row["schedule"] else None,
        formulary=row["formulary"] == "true",
        storage=row["storage"],
        high_alert=row["high_alert"] == "true",
        dose=int(row["dose"]),
        route=row["route"],
        per_day=int(row["per_day"]),
        places=row["places"],
        container=row["container"],
        boxes=tuple(_box(row, suffix, number) for suffix in ("", "2") if row["ndc" + suffix]),
    )


@lru_cache(maxsize=1)
def load_catalogue() -> tuple[Drug, ...]:
    """Every drug of the catalogue, in the file's order. Raises `CodeError` for a malformed NDC."""
    with CATALOGUE_PATH.open(encoding="utf-8", newline="") as file:
        return tuple(_drug(row, number) for number, row in enumerate(csv.DictReader(file), start=1001))
