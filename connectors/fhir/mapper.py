"""FHIR bodies as stock events: one result for every declared item, whatever the bytes.

It knows which resource type is read by which module, and what becomes of the others. The entries of a Bundle stand on their own:
one that is not valid never spoils its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from connectors.fhir import administration, dispense, request
from connectors.fhir.body import ITEMS_MAX, documents
from connectors.fhir.bundle import Item, items_of, type_and_id
from connectors.fhir.events import Facts, Origin, deletion_of, event_of
from connectors.fhir.identity import deleted_key
from connectors.fhir.nodes import Fault, shown, text
from connectors.fhir.resource_types import MAY_MOVE_STOCK, RESOURCE_TYPES
from connectors.fhir.status import Status
from connectors.fhir.validation import check, release_of
from schemas.kinds import Feed
from schemas.mapping import Mapped, MappingContext, NoEffect, Refused
from schemas.raw import RawMessage, RawRef


@dataclass(frozen=True, slots=True)
class _Reader:
    """How one resource type is read; `feed` is set when it can move stock."""

    statuses: dict[str, Status]
    facts: Callable[[Item, Status], Facts]
    feed: Feed | None


READERS: Final[dict[str, _Reader]] = {
    "MedicationAdministration": _Reader(administration.STATUSES, administration.administration_facts, Feed.ADMINISTRATION),
    "MedicationDispense": _Reader(dispense.STATUSES, dispense.dispense_facts, Feed.DISPENSE),
    "MedicationRequest": _Reader(request.STATUSES, request.request_facts, None),
}
"""The resource types that become stock events."""


def map_fhir(message: RawMessage, ref: RawRef, context: MappingContext) -> list[Mapped]:
    """Map one resource, a Bundle or NDJSON. Never raises; at least one result; `RawRef.index` counts the items."""
    origin = Origin(message, context)
    try:
        items = _items(message.body)
    except Fault as fault:
        return [Refused(code=fault.code, reason=fault.reason)]
    return [
        _mapped(item, RawRef(partition=ref.partition, offset=ref.offset, index=index), origin) if isinstance(item, Item) else item
        for index, item in enumerate(items)
    ]


def _items(body: bytes) -> list[Item | NoEffect | Refused]:
    """Every item the body declares. Raises `Fault` for more than `ITEMS_MAX`."""
    items: list[Item | NoEffect | Refused] = []
    for document in documents(body):
        items += [document] if isinstance(document, Refused) else items_of(document)
        if len(items) > ITEMS_MAX:
            raise Fault("too_many_items", f"The message has more than {ITEMS_MAX} items; send it in several messages.")
    return items


def _mapped(item: Item, ref: RawRef, origin: Origin) -> Mapped:
    try:
        if item.method in {"DELETE", "PATCH"}:
            return _change(item, ref, origin)
        if not item.resource:
            return _without_resource(item)
        return _resource(item, ref, origin)
    except Fault as fault:
        return Refused(code=fault.code, reason=fault.reason)


def _resource(item: Item, ref: RawRef, origin: Origin) -> Mapped:
    """The result for an item with a resource. Raises `Fault`."""
    resource_type = text(item.resource, "resourceType")
    if not resource_type:
        raise Fault("no_resource_type", "The object has no resourceType, so it can't be read as a FHIR resource.")
    reader = READERS.get(resource_type)
    if reader is None:
        return _other(resource_type)
    check(item.resource, resource_type, release_of(item.resource))
    code = text(item.resource, "status")
    status = reader.statuses.get(code)
    if status is None:
        known = ", ".join(reader.statuses)
        raise Fault("unknown_status", f"{resource_type}.status is {shown(code)}; known are {known}.")
    return event_of(item, reader.facts(item, status), ref, origin)


def _other(resource_type: str) -> Mapped:
    """What becomes of a resource type without a reader."""
    if resource_type in MAY_MOVE_STOCK:
        reason = f"A {resource_type} may move stock and no mapping is installed for it."
        return Refused(code="no_mapping", reason=reason)
    if resource_type in RESOURCE_TYPES:
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
    if item.method == "PATCH" or named is None:
        reason = (
            f"A {item.method} of a {resource_type} that can't be followed here: send the whole resource"
            " (entered-in-error takes it back), or DELETE it by Type/id or by ?identifier=system|value."
        )
        raise Fault("unsupported_change", reason)
    return deletion_of(item, reader.feed, named[1], ref, origin)
