"""What the rules of controlled substances read: ledger entries, items and products of reference data. Owns types only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

Row = dict[str, Any]
STOCK: Final = "stock:"
PATIENT: Final = "patient"
WASTE: Final = "waste"
REVERSAL: Final = "reversal"
VARIANCE: Final = "variance"
RETENTION_YEARS: Final = 5
"""How long evidence, forms and inventories are kept at least: by site policies 5 years (DEA asks for 2, 21 CFR 1304.04(a))."""
ROMAN: Final = ("", "I", "II", "III", "IV", "V")


@dataclass(frozen=True, slots=True)
class Move:
    """One ledger entry (`schemas.records.Movement`). Instants are text of one width that sorts; `source` is its raw message."""

    movement_id: str
    site: str
    event_id: str
    kind: str
    item: str
    product: str
    lot: str
    quantity: int
    unit: str
    from_account: str
    to_account: str
    occurred: str
    cause: str
    corrects: str | None = None
    actor: str | None = None
    witness: str | None = None
    patient: str | None = None
    order_id: str | None = None
    known: str | None = None
    source: str = ""

    @property
    def left(self) -> str | None:
        """The place it left; None when it came from outside."""
        return self.from_account[len(STOCK) :] if self.from_account.startswith(STOCK) else None

    @property
    def came(self) -> str | None:
        """The place it came to; None when it left for outside."""
        return self.to_account[len(STOCK) :] if self.to_account.startswith(STOCK) else None


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """A controlled item."""

    id: str
    name: str
    schedule: int
    unit: str
    form: str = ""
    strength: str = ""


@dataclass(frozen=True, slots=True)
class ProductFacts:
    """A product of a controlled item. `cost` is per base unit."""

    id: str
    item: str
    ndc: str
    labeler: str
    package_quantity: int
    name: str = ""
    cost: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Master:
    """The controlled items and their products, by id."""

    items: Mapping[str, ItemFacts]
    products: Mapping[str, ProductFacts]


def strength_of(document: Mapping[str, Any]) -> str:
    """An item's strength as people write it: `10 mg`."""
    amount = document.get("strength_amount")
    return "" if amount is None else f"{Decimal(str(amount)).normalize():f} {document.get('strength_unit') or ''}".strip()


def original_kinds(moves: list[Move]) -> dict[str, str]:
    """The kind of each event, by its id: what a reversal takes back is filed where its original was."""
    return {one.event_id: one.kind for one in moves if one.kind not in (REVERSAL, VARIANCE)}
