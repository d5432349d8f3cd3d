"""Instants as integers, and a site's calendar. No clock: now is always the highest tick seen."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_SECONDS: Final = 86_400
_SECOND_US: Final = 1_000_000
MINUTE_US: Final = 60_000_000
HOUR_US: Final = 3_600_000_000
DAY_US: Final = 86_400_000_000


def to_us(instant: datetime) -> int:
    """Microseconds since 1970-01-01T00:00Z of an aware instant."""
    since = instant - _EPOCH
    return (since.days * _DAY_SECONDS + since.seconds) * _SECOND_US + since.microseconds


@lru_cache(maxsize=65_536)
def from_us(us: int) -> datetime:
    """The UTC instant of microseconds since 1970-01-01T00:00Z."""
    return _EPOCH + timedelta(microseconds=us)


@lru_cache(maxsize=256)
def zone(name: str) -> ZoneInfo:
    """The zone of an IANA name; UTC when the name is unknown (reference data refuses unknown names at the door)."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


@lru_cache(maxsize=65_536)
def end_of_day_us(day: date, zone_name: str) -> int:
    """The instant at which `day` is over at a site: the start of the next day in its zone."""
    return to_us(datetime.combine(day + timedelta(days=1), time(), zone(zone_name)))


@lru_cache(maxsize=65_536)
def start_of_day_us(day: date, zone_name: str) -> int:
    """The instant at which `day` begins at a site."""
    return to_us(datetime.combine(day, time(), zone(zone_name)))


@lru_cache(maxsize=65_536)
def iso_date(text: str) -> date:
    """The date of an ISO 8601 text."""
    return date.fromisoformat(text)


def local_date(us: int, zone_name: str) -> date:
    """The site's calendar date of an instant."""
    return from_us(us).astimezone(zone(zone_name)).date()


def came_twice(instant: datetime, zone_name: str) -> bool:
    """Whether the local time of an instant stood on the clock twice that day (end of daylight saving time)."""
    local = instant.astimezone(zone(zone_name))
    return local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
