"""Feeds the expiry risk (`sinks.expiry.risk`) from the tables: all lots of the places asked about, and their consumption."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.fefo import Batch
from schemas.kinds import BalanceStatus
from sinks.expiry.risk import Risk, risks
from sinks.sql.tables import BALANCES, POSITIONS

Row = dict[str, Any]
Card = tuple[str, str, str]
Lot = tuple[str, str]
CARDS_A_QUERY: Final = 200


def with_risk(connection: Connection, rows: Sequence[Row], today_at: Callable[[str], date]) -> list[Row]:
    """The rows, each with `daily_demand` of its place, and `usable_before_expiry` and `risk` of what may be given now.

    Recalled stock and stock in quarantine is not used, whatever its date: it has neither. What has expired is at risk as a whole.
    """
    cards = sorted({_card(row) for row in rows})
    demand: dict[Card, Decimal] = {}
    batches: defaultdict[Card, list[Batch[Lot]]] = defaultdict(list)
    for first in range(0, len(cards), CARDS_A_QUERY):
        asked = cards[first : first + CARDS_A_QUERY]
        demand |= _demand(connection, asked)
        for card, batch in _batches(connection, asked):
            batches[card].append(batch)
    found: dict[tuple[Card, Lot], Risk] = {}
    for card, held in batches.items():
        for lot, one in risks(held, today_at(card[0]), demand.get(card, Decimal(0))).items():
            found[card, lot] = one
    return [_row(row, demand.get(_card(row), Decimal(0)), found) for row in rows]


def _row(row: Row, daily: Decimal, found: dict[tuple[Card, Lot], Risk]) -> Row:
    told: dict[str, Any] = {"daily_demand": str(daily), "usable_before_expiry": None, "risk": None}
    if row["status"] == BalanceStatus.EXPIRED.value:
        told |= {"usable_before_expiry": 0, "risk": row["quantity"]}
    elif row["status"] == BalanceStatus.AVAILABLE.value:
        one = found.get((_card(row), (row["lot"], row["product"])))
        if one is not None:
            told |= {"usable_before_expiry": one.usable, "risk": one.risk}
    return {**row, **told}


def _card(row: Row) -> Card:
    return (str(row["site"]), str(row["location"]), str(row["item"]))


def _within(table: sa.Table, cards: Iterable[Card]) -> sa.ColumnElement[bool]:
    return sa.tuple_(table.c.site, table.c.location, table.c.item).in_(list(cards))


def _demand(connection: Connection, cards: Iterable[Card]) -> dict[Card, Decimal]:
    """The hub's own estimate of base units a day, by place and item."""
    table = POSITIONS.c
    statement = sa.select(table.site, table.location, table.item, table.daily_demand).where(_within(POSITIONS, cards))
    return {(row.site, row.location, row.item): Decimal(row.daily_demand or 0) for row in connection.execute(statement)}


def _batches(connection: Connection, cards: Iterable[Card]) -> Iterable[tuple[Card, Batch[Lot]]]:
    """What may be given at each place, by lot."""
    table = BALANCES.c
    grouped = (table.site, table.location, table.item, table.lot, table.product, table.expiry)
    quantity = sa.cast(sa.func.sum(table.quantity), sa.BigInteger).label("quantity")
    statement = sa.select(*grouped, quantity).where(
        _within(BALANCES, cards), table.status == BalanceStatus.AVAILABLE.value
    ).group_by(*grouped).order_by(*grouped)
    for row in connection.execute(statement):
        yield (row.site, row.location, row.item), Batch((row.lot, row.product), int(row.quantity), row.expiry)
