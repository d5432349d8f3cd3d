"""Reference records as CSV files, one file a kind, the header being the exact field names of `schemas.reference`.

Owns the text form of a cell: an empty cell is the field's default, tuples are separated by `;`, a code is `system=value`, a
package `gtin=base units`, booleans are `true` and `false`. It writes and never reads.
"""

from __future__ import annotations

import csv
import dataclasses
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Final

from connectors.simulator.plan import Network
from schemas.codes import Code
from schemas.reference import REFERENCE_KINDS, PackageLevel

FILE_NAMES: Final = {
    "site": "sites.csv",
    "location": "locations.csv",
    "item": "items.csv",
    "product": "products.csv",
    "unit_factor": "unit_factors.csv",
    "consumption_rule": "consumption_rules.csv",
    "par_policy": "par_policies.csv",
    "supplier": "suppliers.csv",
    "supplier_item": "supplier_items.csv",
    "role": "roles.csv",
    "approval_rule": "approval_rules.csv",
}
SELDOM_NAMES: Final = {"drawing_rule": "drawing_rules.csv"}
"""Files that a network has only where its knobs ask for it."""


def cell(value: object) -> str:
    """One cell's text. Raises `TypeError` for a type no reference field has."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Code):
        return f"{value.system}={value.value}"
    if isinstance(value, PackageLevel):
        return f"{value.gtin}={value.quantity}"
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, tuple):
        return ";".join(cell(part) for part in value)
    if isinstance(value, str | int | Decimal):
        return str(value)
    msg = f"a reference field can't hold {type(value).__name__}"
    raise TypeError(msg)


def write_reference(network: Network, directory: Path) -> list[Path]:
    """Write one CSV file a kind into `directory` (made when absent); returns the paths in loading order."""
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    seldom = {kind: name for kind, name in SELDOM_NAMES.items() if kind in network.reference}
    for kind, name in (FILE_NAMES | seldom).items():
        fields = [field.name for field in dataclasses.fields(REFERENCE_KINDS[kind].codec.type)]
        path = directory / name
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(fields)
            writer.writerows([cell(getattr(record, field)) for field in fields] for record in network.reference[kind])
        written.append(path)
    return written
