"""What the scanner says about the symbol: the AIM symbology identifier (ISO/IEC 15424) in front of the data.

It decides whether the data is a GS1 message, an EAN/UPC number, or just text. Nothing is read here.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

from connectors.barcode.elements import ElementError
from schemas.codec import contract

_EAN_DIGITS: Final = {"]E0": (13,), "]E4": (8,), "]E3": (15, 18), "]I1": (14,)}
"""Digits of an EAN/UPC or ITF-14 symbol: ]E0 also carries UPC, ]E3 has an add-on of 2 or 5 digits behind its 13."""
_GS1: Final = frozenset({"]C1", "]d2", "]Q3", "]J1", "]e0", "]e1", "]e2", "]e3"})
_PLAIN_LETTERS: Final = "ACFGHIJKLMOQRSTUZbcdghjpsz"
_IDENTIFIER: Final = re.compile(r"\][A-Za-z][0-9a-zA-Z]")
_COMPOSITE: Final = "|]e0"


class Syntax(StrEnum):
    """How the data of a symbol is to be read."""

    GS1 = "gs1"
    EAN = "ean"
    PLAIN = "plain"
    UNKNOWN = "unknown"  # the scanner sends no identifier


@contract
class Carrier:
    """A scan without its symbology identifier. `composite` is the GS1 message of a composite symbol's second part."""

    identifier: str | None
    syntax: Syntax
    data: str
    composite: str | None = None


def read_carrier(text: str) -> Carrier:
    """Split the identifier off. Raises `ElementError` for an identifier that is unknown or contradicts the data."""
    if not text.startswith("]"):
        return Carrier(identifier=None, syntax=Syntax.UNKNOWN, data=text)
    identifier, data = text[:3], text[3:]
    if not _IDENTIFIER.fullmatch(identifier):
        raise ElementError("bad_symbology", f"{identifier!r} is no AIM symbology identifier")
    if identifier in _GS1:
        return Carrier(identifier=identifier, syntax=Syntax.GS1, data=data)
    if identifier in _EAN_DIGITS:
        number, mark, composite = data.partition(_COMPOSITE)
        if not (number.isascii() and number.isdigit() and len(number) in _EAN_DIGITS[identifier]):
            expected = " or ".join(str(length) for length in _EAN_DIGITS[identifier])
            raise ElementError("bad_format", f"a symbol {identifier} holds {expected} digits, not {number[:40]!r}")
        number = number[:13] if identifier == "]E3" else number
        return Carrier(identifier=identifier, syntax=Syntax.EAN, data=number, composite=composite if mark else None)
    if identifier[1] in _PLAIN_LETTERS:
        return Carrier(identifier=identifier, syntax=Syntax.PLAIN, data=data)
    raise ElementError("bad_symbology", f"{identifier!r} is not a symbology that carries product codes")
