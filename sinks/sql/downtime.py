"""What downtime asks of the tables: movements in a stretch of time, how a source's items ended, when feeds were heard."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from sinks.sql.filters import shown
from sinks.sql.tables import KPIS, MOVEMENTS, OUTCOMES

Row = dict[str, Any]


def movements_between(engine: Engine, site: str, start: datetime, end: datetime) -> list[Row]:
    """Movements of a site with start ≤ occurred ≤ end, and every later reversal, in time order."""
    table = MOVEMENTS.c
    reversal = sa.and_(table.kind == "reversal", table.occurred >= _text(start))
    within = table.occurred.between(_text(start), _text(end))
    columns = [column for column in MOVEMENTS.columns if column.name != "lot_key"]
    statement = sa.select(*columns).where(table.site == site, sa.or_(within, reversal))
    with engine.connect() as connection:
        rows = connection.execute(statement.order_by(table.occurred, table.movement_id)).mappings()
        return [shown(row) for row in rows]


def ended(engine: Engine, source: str) -> list[Row]:
    """How the items of a source ended, in the order in which they came: `event_ids`, `outcome`, `code`, `reason`."""
    table = OUTCOMES.c
    statement = sa.select(table.event_ids, table.outcome, table.code, table.reason).where(table.source == source)
    statement = statement.order_by(table.raw_partition, table.raw_offset, table.raw_index)
    with engine.connect() as connection:
        rows = [dict(row) for row in connection.execute(statement).mappings()]
    return [{**row, "event_ids": str(row["event_ids"]).split()} for row in rows]


def heard(engine: Engine, site: str) -> Row:
    """How far the site's stock reaches: `clock` (the newest tick its indicators stand at), `newest_event` (event time), `feeds`.

    `feeds` has one row a source: `source`, and `last_heard` by the hub's clock. Each feed is complete up to that and no further.
    """
    out = OUTCOMES.c
    statement = sa.select(out.source, sa.func.max(out.at).label("last_heard")).where(out.site == site)
    statement = statement.group_by(out.source).order_by(out.source)
    with engine.connect() as connection:
        feeds = [shown(row) for row in connection.execute(statement).mappings()]
        clock = connection.execute(sa.select(sa.func.max(KPIS.c.as_of)).where(KPIS.c.site == site)).scalar_one()
        event = connection.execute(sa.select(sa.func.max(MOVEMENTS.c.occurred)).where(MOVEMENTS.c.site == site)).scalar_one()
    return {**shown({"clock": clock, "newest_event": event}), "feeds": feeds}


def _text(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
