"""Messages about doses and counts as they were sent, with who and before whom: what evidence and scores need beside the ledger.

Owns the table `handled` and which records of `site.log` become rows of it. An administration or the waste of part of a container
moves no stock where a cabinet has authority, so no movement tells of it.
"""

from __future__ import annotations

from typing import Final

import msgspec
import sqlalchemy as sa

from schemas.events import STOCK_EVENT, StockEvent
from schemas.kinds import EventKind
from schemas.log import LogRecord
from sinks.sql.rows import Row, instant_text
from sinks.sql.tables import METADATA, TEXT

KINDS: Final = (
    EventKind.ADMINISTER, EventKind.WASTE, EventKind.RETURN, EventKind.COUNT, EventKind.DISCARD, EventKind.EXPIRE,
)  # fmt: skip
_MARKS: Final = (*(f'"kind":"{kind.value}"'.encode() for kind in KINDS), b'"begin_count_verified":true')

HANDLED: Final = sa.Table(
    "handled",
    METADATA,
    sa.Column("event_id", TEXT, primary_key=True),
    *(sa.Column(name, TEXT, nullable=False) for name in ("event_key", "site", "feed", "kind", "occurred", "codes", "places")),
    *(
        sa.Column(name, TEXT)
        for name in (
            "quantity", "unit", "pocket", "lot", "actor", "witness", "patient", "order_id", "begin_count", "replaces", "note",
            "source",
        )
    ),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Index("handled_time", "site", "kind", "occurred"),
    sa.Index("handled_patient", "patient", "occurred"),
)  # fmt: skip
"""`note` is why the item moves nothing in the sender's terms, `source` the place of the raw message (partition/offset/index)."""


def handled_of(record: LogRecord) -> StockEvent | None:
    """A dose or count in a record of the site log; None for any other record, which is not decoded."""
    value = record.value or b""
    if ("ce_type", "StockEvent") not in record.headers or not any(mark in value for mark in _MARKS):
        return None
    event = STOCK_EVENT.decode(value)
    return None if event.test else event


def handled_row(_record: LogRecord, value: StockEvent) -> Row:
    """Row of `handled`."""
    raw = value.raw
    return {
        "event_id": value.event_id, "event_key": value.event_key, "site": value.site, "feed": value.feed.value,
        "kind": value.kind.value, "occurred": instant_text(value.occurred),
        "codes": msgspec.json.encode([(code.system, code.value) for code in value.codes]).decode("utf-8"),
        "places": msgspec.json.encode(list(value.location_codes)).decode("utf-8"),
        "quantity": None if value.quantity is None else str(value.quantity), "unit": value.unit, "pocket": value.pocket,
        "lot": value.lot, "actor": value.actor, "witness": value.witness, "patient": value.patient, "order_id": value.order_id,
        "begin_count": str(value.begin_count) if value.begin_count_verified and value.begin_count is not None else None,
        "replaces": value.replaces, "note": value.no_effect, "source": f"{raw.partition}/{raw.offset}/{raw.index}",
        "version": value.version,
    }  # fmt: skip
