"""Feeds the lots of places from the tables: entries, drawing rules, places. Works nothing out itself (`sinks.lots`)."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import sqlalchemy as sa

from sinks.lots.knowledge import Knowledge, lines_of
from sinks.lots.settings import Settings, settings_of
from sinks.recalls.scope import move_of
from sinks.sql.tables import BALANCES, MOVEMENTS, REFERENCE

Row = dict[str, Any]
_KINDS: Final = ("site", "location", "drawing_rule")


def lot_settings(connection: sa.Connection) -> Settings:
    """What reference data says about lots at places."""
    statement = sa.select(REFERENCE.c.kind, REFERENCE.c.document).where(
        REFERENCE.c.kind.in_(_KINDS), REFERENCE.c.document.is_not(None)
    )
    return settings_of((row.kind, msgspec.json.decode(row.document)) for row in connection.execute(statement))


def lot_rows(
    connection: sa.Connection, *, site: str | None = None, item: str | None = None, location: str | None = None
) -> list[Row]:
    """What may lie where, lot by lot (`sinks.lots.knowledge.lines_of`), with unit and expiry; one item after the other."""
    settings = lot_settings(connection)
    rows: list[Row] = []
    for at, what in _cards(connection, site, item):
        statement = sa.select(MOVEMENTS).where(MOVEMENTS.c.site == at, MOVEMENTS.c.item == what)
        found = connection.execute(statement.order_by(MOVEMENTS.c.occurred, MOVEMENTS.c.movement_id)).mappings()
        moves = [move_of(row) for row in found]
        mix = Knowledge(moves, settings).mix(at, what)
        expiry = {(move.product, move.lot_key): move.expiry for move in moves if move.expiry}
        texts = {move.lot_key: move.lot for move in moves}
        for place in sorted(mix.chains):
            if location is None or place == location or place.startswith(f"{location}/"):
                for line in lines_of(mix, at, what, place):
                    number = line["lot"]
                    date = expiry.get((line["product"], number)) or expiry.get(("", number))
                    rows.append({**line, "lot": texts.get(number, number), "expiry": date, "unit": moves[0].unit})
    return rows


def _cards(connection: sa.Connection, site: str | None, item: str | None) -> list[tuple[str, str]]:
    """Sites and items that something lies of."""
    statement = sa.select(BALANCES.c.site, BALANCES.c.item).distinct()
    if site is not None:
        statement = statement.where(BALANCES.c.site == site)
    if item is not None:
        statement = statement.where(BALANCES.c.item == item)
    return [(row.site, row.item) for row in connection.execute(statement.order_by(BALANCES.c.site, BALANCES.c.item))]
