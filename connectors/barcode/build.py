"""Barcode texts from elements: what a label printer is given and what a scanner sends. The reverse of `elements` and `parse`.

Source: GS1 General Specifications §7.8 (FNC1), GS1 Digital Link URI syntax, AIM symbology identifiers (ISO/IEC 15424),
ANSI/HIBC 2.6.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final
from urllib.parse import quote

from connectors.barcode.digital_link import QUALIFIERS
from connectors.barcode.elements import FNC1, Element, ElementError, predefined_length, read_elements
from connectors.barcode.hibc import check_character
from schemas.codes import gtin_check_digit


class Symbology(StrEnum):
    """The symbologies of GS1 barcodes."""

    QR = "QR"
    DATA_MATRIX = "DM"
    DOTCODE = "DotCode"
    GS1_128 = "GS1_128_CCA"
    GS1_128_CCC = "GS1_128_CCC"
    DATABAR_EXPANDED = "DataBarExpanded"
    DATABAR_OMNI = "DataBarOmni"
    DATABAR_LIMITED = "DataBarLimited"
    UPC_A = "UPCA"
    UPC_E = "UPCE"
    EAN_13 = "EAN13"
    EAN_8 = "EAN8"


_MATRIX: Final = {Symbology.QR: ("]Q1", "]Q3"), Symbology.DATA_MATRIX: ("]d1", "]d2"), Symbology.DOTCODE: ("]J0", "]J1")}
"""Identifiers of plain and of GS1 data."""
_LINEAR: Final = {Symbology.GS1_128: "]C1", Symbology.GS1_128_CCC: "]C1", Symbology.DATABAR_EXPANDED: "]e0"}
_GTIN_DIGITS: Final = {
    Symbology.DATABAR_OMNI: 14, Symbology.DATABAR_LIMITED: 14, Symbology.UPC_A: 12, Symbology.UPC_E: 12, Symbology.EAN_13: 13,
    Symbology.EAN_8: 8,
}  # fmt: skip
_COMPOSITE: Final = "|"


def fnc1_message(elements: Sequence[Element]) -> str:
    """Elements as a GS1 message; FNC1 stands behind each value whose length is not told by its AI, except the last."""
    parts: list[str] = []
    for place, (ai, value) in enumerate(elements):
        is_last = place == len(elements) - 1
        parts += [ai, value, "" if is_last or predefined_length(ai) else FNC1]
    return "".join(parts)


def bracketed(elements: Sequence[Element]) -> str:
    """Elements in the human-readable form; a bracket inside a value is escaped."""
    return "".join(f"({ai}){value.replace('(', chr(92) + '(')}" for ai, value in elements)


def digital_link(elements: Sequence[Element], stem: str = "https://id.gs1.org") -> str:
    """Elements as a GS1 Digital Link. Raises `ElementError` when none of them is a primary key."""
    values = dict(elements)
    key = next((ai for ai in values if ai in QUALIFIERS), None)
    if key is None:
        raise ElementError("digital_link", "none of the elements is the key of a GS1 Digital Link")
    sequence = next((one for one in QUALIFIERS[key] if any(ai in values for ai in one)), ())
    path = [key, *(ai for ai in sequence if ai in values)]
    query = "&".join(f"{ai}={quote(value, safe='')}" for ai, value in elements if ai not in path)
    return stem + "".join(f"/{ai}/{quote(values[ai], safe='')}" for ai in path) + (f"?{query}" if query else "")


def hibc(primary: str, secondary: str = "") -> str:
    """A HIBC label: `primary` is labeler, product and unit of measure, `secondary` what follows the slash."""
    text = f"+{primary}" + (f"/{secondary}" if secondary else "")
    return text + check_character(text)


def scan_data(symbology: Symbology, text: str) -> str:
    """What a scanner sends of a symbol.

    In `text` an initial `^` is FNC1, a backslash before it makes it a circumflex, and `|` begins the second part of a composite
    symbol. Raises `ElementError` for data the symbology can't carry.
    """
    if symbology in _MATRIX:
        plain, gs1 = _MATRIX[symbology]
        return gs1 + _checked(text).removeprefix(FNC1) if text.startswith("^") else plain + _unescaped(text)
    linear, _, composite = text.partition(_COMPOSITE)
    second = _checked(composite).removeprefix(FNC1) if composite else ""
    if symbology in _LINEAR:
        if not linear.startswith("^"):
            raise ElementError("bad_format", f"a {symbology} symbol holds a GS1 message, which begins with FNC1")
        first = _checked(linear).removeprefix(FNC1)
        return f"]e0{first}{_separator(first)}{second}" if second else _LINEAR[symbology] + first
    digits = _number(symbology, linear)
    if _GTIN_DIGITS[symbology] == len(digits) == 14:
        return f"]e001{digits}{second}"
    identifier = "]E4" if symbology is Symbology.EAN_8 else "]E0"
    shown = digits if symbology is Symbology.EAN_8 else digits.zfill(13)
    return identifier + shown + (f"|]e0{second}" if second else "")


def _unescaped(text: str) -> str:
    """A backslash before the first circumflex is dropped: it says that the data really begins with one."""
    backslashes = len(text) - len(text.lstrip("\\"))
    return text[1:] if backslashes and text[backslashes : backslashes + 1] == "^" else text


def _checked(text: str) -> str:
    """A GS1 message in circumflexes as one with FNC1. Raises `ElementError`."""
    message = text.replace("^", FNC1)
    read_elements(message, 2000)
    return message


def _separator(first: str) -> str:
    """FNC1 between the two parts of a composite, when the first ends with a value of open length."""
    last = read_elements(first, 2000)[-1][0]
    return "" if predefined_length(last) else FNC1


def _number(symbology: Symbology, text: str) -> str:
    """The digits of a symbol that carries a GTIN alone; a missing check digit is computed. Raises `ElementError`."""
    expected = _GTIN_DIGITS[symbology]
    digits = text.removeprefix("^01") if text.startswith("^01") else text
    if len(digits) == 14 and expected != 14 and digits.isdigit() and not digits[: 14 - expected].strip("0"):
        digits = digits[14 - expected :]
    if len(digits) == expected - 1 and digits.isdigit():
        digits += gtin_check_digit(digits)
    if len(digits) != expected or not (digits.isascii() and digits.isdigit()):
        raise ElementError("bad_format", f"a {symbology} symbol holds {expected} digits")
    if gtin_check_digit(digits[:-1]) != digits[-1]:
        raise ElementError("wrong_check_digit", f"{digits} ends with a wrong check digit")
    if symbology is Symbology.DATABAR_LIMITED and digits[0] not in "01":
        raise ElementError("bad_format", "a DataBar Limited symbol holds a GTIN that begins with 0 or 1")
    return digits
