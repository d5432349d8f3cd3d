"""How much of each lot will not be used before it expires, at the rate at which its place uses the item. Pure; reads no table.

Lots are used one after another, first expired first. A lot begins to be used when those before it are used up or have expired,
and lasts until it is used up or expires itself. Source: BHIMA, `computeLotIndicators` (server/controllers/stock/core.js).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from typing import Final, TypeVar

import msgspec

from schemas.fefo import Batch, draw_unbatched

Name = TypeVar("Name")

BUCKETS: Final = (30, 60, 90, 180, 365)
"""Upper ends, in days left, of the buckets a lot is counted in (OpenBoxes)."""
EXPIRED, LAST_DAY, LATER, NO_EXPIRY = "expired", "last_day", "later", "none"


class Risk(msgspec.Struct, frozen=True):
    """Of one lot: base units that will be used before it expires, and those that will not."""

    usable: int
    risk: int


def days_left(expiry: date, today: date) -> int:
    """Days from today to the last day of a lot, in the site's calendar: 0 on that day, on which it may still be used."""
    return (expiry - today).days


def bucket(days: int | None) -> str:
    """The bucket of a number of days left. The last day is one of its own: OpenBoxes calls it expired, here it may be used."""
    if days is None:
        return NO_EXPIRY
    if days <= 0:
        return EXPIRED if days < 0 else LAST_DAY
    return next((str(end) for end in BUCKETS if days <= end), LATER)


def risks(batches: Iterable[Batch[Name]], today: date, daily: Decimal) -> dict[Name, Risk]:
    """The risk of each lot of one item at one place, at a consumption of so many base units a day.

    Stock of unknown lots that left (a negative quantity) is taken from the lots that expire first. Less than a day's consumption
    is no risk. Without consumption nothing is used before it expires. Lots without expiry are at no risk.
    """
    held = list(batches)
    unbatched = -sum(min(one.quantity, 0) for one in held)
    found: dict[Name, Risk] = {}
    running = 0
    for one in draw_unbatched(held, unbatched, today.isoformat()):
        if one.quantity <= 0:
            continue
        if one.expiry is None:
            found[one.lot] = Risk(one.quantity, 0)
            continue
        life = days_left(date.fromisoformat(one.expiry), today)
        if life < 0 or daily <= 0:
            found[one.lot] = Risk(0, one.quantity)
            continue
        used_up = running + int((one.quantity / daily).to_integral_value(ROUND_CEILING))
        lasts = max(0, min(life, used_up) - running)
        running += lasts
        usable = min(lasts * daily, Decimal(one.quantity))
        risk = int((one.quantity - usable).to_integral_value(ROUND_HALF_UP))
        found[one.lot] = Risk(int(usable.to_integral_value(ROUND_HALF_UP)), 0 if risk < daily else risk)
    return found
