"""What every event of a message shares: who sent it, for which site, when, about whom.

Owns MSH, EVN and PID as the mappers need them, and building a `StockEvent` from them. Patient identifiers leave it only as the
keyed hash the context makes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC
from functools import lru_cache
from typing import Any, Final, NamedTuple

from connectors.hl7.er7 import Message, Segment
from connectors.hl7.fields import FieldError, value
from connectors.hl7.identity import Ordinals, key_of
from connectors.hl7.paths import PATHS
from connectors.hl7.profiles.compile import Compiled
from connectors.hl7.syntax import KEPT_CHARS_MAX, NULL, Syntax, kept
from connectors.hl7.timestamps import Instant, TimeError, parse_instant, zone_of
from schemas.events import StockEvent
from schemas.ids import derived_id, fingerprint
from schemas.kinds import EventKind, Feed
from schemas.mapping import MappingContext
from schemas.raw import YEAR_MAX, YEAR_MIN, RawMessage, RawRef
from schemas.units import canonical_unit

SENDERS_KEPT_MAX: Final = 1024
"""A hub has few senders: what this many of the latest are called is kept as read."""


class _Names(NamedTuple):
    """What a sender calls itself: as sent for keys, and the codes that may name a site, the facility's own first."""

    sender: tuple[str, str]
    facility_codes: tuple[str, ...]


@lru_cache(maxsize=SENDERS_KEPT_MAX)
def _names_of(application: str, facility: str, syntax: Syntax) -> _Names:
    """The names in MSH-3 and MSH-4: MSH-4.1, MSH-4.2, and MSH-3.1 with MSH-4.1."""
    name, identifier, program = syntax.trimmed(facility), syntax.trimmed(facility, PATHS["4.2"]), syntax.trimmed(application)
    candidates = (name, identifier, f"{program}|{name}" if program and name else "")
    codes = tuple(dict.fromkeys(code for code in candidates if code))
    return _Names((application.rstrip("^"), facility.rstrip("^")), codes)


