"""MedicationDispense (R4, R4B, R5) and DeviceDispense (R5): the pharmacy handed out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from connectors.fhir.bundle import Item
from connectors.fhir.context import reference_id
from connectors.fhir.datatypes import quantity_of
from connectors.fhir.events import Facts
from connectors.fhir.medication import product_of
from connectors.fhir.nodes import child, children, text
from connectors.fhir.status import POSTS, TAKES_BACK, Status, before, ends
from schemas.kinds import EventKind, Feed

STATUSES: Final[dict[str, Status]] = {
    "completed": POSTS,
    "preparation": before("preparation", "the dispense is being prepared; it counts when it is completed"),
    "in-progress": before("in-progress", "the dispense is in progress; it counts when it is completed"),
    "on-hold": before("on-hold", "the dispense is on hold"),
    "unknown": before("unknown", "the sender does not know whether the dispense took place"),
    "cancelled": ends("the dispense was cancelled"),
    "declined": ends("the dispense was declined"),
    "stopped": ends("the dispense was stopped before it was complete"),
    "entered-in-error": TAKES_BACK,
}
"""Source: FHIR value set medicationdispense-status (R4 and R5)."""


def dispense_facts(item: Item, status: Status) -> Sequence[Facts]:
    """What the resource says. Raises `Fault` for an absurd quantity."""
    resource = item.resource
    quantity, unit = quantity_of(child(resource, "quantity"), "MedicationDispense.quantity")
    prescriptions = children(resource, "authorizingPrescription")
    location, destination = child(resource, "location"), child(resource, "destination")
    times = [(f"MedicationDispense.{name}", text(resource, name)) for name in ("whenHandedOver", "whenPrepared", "recorded")]
    times.append(("MedicationDispense.meta.lastUpdated", text(child(resource, "meta"), "lastUpdated")))
    return [
        Facts(
            kind=EventKind.DISPENSE,
            feed=Feed.DISPENSE,
            times=times,
            quantity=quantity,
            unit=unit,
            places=[location] if location else (),
            destinations=[destination] if destination else (),
            order_id=reference_id(item, prescriptions[0]) if prescriptions else "",
            no_effect=status.why_nothing_moves(quantity),
            key_suffix=status.key_suffix,
            takes_back=status.is_error,
        )
    ]


DEVICE_STATUSES: Final = STATUSES
"""Source: FHIR value set devicedispense-status (R5): the same codes."""


def device_facts(item: Item, status: Status) -> Sequence[Facts]:
    """A device that was handed out: as a dispense. Raises `Fault` for an absurd quantity."""
    resource = item.resource
    quantity, unit = quantity_of(child(resource, "quantity"), "DeviceDispense.quantity")
    based_on = children(resource, "basedOn")
    location, destination = child(resource, "location"), child(resource, "destination")
    both = child(resource, "device")
    return [
        Facts(
            kind=EventKind.DISPENSE,
            feed=Feed.DISPENSE,
            times=[(f"DeviceDispense.{name}", text(resource, name)) for name in ("whenHandedOver", "preparedDate")],
            quantity=quantity,
            unit=unit,
            places=[location] if location else (),
            destinations=[destination] if destination else (),
            order_id=reference_id(item, based_on[0]) if based_on else "",
            no_effect=status.why_nothing_moves(quantity),
            key_suffix=status.key_suffix,
            takes_back=status.is_error,
            product=product_of(item, child(both, "concept"), child(both, "reference")),
        )
    ]
