"""MedicationRequest: a prescription. It never moves stock; every state of it is a fact of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from connectors.fhir.bundle import Item
from connectors.fhir.datatypes import identifiers_of, quantity_of
from connectors.fhir.events import Facts
from connectors.fhir.nodes import child, text
from connectors.fhir.status import Status
from schemas.kinds import EventKind, Feed

STATUSES: Final[dict[str, Status]] = {
    code: Status(key_suffix=f"|{code}")
    for code in ("active", "on-hold", "ended", "cancelled", "completed", "stopped", "draft", "unknown")
} | {"entered-in-error": Status(no_effect="the order was entered in error", key_suffix="|entered-in-error")}
"""Source: FHIR value set medicationrequest-status (R4; R5 adds `ended`)."""


def request_facts(item: Item, status: Status) -> Sequence[Facts]:
    """What the resource says. Raises `Fault` for an absurd quantity."""
    resource = item.resource
    supply = child(child(resource, "dispenseRequest"), "quantity")
    quantity, unit = quantity_of(supply, "MedicationRequest.dispenseRequest.quantity")
    identifiers = identifiers_of(resource)
    times = [
        ("MedicationRequest.authoredOn", text(resource, "authoredOn")),
        ("MedicationRequest.meta.lastUpdated", text(child(resource, "meta"), "lastUpdated")),
    ]
    return [
        Facts(
            kind=EventKind.ORDER,
            feed=Feed.ORDER,
            times=times,
            quantity=quantity,
            unit=unit,
            order_id=identifiers[0][1] if identifiers else text(resource, "id"),
            no_effect=status.no_effect,
            key_suffix=status.key_suffix,
        )
    ]
