"""HL7 time stamps (TS, DTM, DT) as instants and dates.

Source: HL7 v2.8.2 §2A.3.22 DTM: YYYY[MM[DD[HH[MM[SS[.S[S[S[S]]]]]]]]][+/-ZZZZ]. What is not given is the earliest it can be.
Two unambiguous departures that senders make are read as well: milliseconds without the point, and ISO 8601's extended form.
"""

from __future__ import annotations

import calendar
import re
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

_STAMP: Final = re.compile(
    r"(\d{4})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:\.?(\d{3})|\.(\d{1,9}))?)?)?)?)?)?"
    r"(?:([+-])(\d{2}):?(\d{2})|(Z))?",
    re.ASCII,
)
_EXTENDED: Final = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2}))?)?", re.ASCII)
_OFFSET_MINUTES_MAX: Final = 14 * 60
_PLAIN_CHARS: Final = 14


class TimeError(ValueError):
    """A time stamp that is none. The text says what is wrong with it."""


class Instant(NamedTuple):
    """A UTC instant; `zone_assumed` when the stamp had no offset and the given zone was used."""

    at: datetime
    zone_assumed: bool


@lru_cache(maxsize=1024)
def zone_of(name: str) -> tzinfo:
    """The time zone of an IANA name; UTC when the name is not known."""
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        return UTC


def parse_instant(text: str, zone: tzinfo) -> Instant:
    """The instant of a time stamp; local times are in `zone`, the first of two in an autumn fold. Raises `TimeError`."""
    plain = _plain_instant(text, zone) if len(text) == _PLAIN_CHARS else None
    if plain is not None:
        return plain
    year, month, day, hour, minute, second, millis, fraction, sign, hours, minutes, zulu = _matched(text).groups()
    offset = _offset(text, sign, hours, minutes) if sign else UTC if zulu else None
    try:
        stamp = datetime(
            int(year),
            int(month or 1),
            int(day or 1),
            int(hour or 0),
            int(minute or 0),
            int(second or 0),
            int((millis or fraction or "0")[:6].ljust(6, "0")),
            tzinfo=offset or zone,
        )
        return Instant(stamp.astimezone(UTC), offset is None)
    except (ValueError, OverflowError) as error:
        msg = f"{text[:40]!r} is no possible time ({error})"
        raise TimeError(msg) from None


def _plain_instant(text: str, zone: tzinfo) -> Instant | None:
    """The instant of YYYYMMDDHHMMSS, which nearly all stamps are; None for all others and for what is no possible time."""
    if not (text.isascii() and text.isdigit()):
        return None
    try:
        stamp = datetime.fromisoformat(f"{text[:8]}T{text[8:]}")
        return Instant(stamp.replace(tzinfo=zone).astimezone(UTC), zone_assumed=True)
    except (ValueError, OverflowError):
        return None


@lru_cache(maxsize=4096)
def parse_expiry(text: str) -> date:
    """The date of an expiry; a month without a day means its last day. Raises `TimeError`, also for a bare year."""
    year, month, day, *_ = _matched(text).groups()
    if month is None:
        msg = f"{text[:40]!r} names a year without a month, which is no expiry date"
        raise TimeError(msg)
    try:
        if day is None or day == "00":
            return date(int(year), int(month), calendar.monthrange(int(year), int(month))[1])
        return date(int(year), int(month), int(day))
    except ValueError as error:
        msg = f"{text[:40]!r} is no possible date ({error})"
        raise TimeError(msg) from None


def _matched(text: str) -> re.Match[str]:
    """The parts of a time stamp. Raises `TimeError`."""
    compact = text if text[4:5] != "-" else _EXTENDED.sub(lambda match: "".join(filter(None, match.groups())), text, count=1)
    match = _STAMP.fullmatch(compact)
    if match is None:
        msg = f"{text[:40]!r} is no HL7 time stamp (expected YYYYMMDD[HHMM[SS]][+/-ZZZZ])"
        raise TimeError(msg)
    return match


def _offset(text: str, sign: str, hours: str, minutes: str) -> tzinfo:
    """The offset of a stamp from UTC. Raises `TimeError` beyond ± 14 h."""
    total = int(hours) * 60 + int(minutes)
    if total > _OFFSET_MINUTES_MAX or int(minutes) > 59:
        msg = f"{text[:40]!r} has an impossible offset from UTC"
        raise TimeError(msg)
    return timezone(timedelta(minutes=-total if sign == "-" else total))
