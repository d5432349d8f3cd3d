"""Turns a decoded record into the row of its table. Pure; owns no SQL.

Instants become text of one width (microseconds and `Z`), so that text order is time order in every database.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, Final

import msgspec

from schemas.codes import normalise_lot
from schemas.events import ItemOutcome, ReferenceChange
from schemas.kinds import CLOSED_COMMAND_STATES, Urgency
from schemas.log import LogRecord
from schemas.raw import RawRef
from schemas.records import Alert, Balance, Case, Command, Hold, Kpi, Movement, Position, Quarantined, RecallReading
from schemas.scan import scan_of_key

Row = dict[str, Any]
RowOf = Callable[[LogRecord, Any], Row | None]
"""None: the record has no row in this table."""

URGENCY_RANK: Final[dict[Urgency | None, int]] = {None: 0, Urgency.ROUTINE: 1, Urgency.CRITICAL: 2, Urgency.STOCK_OUT: 3}
"""0 no open need, 1 routine, 2 critical, 3 stock-out."""


def instant_text(instant: datetime) -> str:
    """An instant as stored: UTC, microseconds, `Z`. Raises `ValueError` for one without a time zone."""
    offset = instant.utcoffset()
    if offset is None:
        msg = f"instant {instant.isoformat()} has no time zone"
        raise ValueError(msg)
    if offset:
        instant = instant.astimezone(UTC)
    return instant.isoformat(timespec="microseconds")[:26] + "Z"


def _date_text(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _document(record: LogRecord) -> str:
    """The value as published."""
    return (record.value or b"").decode("utf-8")


def _raw(ref: RawRef | None) -> Row:
    if ref is None:
        return {"raw_partition": None, "raw_offset": None, "raw_index": None}
    return {"raw_partition": ref.partition, "raw_offset": ref.offset, "raw_index": ref.index}


def balance_row(record: LogRecord, value: Balance) -> Row:
    """Row of `balances`."""
    return {
        "record_key": record.key,
        "site": value.site,
        "location": value.location,
        "item": value.item,
        "product": value.product,
        "lot": value.lot,
        "lot_key": normalise_lot(value.lot),
        "quantity": value.quantity,
        "unit": value.unit,
        "status": value.status.value,
        "as_of": instant_text(value.as_of),
        "expiry": _date_text(value.expiry),
        "container": value.container,
        "beyond_use": None if value.beyond_use is None else instant_text(value.beyond_use),
    }


def position_row(record: LogRecord, value: Position) -> Row:
    """Row of `positions`. An open need without a stated urgency counts as routine."""
    rank = URGENCY_RANK[value.urgency]
    return {
        "record_key": record.key,
        "site": value.site,
        "location": value.location,
        "item": value.item,
        "on_hand": value.on_hand,
        "usable": value.usable,
        "allocated": value.allocated,
        "due": value.due,
        "unit": value.unit,
        "as_of": instant_text(value.as_of),
        "minimum": value.minimum,
        "par": value.par,
        "critical": value.critical,
        "open_command": value.open_command,
        "urgency": None if value.urgency is None else value.urgency.value,
        "urgency_rank": max(rank, 1) if value.open_command else rank,
        "daily_demand": _text(value.daily_demand),
        "days_to_stock_out": _text(value.days_to_stock_out),
        "shadow": value.shadow,
    }


def command_row(record: LogRecord, value: Command) -> Row:
    """Row of `commands`, with the whole command as its document."""
    return {
        "record_key": record.key,
        "command_id": value.command_id,
        "revision": value.revision,
        "site": value.site,
        "location": value.location,
        "item": value.item,
        "kind": value.kind.value,
        "state": value.state.value,
        "is_open": int(value.state not in CLOSED_COMMAND_STATES),
        "urgency": value.urgency.value,
        "urgency_rank": URGENCY_RANK[value.urgency],
        "quantity": value.quantity,
        "unit": value.unit,
        "opened_at": instant_text(value.opened_at),
        "updated_at": instant_text(value.updated_at),
        "closed_at": None if value.closed_at is None else instant_text(value.closed_at),
        "supplier": value.supplier,
        "approval_role": value.approval_role,
        "shadow": value.shadow,
        "document": _document(record),
    }


def case_row(record: LogRecord, value: Case) -> Row:
    """Row of `cases`, with the whole case as its document."""
    return {
        "record_key": record.key,
        "case_id": value.case_id,
        "site": value.site,
        "kind": value.kind,
        "state": value.state,
        "text": value.text,
        "opened_at": instant_text(value.opened_at),
        "updated_at": instant_text(value.updated_at),
        "location": value.location,
        "item": value.item,
        "event_id": value.event_id,
        "closed_by": value.closed_by,
        "document": _document(record),
    }


def alert_row(_record: LogRecord, value: Alert) -> Row:
    """Row of `alerts`."""
    return {
        "alert_id": value.alert_id,
        "site": value.site,
        "kind": value.kind,
        "text": value.text,
        "at": instant_text(value.at),
        "location": value.location,
        "item": value.item,
        "product": value.product,
        "lot": value.lot,
        "shadow": value.shadow,
    }


def kpi_row(record: LogRecord, value: Kpi) -> Row:
    """Row of `kpis`."""
    return {
        "record_key": record.key,
        "site": value.site,
        "kpi": value.kpi,
        "value": _text(value.value),
        "numerator": value.numerator,
        "denominator": value.denominator,
        "as_of": instant_text(value.as_of),
    }


def reading_row(record: LogRecord, value: RecallReading) -> Row:
    """Row of `recall_readings`: when it was read is the site's clock, before its first tick when the hub had the notice."""
    cause = next((text for name, text in record.headers if name == "ce_id"), "").rsplit("-", 3)
    place = [int(part) for part in cause[1:3]] if len(cause) == 4 and all(part.isdigit() for part in cause[1:]) else [None, None]
    return {
        "record_key": record.key,
        "site": value.site,
        "notice": value.notice,
        "content": value.content,
        "revision": value.revision,
        "in_force": int(value.in_force),
        "at": known_at(record) if value.at is None else instant_text(value.at),
        "log_partition": place[0],
        "log_offset": place[1],
    }


