"""Times, dates and numbers as people have reports written: read by a stated format, never by guess.

A format is a text with Python's directives (%Y %y %m %b %d %H %I %M %S %f %p %z %%). One digit may stand for a day, month or hour
only where the format has a sign on both sides of it, so that `2026111` has no reading rather than two. Months are English.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Final, TypeVar

from schemas.report import NumberFormat

_MONTH_NAMES: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
T = TypeVar("T")

_PARTS: Final = {
    "Y": r"\d{4}", "y": r"\d{2}", "b": "|".join(_MONTH_NAMES), "M": r"\d{2}", "S": r"\d{2}", "f": r"\d{1,6}", "p": "AM|PM",
    "z": r"Z|[+-]\d{2}:?\d{2}",
}  # fmt: skip
_ONE_OR_TWO: Final = frozenset("mdHI")
_TOKEN: Final = re.compile(r"%(.?)| +|[^% ]", re.DOTALL)
_DIGITS_MAX: Final = 12
_BLANKS: Final = " \u00a0\u202f\u2009"
_OFFSET_MINUTES_MAX: Final = 14 * 60
_NOON: Final = 12


class FormatError(ValueError):
    """A format that is none, or a text that a format does not read. The text of the error says what is wrong."""


@dataclass(frozen=True, slots=True)
class TimeFormat:
    """A format as a pattern. `stated` are the directives it has."""

    text: str
    pattern: re.Pattern[str]
    stated: frozenset[str]

    @property
    def is_time(self) -> bool:
        """Whether it states an instant: date, hour and minute."""
        hour = "H" in self.stated or {"I", "p"} <= self.stated
        return self.is_date and "d" in self.stated and hour and "M" in self.stated

    @property
    def is_date(self) -> bool:
        """Whether it states at least a month of a year."""
        return bool(self.stated & {"Y", "y"}) and bool(self.stated & {"m", "b"})


def time_format(text: str) -> TimeFormat:
    """Compile a format. Raises `FormatError`."""
    tokens = [(match.group(0), match.group(1)) for match in _TOKEN.finditer(text)]
    pattern, stated = [], set()
    for at, (token, directive) in enumerate(tokens):
        if directive is None:
            pattern.append(r"[ \u00a0]+" if token[0] == " " else re.escape(token))
        elif directive == "%":
            pattern.append("%")
        elif directive not in _PARTS and directive not in _ONE_OR_TWO:
            msg = f"%{directive} is no directive; there are {' '.join('%' + one for one in (*_PARTS, *sorted(_ONE_OR_TWO)))}"
            raise FormatError(msg)
        elif directive in stated:
            msg = f"%{directive} stands twice"
            raise FormatError(msg)
        else:
            stated.add(directive)
            beside = [tokens[near][1] for near in (at - 1, at + 1) if 0 <= near < len(tokens)]
            alone = all(one is None or one == "%" for one in beside)
            part = _PARTS.get(directive) or (r"\d{1,2}" if alone else r"\d{2}")
            pattern.append(f"(?P<{directive}>{part})")
    if {"Y", "y"} <= stated or {"m", "b"} <= stated or {"H", "I"} <= stated:
        msg = "states the year, the month or the hour twice"
        raise FormatError(msg)
    return TimeFormat(text, re.compile("".join(pattern), re.ASCII | re.IGNORECASE), frozenset(stated))


def read_time(text: str, formats: tuple[TimeFormat, ...], years_from: int | None) -> datetime:
    """The one time that the formats read in a text, with a zone when it states its offset. Raises `FormatError`."""
    return _one(text, formats, years_from, _time)


def read_date(text: str, formats: tuple[TimeFormat, ...], years_from: int | None) -> date:
    """The one date that the formats read in a text; a month without a day is its last day. Raises `FormatError`."""
    return _one(text, formats, years_from, _date)


def _one(
    text: str, formats: tuple[TimeFormat, ...], years_from: int | None, read: Callable[[dict[str, str], int | None], T]
) -> T:
    """What the formats read; several readings are told. Raises `FormatError`."""
    found: list[T] = []
    problem = ""
    for one in formats:
        match = one.pattern.fullmatch(text)
        if match is None:
            continue
        try:
            value = read({name: part for name, part in match.groupdict().items() if part is not None}, years_from)
        except ValueError as error:
            problem = str(error)
            continue
        if value not in found:
            found.append(value)
    if not found:
        how = problem or f"it is not written as {' or '.join(one.text for one in formats)}"
        raise FormatError(how)
    if len(found) > 1:
        msg = f"it can be {' or '.join(map(str, found))}: the profile must name one format"
        raise FormatError(msg)
    return found[0]


def _year(parts: dict[str, str], years_from: int | None) -> int:
    if "Y" in parts:
        return int(parts["Y"])
    if years_from is None:
        msg = "the profile does not say which century a year of two digits is of"
        raise ValueError(msg)
    return years_from + (int(parts["y"]) - years_from) % 100


def _month(parts: dict[str, str]) -> int:
    return int(parts["m"]) if "m" in parts else _MONTH_NAMES.index(parts["b"].upper()) + 1


def _date(parts: dict[str, str], years_from: int | None) -> date:
    year, month = _year(parts, years_from), _month(parts)
    if "d" in parts:
        return date(year, month, int(parts["d"]))
    if not 1 <= month <= 12:
        msg = "month must be in 1..12"
        raise ValueError(msg)
    return date(year, month, calendar.monthrange(year, month)[1])


def _time(parts: dict[str, str], years_from: int | None) -> datetime:
    day = _date(parts, years_from)
    return datetime(
        day.year, day.month, day.day, _hour(parts), int(parts["M"]), int(parts.get("S", "0")),
        int(parts.get("f", "0").ljust(6, "0")), tzinfo=_zone(parts.get("z")),
    )  # fmt: skip


def _hour(parts: dict[str, str]) -> int:
    if "H" in parts:
        return int(parts["H"])
    hour = int(parts["I"])
    if not 1 <= hour <= _NOON:
        msg = "an hour with AM or PM must be in 1..12"
        raise ValueError(msg)
    return hour % _NOON + (_NOON if parts["p"].upper() == "PM" else 0)


def _zone(text: str | None) -> tzinfo | None:
    if text is None:
        return None
    if text.upper() == "Z":
        return UTC
    minutes = int(text[1:3]) * 60 + int(text[-2:])
    if minutes > _OFFSET_MINUTES_MAX or int(text[-2:]) > 59:
        msg = "its offset from UTC is impossible"
        raise ValueError(msg)
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))


@dataclass(frozen=True, slots=True)
class Numbers:
    """How numbers are written: a pattern of whole texts, and the signs in it."""

    pattern: re.Pattern[str]
    decimal: str
    thousands: str

    def read(self, text: str) -> Decimal:
        """The number of a text. Raises `FormatError`."""
        if not self.pattern.fullmatch(text):
            decimals = f"with {self.decimal!r} before decimals" if self.decimal else "without decimals (the profile's `numbers`)"
            grouped = f"{self.thousands!r} between thousands" if self.thousands else "no thousands signs"
            msg = f"it is no number written {decimals} and {grouped}"
            raise FormatError(msg)
        for sign in _BLANKS if self.thousands == " " else self.thousands:
            text = text.replace(sign, "")
        return Decimal(text.replace(self.decimal, ".") if self.decimal else text)


def numbers(stated: NumberFormat | None) -> Numbers:
    """The numbers of a report. Raises `FormatError` when one sign has two meanings."""
    decimal, thousands = (stated and stated.decimal) or "", (stated and stated.thousands) or ""
    if decimal and decimal == thousands:
        msg = f"{decimal!r} can't stand before decimals and between thousands"
        raise FormatError(msg)
    point, group = re.escape(decimal), f"[{_BLANKS}]" if thousands == " " else re.escape(thousands)
    whole = rf"\d{{1,{_DIGITS_MAX}}}" + (rf"|\d{{1,3}}(?:{group}\d{{3}}){{1,4}}" if thousands else "")
    decimals = rf"(?:{point}\d{{0,{_DIGITS_MAX}}})?|{point}\d{{1,{_DIGITS_MAX}}}" if decimal else ""
    return Numbers(re.compile(rf"[+-]?(?:(?:{whole}){decimals})", re.ASCII), decimal, thousands)
