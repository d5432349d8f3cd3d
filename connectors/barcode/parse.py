"""One scanned text as a `Barcode`: product, lot, expiry, serial. What can't be read for sure is `UnreadableBarcode` by name.

Pure: the century of dates comes from the year given, never from the clock. Nothing is guessed; the one rule for texts that
lost their separators is in `unseparated`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import Final

from connectors.barcode.carrier import Carrier, Syntax, read_carrier
from connectors.barcode.digital_link import read_digital_link
from connectors.barcode.elements import FNC1, Element, ElementError, element_date, evidence, read_bracketed, read_elements
from connectors.barcode.hibc import HibcLabel, is_hibc, read_hibc
from connectors.barcode.unseparated import read_unseparated, shown
from schemas.codec import contract
from schemas.codes import CodeError, ndc_ten_of_gtin, normalise_gtin, parse_ndc

FNC1_SPELLINGS: Final = ("<GS>", "{GS}", "[GS]", "<FNC1>", "{FNC1}", "^]", "\u241d")
"""How scanners and keyboards type the FNC1 separator. A bare `_` or `^` is none: `_` may be part of a lot."""
TEXT_CHARACTERS_MAX: Final = 500
"""Longer texts are refused; the longest GS1 symbol holds fewer."""

_GTIN_LENGTHS: Final = frozenset({8, 12, 13, 14})
_NDC: Final = re.compile(r"\d{4,6}-\d{3,4}-\d{1,2}|\d{11}", re.ASCII)
_URI: Final = re.compile(r"\w+://")


@contract
class Barcode:
    """What a barcode says. `gtin` has 14 digits (AI 01, else 02); `count` is AI 30 or 37; `gln` is AI 414.

    `hibc` is a HIBC label's labeler, product and unit of measure in one.
    """

    identifier: str | None = None
    elements: tuple[Element, ...] = ()
    gtin: str | None = None
    ndc: str | None = None
    ndc_ten: str | None = None
    lot: str | None = None
    expiry: date | None = None
    serial: str | None = None
    count: int | None = None
    sscc: str | None = None
    gln: str | None = None
    gln_extension: str | None = None
    hibc: str | None = None


@contract
class UnreadableBarcode:
    """A text that is no barcode we can be sure of. `code` is the stable name, `reason` a clause for a person."""

    code: str
    reason: str


def parse_barcode(text: str, year: int, fnc1_spellings: Sequence[str] = FNC1_SPELLINGS) -> Barcode | UnreadableBarcode:
    """Read one scan. `year` is the year of the scan; `fnc1_spellings` are the scanner's texts for FNC1. Never raises."""
    data = text.strip(" \t\r\n")
    if not data:
        return UnreadableBarcode(code="no_data", reason="it is empty")
    if len(data) > TEXT_CHARACTERS_MAX:
        return UnreadableBarcode(code="too_long", reason=f"it is longer than {TEXT_CHARACTERS_MAX} characters")
    try:
        return _read(read_carrier(data), year, fnc1_spellings)
    except ElementError as error:
        return UnreadableBarcode(code=error.code, reason=error.reason)


def _read(carrier: Carrier, year: int, fnc1_spellings: Sequence[str]) -> Barcode:
    data = carrier.data
    if carrier.syntax is Syntax.EAN:
        composite = read_elements(carrier.composite, year) if carrier.composite is not None else ()
        return _from_elements(carrier.identifier, (("01", _gtin(data)), *composite), year)
    for spelling in fnc1_spellings:
        if spelling in data:
            data = data.replace(spelling, FNC1)
    if carrier.syntax is Syntax.GS1:
        return _from_elements(carrier.identifier, _read_declared(data, year), year)
    return _read_undeclared(carrier.identifier, data, year)


def _read_undeclared(identifier: str | None, data: str, year: int) -> Barcode:
    """Data of which nobody says what it is: its form does. Raises `ElementError`."""
    if is_hibc(data):
        return _from_hibc(identifier, read_hibc(data, year))
    if _NDC.fullmatch(data) or (len(data) == 10 and data.isdigit()):
        return Barcode(identifier=identifier, ndc=_ndc(data))
    return _from_elements(identifier, _undeclared_elements(data, year), year)


def _undeclared_elements(data: str, year: int) -> tuple[Element, ...]:
    if data.startswith("("):
        return read_bracketed(data.replace(" ", ""), year)
    if FNC1 in data:
        return read_elements(data, year)
    if data.isascii() and data.isdigit() and len(data) in _GTIN_LENGTHS:
        return (("01", _gtin(data)),)
    if _URI.match(data):
        return read_digital_link(data, year)
    _refuse_other_systems(data)
    return read_unseparated(data, year)


def _read_declared(data: str, year: int) -> tuple[Element, ...]:
    """Read data that the scanner declares to be GS1; without any FNC1 in it, its separators may still have been eaten.

    Raises `ElementError("ambiguous")` when another cut has more evidence for it than the standard's own.
    """
    if FNC1 in data.removeprefix(FNC1):
        return read_elements(data, year)
    bare = data.removeprefix(FNC1)
    try:
        standard = read_elements(bare, year)
    except ElementError as error:
        try:
            return read_unseparated(bare, year)
        except ElementError:
            raise error from None
    try:
        other = read_unseparated(bare, year)
    except ElementError:
        return standard  # several cuts are equally possible: the identifier vouches for the standard's own
    if evidence(other, year) > evidence(standard, year):
        raise ElementError("ambiguous", f"its FNC1 separators may be lost: {shown(standard)} or {shown(other)}")
    return standard


def _from_elements(identifier: str | None, elements: tuple[Element, ...], year: int) -> Barcode:
    values = dict(elements)
    if "01" in values and "02" in values:
        raise ElementError("contradictory", "it names two products, AI (01) and AI (02)")
    gtin = values.get("01") or values.get("02")
    count = values.get("37") or values.get("30")
    return Barcode(
        identifier=identifier,
        elements=elements,
        gtin=gtin,
        ndc_ten=ndc_ten_of_gtin(gtin) if gtin else None,
        lot=values.get("10"),
        expiry=_expiry(values, year),
        serial=values.get("21"),
        count=int(count) if count else None,
        sscc=values.get("00"),
        gln=values.get("414"),
        gln_extension=values.get("254"),
    )


def _from_hibc(identifier: str | None, label: HibcLabel) -> Barcode:
    return Barcode(
        identifier=identifier, hibc=label.primary, lot=label.lot, expiry=label.expiry, serial=label.serial, count=label.quantity
    )  # fmt: skip


def _expiry(values: dict[str, str], year: int) -> date | None:
    """The expiry date: AI 17, else the day of AI 7003 (expiry with hour and minute, §3.8.4)."""
    for ai in ("17", "7003"):
        if ai in values:
            return element_date(ai, values[ai], year)
    return None


def _gtin(digits: str) -> str:
    try:
        return normalise_gtin(digits)
    except CodeError as error:
        raise ElementError("wrong_check_digit", str(error)) from None


def _ndc(text: str) -> str:
    try:
        parse_ndc(text)
    except CodeError as error:
        raise ElementError("ambiguous_ndc", f"{error}; scan the GS1 barcode, or type the NDC with its hyphens") from None
    return text


def _refuse_other_systems(data: str) -> None:
    """Name what is no product code of any system. Raises `ElementError`."""
    if not data[:2].isdigit():
        raise ElementError("no_product_code", f"{data[:40]!r} is neither a GS1 message nor a GTIN, an NDC or a HIBC label")
