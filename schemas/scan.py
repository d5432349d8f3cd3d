"""Scan events as JSON: who scanned what, where, doing what.

`session` + `event_id` is the identity of a scan: two identical vials scanned one after the other are two.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import Field

from schemas.codec import Codec, inbound_contract
from schemas.events import QUANTITY_MAX, Sequence

SCANS_MAX: Final = 1_000
NAME_CHARACTERS_MAX: Final = 100
"""Longest session, event id and user."""


class ScanActivity(StrEnum):
    """What the person was doing."""

    RECEIVE = "receive"  # goods from a supplier, to `location`
    PUT_AWAY = "put_away"  # from `location` to `to_location`
    PICK = "pick"  # from `location`, to `to_location` when given, else into transit
    COUNT = "count"  # absolute quantity at `location`
    WASTE = "waste"  # stock at `location` destroyed
    RETURN = "return"  # unused, back to `location`
    SEND = "send"  # from `location` to the site `partner`, under the number `shipment`
    ARRIVE = "arrive"  # from the site `partner` at `location`, under the number `shipment`
    RETURN_SUPPLIER = "return_supplier"  # from `location` back to the supplier `partner`
    RETURN_DISTRIBUTOR = "return_distributor"  # from `location` to the reverse distributor `partner`
    OPEN = "open"  # a container at `location` was opened: it is a stock unit of its own from now on
    PUNCTURE = "puncture"  # the stopper of a vial was punctured
    THAW = "thaw"  # a frozen container began to thaw
    OUT_OF_FRIDGE = "out_of_fridge"  # a refrigerated container came to room temperature


OPENINGS: Final = frozenset({ScanActivity.OPEN, ScanActivity.PUNCTURE, ScanActivity.THAW, ScanActivity.OUT_OF_FRIDGE})
"""Activities that start the beyond-use clock of a container."""


@inbound_contract
class ScanEvent:
    """One scan. The barcode stays as scanned (`\\x1d`, `<GS>` and symbology prefix included)."""

    session: Annotated[str, Field(min_length=1, max_length=NAME_CHARACTERS_MAX)]
    event_id: Annotated[str, Field(min_length=1, max_length=NAME_CHARACTERS_MAX)]
    activity: ScanActivity
    occurred: datetime
    barcode: Annotated[str, Field(min_length=1, max_length=500)]
    location: Annotated[str, Field(min_length=1, max_length=200, description="location path or one of its codes")]
    user: Annotated[str, Field(min_length=1, max_length=NAME_CHARACTERS_MAX)]
    to_location: str | None = None
    quantity: Annotated[Decimal | None, Field(ge=0, le=QUANTITY_MAX, description="1 package when absent")] = None
    unit: Annotated[str | None, Field(description="the product's package when absent")] = None
    lot: Annotated[str | None, Field(description="typed by hand when the barcode has none")] = None
    expiry: date | None = None
    facility: str | None = None
    device: str | None = None
    device_sequence: Sequence = 0
    witness: str | None = None
    order_id: Annotated[str | None, Field(description="purchase order or command the scan belongs to")] = None
    condition: Annotated[
        Literal["damaged", "temperature"] | None, Field(description="of goods received: damaged, too warm or too cold")
    ] = None
    partner: Annotated[str | None, Field(max_length=200, description="the other site, supplier or reverse distributor")] = None
    shipment: Annotated[str | None, Field(max_length=100, description="number of the transfer or return")] = None
    amount: Annotated[
        Decimal | None, Field(ge=0, max_digits=18, decimal_places=2, description="credit expected of a return")
    ] = None
    document: Annotated[str | None, Field(max_length=100, description="order form or return authorisation")] = None
    container: Annotated[
        str | None,
        Field(max_length=NAME_CHARACTERS_MAX, description="label of an opened container; of an opening its serial when absent"),
    ] = None
    beyond_use: Annotated[datetime | None, Field(description="of an opening: what its label says, in place of the policy")] = None
    test: bool = False


SCAN_EVENT: Final = Codec(ScanEvent)

PACKAGE_UNIT: Final = "{package}"
"""Unit of a scan without one: packages of the scanned product."""


def scan_key(session: str, event_id: str) -> str:
    """The event key of a scan: its identity in the ledger. A `|` or `%` in a part is percent-encoded, so that equal keys have
    equal parts."""
    return "|".join(("scan", _escaped(session), _escaped(event_id)))


def scan_of_key(event_key: str) -> tuple[str, str] | None:
    """Session and event id of a scan's event key, or None for a key of anything else."""
    parts = event_key.split("|")
    if len(parts) != 3 or parts[0] != "scan":
        return None
    return _plain(parts[1]), _plain(parts[2])


def _escaped(part: str) -> str:
    return part.replace("%", "%25").replace("|", "%7C")


def _plain(part: str) -> str:
    return part.replace("%7C", "|").replace("%25", "%")
