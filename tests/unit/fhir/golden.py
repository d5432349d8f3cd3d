"""The golden table: what every item of the published FHIR files becomes, one line an item, and the rule behind each.

`golden.tsv` was read against the files by hand for all medication and supply resources; items of other types are counted by how
they end. Run this module to write it anew after a rule has changed, and read the difference.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from schemas.events import StockEvent
from schemas.kinds import EventKind
from schemas.mapping import NoEffect, Refused
from tests.unit.fhir.samples import SHARED, mapped

TABLE: Final = Path(__file__).with_name("golden.tsv")
COLUMNS: Final = (
    "file", "item", "becomes", "key", "codes", "quantity", "unit", "dose", "lot", "expiry", "location", "to", "order", "occurred",
    "posts", "rule",
)  # fmt: skip
_RULES: Final = {
    EventKind.ORDER: "dispenseRequest.quantity; an order never moves stock",
    EventKind.REQUEST: "quantity, item, deliverFrom and deliverTo; a request never moves stock",
    EventKind.ADMINISTER: "dosage.dose is a dose; moves stock only where administrations have authority",
    EventKind.DISPENSE: "quantity, whenHandedOver; moves stock only where dispenses have authority",
    EventKind.RECEIVE: "suppliedItem at destination when completed",
    EventKind.COUNT: "InventoryReport snapshot: absolute",
    EventKind.REVERSAL: "entered-in-error takes the fact back",
}


def rows() -> Iterator[dict[str, str]]:
    """The table as the mapper gives it now."""
    for path in sorted(SHARED.rglob("*.json")):
        file = str(path.relative_to(SHARED))
        others: Counter[tuple[str, str]] = Counter()
        for number, result in enumerate(mapped(path.read_bytes())):
            if isinstance(result, StockEvent):
                yield {"file": file, "item": str(number), **_event(result)}
            else:
                assert isinstance(result, NoEffect | Refused)
                others[f"{type(result).__name__}: {result.code}", result.reason] += 1
        for (becomes, reason), count in sorted(others.items()):
            yield {**dict.fromkeys(COLUMNS, ""), "file": file, "item": f"{count} x", "becomes": becomes, "rule": reason}


def _event(event: StockEvent) -> dict[str, str]:
    return {
        "becomes": str(event.kind),
        "key": event.event_key,
        "codes": " ".join(f"{code.system}:{code.value}" for code in event.codes),
        "quantity": "" if event.quantity is None else str(event.quantity),
        "unit": event.unit or "",
        "dose": "dose" if event.quantity_is_dose else "",
        "lot": event.lot or "",
        "expiry": event.expiry.isoformat() if event.expiry else "",
        "location": event.location_codes[0] if event.location_codes else "",
        "to": event.to_location_codes[0] if event.to_location_codes else "",
        "order": event.order_id or "",
        "occurred": event.occurred.isoformat()[:16],
        "posts": "test traffic" if event.test else event.no_effect or "",
        "rule": _RULES[event.kind],
    }


def line_of(row: dict[str, str]) -> str:
    """One row as a line; tabs and line ends in a value become blanks."""
    return "\t".join(" ".join(row[name].split("\t")).replace("\n", " ") for name in COLUMNS)


def write() -> None:
    """Write the table anew."""
    TABLE.write_text("\n".join(["\t".join(COLUMNS), *map(line_of, rows())]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write()
