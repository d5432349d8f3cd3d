"""MedicationAdministration: a patient received a dose (R4, R4B: `effective[x]`; R5: `occurence[x]`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from connectors.fhir.bundle import Item
from connectors.fhir.context import administered_at, reference_id
from connectors.fhir.datatypes import quantity_of
from connectors.fhir.events import Facts
from connectors.fhir.nodes import Node, child, text
from connectors.fhir.status import POSTS, TAKES_BACK, Status, before, ends
from schemas.kinds import EventKind, Feed

STATUSES: Final[dict[str, Status]] = {
    "completed": POSTS,
    "in-progress": before("in-progress", "the administration is in progress; it counts when it is completed"),
    "on-hold": before("on-hold", "the administration is on hold"),
    "unknown": before("unknown", "the sender does not know whether the administration took place"),
    "stopped": ends("the administration was stopped before it was complete; the rest is returned or wasted"),
    "not-done": ends("the administration was not done"),
    "entered-in-error": TAKES_BACK,
}
"""Source: FHIR value set medication-admin-status (R4 and R5)."""

_INSTANTS: Final = ("effectiveDateTime", "occurenceDateTime", "occurrenceDateTime")
_PERIODS: Final = ("effectivePeriod", "occurencePeriod", "occurrencePeriod")
_TIMINGS: Final = ("occurenceTiming", "occurrenceTiming")


def administration_facts(item: Item, status: Status) -> Sequence[Facts]:
    """What the resource says. Raises `Fault` for an absurd dose."""
    resource = item.resource
    quantity, unit = quantity_of(child(child(resource, "dosage"), "dose"), "MedicationAdministration.dosage.dose")
    return [
        Facts(
            kind=EventKind.ADMINISTER,
            feed=Feed.ADMINISTRATION,
            times=_times(resource),
            quantity=quantity,
            unit=unit,
            quantity_is_dose=True,
            places=administered_at(item),
            order_id=reference_id(item, child(resource, "request")),
            no_effect=status.why_nothing_moves(quantity),
            key_suffix=status.key_suffix,
            takes_back=status.is_error,
        )
    ]


def _times(resource: Node) -> list[tuple[str, str]]:
    """When: the instant, else the end of the period, else its start, else the last of a timing's events, else when recorded.

    At most one of the choices is there: the models allow no more.
    """
    for name in _INSTANTS:
        if name in resource:
            return [(f"MedicationAdministration.{name}", text(resource, name))]
    for name in _PERIODS:
        if name in resource:
            period = child(resource, name)
            return [(f"MedicationAdministration.{name}.{edge}", text(period, edge)) for edge in ("end", "start")]
    found = []
    for name in _TIMINGS:
        events = child(resource, name).get("event")
        last = events[-1] if isinstance(events, list) and events else None
        found.append((f"MedicationAdministration.{name}.event", last if isinstance(last, str) else ""))
    return [*found, ("MedicationAdministration.recorded", text(resource, "recorded"))]
