"""A count of everything of one item at one place, lot by lot, as JSON at the same edge as scans.

Each lot that lies there is stated once; a lot that is not stated is not there. That is more than counts of lots one by one can
say, which are silent on what they did not look at. `session` + `event_id` is its identity, as of a scan.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Final, Literal

from pydantic import Field

from schemas.codec import Codec, inbound_contract
from schemas.events import QUANTITY_MAX, Sequence
from schemas.scan import NAME_CHARACTERS_MAX

COUNT_ALL: Final = "count_all"
LOTS_MAX: Final = 200
"""Lots of one item at one place."""


@inbound_contract
class CountedPackages:
    """What was found of one lot. The barcode stays as scanned; without a lot in it or typed, it is of a lot nobody can read."""

    barcode: Annotated[str, Field(min_length=1, max_length=500)]
    quantity: Annotated[Decimal, Field(ge=0, le=QUANTITY_MAX, description="in the count's `unit`")]
    lot: Annotated[str | None, Field(max_length=50, description="typed by hand when the barcode has none")] = None
    expiry: date | None = None


@inbound_contract
class CountAllScan:
    """Who counted which place, when, and every lot that was found. At least one: a place with nothing is a `count` of 0."""

    session: Annotated[str, Field(min_length=1, max_length=NAME_CHARACTERS_MAX)]
    event_id: Annotated[str, Field(min_length=1, max_length=NAME_CHARACTERS_MAX)]
    activity: Literal["count_all"]
    occurred: datetime
    location: Annotated[str, Field(min_length=1, max_length=200, description="location path or one of its codes")]
    user: Annotated[str, Field(min_length=1, max_length=NAME_CHARACTERS_MAX)]
    lots: Annotated[tuple[CountedPackages, ...], Field(min_length=1, max_length=LOTS_MAX)]
    unit: Annotated[str | None, Field(max_length=40, description="of all; packages of each lot's product when absent")] = None
    witness: str | None = None
    facility: str | None = None
    device: str | None = None
    device_sequence: Sequence = 0
    test: bool = False


COUNTED_PACKAGES: Final = Codec(CountedPackages)
COUNT_ALL_SCAN: Final = Codec(CountAllScan)
