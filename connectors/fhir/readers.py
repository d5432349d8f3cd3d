"""Which resource types say something about stock, and which module reads each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from connectors.fhir import administration, dispense, inventory, request, supply
from connectors.fhir.bundle import Item
from connectors.fhir.events import Facts
from connectors.fhir.status import Status
from schemas.kinds import Feed


@dataclass(frozen=True, slots=True)
class Reader:
    """How one resource type is read; `feed` is set when it can move stock."""

    statuses: dict[str, Status]
    facts: Callable[[Item, Status], Sequence[Facts]]
    feed: Feed | None
    deletable: bool = True
    """Whether a DELETE can take it back by its name alone: not where a resource may have several lines."""


READERS: Final[dict[str, Reader]] = {
    "MedicationAdministration": Reader(administration.STATUSES, administration.administration_facts, Feed.ADMINISTRATION),
    "MedicationDispense": Reader(dispense.STATUSES, dispense.dispense_facts, Feed.DISPENSE),
    "DeviceDispense": Reader(dispense.DEVICE_STATUSES, dispense.device_facts, Feed.DISPENSE),
    "MedicationRequest": Reader(request.STATUSES, request.request_facts, None),
    "SupplyDelivery": Reader(supply.DELIVERY_STATUSES, supply.delivery_facts, Feed.SUPPLY, deletable=False),
    "SupplyRequest": Reader(supply.REQUEST_STATUSES, supply.request_facts, None),
    "InventoryReport": Reader(inventory.STATUSES, inventory.report_facts, Feed.SUPPLY, deletable=False),
}
"""The resource types that become stock events."""
