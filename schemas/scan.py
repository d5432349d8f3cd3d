"""Scan events as JSON: who scanned what, where, doing what.

`session` + `event_id` is the identity of a scan: two identical vials scanned one after the other are two.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field

from schemas.codec import Codec, inbound_contract

SCANS_MAX: Final = 1_000


class ScanActivity(StrEnum):
    """What the person was doing."""

    RECEIVE = "receive"  # goods from a supplier, to `location`
    PUT_AWAY = "put_away"  # from `location` to `to_location`
    PICK = "pick"  # from `location`, to `to_location` when given, else into transit
    COUNT = "count"  # absolute quantity at `location`
    WASTE = "waste"  # stock at `location` destroyed
    RETURN = "return"  # unused, back to `location`


@inbound_contract
class ScanEvent:
    """One scan. The barcode stays as scanned (`\\x1d`, `<GS>` and symbology prefix included)."""

    session: Annotated[str, Field(min_length=1, max_length=100)]
    event_id: Annotated[str, Field(min_length=1, max_length=100)]
    activity: ScanActivity
    occurred: datetime
    barcode: Annotated[str, Field(min_length=1, max_length=500)]
    location: Annotated[str, Field(min_length=1, max_length=200, description="location path or one of its codes")]
    user: Annotated[str, Field(min_length=1, max_length=100)]
    to_location: str | None = None
    quantity: Annotated[Decimal | None, Field(ge=0, le=10_000_000, description="1 package when absent")] = None
    unit: Annotated[str | None, Field(description="the product's package when absent")] = None
    lot: Annotated[str | None, Field(description="typed by hand when the barcode has none")] = None
    expiry: date | None = None
    facility: str | None = None
    device: str | None = None
    device_sequence: Annotated[int, Field(ge=0)] = 0
    witness: str | None = None
    order_id: Annotated[str | None, Field(description="purchase order or command the scan belongs to")] = None
    test: bool = False


SCAN_EVENT: Final = Codec(ScanEvent)

PACKAGE_UNIT: Final = "{package}"
"""Unit of a scan without one: packages of the scanned product."""
