"""How the scans of one session ended, for the person who scanned. Reads only; no patient, no user, no message body.

A scan may have been received more than once (a resend, two senders at once): the outcome that stands for it is told, the others
are counted as `resent`.
"""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from sinks.sql.filters import item_name, shown
from sinks.sql.tables import MOVEMENTS, OF_SESSION, OUTCOMES, SCAN_CAUSE

Row = dict[str, Any]

SESSION_EVENTS_MAX: Final = 1_000
"""Scans told of one session; of a longer one the newest, with `more` set."""
RESENDS_READ_MAX: Final = 4_000
"""Outcomes read of one session, resends included."""

_RANK: Final = {"accepted": 0, "held": 1, "duplicate": 2, "quarantined": 3}
"""Which outcome stands for a scan that was received more than once: the one that did most."""


def session_scans(engine: Engine, session: str) -> Row:
    """`events`: outcome, code, reason, item, lot and quantity in base units of each scan of the session, as they were received.

    Item, lot and quantity are absent where nothing moved; a count has no quantity of its own (its reason says it): what moves
    then is the difference. A session nobody has sent yet has no events.
    """
    with engine.connect() as connection:
        received = _received(connection, session)
        kept = received[-SESSION_EVENTS_MAX:]
        moved = _moved(connection, [row["event_ids"] for row in kept if row["outcome"] == "accepted" and row["event_ids"]])
    events = [_told(row, moved.get(row["event_ids"], {})) for row in kept]
    return {"session": session, "events": events, "more": len(received) > len(kept)}


def _told(row: Row, moved: Row) -> Row:
    hidden = {"event_ids", "quantity"} if row["kind"] == "count" else {"event_ids"}
    return {name: value for name, value in {**row, **moved}.items() if name not in hidden}


def _received(connection: Connection, session: str) -> list[Row]:
    """One row a scan, in the order first received."""
    table = OUTCOMES.c
    columns = (
        table.scan.label("event_id"), table.outcome, table.code, table.reason, table.kinds.label("kind"), table.at,
        table.event_ids,
    )  # fmt: skip
    newest_first = (table.raw_partition.desc(), table.raw_offset.desc(), table.raw_index.desc())
    statement = sa.select(*columns).where(table.session == session, sa.text(OF_SESSION))
    rows = connection.execute(statement.order_by(*newest_first).limit(RESENDS_READ_MAX)).mappings()
    found: dict[str, Row] = {}
    for row in reversed([shown(row) for row in rows]):
        before = found.get(row["event_id"])
        if before is None:
            found[row["event_id"]] = {**row, "resent": 0}
            continue
        stands = row if _RANK[row["outcome"]] < _RANK[before["outcome"]] else before
        found[row["event_id"]] = {**stands, "resent": before["resent"] + 1}
    return list(found.values())


def _moved(connection: Connection, event_ids: list[str]) -> dict[str, Row]:
    """What moved, by event id: lots of one scan are added up, and the first one is named. Of a transform it is what was made."""
    table = MOVEMENTS.c
    statement = sa.select(
        table.event_id, table.item, item_name(table.item).label("item_name"), table.product, table.lot, table.expiry,
        table.quantity, table.unit, table.from_account, table.to_account,
    ).where(
        table.event_id.in_(event_ids), sa.text(SCAN_CAUSE), table.corrects.is_(None), table.to_account != "transform"
    )  # fmt: skip
    found: dict[str, Row] = {}
    for row in connection.execute(statement.order_by(table.occurred, table.movement_id)).mappings():
        event_id = row["event_id"]
        if event_id in found:
            found[event_id]["quantity"] += row["quantity"] if row["item"] == found[event_id]["item"] else 0
        else:
            found[event_id] = {name: value for name, value in row.items() if name != "event_id"}
    return found
