"""Loads what the views of controlled substances are made of: items and products, entries, messages, people. Reads only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sinks.controlled.evidence import Handled
from sinks.controlled.model import ItemFacts, Master, Move, ProductFacts, strength_of
from sinks.sql.expiry import site_zones
from sinks.sql.facts import SITE_FACTS, TAKEN_BACK
from sinks.sql.handled import HANDLED
from sinks.sql.master import Resolver
from sinks.sql.rows import instant_text
from sinks.sql.tables import MOVEMENTS, REFERENCE

_CODED: Final = ("site", "location", "item", "product", "code", "supplier_item")
Document = dict[str, Any]


def documents(connection: Connection, *kinds: str) -> dict[str, list[Document]]:
    """The reference records in force of some kinds, by kind."""
    found: dict[str, list[Document]] = {kind: [] for kind in kinds}
    here = (REFERENCE.c.kind.in_(kinds), REFERENCE.c.document.is_not(None))
    statement = sa.select(REFERENCE.c.kind, REFERENCE.c.document).where(*here).order_by(REFERENCE.c.kind, REFERENCE.c.id)
    for kind, text in connection.execute(statement):
        found[kind].append(msgspec.json.decode(text))
    return found


def master_of(connection: Connection) -> Master:
    """The controlled items and their products."""
    held = documents(connection, "item", "product")
    items = {
        one["id"]: ItemFacts(one["id"], one["name"], one["schedule"], one["base_unit"], one.get("form") or "", strength_of(one))
        for one in held["item"] if one.get("schedule")
    }  # fmt: skip
    products = {
        one["id"]: ProductFacts(
            one["id"], one["item"], one.get("ndc") or "", one["labeler"], one["package_quantity"], one.get("name") or "",
            None if one.get("unit_cost") is None else Decimal(str(one["unit_cost"])),
        )
        for one in held["product"] if one["item"] in items
    }  # fmt: skip
    return Master(items, products)


def policy_of(connection: Connection, site: str) -> Document:
    """The site's policy of controlled substances; empty without one."""
    return next((one for one in documents(connection, "controlled_policy")["controlled_policy"] if one["site"] == site), {})


def registrant_of(policy: Document) -> Document:
    """The registrant as DEA forms name it."""
    names = ("registrant", "dea_number", "address", "city", "state", "zip_code", "county", "telephone", "contact", "business")
    return {name: policy.get(name) or "" for name in names}


def site_names(connection: Connection, site: str | None) -> list[str]:
    """The sites that have entries, or the one asked for, by id."""
    names = connection.execute(sa.select(MOVEMENTS.c.site).distinct().order_by(MOVEMENTS.c.site)).scalars()
    return [name for name in names if site in (None, name)]


_COLUMNS: Final = (
    "movement_id", "site", "event_id", "kind", "item", "product", "lot", "quantity", "unit", "from_account", "to_account",
    "occurred", "cause", "corrects", "actor", "witness", "patient", "order_id", "known", "raw_partition", "raw_offset",
    "raw_index",
)  # fmt: skip


def moves_of(connection: Connection, site: str, items: Iterable[str]) -> list[Move]:
    """The entries of some items of a site, by event time."""
    table = MOVEMENTS.c
    statement = sa.select(*(table[name] for name in _COLUMNS)).where(table.site == site, table.item.in_(sorted(items)))
    rows = connection.execute(statement.order_by(table.occurred, table.movement_id))
    return [Move(*row[:19], source=source_text(row[19], row[20], row[21])) for row in rows]


def source_text(partition: int | None, offset: int | None, index: int | None) -> str:
    """The place of a raw message: partition/offset/index."""
    return "" if offset is None else f"{partition}/{offset}/{index}"


class Calendar:
    """A site's own days."""

    def __init__(self, connection: Connection, site: str) -> None:
        """Reads the site's zone; UTC where it is not known."""
        name = site_zones(connection).get(site, "UTC")
        try:
            self.zone = ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            self.zone = ZoneInfo("UTC")

    def starts(self, day: date, at: str | None = None) -> str:
        """The instant of a day's beginning, or of a time of day on it, as text that sorts."""
        return instant_text(datetime.combine(day, time.fromisoformat(at) if at else time(), self.zone))

    def day(self, instant: str) -> str:
        """The date of an instant at the site."""
        return datetime.fromisoformat(instant).astimezone(self.zone).date().isoformat()

    def after(self, day: date) -> str:
        """The instant at which a day is over."""
        return self.starts(day + timedelta(days=1))


def resolver_of(connection: Connection, site: str) -> Resolver:
    """What codes of the site's feeds mean."""
    records = documents(connection, *_CODED)
    zone = next((one.get("zone", "UTC") for one in records["site"] if one["id"] == site), "UTC")
    return Resolver(site, zone, records)


def taken_back(connection: Connection, site: str) -> frozenset[str]:
    """Keys of the events of a site that were taken back."""
    here = (SITE_FACTS.c.kind == TAKEN_BACK, SITE_FACTS.c.site == site)
    found = connection.execute(sa.select(SITE_FACTS.c.document).where(*here)).scalars()
    return frozenset(msgspec.json.decode(text)["event_key"] or "" for text in found)


def handled(connection: Connection, site: str, window: tuple[str, str], *kinds: str) -> Iterator[Handled]:
    """Doses and counts of a site with start ≤ occurred < end, of the versions that stand; of unknown items the item is empty."""
    table = HANDLED.c
    statement = sa.select(HANDLED).where(table.site == site, table.occurred >= window[0], table.occurred < window[1])
    if kinds:
        statement = statement.where(table.kind.in_(kinds))
    rows = list(connection.execute(statement.order_by(table.occurred, table.event_id)))
    gone = taken_back(connection, site)
    newest: dict[str, Any] = {}
    for row in rows:
        fact = row.replaces or row.event_key
        held = newest.get(fact)
        if held is None or _version(row) > _version(held):
            newest[fact] = row
    resolver = resolver_of(connection, site)
    for row in rows:
        if newest[row.replaces or row.event_key] is not row:
            continue
        codes = [(system, value) for system, value in msgspec.json.decode(row.codes)]
        yield Handled(
            event_id=row.event_id, event_key=row.event_key, kind=row.kind, occurred=row.occurred,
            item=resolver.item(codes, datetime.fromisoformat(row.occurred)),
            place=resolver.place(msgspec.json.decode(row.places), row.pocket) or "", quantity=row.quantity, unit=row.unit,
            actor=row.actor, witness=row.witness, patient=row.patient, order_id=row.order_id, lot=row.lot, source=row.source,
            feed=row.feed, note=row.note, is_count=row.kind == "count" or row.begin_count is not None,
            taken_back=row.event_key in gone or (row.replaces or "") in gone,
        )  # fmt: skip


def _version(row: Any) -> tuple[int, str, str]:
    return row.version, row.occurred, row.event_key
