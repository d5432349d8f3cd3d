"""What the indicators need of the site log and no output says: counts that found nothing wrong, what is taken back, watermarks.

Owns the table `site_facts` and which records of `site.log` become rows of it. A count that agrees with the ledger moves nothing,
so no movement tells of it.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
import sqlalchemy as sa

from schemas.events import STOCK_EVENT, WATERMARK, StockEvent, Watermark
from schemas.kinds import EventKind
from schemas.log import LogRecord
from sinks.sql.rows import Row, instant_text
from sinks.sql.tables import METADATA, TEXT

COUNT: Final = "count"
TAKEN_BACK: Final = "taken_back"
COMPLETE: Final = "complete"

SITE_FACTS: Final = sa.Table(
    "site_facts",
    METADATA,
    sa.Column("fact", TEXT, primary_key=True),
    sa.Column("kind", TEXT, nullable=False),
    sa.Column("site", TEXT, nullable=False),
    sa.Column("at", TEXT, nullable=False),
    sa.Column("document", TEXT, nullable=False),
    sa.Index("site_facts_site", "kind", "site"),
)
"""A row for each count, each event key that was taken back, and each source's watermark; `at` is the event time or watermark."""

_COUNTS: Final = (b'"kind":"count"', b'"begin_count_verified":true')
_REVERSES: Final = b'"reverses":"'
_OWN_COUNT: Final = frozenset({EventKind.LOAD, EventKind.UNLOAD})
"""Kinds that state a pocket's content themselves: a begin count beside them is no count of its own."""


def fact_row(record: LogRecord) -> Row | None:
    """The row of a record of the site log; None for one that says nothing the indicators need."""
    value = record.value
    type_ = next((text for name, text in record.headers if name == "ce_type"), None)
    if value is None:
        return None
    if type_ == "Watermark":
        return _watermark(WATERMARK.decode(value))
    if type_ == "StockEvent" and (_REVERSES in value or any(mark in value for mark in _COUNTS)):
        return _event(STOCK_EVENT.decode(value))
    return None


def _watermark(mark: Watermark) -> Row:
    fact = f"{COMPLETE}|{mark.site}|{mark.source}"
    return _row(fact, COMPLETE, mark.site, instant_text(mark.complete_to), {"source": mark.source})


def _event(event: StockEvent) -> Row | None:
    if event.test:
        return None
    at = instant_text(event.occurred)
    if event.kind is EventKind.REVERSAL:
        return _row(f"{TAKEN_BACK}|{event.event_id}", TAKEN_BACK, event.site, at, {"event_key": event.reverses})
    counted = event.kind is EventKind.COUNT or (event.begin_count_verified and event.begin_count is not None)
    if not counted or event.kind in _OWN_COUNT:
        return None
    document = {
        "event_id": event.event_id, "report": event.part_of or event.event_key, "fact": event.replaces or event.event_key,
        "keys": [event.event_key, event.alias], "version": event.version or int(event.occurred.timestamp()),
        "codes": [[code.system, code.value] for code in event.codes],
        "places": list(event.location_codes), "pocket": event.pocket,
    }  # fmt: skip
    return _row(f"{COUNT}|{event.event_id}", COUNT, event.site, at, document)


def _row(fact: str, kind: str, site: str, at: str, document: dict[str, Any]) -> Row:
    text = msgspec.json.encode(document).decode("utf-8")
    return {"fact": fact, "kind": kind, "site": site, "at": at, "document": text}


def supersedes(row: Row, held: Row) -> bool:
    """Whether a row takes the place of one with the same name: a higher watermark does, a resent fact does not."""
    return bool(row["kind"] == COMPLETE and row["at"] > held["at"])


def upsert(insert: Any) -> Any:
    """The statement that brings rows in, by the rule of `supersedes`."""
    statement = insert(SITE_FACTS)
    return statement.on_conflict_do_update(
        index_elements=["fact"],
        set_={"at": statement.excluded.at},
        where=sa.and_(statement.excluded.kind == COMPLETE, statement.excluded.at > SITE_FACTS.c.at),
    )
