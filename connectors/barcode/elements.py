"""GS1 element strings: which application identifier (AI) stands where, and whether its value keeps the GS1 rules.

The table of AIs and their formats is biip's; the rest is ours, because a reading must be a pure function of the text and a
year: biip takes the century of a date from the wall clock and accepts a GTIN whose check digit is wrong.
Source: GS1 General Specifications §3 (AIs), §7.8 (FNC1), §7.9 (check digits), §7.12 (century).
"""

from __future__ import annotations

import calendar
import re
from datetime import date
from functools import lru_cache
from typing import Final

from biip import ParseError
from biip.gs1_application_identifiers import GS1ApplicationIdentifier

from schemas.codes import gtin_check_digit

FNC1: Final = "\x1d"
ELEMENTS_MAX: Final = 64
"""A message of more element strings is refused; no symbol holds as many."""

Element = tuple[str, str]
"""An AI and its value."""

_PREDEFINED_LENGTHS: Final = {
    "00": 20, "01": 16, "02": 16, "03": 16, "04": 18, "11": 8, "12": 8, "13": 8, "14": 8, "15": 8, "16": 8, "17": 8, "18": 8,
    "19": 8, "20": 4, "31": 10, "32": 10, "33": 10, "34": 10, "35": 10, "36": 10, "41": 16,
}  # fmt: skip
"""Length of AI and value by the AI's first two digits, for element strings that need no FNC1 (§7.8.5)."""

_CHECK_DIGITS: Final[dict[str, tuple[int, int]]] = {
    "00": (0, 18), "01": (0, 14), "02": (0, 14), "03": (0, 14), "253": (0, 13), "255": (0, 13), "402": (0, 17),
    **{f"41{last}": (0, 13) for last in range(8)},
    "8003": (1, 14), "8006": (0, 14), "8017": (0, 18), "8018": (0, 18), "8026": (0, 14),
}  # fmt: skip
"""Where in the value of an AI a number with a check digit starts and ends."""

DATE_AIS: Final = frozenset({"11", "12", "13", "15", "16", "17"})


class ElementError(ValueError):
    """An element string breaks a rule. `code` is the stable name; the text is for a person."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def read_elements(data: str, year: int) -> tuple[Element, ...]:
    """Read a message whose variable-length values end with FNC1 or with the data. Raises `ElementError`.

    `year` is the year of the scan: it decides the century of dates.
    """
    rest = data.removeprefix(FNC1)
    found: list[Element] = []
    while rest:
        ai = application_identifier(rest)
        length = predefined_length(ai)
        end = length if length else rest.find(FNC1)
        chunk = rest if end < 0 else rest[:end]
        found.append(checked(ai, chunk[len(ai) :], year))
        rest = rest[len(chunk) :].removeprefix(FNC1)
    return combined(found)


def read_bracketed(text: str, year: int) -> tuple[Element, ...]:
    """Read the human-readable form, `(01)00304094713021(10)A1`; `\\(` is a bracket inside a value. Raises `ElementError`."""
    if not _BRACKETED.fullmatch(text):
        raise ElementError("bad_brackets", "a text in brackets must look like (01)00304094713021(17)260531(10)LOT")
    pairs = _BRACKETED_ELEMENT.findall(text)
    found = []
    for digits, value in pairs:
        if application_identifier(digits) != digits:
            raise ElementError("unknown_ai", f"({digits}) is no GS1 application identifier")
        found.append(checked(digits, value.replace("\\(", "("), year))
    return combined(found)


_BRACKETED_ELEMENT: Final = re.compile(r"\((\d{2,4})\)((?:\\\(|[^(\x1d])+)", re.ASCII)
_BRACKETED: Final = re.compile(r"(?:\(\d{2,4}\)(?:\\\(|[^(\x1d])+)+", re.ASCII)


@lru_cache(maxsize=4096)
def _application_identifier(start: str) -> tuple[str, re.Pattern[str]] | None:
    try:
        found = GS1ApplicationIdentifier.extract(start)
    except ParseError:
        return None
    return found.ai, re.compile(found.pattern, re.ASCII)


def application_identifier(text: str) -> str:
    """The AI at the start of `text`. Raises `ElementError("unknown_ai")` when there is none."""
    found = _application_identifier(text[:4])
    if found is None:
        raise ElementError("unknown_ai", f"{text[:4]!r} begins with no GS1 application identifier")
    return found[0]


def predefined_length(ai: str) -> int:
    """Length of AI and value when the AI needs no FNC1 after it, else 0."""
    return _PREDEFINED_LENGTHS.get(ai[:2], 0)


def checked(ai: str, value: str, year: int) -> Element:
    """The element when its value keeps format, check digit and calendar. Raises `ElementError` naming the AI."""
    found = _application_identifier(ai)
    if found is None or not value or not found[1].fullmatch(ai + value):
        raise ElementError("bad_format", f"the value {value[:40]!r} of AI ({ai}) does not have the format GS1 gives it")
    place = _CHECK_DIGITS.get(ai)
    if place:
        number = value[place[0] : place[1]]
        expected = gtin_check_digit(number[:-1])
        if number[-1] != expected:
            reason = f"the number {number} of AI ({ai}) ends with check digit {number[-1]}, expected {expected}"
            raise ElementError("wrong_check_digit", reason)
    elif ai in DATE_AIS:
        element_date(ai, value, year)
    return ai, value


def combined(elements: list[Element]) -> tuple[Element, ...]:
    """The message of these elements. Raises `ElementError` when it is empty, too long, or says two things of one AI."""
    if not elements:
        raise ElementError("no_data", "it holds no GS1 element string")
    if len(elements) > ELEMENTS_MAX:
        raise ElementError("too_many_elements", f"it holds {len(elements)} GS1 element strings, more than {ELEMENTS_MAX}")
    values: dict[str, str] = {}
    for ai, value in elements:
        if values.setdefault(ai, value) != value:
            raise ElementError("contradictory", f"it gives AI ({ai}) twice, as {values[ai]!r} and as {value!r}")
    return tuple(values.items())


PLAUSIBLE_YEARS_BEFORE: Final = 10
PLAUSIBLE_YEARS_AFTER: Final = 20
"""A date this far from the year of the scan says nothing: six digits of a lot number often happen to be one."""


def evidence(elements: tuple[Element, ...], year: int) -> int:
    """How many of the elements prove something: a check digit is right, or a date exists that a package may bear."""
    return sum(ai in _CHECK_DIGITS or (ai in DATE_AIS and _plausible(value, year)) for ai, value in elements)


def _plausible(value: str, year: int) -> bool:
    return year - PLAUSIBLE_YEARS_BEFORE <= century(int(value[:2]), year) <= year + PLAUSIBLE_YEARS_AFTER


def element_date(ai: str, value: str, year: int) -> date:
    """The date of a YYMMDD value; day 00 is the last day of the month. Raises `ElementError("invalid_date")`."""
    full_year = century(int(value[:2]), year)
    month, day = int(value[2:4]), int(value[4:6])
    try:
        return date(full_year, month, day or calendar.monthrange(full_year, month)[1])
    except ValueError:
        raise ElementError("invalid_date", f"the date {value} (YYMMDD) of AI ({ai}) does not exist") from None


def century(two_digits: int, year: int) -> int:
    """The full year: from 49 years before to 50 years after `year` (GS1 General Specifications §7.12)."""
    difference = two_digits - year % 100
    start = year - year % 100
    if difference >= 51:
        return start - 100 + two_digits
    if difference <= -50:
        return start + 100 + two_digits
    return start + two_digits
