"""Deadlines in a site's own calendar: one business day, and so many days. Pure: a policy and an instant in, an instant out."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final

from schemas.controlled import ControlledPolicy
from streams.times import end_of_day_us, from_us, to_us, zone

FORM_106_DAYS: Final = 45
"""Days from the discovery of a theft or significant loss to Form 106 (21 CFR 1301.76(b); 88 FR 40707)."""
SEARCH_DAYS_MAX: Final = 60
"""How far a business day is looked for; a calendar without one in this time is taken to have one at its end."""


def one_business_day_us(us: int, zone_name: str, policy: ControlledPolicy) -> int:
    """The same time of day on the next business day: never later than any reading of "within one business day"."""
    local = from_us(us).astimezone(zone(zone_name))
    day = local.date()
    for _ in range(SEARCH_DAYS_MAX):
        day += timedelta(days=1)
        if (not policy.business_weekdays or day.isoweekday() in policy.business_weekdays) and day not in policy.holidays:
            break
    return to_us(datetime.combine(day, local.time(), zone(zone_name)))


def form_106_us(us: int, zone_name: str) -> int:
    """The end of the 45th day after the day of discovery."""
    day = from_us(us).astimezone(zone(zone_name)).date()
    return end_of_day_us(day + timedelta(days=FORM_106_DAYS), zone_name)


def months_later(day: date, months: int) -> date:
    """The same day so many months later; the last day of a month that is too short for it."""
    number = day.month - 1 + months
    year, month = day.year + number // 12, number % 12 + 1
    following = date(year + month // 12, month % 12 + 1, 1)
    return min(date(year, month, 1) + timedelta(days=day.day - 1), following - timedelta(days=1))
