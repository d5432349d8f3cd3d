"""The golden table: what every item of the published messages becomes, one line an item, and the rule behind each.

`golden.tsv` was read against the messages by hand for all pharmacy messages and all DFT, OMS, INU, INR and MFN; for the others it
says how they end. Run this module to write it anew after a rule has changed, and read the difference.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from schemas.events import StockEvent
from schemas.mapping import Mapped
from tests.unit.hl7.support import mapped

FOLDER: Final = Path(__file__).resolve().parents[4] / "shared" / "data" / "hl7v2"
TABLE: Final = Path(__file__).with_name("golden.tsv")
COLUMNS: Final = (
    "file", "profile", "item", "becomes", "codes", "quantity", "unit", "dose", "lot", "expiry", "location", "pocket", "occurred",
    "posts", "rule",
)  # fmt: skip
_ROBOTS: Final = ("INR_", "INU_")
_RULES: Final = {
    "order": "RXE-10/11 (RXO-11/12), else the dose RXE-3/5 (RXO-2/4); an order never moves stock",
    "schedule": "RXG-5/7 is a dose; a schedule never moves stock",
    "administer": "RXA-6/7 is a dose; RXA-27, RXA-11, PV1-3 say where; moves stock only where administrations have authority",
    "dispense": "RXD-4/5 of RXD-2; moves stock only where dispenses have authority",
    "census": "PV1-3 from EVN-2; never moves stock",
    "count": "a stated quantity of INV is a count of its cell",
    "discard": "ZAD adjusts by its amount; the stated quantity is context",
}
_CHARGE: Final = "an FT1 with a drug code (FT1-29) is a charge: moves stock only where charges have authority"


def rows() -> Iterator[dict[str, str]]:
    """The table as the mapper gives it now."""
    for line in (FOLDER / "INDEX.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        folder, name = line.split("\t")[:2]
        data = (FOLDER / folder / name).read_bytes()
        for profile in ("standard", "counting-robot") if name.startswith(_ROBOTS) else ("standard",):
            for number, result in enumerate(mapped(data, site="berlin", profile=profile)):
                stated = _stated(result)
                yield {"file": f"{folder}/{name}", "profile": profile, "item": str(number), **stated}


def _stated(result: Mapped) -> dict[str, str]:
    if not isinstance(result, StockEvent):
        kind = type(result).__name__
        code = str(getattr(result, "code", ""))
        return {**dict.fromkeys(COLUMNS[4:], ""), "becomes": f"{kind}: {code}", "rule": str(getattr(result, "reason", ""))}
    return {
        "becomes": str(result.kind),
        "codes": " ".join(f"{code.system}:{code.value}" for code in result.codes),
        "quantity": "" if result.quantity is None else str(result.quantity),
        "unit": result.unit or "",
        "dose": "dose" if result.quantity_is_dose else "",
        "lot": result.lot or "",
        "expiry": result.expiry.isoformat() if result.expiry else "",
        "location": result.location_codes[0] if result.location_codes else "",
        "pocket": result.pocket or "",
        "occurred": result.occurred.isoformat()[:16],
        "posts": "test traffic" if result.test else result.no_effect or "",
        "rule": _CHARGE if result.feed == "charge" else _RULES[result.kind],
    }


def table() -> list[dict[str, str]]:
    """The table as it was read by hand."""
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    return [dict(zip(COLUMNS, line.split("\t"), strict=True)) for line in lines[1:]]


def write() -> None:
    """Write the table anew."""
    found = ["\t".join(COLUMNS), *("\t".join(row[name].replace("\t", " ") for name in COLUMNS) for row in rows())]
    TABLE.write_text("\n".join(found) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write()
