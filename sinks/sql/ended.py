"""How items that were received ended, and why: one final outcome for each item of each message. Reads only."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sinks.sql.filters import shown
from sinks.sql.tables import OUTCOMES

Row = dict[str, Any]


def ended(
    connection: Connection, *, message: tuple[int, int] | None = None, limit: int | None = None, **equal: str
) -> list[Row]:
    """Outcomes, the newest first; of one `message` (partition and offset), or where columns are `equal` to what is given."""
    table = OUTCOMES.c
    place = (table.raw_partition, table.raw_offset, table.raw_index)
    told = (table.source, table.site, table.outcome, table.code, table.reason, table.kinds, table.at, table.was)
    statement = sa.select(*place, *told)
    if message is not None:
        statement = statement.where(table.raw_partition == message[0], table.raw_offset == message[1])
    statement = statement.where(*(table[name] == value for name, value in equal.items()))
    statement = statement.order_by(table.at.desc(), table.raw_offset.desc(), table.raw_partition, table.raw_index).limit(limit)
    return [_row(shown(row)) for row in connection.execute(statement).mappings()]


def _row(row: Row) -> Row:
    """The message as other views name it, then the rest."""
    named = {"message": f"{row.pop('raw_partition')}/{row.pop('raw_offset')}", "item": row.pop("raw_index")}
    return {**named, **row, "kinds": (row["kinds"] or "").split()}
