"""What going live asks of the tables: modes, stock and needs as of an instant, pockets to be counted, what is stuck."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from schemas.codes import normalise_lot
from schemas.kinds import Outcome
from sinks.sql.facts import COMPLETE, SITE_FACTS
from sinks.sql.filters import shown
from sinks.sql.tables import COMMANDS, MOVEMENTS, OUTCOMES, POSITIONS, REFERENCE

Row = dict[str, Any]
_STOCK: Final = "stock:"
LIVE: Final = "live"
UNKNOWN: Final = "unknown"


def site_modes(connection: Connection) -> dict[str, str]:
    """Modes of sites, where somebody decided on one."""
    here = (REFERENCE.c.kind == "go_live", REFERENCE.c.document.is_not(None))
    documents = connection.execute(sa.select(REFERENCE.c.document).where(*here)).scalars()
    return {str(one["site"]): str(one["mode"]) for one in map(msgspec.json.decode, documents)}


def mark_shadow(connection: Connection, rows: list[Row]) -> list[Row]:
    """Rows with a site; those of a site that is not live have `shadow`, whenever they were said."""
    modes = site_modes(connection) if rows else {}
    for row in rows:
        quiet = modes.get(row["site"], LIVE) != LIVE
        if quiet or "shadow" in row:
            row["shadow"] = quiet
    return rows


def stock_at(engine: Engine, site: str, at: datetime) -> list[Row]:
    """What lay where after all that happened up to an instant, by what is known now: location, item, product, lot, quantity.

    Lots are in the form in which they compare, the unknown one under its name; zeros are left out.
    """
    table = MOVEMENTS.c
    sums: dict[tuple[str, str, str, str], int] = {}
    with engine.connect() as connection:
        for account, sign in ((table.to_account, 1), (table.from_account, -1)):
            keys = (account, table.item, table.product, table.lot_key)
            statement = sa.select(*keys, sa.cast(sa.func.sum(table.quantity), sa.BigInteger)).where(
                table.site == site, table.occurred <= _text(at), account.startswith(_STOCK)
            )
            for name, item, product, lot, quantity in connection.execute(statement.group_by(*keys)):
                key = (str(name).removeprefix(_STOCK), item, product, UNKNOWN if lot == normalise_lot(UNKNOWN) else lot)
                sums[key] = sums.get(key, 0) + sign * int(quantity)
    names = ("location", "item", "product", "lot")
    return [{**dict(zip(names, key, strict=True)), "quantity": quantity} for key, quantity in sorted(sums.items()) if quantity]


def pockets(engine: Engine, site: str) -> set[tuple[str, str]]:
    """Places and items that a count has to say something about: those with levels, and those where the ledger has anything."""
    held = sa.select(POSITIONS.c.location, POSITIONS.c.item).where(POSITIONS.c.site == site, POSITIONS.c.on_hand != 0)
    here = (REFERENCE.c.kind == "par_policy", REFERENCE.c.site == site, REFERENCE.c.document.is_not(None))
    with engine.connect() as connection:
        found = {(str(place), str(item)) for place, item in connection.execute(held)}
        documents = connection.execute(sa.select(REFERENCE.c.document).where(*here)).scalars()
        found |= {(str(one["location"]), str(one["item"])) for one in map(msgspec.json.decode, documents)}
    return found


def stuck(engine: Engine, site: str, before: datetime) -> int:
    """Items of a site that are held or in quarantine since before an instant."""
    ended = OUTCOMES.c.outcome.in_((Outcome.HELD.value, Outcome.QUARANTINED.value))
    statement = sa.select(sa.func.count()).select_from(OUTCOMES)
    with engine.connect() as connection:
        found = connection.execute(statement.where(OUTCOMES.c.site == site, ended, OUTCOMES.c.at < _text(before)))
        return int(found.scalar_one())


def needs_at(engine: Engine, site: str, at: datetime) -> list[Row]:
    """Needs that stood open at an instant: location, item, kind, quantity, opened_at."""
    table = COMMANDS.c
    columns = (table.location, table.item, table.kind, table.quantity, table.opened_at)
    still = sa.or_(table.closed_at.is_(None), table.closed_at > _text(at))
    statement = sa.select(*columns).where(table.site == site, table.opened_at <= _text(at), still)
    with engine.connect() as connection:
        rows = connection.execute(statement.order_by(table.location, table.item, table.opened_at)).mappings()
        return [shown(row) for row in rows]


def complete_to(engine: Engine, site: str) -> dict[str, str]:
    """Up to when each source of a site is complete (RFC 3339)."""
    statement = sa.select(SITE_FACTS.c.document, SITE_FACTS.c.at).where(SITE_FACTS.c.kind == COMPLETE, SITE_FACTS.c.site == site)
    with engine.connect() as connection:
        return {str(msgspec.json.decode(document)["source"]): str(at) for document, at in connection.execute(statement)}


def moved_around(engine: Engine, site: str, at: datetime, margin: timedelta) -> list[Row]:
    """Movements of places within a margin of an instant: kind, item, accounts, quantity, occurred."""
    table = MOVEMENTS.c
    columns = (table.kind, table.item, table.from_account, table.to_account, table.quantity, table.occurred)
    within = table.occurred.between(_text(at - margin), _text(at + margin))
    statement = sa.select(*columns).where(table.site == site, within).order_by(table.occurred, table.movement_id)
    with engine.connect() as connection:
        return [shown(row) for row in connection.execute(statement).mappings()]


def first_event(engine: Engine, site: str) -> str | None:
    """The event time of the oldest movement of a site (RFC 3339)."""
    with engine.connect() as connection:
        found = connection.execute(sa.select(sa.func.min(MOVEMENTS.c.occurred)).where(MOVEMENTS.c.site == site)).scalar_one()
        return None if found is None else str(found)


def _text(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
