"""What a mapper is: bytes of one raw message in, one result per declared item out.

A mapper is a pure function: no clock, no I/O, no state. It never raises for bad input; an item it can't understand is `Refused`
by name, and the other items of the same message go on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from schemas.codec import contract
from schemas.events import Decision, OrderAnswer, StockEvent
from schemas.notices import Notice
from schemas.profile import Profile
from schemas.raw import RawMessage, RawRef


@contract
class SiteFacts:
    """What a mapper may know of a site: its id and its time zone (IANA name)."""

    id: str
    zone: str


@contract
class NoEffect:
    """An item that was understood and can't touch stock: accepted without movement."""

    code: str
    reason: str


@contract
class Refused:
    """An item that can't be understood: quarantined whole, with a reason a person can act on.

    `event_key` is its identity where somebody will ask by it: the person who scanned.
    """

    code: str
    reason: str
    event_key: str | None = None


Mapped = StockEvent | Notice | Decision | OrderAnswer | NoEffect | Refused


class MappingContext(Protocol):
    """What the hub lends a mapper. All of it is a pure function of reference data and settings."""

    def site(self, facility_codes: Sequence[str], default: str | None) -> SiteFacts | None:
        """The site one of the facility codes names; else the default when it is known; else None."""

    def knows_facility(self, facility_codes: Sequence[str]) -> bool:
        """Whether one of the facility codes names a site."""

    def profile(self, name: str) -> Profile | None:
        """The profile of this id in the hub's reference data; None when there is none. Shipped profiles are the mapper's own."""

    def patient_hash(self, identifier: str, authority: str) -> str:
        """The keyed hash that stands for a patient identifier of an assigning authority outside `raw`."""


Mapper = Callable[[RawMessage, RawRef, MappingContext], Sequence[Mapped]]
"""Every mapper returns at least one result. `RawRef.index` of each event is the item's place in the sequence."""
