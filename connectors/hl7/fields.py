"""HL7 data types as the hub's own: coded elements, quantities, places, lots. Pure leaves of the mappers.

They take a segment and a field number; HL7's null reads as nothing. What can't be used raises `FieldError`, which the mapper
turns into a refusal of that item by name. What a field's text means is kept: the same drugs and units come again and again.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Final

from connectors.hl7.er7 import Segment
from connectors.hl7.syntax import NULL, Syntax, kept
from connectors.hl7.timestamps import TimeError, parse_expiry
from schemas.codes import GTIN, HIBC, LOCAL, NDC, RXNORM, Code
from schemas.events import QUANTITY_MAX

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


def codes(segment: Segment, field: int) -> tuple[Code, ...]:
    """The codes of a CE/CWE field: identifier, text, system, then the alternate three (HL7 v2.8.2 §2A.3.10).

    Where the field has text only, the text is the local code: an item master can name it.
    """
    return _codes(segment.field(field), segment.syntax)


@kept
def _codes(text: str, syntax: Syntax) -> tuple[Code, ...]:
    parts = _components(text, syntax)[:6]
    parts += ("",) * (6 - len(parts))
    found: list[Code] = []
    for identifier, name, system in (parts[0:3], parts[3:6]):
        if identifier:
            code = Code(system=_SYSTEMS.get(system.upper(), LOCAL), value=identifier, text=name or None)
            if not (found and (found[0].system, found[0].value) == (code.system, code.value)):
                found.append(code)
    name = parts[1] or parts[4]
    if not found and name:
        found.append(Code(system=LOCAL, value=name, text=name))
    return tuple(found)


def _components(text: str, syntax: Syntax) -> tuple[str, ...]:
    """The trimmed components of a field's first repetition, nulls as ""."""
    return tuple("" if (part := component.strip()) == NULL else part for component in syntax.components(text))


def quantity(segment: Segment, field: int) -> Decimal | None:
    """The number of an NM (or CQ) field; None when it is empty. Raises `FieldError` for what is no usable quantity."""
    try:
        return _number(segment.field(field), segment.syntax)
    except FieldError as error:
        raise FieldError(error.code, f"{segment.name}-{field} is {error.reason}") from None


@kept
def _number(field: str, syntax: Syntax) -> Decimal | None:
    """The number of a field. Raises `FieldError` with what follows "… is" in its reason."""
    text = syntax.trimmed(field)
    return number_of(text) if text else None


def number_of(text: str) -> Decimal:
    """The quantity a text states. Raises `FieldError` with what follows "… is" in its reason."""
    if not _NUMBER.fullmatch(text):
        raise FieldError("bad_quantity", f"{text[:40]!r}, which is not a number")
    number = Decimal(text)
    if number < 0:
        raise FieldError("negative_quantity", f"{text}; a quantity is never negative, a return is another message")
    if number > QUANTITY_MAX:
        raise FieldError("absurd_quantity", f"{text}, more than the largest quantity the hub takes ({QUANTITY_MAX})")
    return number


def unit(segment: Segment, field: int) -> str | None:
    """The unit's code as sent, else its text; None when neither is given."""
    return _unit(segment.field(field), segment.syntax)


@kept
def _unit(text: str, syntax: Syntax) -> str | None:
    return next(filter(None, _components(text, syntax)[:2]), None)


def lot(segment: Segment, field: int) -> str | None:
    """The lot number; None when none is given, or when one quantity is stated for several different lots."""
    return _lot(segment.field(field), segment.syntax)


@kept
def _lot(text: str, syntax: Syntax) -> str | None:
    lots = _stated(text, syntax)
    return lots[0] if len(lots) == 1 else None


def expiry(segment: Segment, field: int) -> date | None:
    """The expiry date; None when none or several are given. Raises `FieldError` for an impossible date."""
    try:
        return _expiry(segment.field(field), segment.syntax)
    except TimeError as error:
        raise FieldError("bad_expiry", f"{segment.name}-{field}: {error}") from None


@kept
def _expiry(text: str, syntax: Syntax) -> date | None:
    """The one date of a field. Raises `TimeError`."""
    dates = {parse_expiry(stamp) for stamp in _stated(text, syntax)}
    return dates.pop() if len(dates) == 1 else None


def _stated(text: str, syntax: Syntax) -> list[str]:
    """The different values a repeating field states, in order."""
    return list(dict.fromkeys(value for value in map(str.strip, syntax.repetitions(text)) if value and value != NULL))


def places(*fields: tuple[Segment | None, int]) -> tuple[str, ...]:
    """Codes of a place from PL (LA1, LA2, CWE) fields, field by field, in each the most specific first.

    Point of care^room^bed, point of care^room, point of care (HL7 v2.8.2 §2A.3.53).
    """
    found: dict[str, None] = {}
    for segment, field in fields:
        text = segment.field(field) if segment is not None else ""
        if text:
            found.update(_places(text, segment.syntax))  # type: ignore[union-attr]  # there is no text without a segment
    return tuple(found)


@kept
def _places(text: str, syntax: Syntax) -> dict[str, None]:
    """The codes of one location, as the keys of a dictionary in order."""
    parts = _components(text, syntax)[:3]
    depths = range(len(parts), 0, -1)
    return {"^".join(parts[:depth]): None for depth in depths if parts[depth - 1]}
