"""Which balances are stale: those of places whose feed is silent, as the open cases of the site say."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sinks.sql.tables import CASES

FEED_SILENT: Final = "feed_silent"
Row = dict[str, Any]


def mark_stale(connection: Connection, rows: list[Row]) -> list[Row]:
    """The rows of places with a site and location; those of a silent feed's places have `stale_since` (RFC 3339)."""
    silent = _silent(connection)
    if silent:
        for row in rows:
            since = [at for place, at in silent.get(row["site"], ()) if _covers(place, row["location"])]
            if since:
                row["stale_since"] = min(since)
    return rows


def _silent(connection: Connection) -> dict[str, list[tuple[str, str]]]:
    """Places and since when, by site; an empty place is the whole site."""
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    statement = sa.select(CASES.c.document).where(CASES.c.kind == FEED_SILENT, CASES.c.state == "open")
    for text in connection.execute(statement).scalars():
        case = msgspec.json.decode(text)
        facts = case.get("facts", {})
        for place in facts.get("locations") or [""]:
            found[case["site"]].append((place, facts.get("since", case["opened_at"])))
    return found


def _covers(place: str, location: str) -> bool:
    return not place or location == place or location.startswith(f"{place}/")
