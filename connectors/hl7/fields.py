"""HL7 data types as the hub's own: coded elements, quantities, places, lots. Pure leaves of the mappers.

They take a segment and a field number; HL7's null reads as nothing. What can't be used raises `FieldError`, which the mapper
turns into a refusal of that item by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Final, TypeVar

from connectors.hl7.er7 import NULL, Segment
from connectors.hl7.timestamps import TimeError, parse_expiry
from schemas.codes import GTIN, HIBC, LOCAL, NDC, RXNORM, Code
from schemas.events import QUANTITY_MAX

FIELDS_KEPT_MAX: Final = 8192
"""Drugs and places come again and again: this many of the latest are kept as read."""

KEPT_CHARS_MAX: Final = 300

T = TypeVar("T")

_NUMBER: Final = re.compile(r"[+-]?(?:\d{1,30}(?:\.\d{0,30})?|\.\d{1,30})", re.ASCII)
_SYSTEMS: Final[dict[str, str]] = {
    "NDC": NDC,
    "2.16.840.1.113883.6.69": NDC,
    "RXNORM": RXNORM,
    "RXN": RXNORM,
    "RXCUI": RXNORM,
    "2.16.840.1.113883.6.88": RXNORM,
    "GTIN": GTIN,
    "GS1": GTIN,
    "HIBC": HIBC,
    "HIBCC": HIBC,
}


class FieldError(ValueError):
    """A field that can't be used. `code` is a stable name, `reason` a sentence a person can act on."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def value(segment: Segment | None, path: str) -> str:
    """The trimmed text at a path; "" when the segment or field is absent or null."""
    return "" if segment is None else segment.value(path)


def components(segment: Segment | None, field: int) -> list[str]:
    """The trimmed components of a field's first repetition, nulls as ""; none when the segment or field is absent."""
    if segment is None:
        return []
    return ["" if (part := text.strip()) == NULL else part for text in segment.components(field)]


def codes(segment: Segment, field: int) -> tuple[Code, ...]:
    """The codes of a CE/CWE field: identifier, text, system, then the alternate three (HL7 v2.8.2 §2A.3.10).

    Where the field has text only, the text is the local code: an item master can name it.
    """
    return _kept(_codes_of, tuple(components(segment, field)[:6]))


@lru_cache(maxsize=FIELDS_KEPT_MAX)
def _codes_of(parts: tuple[str, ...]) -> tuple[Code, ...]:
    """The codes of the first six components of a coded element."""
    parts += ("",) * (6 - len(parts))
    found: list[Code] = []
    for identifier, text, system_name in (parts[0:3], parts[3:6]):
        if identifier:
            code = Code(system=_SYSTEMS.get(system_name.upper(), LOCAL), value=identifier, text=text or None)
            if not (found and (found[0].system, found[0].value) == (code.system, code.value)):
                found.append(code)
    text = parts[1] or parts[4]
    if not found and text:
        found.append(Code(system=LOCAL, value=text, text=text))
    return tuple(found)


def quantity(segment: Segment, field: int) -> Decimal | None:
    """The number of an NM (or CQ) field; None when it is empty. Raises `FieldError` for what is no usable quantity."""
    text = value(segment, f"{field}.1")
    if not text:
        return None
    name = f"{segment.name}-{field}"
    if not _NUMBER.fullmatch(text):
        raise FieldError("bad_quantity", f"{name} is {text[:40]!r}, which is not a number")
    number = Decimal(text)
    if number < 0:
        raise FieldError("negative_quantity", f"{name} is {text}; a quantity is never negative, a return is another message")
    if number > QUANTITY_MAX:
        raise FieldError("absurd_quantity", f"{name} is {text}, more than the largest quantity the hub takes ({QUANTITY_MAX})")
    return number


def unit(segment: Segment, field: int) -> str | None:
    """The unit's code as sent, else its text; None when neither is given."""
    return next(filter(None, components(segment, field)[:2]), None)


def lot(segment: Segment, field: int) -> str | None:
    """The lot number; None when none is given, or when one quantity is stated for several different lots."""
    lots = _stated(segment, field)
    return next(iter(lots)) if len(lots) == 1 else None


def expiry(segment: Segment, field: int) -> date | None:
    """The expiry date; None when none or several are given. Raises `FieldError` for an impossible date."""
    try:
        dates = {parse_expiry(stamp) for stamp in _stated(segment, field)}
    except TimeError as error:
        raise FieldError("bad_expiry", f"{segment.name}-{field}: {error}") from None
    return dates.pop() if len(dates) == 1 else None


def _stated(segment: Segment, field: int) -> list[str]:
    """The different values a repeating field states, in order."""
    found = segment.repetitions(str(field))
    return list(dict.fromkeys(text for text in map(str.strip, found) if text and text != NULL)) if found else []


def places(*fields: tuple[Segment | None, int]) -> tuple[str, ...]:
    """Codes of a place from PL (LA1, LA2, CWE) fields, field by field, in each the most specific first.

    Point of care^room^bed, point of care^room, point of care (HL7 v2.8.2 §2A.3.53).
    """
    found: dict[str, None] = {}
    for segment, field in fields:
        parts = components(segment, field)
        if parts:
            found.update(_kept(_places_of, tuple(parts[:3])))
    return tuple(found)


@lru_cache(maxsize=FIELDS_KEPT_MAX)
def _places_of(parts: tuple[str, ...]) -> dict[str, None]:
    """The codes of one location, as the keys of a dictionary in order."""
    depths = range(len(parts), 0, -1)
    return {"^".join(parts[:depth]): None for depth in depths if parts[depth - 1]}


def _kept(of: Callable[[tuple[str, ...]], T], parts: tuple[str, ...]) -> T:
    """What a kept function gives for the parts; long ones are worked out anew, so that what is kept stays small."""
    if sum(map(len, parts)) <= KEPT_CHARS_MAX:
        return of(parts)
    unkept: Callable[[tuple[str, ...]], T] = of.__wrapped__  # type: ignore[attr-defined]  # set by lru_cache
    return unkept(parts)
