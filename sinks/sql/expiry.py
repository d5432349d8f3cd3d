"""Which lots have expired or soon will, in the calendar of their site. Owns the turn from an instant to each site's date.

A lot dated D may be used all of day D at its site; it has expired from the next local midnight on.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.kinds import BalanceStatus
from sinks.expiry.risk import bucket
from sinks.sql.filters import item_name
from sinks.sql.tables import BALANCES, REFERENCE

DAYS_MAX: Final = 3_650
"""Farthest look ahead; a larger number is taken as this one."""


def site_zones(connection: Connection) -> dict[str, str]:
    """Time zone names of the sites of the reference data."""
    statement = sa.select(REFERENCE.c.id, REFERENCE.c.document).where(
        REFERENCE.c.kind == "site", REFERENCE.c.document.is_not(None)
    )
    return {row.id: str(msgspec.json.decode(row.document).get("zone", "UTC")) for row in connection.execute(statement)}


def local_date(zone: str | None, now: datetime) -> date:
    """The date at an instant in a zone; in UTC where the zone is not known."""
    try:
        return now.astimezone(ZoneInfo(zone or "UTC")).date()
    except (ZoneInfoNotFoundError, ValueError):
        return now.astimezone(UTC).date()


def site_dates(connection: Connection, now: datetime) -> dict[str, date]:
    """Today at each site of the reference data. A site without a record lives in UTC."""
    return {site: local_date(zone, now) for site, zone in site_zones(connection).items()}


def site_today(connection: Connection, now: datetime) -> Callable[[str], date]:
    """Today at a site."""
    today, elsewhere = site_dates(connection, now), now.astimezone(UTC).date()
    return lambda site: today.get(site, elsewhere)


def dated(row: dict[str, Any], days: int) -> dict[str, Any]:
    """A lot with the days that are left to its date, and the bucket it is counted in."""
    return {**row, "days": days, "bucket": bucket(days)}


def expiring_query(
    connection: Connection, now: datetime, *, within_days: int
) -> tuple[sa.Select[Any], Callable[[str, str], int]]:
    """The lots on hand whose date lies at most `within_days` after today at their site, and how to count days left."""
    today = site_dates(connection, now)
    elsewhere = now.astimezone(UTC).date()
    ahead = timedelta(days=min(within_days, DAYS_MAX))
    table = BALANCES.c
    cases = [sa.and_(table.site == name, table.expiry <= (day + ahead).isoformat()) for name, day in today.items()]
    cases.append(sa.and_(table.site.not_in(list(today)), table.expiry <= (elsewhere + ahead).isoformat()))
    grouped = (table.site, table.location, table.item, table.product, table.lot, table.expiry, table.status, table.unit)
    quantity = sa.cast(sa.func.sum(table.quantity), sa.BigInteger)
    statement = (
        sa.select(*grouped, quantity.label("quantity"), item_name(table.item).label("item_name"))
        .where(table.quantity > 0, sa.or_(*cases))
        .group_by(*grouped)
        .order_by(table.expiry, table.site, table.item, table.location, table.product, table.lot, table.status)
    )

    def days_of(at_site: str, expiry: str) -> int:
        return (date.fromisoformat(expiry) - today.get(at_site, elsewhere)).days

    return statement, days_of


def expiry_counts(connection: Connection, now: datetime) -> dict[str, dict[str, int]]:
    """Per site: lots at places that expire within 30 and 90 days, and those that have expired and are still there."""
    today = site_dates(connection, now)
    elsewhere = now.astimezone(UTC).date()
    table = BALANCES.c
    last = (max([elsewhere, *today.values()]) + timedelta(days=90)).isoformat()
    statement = (
        sa.select(table.site, table.expiry, table.status, sa.func.count().label("lots"))
        .where(table.quantity > 0, table.expiry <= last)
        .group_by(table.site, table.expiry, table.status)
    )
    counts: dict[str, dict[str, int]] = {}
    for row in connection.execute(statement):
        found = counts.setdefault(row.site, {"expired": 0, "expiring_30": 0, "expiring_90": 0})
        days = (date.fromisoformat(row.expiry) - today.get(row.site, elsewhere)).days
        if days < 0 or row.status == BalanceStatus.EXPIRED.value:
            found["expired"] += row.lots
            continue
        found["expiring_30"] += row.lots if days <= 30 else 0
        found["expiring_90"] += row.lots if days <= 90 else 0
    return counts
