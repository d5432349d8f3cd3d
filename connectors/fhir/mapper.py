"""FHIR bodies as stock events: one result for every declared item, whatever the bytes.

It knows which resource type is read by which module, and what becomes of the others. The entries of a Bundle stand on their own:
one that is not valid never spoils its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from connectors.fhir import administration, dispense, inventory, request, supply
from connectors.fhir.body import ITEMS_MAX, documents
from connectors.fhir.bundle import Item, items_of, type_and_id
from connectors.fhir.events import Facts, Origin, deletion_of, event_of
from connectors.fhir.identity import deleted_key
from connectors.fhir.nodes import Fault, shown, text
from connectors.fhir.resource_types import RESOURCE_TYPES, STATUS_OPTIONAL
from connectors.fhir.status import Status
from connectors.fhir.validation import check, stated_release
from schemas.kinds import Feed
from schemas.mapping import Mapped, MappingContext, NoEffect, Refused
from schemas.raw import RawMessage, RawRef


@dataclass(frozen=True, slots=True)
class _Reader:
    """How one resource type is read; `feed` is set when it can move stock."""

    statuses: dict[str, Status]
    facts: Callable[[Item, Status], Sequence[Facts]]
    feed: Feed | None
    deletable: bool = True
    """Whether a DELETE can take it back by its name alone: not where a resource may have several lines."""


READERS: Final[dict[str, _Reader]] = {
    "MedicationAdministration": _Reader(administration.STATUSES, administration.administration_facts, Feed.ADMINISTRATION),
    "MedicationDispense": _Reader(dispense.STATUSES, dispense.dispense_facts, Feed.DISPENSE),
    "DeviceDispense": _Reader(dispense.DEVICE_STATUSES, dispense.device_facts, Feed.DISPENSE),
    "MedicationRequest": _Reader(request.STATUSES, request.request_facts, None),
    "SupplyDelivery": _Reader(supply.DELIVERY_STATUSES, supply.delivery_facts, Feed.SUPPLY, deletable=False),
    "SupplyRequest": _Reader(supply.REQUEST_STATUSES, supply.request_facts, None),
    "InventoryReport": _Reader(inventory.STATUSES, inventory.report_facts, Feed.SUPPLY, deletable=False),
}
"""The resource types that become stock events."""


def map_fhir(message: RawMessage, ref: RawRef, context: MappingContext) -> list[Mapped]:
    """Map one resource, a Bundle or NDJSON. Never raises; at least one result; `RawRef.index` counts the items."""
    try:
        origin = Origin(message, context, stated_release(message.content_type))
        items = _items(message.body)
    except Fault as fault:
        return [Refused(code=fault.code, reason=fault.reason)]
    results: list[Mapped] = []
    for item in items:
        first = RawRef(partition=ref.partition, offset=ref.offset, index=len(results))
        results += _mapped(item, first, origin) if isinstance(item, Item) else [item]
    return results


def _items(body: bytes) -> list[Item | NoEffect | Refused]:
    """Every item the body declares. Raises `Fault` for more than `ITEMS_MAX`."""
    items: list[Item | NoEffect | Refused] = []
    for document in documents(body):
        items += [document] if isinstance(document, Refused) else items_of(document)
        if len(items) > ITEMS_MAX:
            raise Fault("too_many_items", f"The message has more than {ITEMS_MAX} items; send it in several messages.")
    return items


def _mapped(item: Item, first: RawRef, origin: Origin) -> list[Mapped]:
    """The results of one item; the first stands at `first`. A resource with lines gives one each, or is refused whole."""
    try:
        if item.method in {"DELETE", "PATCH"}:
            return [_change(item, first, origin)]
        if not item.resource:
            return [_without_resource(item)]
        return _resource(item, first, origin)
    except Fault as fault:
        return [Refused(code=fault.code, reason=fault.reason)]


def _resource(item: Item, first: RawRef, origin: Origin) -> list[Mapped]:
    """The results for an item with a resource. Raises `Fault`."""
    resource_type = text(item.resource, "resourceType")
    if not resource_type:
        raise Fault("no_resource_type", "The object has no resourceType, so it can't be read as a FHIR resource.")
    reader = READERS.get(resource_type)
    if reader is None:
        return [_other(item, resource_type, origin)]
    check(item.resource, resource_type, origin.release)
    if resource_type not in STATUS_OPTIONAL and "status" not in item.resource:
        raise Fault("invalid_resource", f"Not a valid {resource_type} of FHIR: {resource_type}.status is required and missing.")
    code = text(item.resource, "status")
    status = reader.statuses.get(code)
    if status is None:
        known = ", ".join(reader.statuses)
        raise Fault("unknown_status", f"{resource_type}.status is {shown(code)}; known are {known}.")
    return [
        event_of(item, facts, RawRef(partition=first.partition, offset=first.offset, index=first.index + number), origin)
        for number, facts in enumerate(reader.facts(item, status))
    ]


def _other(item: Item, resource_type: str, origin: Origin) -> Mapped:
    """What becomes of a resource type without a reader. Beside others in a Bundle it only helps and is not checked."""
    if resource_type in RESOURCE_TYPES:
        if not item.scope.is_bundle:
            check(item.resource, resource_type, origin.release)
        return NoEffect(code="no_stock_meaning", reason=f"A {resource_type} moves no stock.")
    reason = f"{shown(resource_type)} is no resource type of FHIR R4, R4B or R5; check its spelling."
    return Refused(code="unknown_resource_type", reason=reason)


def _without_resource(item: Item) -> Mapped:
    """An entry that only asks, or only answers; a top-level object is refused."""
    if item.method:
        return NoEffect(code="read_request", reason=f"The entry is a {item.method[:10]} request without a resource.")
    if item.scope.is_bundle:
        return NoEffect(code="no_resource", reason="The Bundle entry holds no resource.")
    raise Fault("no_resource_type", "The object has no resourceType, so it can't be read as a FHIR resource.")


def _change(item: Item, ref: RawRef, origin: Origin) -> Mapped:
    """A DELETE takes the fact back; a PATCH can't be followed without the resource it changes."""
    resource_type = type_and_id(item.url.partition("?")[0]).partition("/")[0] or item.url.partition("?")[0].rsplit("/", 1)[-1]
    reader = READERS.get(resource_type)
    if reader is None or reader.feed is None:
        return NoEffect(code="no_stock_meaning", reason=f"A {item.method} of this resource type moves no stock.")
    named = deleted_key(item.url)
    if item.method == "PATCH" or named is None or not reader.deletable:
        reason = (
            f"A {item.method} of a {resource_type} that can't be followed here: send the whole resource"
            " (entered-in-error takes it back)"
            + (", or DELETE it by Type/id or by ?identifier=system|value." if reader.deletable else ".")
        )
        raise Fault("unsupported_change", reason)
    return deletion_of(item, reader.feed, named[1], ref, origin)
