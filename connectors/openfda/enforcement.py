"""Records of openFDA's `drug/enforcement` endpoint, from a file: an answer of the API, a list of records, or one record.

Fields: openFDA field reference for drug enforcement reports. Texts are kept as they are. NDCs in the product's description are
kept apart: `openfda` lists every package of an application, recalled or not, and may be missing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from connectors.json_text import is_text
from connectors.openfda.lots import FoundLots, lots_in

RECORDS_MAX: Final = 20_000
"""Records of one file."""
BYTES_MAX: Final = 64 * 1024 * 1024
NUMBER_CHARACTERS_MAX: Final = 100
_CLASS: Final = re.compile(r"class\s+(I{1,3})", re.IGNORECASE)
_NDC: Final = re.compile(r"(?<![\d-])\d{4,6}-\d{3,4}(?:-\d{1,2})?(?![\d-])")


class EnforcementError(ValueError):
    """A file is not of the form; the text says where and why."""


@dataclass(frozen=True, slots=True)
class Enforcement:
    """One enforcement report. `classification` is I, II or III, none while FDA has not classified it."""

    number: str
    classification: str | None
    status: str
    issued: date | None
    reason: str
    description: str
    code_info: str
    described_ndcs: tuple[str, ...]
    listed_ndcs: tuple[str, ...]
    lots: FoundLots


def read_enforcement(data: bytes) -> list[Enforcement]:
    """Records of a file, in its order; the same record twice is one. Raises `EnforcementError`."""
    if len(data) > BYTES_MAX:
        msg = f"the file is larger than {BYTES_MAX // 1024 // 1024} MiB"
        raise EnforcementError(msg)
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        msg = "it is no JSON"
        raise EnforcementError(msg) from None
    if isinstance(content, dict):
        content = content.get("results", [content])
    if not isinstance(content, list) or not content:
        msg = "it holds no records: an answer of drug/enforcement has them in `results`"
        raise EnforcementError(msg)
    if len(content) > RECORDS_MAX:
        msg = f"it holds more than {RECORDS_MAX} records"
        raise EnforcementError(msg)
    return list(dict.fromkeys(_record(row, number) for number, row in enumerate(content, start=1)))


def _record(row: Any, number: int) -> Enforcement:
    if not isinstance(row, dict):
        msg = f"record {number} is no object"
        raise EnforcementError(msg)
    recall = _text(row, "recall_number")
    if not recall or len(recall) > NUMBER_CHARACTERS_MAX:
        msg = f"record {number} has no usable recall_number"
        raise EnforcementError(msg)
    stated = _CLASS.fullmatch(_text(row, "classification"))
    description, codes = _text(row, "product_description"), _text(row, "code_info", "more_code_info")
    status, reason, listed = _text(row, "status"), _text(row, "reason_for_recall"), tuple(dict.fromkeys(_listed(row)))
    if not is_text((recall, status, reason, description, codes, listed)):
        named = f"record {number} ({recall})" if is_text(recall) else f"record {number}"
        msg = f"{named} has half a character in its text (a lone surrogate such as \\ud800): take the file from its source again"
        raise EnforcementError(msg)
    return Enforcement(
        number=recall, classification=stated.group(1).upper() if stated else None, status=status,
        issued=_day(_text(row, "report_date")), reason=reason, description=description, code_info=codes,
        described_ndcs=tuple(dict.fromkeys(_NDC.findall(description))), listed_ndcs=listed,
        lots=lots_in(codes),
    )  # fmt: skip


def _text(row: dict[str, Any], *names: str) -> str:
    found = (row.get(name) for name in names)
    return " ".join(value.strip() for value in found if isinstance(value, str) and value.strip())


def _listed(row: dict[str, Any]) -> Iterator[str]:
    """Package NDCs, then product NDCs (without a package), wherever the record has them."""
    nested = row.get("openfda")
    for name in ("package_ndc", "product_ndc"):
        for holder in (row, nested if isinstance(nested, dict) else {}):
            values = holder.get(name, [])
            for value in [values] if isinstance(values, str) else values if isinstance(values, list) else []:
                if isinstance(value, str):
                    yield from (part.strip() for part in value.split(",") if part.strip())


def _day(text: str) -> date | None:
    """A date written 20260304."""
    try:
        return datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007  # a calendar date
    except ValueError:
        return None
