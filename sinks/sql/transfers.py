"""What is on its way between sites, since when, what arrived and what was lost: by transfer, item and lot. Reads only.

It is asked of the movements of the ways themselves, at the sender: sent = received + lost + under way, in every row.
"""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from sinks.sql.rows import Row
from sinks.sql.tables import BALANCES, CASES, MOVEMENTS

WAY: Final = "stock:transit/"
_STOCK: Final = "stock:"
_SITE: Final = "site:"
_STATES: Final = {"transfer_overdue": "overdue"}
"""What the open case of a transfer makes of it; any other case is a `mismatch`."""


def transfers(
    connection: Connection, *, site: str | None = None, item: str | None = None, finished: bool = False
) -> list[Row]:
    """A row a transfer, item and lot, the oldest first. `site` is either end; `finished` shows those that need nothing as well.

    `state` is `under_way`, `overdue`, `mismatch`, `arrived` or `lost`.
    """
    found = _ways(connection, item)
    cases, statuses = _cases(connection), _statuses(connection)
    rows = []
    for key in sorted(found, key=lambda key: (found[key]["since"], key)):
        row = found[key]
        way = (row["site"], row.pop("way"))
        kind = cases.get((*way, row["item"]))
        row["state"] = _state(row, kind)
        row["status"] = statuses.get((*way, *key[2:]))
        is_open = row["under_way"] != 0 or kind is not None
        if (finished or is_open) and site in (None, row["site"], row["to_site"]):
            rows.append(row)
    return rows


def _ways(connection: Connection, item: str | None) -> dict[tuple[str, ...], Row]:
    """Sums by site, way, item, product and lot."""
    table = MOVEMENTS.c
    # A half-open range of text instead of LIKE: alike in both databases, whatever stands in a place's name.
    ways = [sa.and_(account >= WAY, account < "stock:transit0") for account in (table.from_account, table.to_account)]
    statement = sa.select(MOVEMENTS).where(sa.or_(*ways)).order_by(table.log_partition, table.log_offset)
    if item is not None:
        statement = statement.where(table.item == item)
    found: dict[tuple[str, ...], Row] = {}
    for move in connection.execute(statement):
        for account, other, sign in (
            (move.to_account, move.from_account, 1), (move.from_account, move.to_account, -1),
        ):  # fmt: skip
            ends = _ends(account)
            if ends is not None:
                key = (move.site, account.removeprefix(_STOCK), move.item, move.product, move.lot_key)
                row = found.setdefault(key, _row(move, key[1], ends))
                _add(row, other, sign * move.quantity)
                row["since"] = min(row["since"], move.occurred)
    return found


def _ends(account: str) -> tuple[str, str] | None:
    """The receiver and the number of a way; None for any other account."""
    parts = account.removeprefix(WAY).split("/") if account.startswith(WAY) else []
    return tuple(part.replace("%2F", "/").replace("%25", "%") for part in parts) if len(parts) == 2 else None  # type: ignore[return-value]  # two of them


def _row(move: Any, way: str, ends: tuple[str, str]) -> Row:
    return {
        "site": move.site, "to_site": ends[0], "shipment": ends[1], "item": move.item, "product": move.product, "lot": move.lot,
        "expiry": move.expiry, "sent": 0, "received": 0, "lost": 0, "under_way": 0, "unit": move.unit, "since": move.occurred,
        "way": way,
    }  # fmt: skip


def _add(row: Row, other: str, quantity: int) -> None:
    """Stock came onto the way (above 0) or off it. What only changed its product's name is on its way as before."""
    row["under_way"] += quantity
    if other.startswith(_STOCK):
        row["sent"] += quantity
    elif other.startswith(_SITE):
        row["received"] -= quantity
    elif other == "variance":
        row["lost"] -= quantity
    else:
        row["sent"] += quantity


def _cases(connection: Connection) -> dict[tuple[str, str, str], str]:
    """Open cases of ways: by site, place and item, what they make of the transfer."""
    table = CASES.c
    statement = sa.select(table.site, table.location, table.item, table.kind).where(table.state == "open")
    rows = connection.execute(statement.where(table.kind.startswith("transfer_", autoescape=True)))
    return {(row.site, row.location or "", row.item or ""): _STATES.get(row.kind, "mismatch") for row in rows}


def _statuses(connection: Connection) -> dict[tuple[str, ...], str]:
    table = BALANCES.c
    statement = sa.select(table.site, table.location, table.item, table.product, table.lot_key, table.status)
    rows = connection.execute(statement.where(table.location >= "transit/", table.location < "transit0"))
    return {tuple(row[:5]): row.status for row in rows}


def _state(row: Row, case: str | None) -> str:
    if case is not None and (row["under_way"] or case != "overdue"):
        return case
    if row["under_way"]:
        return "under_way"
    return "lost" if row["lost"] else "arrived"
