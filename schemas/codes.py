"""Product codes: NDC, GTIN, and the one normal form under which a code is looked up.

NDC: labeler, product and package segments stand separately; the canonical form is 12 digits, 6-4-2
(FDA final rule, 91 FR 10749). 11 digits read as 5-4-2. Ten digits without hyphens are ambiguous
(4-4-2, 5-3-2 or 5-4-1) and are never guessed: only the item master can tell which one is meant.
GTIN: GS1 General Specifications, check digit modulo 10; a US drug's GTIN-14 is indicator + 03 + ten NDC digits + check digit.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from schemas.codec import contract

NDC: Final = "ndc"
GTIN: Final = "gtin"
RXNORM: Final = "rxnorm"
HIBC: Final = "hibc"
LOCAL: Final = "local"
SUPPLIER: Final = "supplier"
SSCC: Final = "sscc"
ITEM: Final = "item"
PRODUCT: Final = "product"

_NDC_HYPHENATED: Final = re.compile(r"(\d{4,6})-(\d{3,4})-(\d{1,2})")
_GTIN_LENGTHS: Final = frozenset({8, 12, 13, 14})
_AMBIGUOUS_CUTS: Final = ((4, 4, 2), (5, 3, 2), (5, 4, 1))


class CodeError(ValueError):
    """A code is not well formed. The text says what is wrong with it."""


@contract
class Code:
    """A product or item code as a feed gave it: the system's short name (`ndc`, `gtin`, `local`, …) and the value."""

    system: str
    value: str
    text: str | None = None


@contract
class Ndc:
    """A National Drug Code with its segments padded to 6-4-2."""

    labeler: str
    product: str
    package: str

    @property
    def canonical(self) -> str:
        """Twelve digits, 6-4-2, without hyphens."""
        return self.labeler + self.product + self.package

    @property
    def hyphenated(self) -> str:
        """Twelve digits, 6-4-2, with hyphens."""
        return f"{self.labeler}-{self.product}-{self.package}"


def parse_ndc(text: str) -> Ndc:
    """Read a hyphenated, an 11-digit or a 12-digit NDC.

    Raises `CodeError` for ten digits without hyphens (ambiguous) and for anything that is no NDC.
    """
    value = text.strip()
    match = _NDC_HYPHENATED.fullmatch(value)
    if match:
        labeler, product, package = match.groups()
        return Ndc(labeler=labeler.zfill(6), product=product.zfill(4), package=package.zfill(2))
    if value.isascii() and value.isdigit():
        if len(value) == 12:
            return Ndc(labeler=value[:6], product=value[6:10], package=value[10:])
        if len(value) == 11:
            return Ndc(labeler="0" + value[:5], product=value[5:9], package=value[9:])
        if len(value) == 10:
            msg = f"NDC {value} has ten digits and no hyphens, so its segments are ambiguous"
            raise CodeError(msg)
    msg = f"{text!r} is not an NDC (expected 4-4-2, 5-3-2, 5-4-1, 5-4-2, 6-3-2, 6-4-1, 6-4-2, 11 or 12 digits)"
    raise CodeError(msg)


def ndc_readings(ten_digits: str) -> tuple[Ndc, ...]:
    """The three NDCs that ten digits without hyphens may stand for."""
    if len(ten_digits) != 10 or not ten_digits.isdigit():
        msg = f"{ten_digits!r} is not ten digits"
        raise CodeError(msg)
    readings = []
    for labeler, product, _ in _AMBIGUOUS_CUTS:
        cut = (ten_digits[:labeler], ten_digits[labeler : labeler + product], ten_digits[labeler + product :])
        readings.append(parse_ndc("-".join(cut)))
    return tuple(readings)


def ndc_ten_digits(hyphenated: str) -> str | None:
    """The ten digits a package bears, when the hyphenated NDC has ten; else None."""
    digits = hyphenated.replace("-", "")
    return digits if len(digits) == 10 else None


def gtin_check_digit(body: str) -> str:
    """The modulo-10 check digit of the digits before it (GS1 General Specifications §7.9)."""
    total = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(body)))
    return str(-total % 10)


def normalise_gtin(text: str) -> str:
    """A GTIN-8, -12, -13 or -14 as 14 digits. Raises `CodeError` for a wrong length or check digit."""
    value = text.strip()
    if not (value.isascii() and value.isdigit()) or len(value) not in _GTIN_LENGTHS:
        msg = f"{text!r} is not a GTIN (8, 12, 13 or 14 digits)"
        raise CodeError(msg)
    if gtin_check_digit(value[:-1]) != value[-1]:
        msg = f"GTIN {value} has check digit {value[-1]}, expected {gtin_check_digit(value[:-1])}"
        raise CodeError(msg)
    return value.zfill(14)


def gtin_of_ndc(ten_digits: str, indicator: int = 0) -> str:
    """The GTIN-14 of a ten-digit US NDC: indicator + 03 + NDC + check digit."""
    body = f"{indicator}03{ten_digits}"
    return body + gtin_check_digit(body)


def ndc_ten_of_gtin(gtin14: str) -> str | None:
    """The ten NDC digits inside a US drug's GTIN-14, else None. Hyphens need the item master."""
    return gtin14[3:13] if len(gtin14) == 14 and gtin14[1:3] == "03" else None


@lru_cache(maxsize=65_536)
def lookup_key(system: str, value: str) -> tuple[str, str]:
    """The form under which a code is stored and looked up; malformed codes keep their own text, so they find nothing."""
    name = system.strip().lower()
    text = value.strip()
    try:
        if name == NDC:
            return name, parse_ndc(text).canonical
        if name == GTIN:
            return name, normalise_gtin(text)
    except CodeError:
        return name, text
    return name, text.upper()


@lru_cache(maxsize=65_536)
def normalise_lot(text: str) -> str:
    """A lot number for comparison: upper case, without blanks and hyphens; leading zeros count."""
    return "".join(text.split()).replace("-", "").upper()
