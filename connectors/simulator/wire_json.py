"""Cabinet transactions and scans as JSON (`schemas.cabinet`, `schemas.scan`), with GS1 element strings.

Owns the text of barcodes: (01) GTIN, (17) expiry, (10) lot, as a GS1 DataMatrix is read (symbology identifier `]d2`, group
separator 0x1D after a lot that is not last; GS1 General Specifications §3 and §7.8).
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

_ENCODE: Final = msgspec.json.Encoder().encode
UNIT_WORDS: Final = {
    "tablet": "tab",
    "capsule": "cap",
    "vial": "vial",
    "syringe": "syr",
    "bag": "bag",
    "patch": "patch",
    "suppository": "supp",
    "mL": "ml",
    "unit": "units",
    "puff": "puff",
}
"""How the simulated cabinets and scanners spell base units."""


def body_of(rows: list[dict[str, Any]]) -> bytes:
    """One object, or a list when there are several."""
    return _ENCODE(rows[0] if len(rows) == 1 else rows)


def element_string(gtin: str, lot: str | None, expiry_yymmdd: str | None, *, lot_first: bool) -> str:
    """A GS1 DataMatrix as a scanner sends it; without lot and expiry only the GTIN."""
    text = f"]d201{gtin}"
    if lot is None or expiry_yymmdd is None:
        return text
    if lot_first:
        return f"{text}10{lot}\x1d17{expiry_yymmdd}"
    return f"{text}17{expiry_yymmdd}10{lot}"
