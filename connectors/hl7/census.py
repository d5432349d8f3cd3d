"""ADT: admissions, transfers, discharges, merges. One event a message, accepted without movement.

A merge (A18, A34, A36, A40), a move (A43, A45) or a changed identifier (A46, A47) says that the patient of MRG-1 is from now on
the one of the PID before it: who looks for a patient's doses looks for both. Source: HL7 v2.8.2 §3.3 and §3.4.9 (MRG).
"""

from __future__ import annotations

from collections.abc import Iterator

from connectors.hl7.envelope import Envelope
from connectors.hl7.fields import FieldError, places
from connectors.hl7.items import stray_movements
from schemas.events import PatientMerge
from schemas.kinds import EventKind, Feed
from schemas.mapping import Mapped, Refused


def map_census(envelope: Envelope) -> Iterator[Mapped]:
    """One result: where the patient (as a hash) is, from when (EVN-2), and who is one patient from now on."""
    try:
        yield envelope.event(
            envelope.message_key("adt", envelope.header.raw("9")),
            EventKind.CENSUS,
            Feed.CENSUS,
            envelope.occurred(),
            location_codes=places((envelope.message.segment("PV1"), 3)),
            merges=_merges(envelope),
        )
    except FieldError as error:
        yield Refused(code=error.code, reason=error.reason)
    yield from stray_movements(envelope, "")


def _merges(envelope: Envelope) -> tuple[PatientMerge, ...]:
    """Each MRG with the PID before it."""
    found: list[PatientMerge] = []
    into: str | None = None
    for segment in envelope.message.segments("PID", "MRG"):
        if segment.name == "PID":
            into = envelope.patient_at(segment, "PID-3")
            continue
        merged = envelope.patient_at(segment, "MRG-1")
        if merged is not None and into is not None and merged != into:
            found.append(PatientMerge(merged=merged, into=into))
    return tuple(found)
