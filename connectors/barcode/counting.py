"""A count of everything at a place (`schemas/counting.py`) as one stock event: every lot of it, or none."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from connectors.barcode.lines import check_lines, expiry_of, facility_of, lot_of, site_of
from connectors.barcode.reading import codes_of, place_code, readable
from connectors.json_items import Fault, checked_expiry, checked_quantity, instant, validated
from schemas.counting import COUNT_ALL_SCAN, COUNTED_PACKAGES, CountedPackages
from schemas.events import FoundLot, StockEvent
from schemas.ids import derived_id
from schemas.kinds import EventKind, Feed
from schemas.mapping import MappingContext
from schemas.raw import RawMessage, RawRef
from schemas.scan import PACKAGE_UNIT, scan_key

_NOTHING: Final = Decimal(0)


def map_count_all(item: dict[str, Any], message: RawMessage, ref: RawRef, context: MappingContext) -> StockEvent:
    """The event of one count, with the codes of all its lots, which must be of one item. Raises `Fault`, which names the line."""
    check_lines(item, "lots", COUNTED_PACKAGES)
    scan = validated(COUNT_ALL_SCAN, item, instants=("occurred",))
    site, site_id = site_of(scan.facility, message, context)
    event_key = scan_key(scan.session, scan.event_id)
    occurred, zone_assumed = instant("occurred", scan.occurred, site)
    year = message.received_at.year
    found = tuple(_found(one, f"lots[{number}]", year) for number, one in enumerate(scan.lots))
    return StockEvent(
        event_id=derived_id("event", site_id, event_key), event_key=event_key, kind=EventKind.COUNT, feed=Feed.SCAN,
        site=site_id, source=message.source, raw=ref, occurred=occurred, received_at=message.received_at,
        codes=tuple(dict.fromkeys(code for one in found for code in one.codes)),
        quantity=checked_quantity("quantity", sum((one.quantity for one in found), start=_NOTHING)),
        unit=scan.unit or PACKAGE_UNIT, location_codes=(place_code(scan.location, year),), device_sequence=scan.device_sequence,
        transaction_id=scan.event_id, actor=scan.user, witness=scan.witness or None, found=found, test=scan.test,
        zone_assumed=zone_assumed, **facility_of(scan.facility, context),
    )  # fmt: skip


def _found(one: CountedPackages, where: str, year: int) -> FoundLot:
    """One lot. Raises `Fault` where its barcode can't be read or contradicts what was typed."""
    try:
        barcode = readable(one.barcode, year, may_be_container=False)
        return FoundLot(
            codes=codes_of(barcode), quantity=one.quantity, lot=lot_of(one.lot, barcode),
            expiry=checked_expiry(expiry_of(one.expiry, barcode)),
        )  # fmt: skip
    except Fault as fault:
        raise Fault(fault.code, f"{where}: {fault.reason}") from None