def outcome_row(record: LogRecord, value: ItemOutcome) -> Row:
    """Row of `outcomes`; event ids and kinds stand separated by blanks."""
    session, scan = (scan_of_key(value.event_key) if value.event_key else None) or (None, None)
    return {
        "session": session,
        "scan": scan,
        "record_key": record.key,
        "source": value.source,
        "site": value.site,
        "name": value.name,
        "outcome": value.outcome.value,
        "was": None if value.was is None else value.was.value,
        "code": value.code,
        "reason": value.reason,
        "at": instant_text(value.at),
        "items": value.items,
        "event_ids": " ".join(value.event_ids),
        "kinds": " ".join(value.kinds),
        "raw_partition": value.raw.partition,
        "raw_offset": value.raw.offset,
        "raw_index": value.raw.index,
    }


def quarantine_row(record: LogRecord, value: Quarantined) -> Row:
    """Row of `quarantine`."""
    return {
        "record_key": record.key,
        "source": value.source,
        "site": value.site,
        "name": value.name,
        "code": value.code,
        "reason": value.reason,
        "at": instant_text(value.at),
        "content_type": value.content_type,
        "profile": value.profile,
        "body_base64": value.body_base64,
        **_raw(value.raw),
    }


def hold_row(record: LogRecord, value: Hold) -> Row:
    """Row of `holds`."""
    return {
        "record_key": record.key,
        "event_id": value.event_id,
        "site": value.site,
        "waits_for": value.waits_for,
        "reason": value.reason,
        "since": instant_text(value.since),
        "source": value.source,
        "kind": value.kind,
        **_raw(value.raw),
    }


def movement_row(record: LogRecord, value: Movement) -> Row:
    """Row of `movements`."""
    return {
        "known": known_at(record),
        "log_partition": record.partition,
        "log_offset": record.offset,
        "movement_id": value.movement_id,
        "site": value.site,
        "event_id": value.event_id,
        "kind": value.kind,
        "item": value.item,
        "product": value.product,
        "lot": value.lot,
        "lot_key": normalise_lot(value.lot),
        "quantity": value.quantity,
        "unit": value.unit,
        "from_account": value.from_account,
        "to_account": value.to_account,
        "occurred": instant_text(value.occurred),
        "cause": value.cause,
        "expiry": _date_text(value.expiry),
        "container": value.container,
        "corrects": value.corrects,
        "actor": value.actor,
        "witness": value.witness,
        "patient": value.patient,
        "order_id": value.order_id,
        "device_sequence": value.device_sequence,
        "unit_cost": _text(value.unit_cost),
        **_raw(value.raw),
    }


def known_at(record: LogRecord) -> str | None:
    """When the hub received what a record comes from (CloudEvents `time`), or None where it did not know the time."""
    stated = next((text for name, text in record.headers if name == "ce_time"), "")
    return instant_text(datetime.fromisoformat(stated)) if stated else None


def reference_row(record: LogRecord, value: ReferenceChange) -> Row:
    """Row of `reference`; a change without a record withdraws it."""
    content = value.record or {}
    return {
        "record_key": record.key,
        "kind": value.kind,
        "id": value.id,
        "revision": value.revision,
        "name": content.get("name"),
        "site": content.get("site"),
        "document": None if value.record is None else msgspec.json.encode(value.record).decode("utf-8"),
    }
