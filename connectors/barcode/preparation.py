"""Transforms and undone scans (`schemas/preparation.py`) as stock events: all lines of a transform in one event, or none."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from connectors.barcode.lines import check_lines, expiry_of, facility_of, lot_of, site_of
from connectors.barcode.parse import Barcode
from connectors.barcode.reading import codes_of, place_code, readable
from connectors.json_items import Fault, checked_expiry, checked_quantity, instant, validated
from schemas.codec import Codec
from schemas.codes import Code
from schemas.events import StockEvent, TransformPart
from schemas.ids import derived_id
from schemas.kinds import EventKind, Feed
from schemas.mapping import MappingContext, SiteFacts
from schemas.preparation import (
    TRANSFORM_INPUT,
    TRANSFORM_OUTPUT,
    TRANSFORM_SCAN,
    UNDO_SCAN,
    TransformInput,
    TransformOutput,
)
from schemas.raw import RawMessage, RawRef
from schemas.scan import scan_key

_LINES: Final[tuple[tuple[str, Codec[Any]], ...]] = (("inputs", TRANSFORM_INPUT), ("outputs", TRANSFORM_OUTPUT))


def map_transform(item: dict[str, Any], message: RawMessage, ref: RawRef, context: MappingContext) -> StockEvent:
    """The event of one transform. Raises `Fault`, which names the line."""
    for name, codec in _LINES:
        check_lines(item, name, codec)
    scan = validated(TRANSFORM_SCAN, item, instants=("occurred",))
    site, site_id = site_of(scan.facility, message, context)
    event_key = scan_key(scan.session, scan.event_id)
    occurred, zone_assumed = instant("occurred", scan.occurred, site)
    year = message.received_at.year
    parts = [
        _part(line, f"{name}[{number}]", year, site, occurred)
        for name, lines in (("inputs", scan.inputs), ("outputs", scan.outputs))
        for number, line in enumerate(lines)
    ]
    return StockEvent(
        event_id=derived_id("event", site_id, event_key), event_key=event_key, kind=EventKind.TRANSFORM, feed=Feed.SCAN,
        site=site_id, source=message.source, raw=ref, occurred=occurred, received_at=message.received_at,
        location_codes=(place_code(scan.location, year),), device_sequence=scan.device_sequence, transaction_id=scan.event_id,
        order_id=scan.order_id or None, actor=scan.user, witness=scan.witness or None, parts=tuple(parts),
        recipe=scan.recipe, test=scan.test, zone_assumed=zone_assumed, **facility_of(scan.facility, context),
    )  # fmt: skip


def map_undo(item: dict[str, Any], message: RawMessage, ref: RawRef, context: MappingContext) -> StockEvent:
    """The event that takes a scan back. Raises `Fault`."""
    scan = validated(UNDO_SCAN, item, instants=("occurred",))
    site, site_id = site_of(scan.facility, message, context)
    event_key = scan_key(scan.session, scan.event_id)
    undone = scan_key(scan.undoes_session or scan.session, scan.undoes)
    if undone == event_key:
        raise Fault("reverses_itself", "undoes: names its own event_id; it must name the scan to take back.")
    occurred, zone_assumed = instant("occurred", scan.occurred, site)
    return StockEvent(
        event_id=derived_id("event", site_id, event_key), event_key=event_key, kind=EventKind.REVERSAL, feed=Feed.SCAN,
        site=site_id, source=message.source, raw=ref, occurred=occurred, received_at=message.received_at,
        device_sequence=scan.device_sequence, transaction_id=scan.event_id, actor=scan.user, reverses=undone,
        test=scan.test, zone_assumed=zone_assumed, **facility_of(scan.facility, context),
    )  # fmt: skip


def _part(
    line: TransformInput | TransformOutput, where: str, year: int, site: SiteFacts | None, occurred: datetime
) -> TransformPart:
    """One line. Raises `Fault` when it names nothing, or contradicts its barcode."""
    try:
        barcode = readable(line.barcode, year, may_be_container=False) if line.barcode else None
        beyond_use = _beyond_use(line, site, occurred)
        return TransformPart(
            made=isinstance(line, TransformOutput), codes=_codes(line, barcode),
            quantity=checked_quantity("quantity", line.quantity) or line.quantity, unit=line.unit,
            location_codes=(place_code(line.location, year),) if line.location else (), lot=lot_of(line.lot, barcode),
            expiry=checked_expiry(expiry_of(line.expiry, barcode)), container=line.container,
            beyond_use=beyond_use,
        )  # fmt: skip
    except Fault as fault:
        raise Fault(fault.code, f"{where}: {fault.reason}") from None


def _codes(line: TransformInput | TransformOutput, barcode: Barcode | None) -> tuple[Code, ...]:
    if (barcode is None) == (line.code is None):
        raise Fault("invalid_fields", "give either the barcode that was scanned or a code.")
    return codes_of(barcode) if barcode is not None else (Code(system=line.code_system.strip().lower(), value=line.code or ""),)


def _beyond_use(line: TransformInput | TransformOutput, site: SiteFacts | None, occurred: datetime) -> datetime | None:
    if not isinstance(line, TransformOutput) or line.beyond_use is None:
        return None
    until = instant("beyond_use", line.beyond_use, site)[0]
    if until < occurred:
        raise Fault("invalid_fields", "beyond_use is before it was made.")
    return until
