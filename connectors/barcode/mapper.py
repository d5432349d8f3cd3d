"""Scan events (`schemas/scan.py`) as stock events: the barcode read strictly, one result a scan."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from connectors.barcode.counting import map_count_all
from connectors.barcode.parse import Barcode
from connectors.barcode.preparation import map_transform, map_undo
from connectors.barcode.reading import codes_of, place_code, readable
from connectors.json_items import (
    Fault,
    checked_expiry,
    checked_quantity,
    instant,
    map_items,
    quoted,
    validated,
)
from connectors.json_text import is_text
from schemas.codes import normalise_lot
from schemas.counting import COUNT_ALL
from schemas.events import StockEvent
from schemas.ids import derived_id
from schemas.kinds import EventKind, Feed
from schemas.mapping import Mapped, MappingContext, Refused, SiteFacts
from schemas.preparation import TRANSFORM, UNDO
from schemas.raw import RawMessage, RawRef
from schemas.scan import NAME_CHARACTERS_MAX, OPENINGS, PACKAGE_UNIT, SCAN_EVENT, SCANS_MAX, ScanActivity, ScanEvent, scan_key

_KINDS: Final = {
    ScanActivity.RECEIVE: EventKind.RECEIVE,
    ScanActivity.PUT_AWAY: EventKind.PUT_AWAY,
    ScanActivity.PICK: EventKind.PICK,
    ScanActivity.COUNT: EventKind.COUNT,
    ScanActivity.WASTE: EventKind.DISCARD,
    ScanActivity.RETURN: EventKind.RETURN,
    ScanActivity.SEND: EventKind.TRANSFER_OUT,
    ScanActivity.ARRIVE: EventKind.TRANSFER_IN,
    ScanActivity.RETURN_SUPPLIER: EventKind.RETURN_SUPPLIER,
    ScanActivity.RETURN_DISTRIBUTOR: EventKind.RETURN_DISTRIBUTOR,
    ScanActivity.OPEN: EventKind.OPEN,
    ScanActivity.PUNCTURE: EventKind.PUNCTURE,
    ScanActivity.THAW: EventKind.THAW,
    ScanActivity.OUT_OF_FRIDGE: EventKind.OUT_OF_FRIDGE,
}
_OTHERS: Final = {COUNT_ALL: map_count_all, TRANSFORM: map_transform, UNDO: map_undo}
"""Activities that are no scan of one package."""
_ARRIVES: Final = frozenset({ScanActivity.RECEIVE, ScanActivity.ARRIVE})
_TRAVELS: Final = frozenset({ScanActivity.SEND, ScanActivity.ARRIVE})
_GOES_BACK: Final = frozenset({ScanActivity.RETURN_SUPPLIER, ScanActivity.RETURN_DISTRIBUTOR})


def map_scan(message: RawMessage, ref: RawRef, context: MappingContext) -> list[Mapped]:
    """Map a body of one scan or a list of at most `SCANS_MAX`. Never raises; at least one result."""

    def one(item: dict[str, Any], index: int) -> Mapped:
        place = RawRef(partition=ref.partition, offset=ref.offset, index=index)
        activity = item.get("activity")
        other = _OTHERS.get(activity) if isinstance(activity, str) else None
        try:
            if other is not None:
                return other(item, message, place, context)
            scan = validated(SCAN_EVENT, item, instants=("occurred", "beyond_use"), dates=("expiry",))
            return _event(scan, message, place, context)
        except Fault as fault:
            return Refused(code=fault.code, reason=fault.reason, event_key=_identity(item))

    return map_items(message.body, SCANS_MAX, "scan", one)


def _identity(item: dict[str, Any]) -> str | None:
    """The event key of a scan that is refused, when it says which one it is: the person who scanned asks by it."""
    parts = (item.get("session"), item.get("event_id"))
    if not all(isinstance(part, str) and 0 < len(part) <= NAME_CHARACTERS_MAX and is_text(part) for part in parts):
        return None
    return scan_key(*map(str, parts))


def _event(scan: ScanEvent, message: RawMessage, ref: RawRef, context: MappingContext) -> StockEvent:
    facility = scan.facility or None
    facilities = (facility,) if facility else ()
    site = context.site(facilities, message.site)
    site_id = site.id if site is not None else ""
    event_key = scan_key(scan.session, scan.event_id)
    occurred, zone_assumed = instant("occurred", scan.occurred, site)
    barcode = readable(scan.barcode, message.received_at.year, may_be_container=scan.activity is ScanActivity.RECEIVE)
    if scan.activity is ScanActivity.PUT_AWAY and not scan.to_location:
        raise Fault("no_destination", "to_location: is missing; a put-away must say where the stock went.")
    if scan.condition is not None and scan.activity not in _ARRIVES:
        raise Fault("invalid_fields", "condition: only goods that are received have one; waste what is damaged later.")
    quantity, unit = _quantity(scan, barcode)
    container, beyond_use = _opened(scan, barcode, site)
    partner = _partner(scan, site_id, context)
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
        codes=codes_of(barcode),
        quantity=quantity,
        unit=unit,
        location_codes=(place_code(scan.location, message.received_at.year),),
        to_location_codes=(place_code(scan.to_location, message.received_at.year),) if scan.to_location else (),
        lot=_lot(scan, barcode),
        expiry=checked_expiry(_expiry(scan, barcode)),
        serial=barcode.serial,
        device_sequence=scan.device_sequence,
        transaction_id=scan.event_id,
        order_id=scan.order_id or None,
        actor=scan.user,
        witness=scan.witness or None,
        condition=scan.condition,
        partner=partner,
        shipment=scan.shipment or None,
        amount=scan.amount,
        document=scan.document or None,
        container=container,
        beyond_use=beyond_use,
        test=scan.test,
        zone_assumed=zone_assumed,
        facility=facility,
        facility_matched=bool(facility) and context.knows_facility(facilities),
    )


def _partner(scan: ScanEvent, site: str, context: MappingContext) -> str | None:
    """Who is on the other side. Of a transfer a site, by id or facility code; one the network does not know stays as said.

    Raises `Fault` where a transfer does not say with whom and under which number, or names the site itself.
    """
    if scan.activity not in _TRAVELS:
        if scan.activity not in _GOES_BACK and (scan.partner or scan.shipment or scan.amount is not None):
            raise Fault("invalid_fields", "partner, shipment, amount: only a transfer or a return to a supplier has them.")
        return scan.partner or None
    if not scan.partner or not scan.shipment:
        raise Fault("no_partner", "partner, shipment: a transfer must name the other site and its number, alike at both ends.")
    if scan.amount is not None:
        raise Fault("invalid_fields", "amount: only a return to a supplier expects a credit.")
    named = context.site((), scan.partner) or context.site((scan.partner,), None)
    partner = scan.partner if named is None else named.id
    if partner == site:
        raise Fault("own_site", f"partner: {quoted(scan.partner)} is the site itself; stock within a site is put away.")
    return partner


def _opened(scan: ScanEvent, barcode: Barcode, site: SiteFacts | None) -> tuple[str | None, datetime | None]:
    """The container a scan is about, and the beyond-use instant its label gives. Raises `Fault`.

    What is opened is a stock unit of its own: it must have a name, its label's or the serial number's.
    """
    named = scan.container or None
    if scan.activity not in OPENINGS:
        if scan.beyond_use is not None:
            reason = f"beyond_use: {scan.activity.value} opens nothing; state it where the container is opened."
            raise Fault("invalid_fields", reason)
        return named, None
    named = named or barcode.serial
    if not named:
        reason = "container: is missing; say which container it is by its label, or scan a barcode with a serial number."
        raise Fault("no_container", reason)
    until = None if scan.beyond_use is None else instant("beyond_use", scan.beyond_use, site)[0]
    if until is not None and until < instant("occurred", scan.occurred, site)[0]:
        raise Fault("invalid_fields", "beyond_use: is before occurred; check the label.")
    return named, until


def _quantity(scan: ScanEvent, barcode: Barcode) -> tuple[Decimal | None, str]:
    """What was typed, else the barcode's count of packages, else one package. A container is received as it was packed."""
    if barcode.sscc and not (barcode.gtin or barcode.ndc or barcode.hibc) and (scan.quantity or scan.lot or scan.expiry):
        reason = "A container is received whole, as its notice says: leave quantity, lot and expiry out, or scan its packages."
        raise Fault("container_whole", reason)
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