class Envelope:
    """The facts of one message, read once. `index` is the number of the next item in the raw body; the mapper counts it on."""

    __slots__ = (
        "_common",
        "_context",
        "_digest",
        "_elsewhere",
        "_ref",
        "_units",
        "_zone",
        "amend",
        "control_id",
        "header",
        "index",
        "item_number",
        "message",
        "ordinals",
        "patient",
        "received_at",
        "sender",
        "site_id",
    )

    def __init__(
        self, message: Message, raw: RawMessage, ref: RawRef, index: int, context: MappingContext, compiled: Compiled
    ) -> None:
        """`compiled` is the profile of the feed. `amend` may be set to say of an item's fields what a profile reads elsewhere."""
        header = next(iter(message))
        self.amend: Callable[[int, dict[str, Any]], None] | None = None
        self.item_number = 0
        self._context = context
        self._units = compiled.units
        self._elsewhere = _addressed_elsewhere(header, compiled)
        self.message = message
        self.header = header
        self.index = index
        self.ordinals = Ordinals()
        self._ref = ref
        self._digest: str | None = None
        self.control_id = header.value("10")
        application, facility = header.field(3).strip(), header.field(4).strip()
        naming = _names_of if len(application) + len(facility) <= KEPT_CHARS_MAX else _names_of.__wrapped__
        names: _Names = naming(application, facility, message.syntax)
        self.sender = names.sender
        self.received_at = raw.received_at
        site = context.site(names.facility_codes, raw.site)
        self.site_id = site.id if site else ""
        self._zone = compiled.zone or (zone_of(site.zone) if site else UTC)
        self.patient = _patient(message.segment("PID"), context)
        self._common: dict[str, Any] = {
            "site": self.site_id,
            "source": raw.source,
            "received_at": raw.received_at,
            "control_id": self.control_id or None,
            "patient": self.patient,
            "test": (mode := header.value("11").upper()) != "" and mode not in compiled.production,
            "facility": names.facility_codes[0] if names.facility_codes else None,
            "facility_matched": bool(names.facility_codes) and context.knows_facility(names.facility_codes),
        }

    def occurred(self, *own: tuple[Segment | None, str]) -> Instant:
        """When it happened: the item's own times in the order given, else EVN-2, MSH-7, else when the message was received.

        Raises `FieldError` when the first that is given is no possible time.
        """
        for segment, field in own:
            stamp = value(segment, field)
            if stamp and segment is not None:
                return self._instant(segment, field, stamp)
        for name, field in (("EVN", "2"), ("MSH", "7")):
            segment = self.message.segment(name)
            stamp = value(segment, field)
            if stamp and segment is not None:
                return self._instant(segment, field, stamp)
        return Instant(self.received_at, zone_assumed=False)

    def _instant(self, segment: Segment, field: str, stamp: str) -> Instant:
        """A time stamp in the site's zone. Raises `FieldError`, also for the ends of the calendar, which have no local time."""
        try:
            found = parse_instant(stamp, self._zone)
        except TimeError as error:
            raise FieldError("bad_time", f"{segment.name}-{field}: {error}") from None
        if not YEAR_MIN <= found.at.year <= YEAR_MAX:
            reason = f"{segment.name}-{field}: {stamp[:40]!r} is not a time of this hub; check the sender's clock"
            raise FieldError("absurd_time", reason)
        return found

    def event(self, key: str, kind: EventKind, feed: Feed, occurred: Instant, **fields: Any) -> StockEvent:
        """An event of this message under `key`, with the fields of `StockEvent` that are the item's own."""
        if self.amend is not None and self.item_number:
            self.amend(self.item_number, fields)
        if self._units and fields.get("unit"):
            fields["unit"] = self._units.get(canonical_unit(fields["unit"]), fields["unit"])
        if self._elsewhere and not fields.get("no_effect"):
            fields["no_effect"] = self._elsewhere
        fields = {**self._common, **fields}
        return StockEvent(
            event_id=derived_id("event", self.site_id, key),
            event_key=key,
            kind=kind,
            feed=feed,
            raw=self._ref if self.index == self._ref.index else dataclasses.replace(self._ref, index=self.index),
            occurred=occurred.at,
            zone_assumed=occurred.zone_assumed,
            **fields,
        )

    def patient_at(self, segment: Segment | None, path: str) -> str | None:
        """The hash of the first patient identifier at another place than PID-3."""
        field = PATHS[path].field
        named = _patient_named(segment.field(field), segment.syntax) if segment is not None else None
        return None if named is None else self._context.patient_hash(*named)

    def rekeyed(self, event: StockEvent, key: str, **changes: Any) -> StockEvent:
        """The same event under another key."""
        if key == event.event_key and not changes:
            return event
        return dataclasses.replace(event, event_key=key, event_id=derived_id("event", self.site_id, key), **changes)

    def key(self, kind: str, *parts: str) -> str:
        """A key that begins with the kind of fact and the sender."""
        return key_of(kind, *self.sender, *parts)

    def message_key(self, kind: str, *parts: str) -> str:
        """A key for what never moves stock: the control id, and a digest of the content because control ids get reused."""
        if self._digest is None:
            self._digest = fingerprint(*self.message.lines(without="MSH"))
        return self.key(kind, self.control_id, *parts, self._digest)


def _addressed_elsewhere(header: Segment, compiled: Compiled) -> str | None:
    """Why a message that another receiver is named in moves nothing; None when it is meant for this hub."""
    if not compiled.receivers or compiled.is_receiver(header.value("5"), header.value("6")):
        return None
    return f"the message is addressed to {header.value('5')[:40]} (MSH-5), not to this hub"


def order_ids(order: Segment | None) -> tuple[str, str]:
    """An order's identifier, for people and as sent for keys: the filler's (ORC-3), else the placer's (ORC-2), else none."""
    if order is not None:
        for field in ("3", "2"):
            identifier = value(order, f"{field}.1")
            if identifier:
                return identifier, order.raw(field).strip().rstrip("^")
    return "", ""


def _patient(segment: Segment | None, context: MappingContext) -> str | None:
    """The hash of the first identifier of PID-3 with its assigning authority (PID-3.4)."""
    named = _patient_named(segment.field(3), segment.syntax) if segment is not None else None
    return None if named is None else context.patient_hash(*named)


@kept
def _patient_named(text: str, syntax: Syntax) -> tuple[str, str] | None:
    """The first identifier of a patient identifier list, and its assigning authority."""
    for nth, identifier in enumerate(map(str.strip, syntax.repetitions(text)), start=1):
        if identifier not in ("", NULL):
            return identifier, syntax.trimmed(text, PATHS[f"3({nth}).4"]) or syntax.trimmed(text, PATHS[f"3({nth}).4.2"])
    return None
