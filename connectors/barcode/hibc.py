"""HIBC labels (LIC): primary data (labeler, product, unit of measure) and secondary data (lot, expiry, quantity, serial).

`+A99912345/$$52001510X3/16D20111212/S77DEFG457`: labeler A999, product 1234, unit of measure 5; lot 10X3 that expires on day 15
of 2020; made on 2011-12-12; serial 77DEFG45; check character 7.
Source: ANSI/HIBC 2.6, HIBC Supplier Labeling Standard: data structures, check character modulo 43, date flags.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Final

from connectors.barcode.elements import ElementError, century
from schemas.codec import contract

CHARACTERS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-. $/+%"
"""The 43 characters of Code 39, in the order of their values."""

_PRIMARY: Final = re.compile(r"([A-Z][A-Z0-9]{3})([A-Z0-9]{1,18})([0-9])", re.ASCII)
_LOT: Final = re.compile(r"[A-Z0-9\-. $+%]{0,18}", re.ASCII)


@contract
class HibcLabel:
    """What a label says. `primary` is labeler, product and unit of measure in one, as it stands on the label."""

    primary: str | None = None
    labeler: str | None = None
    product: str | None = None
    unit_of_measure: str | None = None
    lot: str | None = None
    expiry: date | None = None
    manufactured: date | None = None
    serial: str | None = None
    quantity: int | None = None
    link: str | None = None
    """Of a secondary symbol by itself: the check character of the primary symbol it belongs to."""


def check_character(text: str) -> str:
    """The check character of a label's text with its `+`: its characters' values added up, modulo 43. Raises `ElementError`."""
    try:
        return CHARACTERS[sum(map(CHARACTERS.index, text)) % len(CHARACTERS)]
    except ValueError:
        raise ElementError("bad_format", "a HIBC label holds capital letters, digits and -. $/+% only") from None


def is_hibc(text: str) -> bool:
    """Whether a text begins as a HIBC label does; Code 39 readers may send its `*` too."""
    return text.startswith(("+", "*+"))


def read_hibc(text: str, year: int) -> HibcLabel:
    """Read a primary, a secondary or a combined label. `year` decides the century of dates. Raises `ElementError`."""
    label = text[1:-1] if text.startswith("*") and text.endswith("*") else text
    if len(label) < 3:  # "+", a character, the check character
        raise ElementError("bad_format", "it is too short for a HIBC label")
    data, check = label[:-1], label[-1]
    expected = check_character(data)
    if check != expected:
        raise ElementError("wrong_check_character", f"the HIBC label ends with check character {check!r}, expected {expected!r}")
    body = data[1:]
    if body[0].isdigit() or body[0] == "$":
        return _secondary(body[:-1], year, {"link": body[-1]})
    first, slash, rest = body.partition("/")
    match = _PRIMARY.fullmatch(first)
    if match is None:
        raise ElementError("bad_format", "a HIBC primary label is a labeler (letter and 3 characters), a product and a digit")
    primary = {"primary": first, "labeler": match[1], "product": match[2], "unit_of_measure": match[3]}
    return _secondary(rest, year, primary) if slash else HibcLabel(**primary)


def _secondary(text: str, year: int, known: dict[str, str]) -> HibcLabel:
    """Secondary data, and the supplemental data behind further slashes. Raises `ElementError` for one thing said twice."""
    parts = text.split("/")
    found: dict[str, object] = {**known}
    for place, part in enumerate(parts):
        read = _reference(part, year) if place == 0 and not _SUPPLEMENT.fullmatch(part) else _supplement(part)
        for name, value in read.items():
            if value is None or value == "":
                continue
            if found.setdefault(name, value) != value:
                raise ElementError("contradictory", f"the HIBC label gives the {name} twice, as {found[name]} and as {value}")
    return HibcLabel(**found)


_SUPPLEMENT: Final = re.compile(r"S.+|16D\d{8}|14D\d{8}|Q\d{1,5}", re.ASCII)


def _supplement(part: str) -> dict[str, object]:
    """Data with an ASC MH10 identifier: S serial, 14D expiry and 16D manufacture (YYYYMMDD), Q quantity."""
    if not _SUPPLEMENT.fullmatch(part):
        raise ElementError("bad_format", f"the HIBC label holds {part[:24]!r}, which is neither serial, date nor quantity")
    if part.startswith("S"):
        return {"serial": part[1:]}
    if part.startswith("Q"):
        return {"quantity": int(part[1:])}
    day = _calendar(int(part[3:7]), int(part[7:9]), int(part[9:11]))
    return {"expiry" if part.startswith("14D") else "manufactured": day}


def _reference(text: str, year: int) -> dict[str, object]:
    """Lot or serial with or without expiry and quantity: `$`, `$+`, `$$`, `$$+`, or a Julian date before the lot."""
    if text.startswith("$$"):
        is_serial = text.startswith("$$+")
        quantity, rest = _quantity(text[3:] if is_serial else text[2:])
        expiry, rest = _flagged(rest, year)
        return {"quantity": quantity, "expiry": expiry, "serial" if is_serial else "lot": _name(rest)}
    if text.startswith("$"):
        return {"serial": _name(text[2:])} if text.startswith("$+") else {"lot": _name(text[1:])}
    if re.fullmatch(r"\d{5}.*", text, re.ASCII | re.DOTALL):
        return {"expiry": _julian(text[:5], year), "lot": _name(text[5:])}
    raise ElementError("bad_format", f"{text[:24]!r} is no HIBC secondary data")


def _name(text: str) -> str:
    if not _LOT.fullmatch(text):
        raise ElementError("bad_format", f"{text[:24]!r} is no lot or serial number of a HIBC label")
    return text


def _quantity(text: str) -> tuple[int | None, str]:
    """A quantity of two digits behind 8, of five behind 9."""
    digits = {"8": 2, "9": 5}.get(text[:1])
    if digits is None:
        return None, text
    stated = text[1 : 1 + digits]
    if len(stated) != digits or not stated.isdigit():
        raise ElementError("bad_format", f"the HIBC label's quantity is {stated!r}, not {digits} digits")
    return int(stated), text[1 + digits :]


def _flagged(text: str, year: int) -> tuple[date | None, str]:
    """The expiry by its flag: MMYY without one, 2 MMDDYY, 3 YYMMDD, 4 YYMMDDHH, 5 YYJJJ, 6 YYJJJHH, 7 none."""
    flag = text[:1]
    if flag in ("7", ""):
        return None, text[1:]
    readers: dict[str, tuple[int, Callable[[str], date]]] = {
        "2": (6, lambda digits: _day(digits[4:6], digits[:2], digits[2:4], year)),
        "3": (6, lambda digits: _day(digits[:2], digits[2:4], digits[4:6], year)),
        "4": (8, lambda digits: _day(digits[:2], digits[2:4], digits[4:6], year)),
        "5": (5, lambda digits: _julian(digits, year)),
        "6": (7, lambda digits: _julian(digits[:5], year)),
    }
    length, read = readers.get(flag, (4, lambda digits: _day(digits[2:4], digits[:2], "00", year)))
    start = 1 if flag in readers else 0
    digits = text[start : start + length]
    if len(digits) != length or not (digits.isascii() and digits.isdigit()):
        raise ElementError("bad_format", f"the HIBC label's expiry is {digits!r}, not {length} digits")
    return read(digits), text[start + length :]


def _day(year_digits: str, month: str, day: str, year: int) -> date:
    return _calendar(century(int(year_digits), year), int(month), int(day))


def _calendar(year: int, month: int, day: int) -> date:
    """A date; day 0 is the last of the month."""
    try:
        return date(year, month, day or calendar.monthrange(year, month)[1])
    except ValueError:
        raise ElementError("invalid_date", f"the HIBC label's date {year:04}-{month:02}-{day:02} does not exist") from None


def _julian(digits: str, year: int) -> date:
    """Two digits of the year and the day in it, from 001."""
    full_year, day = century(int(digits[:2]), year), int(digits[2:])
    if not 1 <= day <= 365 + calendar.isleap(full_year):
        raise ElementError("invalid_date", f"the HIBC label's date has day {day} of year {full_year}")
    return date(full_year, 1, 1) + timedelta(days=day - 1)
