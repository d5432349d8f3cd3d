"""Days, ISO weeks and months in the calendar of a site. A period is named by text and bounded by instants."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

Period = Literal["day", "week", "month"]
PERIODS: Final[tuple[Period, ...]] = ("day", "week", "month")
_FIRST_YEAR: Final = 1900
_LAST_YEAR: Final = 9000
"""Outside these years dates are taken as UTC's: a zone can't be applied at the ends of the calendar."""


@lru_cache(maxsize=256)
def zone_of(name: str) -> ZoneInfo:
    """The zone, or UTC where the name is not known."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def local_day(at: datetime, zone: str) -> date:
    """The site's date at an instant."""
    return at.astimezone(zone_of(zone)).date() if _FIRST_YEAR <= at.year <= _LAST_YEAR else at.date()


def day_start(day: date, zone: str) -> datetime:
    """The instant a date begins at the site."""
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        return datetime.combine(day, time.min, UTC)
    return datetime.combine(day, time.min, zone_of(zone)).astimezone(UTC)


def first_day(day: date, period: Period) -> date:
    """First day of the period a date is in."""
    if period == "month":
        return day.replace(day=1)
    return day - timedelta(days=day.weekday()) if period == "week" else day


def next_first_day(day: date, period: Period) -> date:
    """First day of the next period."""
    if period == "month":
        return (first_day(day, period) + timedelta(days=32)).replace(day=1)
    return first_day(day, period) + timedelta(days=7 if period == "week" else 1)


def name_of(day: date, period: Period | None) -> str:
    """`2026-03-02`, `2026-W10` (ISO 8601), `2026-03`; nothing without a period."""
    if period is None:
        return ""
    if period == "day":
        return day.isoformat()
    if period == "month":
        return f"{day:%Y-%m}"
    year, week, _ = day.isocalendar()
    return f"{year:04}-W{week:02}"


def pieces(start: datetime, end: datetime, period: Period | None, zone: str) -> Iterator[tuple[str, datetime, datetime]]:
    """A span cut at the borders of periods, with the name of each."""
    if period is None:
        if start < end:
            yield "", start, end
        return
    while start < end and start.year <= _LAST_YEAR:
        day = local_day(start, zone)
        border = min(day_start(next_first_day(day, period), zone), end)
        yield name_of(day, period), start, border
        start = border
