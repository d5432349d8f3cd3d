"""What lots are made of, and into: read from the entries of transforms that stand. Decides nothing about stock."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa

from schemas.codes import normalise_lot
from sinks.sql.filters import shown
from sinks.sql.tables import MOVEMENTS, TRANSFORMED

Row = dict[str, Any]
Lot = tuple[str, str, str]
"""Site, item, and lot number as compared."""
_UNKNOWN: Final = normalise_lot("unknown")
_STOCK: Final = "stock:"
ROWS_MAX: Final = 10_000
"""Lines of one genealogy; what was made of a lot that is in everything is cut there."""


@dataclass(slots=True)
class _Event:
    used: list[Row] = field(default_factory=list)
    made: list[Row] = field(default_factory=list)


def transforms(connection: sa.Connection, site: str | None = None) -> list[Row]:
    """The entries of transforms that stand, in time order."""
    statement = sa.select(MOVEMENTS).where(sa.text(TRANSFORMED), MOVEMENTS.c.kind.in_(["transform", "reversal"]))
    if site is not None:
        statement = statement.where(MOVEMENTS.c.site == site)
    rows = [dict(row) for row in connection.execute(statement.order_by(MOVEMENTS.c.occurred, MOVEMENTS.c.movement_id)).mappings()]
    gone = {(row["site"], row["corrects"]) for row in rows if row["kind"] == "reversal"}
    return [row for row in rows if row["kind"] == "transform" and (row["site"], row["event_id"]) not in gone]


def genealogy(connection: sa.Connection, lot: str) -> list[Row]:
    """Lines of what a lot was made of (`made_of`) and of what was made of it (`made_into`), step by step.

    `steps` counts them from the lot that was asked for; `of_item` and `of_lot` name the lot one step nearer to it.
    """
    events: dict[tuple[str, str], _Event] = {}
    for row in transforms(connection):
        event = events.setdefault((row["site"], row["event_id"]), _Event())
        (event.used if row["from_account"].startswith(_STOCK) else event.made).append(row)
    key = normalise_lot(lot)
    starts = {_lot(row) for event in events.values() for row in (*event.used, *event.made) if row["lot_key"] == key}
    back = _walk("made_of", starts, [(event.made, event.used) for event in events.values()])
    return [*back, *_walk("made_into", starts, [(event.used, event.made) for event in events.values()])]


def _walk(relation: str, starts: set[Lot], links: Iterable[tuple[list[Row], list[Row]]]) -> list[Row]:
    """From the lots in one side of the links to the lots in the other, and on from there."""
    behind: dict[Lot, list[tuple[Row, Row]]] = {}
    for near, far in links:
        for one in near:
            behind.setdefault(_lot(one), []).extend((one, other) for other in far)
    found: list[Row] = []
    seen = set(starts)
    ahead = sorted(starts)
    steps = 0
    while ahead and len(found) < ROWS_MAX:
        steps += 1
        following: set[Lot] = set()
        lines: dict[tuple[str, str], Row] = {}
        for lot in ahead:
            for near, far in behind.get(lot, ()):
                lines.setdefault((far["movement_id"], near["lot"]), _line(relation, steps, near, far))
                if far["lot_key"] != _UNKNOWN and _lot(far) not in seen:
                    seen.add(_lot(far))
                    following.add(_lot(far))
        found += lines.values()
        ahead = sorted(following)
    return found[:ROWS_MAX]


def _line(relation: str, steps: int, near: Row, far: Row) -> Row:
    account = far["from_account"] if far["from_account"].startswith(_STOCK) else far["to_account"]
    return shown({
        "relation": relation, "steps": steps, "of_item": near["item"], "of_lot": near["lot"], "site": far["site"],
        "occurred": far["occurred"], "location": account.removeprefix(_STOCK), "item": far["item"], "product": far["product"],
        "lot": far["lot"], "container": far["container"], "quantity": far["quantity"], "unit": far["unit"],
        "actor": far["actor"], "event_id": far["event_id"],
    })  # fmt: skip


def _lot(row: Row) -> Lot:
    return row["site"], row["item"], row["lot_key"]
