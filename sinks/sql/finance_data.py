"""Loads what money is derived from: movements in the order of their log, costs, places in transit, calendars. Reads only."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sinks.finance.chain import Chain
from sinks.finance.costs import Costs, CostVersion
from sinks.finance.facts import Move
from sinks.finance.layers import Method
from sinks.finance.money import exact
from sinks.sql.expiry import local_date, site_zones
from sinks.sql.filters import shown
from sinks.sql.rows import instant_text
from sinks.sql.tables import COSTS, MOVEMENTS, REFERENCE

TRANSIT: Final = "transit"
"""The place the ledger uses for what is on its way and was given no place of its own."""


class Site:
    """A site's calendar, and which of its places are for what is on its way."""

    def __init__(self, connection: Connection, site: str, zones: dict[str, str]) -> None:
        """`zones` are the time zones of all sites."""
        self.id = site
        self._zone = zones.get(site, "UTC")
        here = (REFERENCE.c.kind == "location", REFERENCE.c.site == site, REFERENCE.c.document.is_not(None))
        documents = connection.execute(sa.select(REFERENCE.c.document).where(*here)).scalars()
        places = (msgspec.json.decode(document) for document in documents)
        self._transit = {TRANSIT, *(str(place["path"]) for place in places if place.get("kind") == TRANSIT)}
        self._known: dict[str, bool] = {}

    def in_transit(self, place: str) -> bool:
        """Whether what lies at a place is on its way."""
        found = self._known.get(place)
        if found is None:
            found = any(place == path or place.startswith(f"{path}/") for path in self._transit)
            self._known[place] = found
        return found

    def day(self, instant: str) -> str:
        """The date of an instant at the site."""
        return local_date(self._zone, datetime.fromisoformat(instant)).isoformat()

    def starts(self, day: date) -> str:
        """The instant at which a date begins at the site."""
        try:
            zone: Any = ZoneInfo(self._zone)
        except (ZoneInfoNotFoundError, ValueError):
            zone = UTC
        return instant_text(datetime.combine(day, time(), zone))


def sites(connection: Connection, site: str | None, *tables: sa.Table) -> list[Site]:
    """The sites that have movements, or rows of another table that is named, or the one asked for, by id."""
    names: set[str] = set()
    for table in (MOVEMENTS, *tables):
        names.update(connection.execute(sa.select(table.c.site).distinct()).scalars())
    zones = site_zones(connection)
    return [Site(connection, name, zones) for name in sorted(names) if site in (None, name)]


_COLUMNS: Final = (
    "movement_id", "site", "event_id", "kind", "item", "product", "lot_key", "container", "quantity", "unit", "from_account",
    "to_account", "occurred", "cause", "corrects", "known", "expiry", "unit_cost",
)  # fmt: skip


def moves(
    connection: Connection, site: str, item: str | None = None, *, only: sa.ColumnElement[bool] | None = None
) -> list[Move]:
    """The movements of a site in the order they were published. Lots are in the form in which they compare."""
    table = MOVEMENTS.c
    statement = sa.select(*(table[name] for name in _COLUMNS)).where(table.site == site)
    if item is not None:
        statement = statement.where(table.item == item)
    if only is not None:
        statement = statement.where(only)
    rows = connection.execute(statement.order_by(table.log_partition, table.log_offset))
    return [
        Move(
            *row[:7], row.container or "", *row[8:15], row.known or "", row.expiry,
            None if row.unit_cost is None else exact(Decimal(row.unit_cost)),
        )
        for row in rows
    ]  # fmt: skip


class LotNames(msgspec.Struct, frozen=True):
    """How people know a lot: its number as it was stated, and its expiry date."""

    lot: str
    expiry: str | None


def lot_names(connection: Connection, site: str) -> dict[tuple[str, str, str], LotNames]:
    """By item, product and comparable lot number: what the newest movement says."""
    table = MOVEMENTS.c
    columns = (table.item, table.product, table.lot_key, table.lot, table.expiry)
    statement = sa.select(*columns).where(table.site == site).order_by(table.log_partition, table.log_offset)
    found: dict[tuple[str, str, str], LotNames] = {}
    for row in connection.execute(statement):
        key = (row.item, row.product, row.lot_key)
        before = found.get(key)
        found[key] = LotNames(row.lot, row.expiry or (before.expiry if before else None))
    return found


def costs(connection: Connection) -> Costs:
    """Every version of every cost and price. A withdrawal is one of the item that the version before it named."""
    statement = sa.select(COSTS).order_by(COSTS.c.kind, COSTS.c.id, COSTS.c.revision)
    versions: list[CostVersion] = []
    for row in connection.execute(statement):
        before = versions[-1] if versions and (versions[-1].kind, versions[-1].id) == (row.kind, row.id) else None
        item = row.item if row.item is not None else before.item if before else ""
        cost = None if row.cost is None else exact(Decimal(row.cost))
        versions.append(CostVersion(row.kind, row.id, row.revision, item, cost, row.since or "", row.rank))
    return Costs(versions)


def chains(connection: Connection, site: Site, method: Method, known: Costs, item: str | None = None) -> list[Chain]:
    """The costs of every item of a site by what is known now, by item."""
    by_item: dict[str, list[Move]] = {}
    for move in moves(connection, site.id, item):
        by_item.setdefault(move.item, []).append(move)
    made = []
    for name in sorted(by_item):
        chain = Chain(name, method, known, site.in_transit)
        chain.derive_all(by_item[name])
        made.append(chain)
    return made


def item_classes(connection: Connection) -> dict[str, str]:
    """The class of each item that a controller tells apart: its DEA schedule."""
    here = (REFERENCE.c.kind == "item", REFERENCE.c.document.is_not(None))
    documents = connection.execute(sa.select(REFERENCE.c.document).where(*here)).scalars()
    items = (msgspec.json.decode(document) for document in documents)
    return {str(one["id"]): f"schedule_{one['schedule']}" if one.get("schedule") else "not_scheduled" for one in items}


def days_told_of(connection: Connection, site: Site, *tables: sa.Table) -> tuple[date, date]:
    """The dates of the first and the last movement of a site, or row of another table; it has any.

    The last is not of a time that the hub has not heard of: one cabinet whose clock is years ahead is not the site's newest day.
    """
    heard = connection.execute(sa.select(sa.func.max(MOVEMENTS.c.known)).where(MOVEMENTS.c.site == site.id)).scalar_one()
    firsts: list[str] = []
    lasts: list[str] = []
    for table in (MOVEMENTS, *tables):
        occurred = table.c.occurred
        here = sa.select(sa.func.min(occurred), sa.func.max(occurred)).where(table.c.site == site.id)
        first, last = connection.execute(here).one()
        believed = None if heard is None else connection.execute(here.where(occurred <= heard)).one()[1]
        firsts += [first] if first else []
        lasts += [believed or last] if last else []
    return date.fromisoformat(site.day(min(firsts))), date.fromisoformat(site.day(max(lasts)))


def seen(instant: str) -> str:
    """An instant as people read it."""
    return str(shown({"at": instant})["at"])
