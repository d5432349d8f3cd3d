"""The parts of the hub's records that verify reads, as small types of its own. Unknown fields are passed over.

Nothing is decided here.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import msgspec

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

Card = tuple[str, str, str]
"""Site, location, item."""


class Stated(msgspec.Struct, gc=False):
    """A product code as a feed stated it."""

    system: str
    value: str


class Ref(msgspec.Struct, gc=False, frozen=True):
    """The place of one item in the raw log."""

    partition: int
    offset: int
    index: int = 0


class Part(msgspec.Struct, gc=False):
    """A line of a transform: what went in, or what was made."""

    made: bool
    codes: tuple[Stated, ...]
    quantity: Decimal
    unit: str
    location_codes: tuple[str, ...] = ()
    lot: str | None = None
    expiry: date | None = None
    container: str | None = None
    beyond_use: datetime | None = None


class FoundLot(msgspec.Struct):
    """What a count of a whole place found of one lot."""

    codes: tuple[Stated, ...]
    quantity: Decimal
    lot: str | None = None
    expiry: date | None = None


class Told(msgspec.Struct):
    """A stock event of the site log."""

    event_id: str
    event_key: str
    kind: str
    feed: str
    site: str
    raw: Ref
    occurred: datetime
    received_at: datetime
    codes: tuple[Stated, ...] = ()
    quantity: Decimal | None = None
    unit: str | None = None
    quantity_is_dose: bool = False
    location_codes: tuple[str, ...] = ()
    pocket: str | None = None
    to_location_codes: tuple[str, ...] = ()
    to_pocket: str | None = None
    lot: str | None = None
    expiry: date | None = None
    container: str | None = None
    serial: str | None = None
    device_sequence: int = 0
    begin_count: Decimal | None = None
    begin_count_verified: bool = False
    reverses: str | None = None
    replaces: str | None = None
    alias: str | None = None
    version: int = 0
    part_of: str | None = None
    lines: int = 0
    condition: str | None = None
    partner: str | None = None
    shipment: str | None = None
    found: tuple[FoundLot, ...] = ()
    beyond_use: datetime | None = None
    parts: tuple[Part, ...] = ()
    test: bool = False
    no_effect: str | None = None


class AnnouncedPackage(msgspec.Struct):
    """A package, or packages of a lot, in a trading partner's notice."""

    gtin: str
    serial: str | None = None
    lot: str | None = None
    expiry: date | None = None
    quantity: int = 1


class Announcement(msgspec.Struct):
    """A trading partner's notice of packages."""

    notice_key: str
    site: str
    raw: Ref
    step: str
    at: datetime
    packages: tuple[AnnouncedPackage, ...] = ()
    container: str | None = None
    containers: tuple[str, ...] = ()
    void: bool = False


class Given(msgspec.Struct):
    """A site's notice to another one of a transfer."""

    step: str
    from_site: str
    to_site: str
    shipment: str
    item: str
    quantity: int
    at: datetime
    line: str = ""
    version: int = 1
    product: str = ""
    lot: str | None = None
    expiry: date | None = None
    container: str | None = None
    beyond_use: datetime | None = None
    raw: Ref | None = None


class Said(msgspec.Struct):
    """The part of a decision or an ERP's answer that matters here: where it came from."""

    site: str
    raw: Ref | None = None


class Decided(msgspec.Struct):
    """A person's decision about a case or a command."""

    decision_id: str
    site: str
    target: str
    action: str
    actor: str
    at: datetime


class Tick(msgspec.Struct):
    """What time it is."""

    at: datetime


class Change(msgspec.Struct):
    """One version of a reference record."""

    revision: int
    kind: str
    id: str
    record: dict[str, Any] | None = None


class Moved(msgspec.Struct):
    """A published movement."""

    movement_id: str
    site: str
    item: str
    product: str
    lot: str
    quantity: int
    from_account: str
    to_account: str
    container: str | None = None


class Held(msgspec.Struct):
    """A published balance."""

    site: str
    location: str
    item: str
    product: str
    lot: str
    quantity: int
    status: str
    expiry: str | None = None
    container: str | None = None
    beyond_use: datetime | None = None


class Taken(msgspec.Struct):
    """A lot that a command was told to take."""

    location: str
    product: str
    lot: str
    quantity: int
    container: str | None = None


class Ordered(msgspec.Struct):
    """A published command."""

    command_id: str
    revision: int
    site: str
    location: str
    item: str
    kind: str
    state: str
    proof: dict[str, Any]
    lots: tuple[Taken, ...] = ()


class Ended(msgspec.Struct):
    """How an item ended."""

    raw: Ref
    items: int
    outcome: str
    code: str = ""
    was: str | None = None


class SetAside(msgspec.Struct):
    """What was put into quarantine, and under which name."""

    code: str
    name: str | None = None


TOLD: Final = msgspec.json.Decoder(Told)
ANNOUNCEMENT: Final = msgspec.json.Decoder(Announcement)
SAID: Final = msgspec.json.Decoder(Said)
GIVEN: Final = msgspec.json.Decoder(Given)
DECIDED: Final = msgspec.json.Decoder(Decided)
TICK: Final = msgspec.json.Decoder(Tick)
CHANGE: Final = msgspec.json.Decoder(Change)
MOVED: Final = msgspec.json.Decoder(Moved)
HELD: Final = msgspec.json.Decoder(Held)
ORDERED: Final = msgspec.json.Decoder(Ordered)
ENDED: Final = msgspec.json.Decoder(Ended)
SET_ASIDE: Final = msgspec.json.Decoder(SetAside)


def microseconds(instant: datetime) -> int:
    """Microseconds since 1970-01-01T00:00Z."""
    return (instant - _EPOCH) // _MICROSECOND


def instant_of(us: int) -> datetime:
    """The UTC instant of microseconds since 1970."""
    return _EPOCH + us * _MICROSECOND


def cause_of(headers: dict[str, str]) -> tuple[str, int, int] | None:
    """Topic, partition and offset of the record that a published one came of; None where its id names none."""
    parts = headers.get("ce_id", "").rsplit("-", 3)
    if len(parts) != 4 or not all(part.isdigit() for part in parts[1:]):
        return None
    return parts[0], int(parts[1]), int(parts[2])
