"""Rows of what money is derived from, beside the movements: versions of costs, and doses that were charged or given. Pure."""

from __future__ import annotations

from typing import Final

import msgspec

from schemas.events import STOCK_EVENT, ReferenceChange, StockEvent
from schemas.log import LogRecord
from sinks.sql.rows import Row, instant_text, known_at

_COSTED: Final = {"product": "unit_cost", "supplier_item": "price"}
"""Kinds of reference records that state a cost, and the field of it."""


def cost_row(record: LogRecord, value: ReferenceChange) -> Row | None:
    """Row of `costs`, or None for a record that states none."""
    if value.kind not in _COSTED:
        return None
    content = value.record or {}
    stated = content.get(_COSTED[value.kind])
    return {
        "kind": value.kind,
        "id": value.id,
        "revision": value.revision,
        "rank": int(content.get("rank", 1)),
        "item": content.get("item"),
        "cost": None if stated is None else str(stated),
        "since": known_at(record),
    }


_DOSE_FEEDS: Final = (b'"feed":"charge"', b'"feed":"administration"')


def dose_of(record: LogRecord) -> StockEvent | None:
    """The charge or administration in a record of the site log; None for any other record, which is not decoded."""
    if ("ce_type", "StockEvent") not in record.headers or not any(feed in (record.value or b"") for feed in _DOSE_FEEDS):
        return None
    return STOCK_EVENT.decode(record.value or b"")


def dose_row(_record: LogRecord, value: StockEvent) -> Row | None:
    """Row of `doses`. Test traffic, and what says of itself that it has no effect and replaces nothing, has none."""
    if value.test or (value.no_effect and not value.replaces):
        return None
    return {
        "event_id": value.event_id,
        "event_key": value.event_key,
        "site": value.site,
        "feed": value.feed.value,
        "kind": value.kind.value,
        "occurred": instant_text(value.occurred),
        "codes": msgspec.json.encode([(code.system, code.value) for code in value.codes]).decode("utf-8"),
        "is_dose": int(value.quantity_is_dose),
        "version": value.version,
        "quantity": None if value.no_effect or value.quantity is None else str(value.quantity),
        "unit": value.unit,
        "patient": value.patient,
        "order_id": value.order_id,
        "reverses": value.reverses,
        "replaces": value.replaces,
        "alias": value.alias,
    }
