"""Credits of returns: the table, which records of the site log become rows of it, and what people ask of it.

An amount stands with the fact that expects it or the answer that brings it; whether the return moved stock, the movements say.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.events import ORDER_ANSWER, STOCK_EVENT, OrderAnswer, StockEvent
from schemas.ids import derived_id
from schemas.kinds import EventKind
from schemas.log import LogRecord
from sinks.finance.credits import EXPECTED, RECEIVED, Credit, credit_postings
from sinks.finance.journal import Posting
from sinks.finance.money import cents, exact, money_text
from sinks.sql import finance_data as data
from sinks.sql.rows import Row, instant_text, known_at
from sinks.sql.tables import METADATA, MOVEMENTS, TEXT

CREDITS: Final = sa.Table(
    "credits",
    METADATA,
    sa.Column("credit_id", TEXT, primary_key=True),
    *(sa.Column(name, TEXT, nullable=False) for name in ("site", "what", "shipment", "partner", "amount", "occurred")),
    *(sa.Column(name, TEXT) for name in ("document", "known")),
    sa.Index("credits_shipment", "site", "shipment"),
)
"""`what` is `expected` (`credit_id` is the event's id) or `received`; `amount` is decimal text."""

_RETURNS: Final = frozenset({EventKind.RETURN_SUPPLIER, EventKind.RETURN_DISTRIBUTOR})
_AMOUNT: Final = b'"amount":"'
_CREDITED: Final = b'"status":"credited"'


def credit_of(record: LogRecord) -> StockEvent | OrderAnswer | None:
    """The return or credit in a record of the site log; None for any other record, which is not decoded."""
    value = record.value or b""
    if _AMOUNT not in value:
        return None
    if ("ce_type", "StockEvent") in record.headers:
        event = STOCK_EVENT.decode(value)
        return event if event.kind in _RETURNS and not event.test and not event.no_effect else None
    return ORDER_ANSWER.decode(value) if ("ce_type", "OrderAnswer") in record.headers and _CREDITED in value else None


def credit_row(record: LogRecord, value: StockEvent | OrderAnswer) -> Row:
    """Row of `credits`."""
    shared = {"site": value.site, "amount": str(value.amount), "document": value.document, "known": known_at(record)}
    if isinstance(value, OrderAnswer):
        credit_id = derived_id("credit", value.site, value.command_id, value.answer_id)
        return {
            **shared, "credit_id": credit_id, "what": RECEIVED, "shipment": value.command_id, "partner": "",
            "occurred": instant_text(value.at),
        }  # fmt: skip
    return {
        **shared, "credit_id": value.event_id, "what": EXPECTED,
        "shipment": value.shipment or value.order_id or value.event_key, "partner": value.partner or "",
        "occurred": instant_text(value.occurred),
    }  # fmt: skip


def postings(connection: Connection, site: str, item: str | None = None) -> list[Posting]:
    """The pairs of a site's credits, by when the hub came to know of them; of one item those that a return of it expects."""
    moves = _moves(connection, site)
    made = credit_postings(_told(connection, site), moves)
    return [one for one in made if item in (None, one.item)]


def _told(connection: Connection, site: str | None) -> list[Credit]:
    statement = sa.select(CREDITS).order_by(CREDITS.c.site, CREDITS.c.credit_id)
    if site is not None:
        statement = statement.where(CREDITS.c.site == site)
    return [
        Credit(
            row.credit_id, row.site, row.what, row.shipment, row.partner, cents(exact(Decimal(row.amount))), row.occurred,
            row.known or row.occurred,
        )
        for row in connection.execute(statement)
    ]  # fmt: skip


def _moves(connection: Connection, site: str) -> list[Any]:
    """Movements of returns that expect a credit, and what takes them back."""
    named = sa.select(CREDITS.c.credit_id).where(CREDITS.c.site == site)
    table = MOVEMENTS.c
    which = sa.or_(table.event_id.in_(named), sa.and_(table.kind == "reversal", table.corrects.in_(named)))
    return data.moves(connection, site, only=which)


def return_credits(connection: Connection, *, site: str | None = None) -> list[Row]:
    """Each return that went out under a number: the credit expected, received and still open, the oldest first."""
    found: dict[tuple[str, str], Row] = {}
    expected_ids: dict[str, tuple[str, str]] = {}
    told = _told(connection, site)
    for one in told:
        key = (one.site, one.shipment)
        row = found.setdefault(
            key, {"site": one.site, "shipment": one.shipment, "partner": "", "since": one.occurred, "expected": 0, "received": 0}
        )
        row["since"] = min(row["since"], one.occurred)
        row["partner"] = row["partner"] or one.partner
        if one.what == RECEIVED:
            row["received"] += one.amount
        else:
            expected_ids[one.credit_id] = key
    for name in dict.fromkeys(one.site for one in told):
        for posting in postings(connection, name):
            if posting.event_id in expected_ids:
                sign = -1 if posting.reason == "reversal" else 1
                found[expected_ids[posting.event_id]]["expected"] += sign * (posting.amount or 0)
    rows = sorted(found.values(), key=lambda row: (row["since"], row["site"], row["shipment"]))
    return [
        {
            **row, "since": data.seen(row["since"]), "expected": money_text(row["expected"]),
            "received": money_text(row["received"]), "open": money_text(row["expected"] - row["received"]),
        }
        for row in rows
    ]  # fmt: skip
