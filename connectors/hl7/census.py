"""ADT: admissions, transfers, discharges, merges. One event a message, accepted without movement."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.hl7.envelope import Envelope
from connectors.hl7.fields import FieldError, places
from connectors.hl7.items import stray_movements
from schemas.kinds import EventKind, Feed
from schemas.mapping import Mapped, Refused


def map_census(envelope: Envelope) -> Iterator[Mapped]:
    """One result: where the patient (as a hash) is, from when (EVN-2)."""
    try:
        yield envelope.event(
            envelope.message_key("adt", envelope.header.raw("9")),
            EventKind.CENSUS,
            Feed.CENSUS,
            envelope.occurred(),
            location_codes=places((envelope.message.segment("PV1"), 3)),
        )
    except FieldError as error:
        yield Refused(code=error.code, reason=error.reason)
    yield from stray_movements(envelope, "")
