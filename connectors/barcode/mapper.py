"""Scan events (`schemas/scan.py`) as stock events: the barcode read strictly, one result a scan."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any, Final

from connectors.barcode.parse import Barcode, UnreadableBarcode, parse_barcode
from connectors.json_items import (
    Fault,
    checked_expiry,
    checked_quantity,
    instant,
    key,
    map_items,
    quoted,
    validated,
)
from schemas.codes import GTIN, HIBC, NDC, Code, normalise_lot
from schemas.events import StockEvent
from schemas.ids import derived_id
from schemas.kinds import EventKind, Feed
from schemas.mapping import Mapped, MappingContext
from schemas.raw import RawMessage, RawRef
from schemas.scan import PACKAGE_UNIT, SCAN_EVENT, SCANS_MAX, ScanActivity, ScanEvent

_KINDS: Final = {
    ScanActivity.RECEIVE: EventKind.RECEIVE,
    ScanActivity.PUT_AWAY: EventKind.PUT_AWAY,
    ScanActivity.PICK: EventKind.PICK,
    ScanActivity.COUNT: EventKind.COUNT,
    ScanActivity.WASTE: EventKind.DISCARD,
    ScanActivity.RETURN: EventKind.RETURN,
}


def map_scan(message: RawMessage, ref: RawRef, context: MappingContext) -> list[Mapped]:
    """Map a body of one scan or a list of at most `SCANS_MAX`. Never raises; at least one result."""

    def one(item: dict[str, Any], index: int) -> Mapped:
        scan = validated(SCAN_EVENT, item, instants=("occurred",), dates=("expiry",))
        return _event(scan, message, RawRef(partition=ref.partition, offset=ref.offset, index=index), context)

    return map_items(message.body, SCANS_MAX, "scan", one)


def _event(scan: ScanEvent, message: RawMessage, ref: RawRef, context: MappingContext) -> StockEvent:
    facility = scan.facility or None
    facilities = (facility,) if facility else ()
    site = context.site(facilities, message.site)
    site_id = site.id if site is not None else ""
    event_key = key("scan", scan.session, scan.event_id)
    occurred, zone_assumed = instant("occurred", scan.occurred, site)
    barcode = _readable(scan.barcode, message.received_at.year)
    if scan.activity is ScanActivity.PUT_AWAY and not scan.to_location:
        raise Fault("no_destination", "to_location: is missing; a put-away must say where the stock went.")
    quantity, unit = _quantity(scan, barcode)
    return StockEvent(
        event_id=derived_id("event", site_id, event_key),
        event_key=event_key,
        kind=_KINDS[scan.activity],
        feed=Feed.SCAN,
        site=site_id,
        source=message.source,
        raw=ref,
        occurred=occurred,
        received_at=message.received_at,
        codes=_codes(barcode),
        quantity=quantity,
        unit=unit,
        location_codes=(_place(scan.location, message.received_at.year),),
        to_location_codes=(_place(scan.to_location, message.received_at.year),) if scan.to_location else (),
        lot=_lot(scan, barcode),
        expiry=checked_expiry(_expiry(scan, barcode)),
        serial=barcode.serial,
        device_sequence=scan.device_sequence,
        transaction_id=scan.event_id,
        order_id=scan.order_id or None,
        actor=scan.user,
        witness=scan.witness or None,
        test=scan.test,
        zone_assumed=zone_assumed,
        facility=facility,
        facility_matched=bool(facility) and context.knows_facility(facilities),
    )


def _readable(text: str, year: int) -> Barcode:
    """The barcode, when it can be read and names a product. Raises `Fault("unreadable_barcode")` saying what to do."""
    read = parse_barcode(text, year)
    if isinstance(read, UnreadableBarcode):
        advice = "scan it again, or check that the scanner sends FNC1 as \\x1d or <GS>"
        raise Fault("unreadable_barcode", f"The barcode {quoted(text)} can't be read ({read.code}): {read.reason}; {advice}.")
    if not (read.gtin or read.ndc or read.hibc):
        raise Fault(
            "unreadable_barcode",
            f"The barcode {quoted(text)} names no product (AI 01 or 02, an NDC, HIBC primary data); scan the product's.",
        )
    return read


def _codes(barcode: Barcode) -> tuple[Code, ...]:
    codes = []
    if barcode.gtin:
        codes.append(Code(system=GTIN, value=barcode.gtin))
    if barcode.ndc:
        codes.append(Code(system=NDC, value=barcode.ndc))
    if barcode.hibc:
        codes.append(Code(system=HIBC, value=barcode.hibc))
    return tuple(codes)


def _quantity(scan: ScanEvent, barcode: Barcode) -> tuple[Decimal | None, str]:
    """What was typed, else the barcode's count of packages, else one package."""
    if scan.quantity is not None:
        return checked_quantity("quantity", scan.quantity), scan.unit or PACKAGE_UNIT
    if scan.unit:
        raise Fault("no_quantity", f"quantity: is missing, but a unit ({quoted(scan.unit)}) is given; send both or neither.")
    count = Decimal(1 if barcode.count is None else barcode.count)
    return checked_quantity("quantity", count), PACKAGE_UNIT


def _lot(scan: ScanEvent, barcode: Barcode) -> str | None:
    """The barcode's lot, else the typed one. Raises `Fault("lot_mismatch")` when they contradict each other."""
    typed = scan.lot or None
    if typed and barcode.lot and normalise_lot(typed) != normalise_lot(barcode.lot):
        reason = f"lot: {quoted(typed)} was typed, but the barcode says {quoted(barcode.lot)}; leave the typed lot out."
        raise Fault("lot_mismatch", reason)
    return barcode.lot or typed


def _expiry(scan: ScanEvent, barcode: Barcode) -> date | None:
    """The barcode's expiry, else the typed one. Raises `Fault("expiry_mismatch")` when they contradict each other."""
    if scan.expiry and barcode.expiry and scan.expiry != barcode.expiry:
        reason = f"expiry: {scan.expiry} was typed, but the barcode says {barcode.expiry}; leave the typed expiry out."
        raise Fault("expiry_mismatch", reason)
    return barcode.expiry or scan.expiry


def _place(text: str, year: int) -> str:
    """The code of a place: a scanned location barcode (AI 414, with AI 254 as `gln.extension`), else the text itself."""
    if not text.startswith(("]", "(")):
        return text
    read = parse_barcode(text, year)
    if isinstance(read, UnreadableBarcode) or not read.gln:
        return text
    return f"{read.gln}.{read.gln_extension}" if read.gln_extension else read.gln
