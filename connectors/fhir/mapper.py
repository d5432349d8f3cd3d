"""FHIR bodies as stock events: one result for every declared item, whatever the bytes.

It knows the way of an item from its document to its result. The entries of a Bundle stand on their own: one that is not valid
never spoils its neighbours.
"""

from __future__ import annotations

from typing import NamedTuple

from connectors.fhir.body import ITEMS_MAX, documents
from connectors.fhir.bundle import Item, items_of
from connectors.fhir.changes import change_of, notified, without_resource
from connectors.fhir.events import Origin, event_of
from connectors.fhir.nodes import Fault, shown, text
from connectors.fhir.readers import READERS
from connectors.fhir.resource_types import RESOURCE_TYPES, STATUS_OPTIONAL
from connectors.fhir.validation import check, stated_release
from schemas.mapping import Mapped, MappingContext, NoEffect, Refused
from schemas.raw import RawMessage, RawRef


class Located(NamedTuple):
    """A result, and the elements of the message it is about (FHIRPath; none when it is the message itself)."""

    result: Mapped
    paths: tuple[str, ...] = ()


def map_fhir(message: RawMessage, ref: RawRef, context: MappingContext) -> list[Mapped]:
    """Map one resource, a Bundle or NDJSON. Never raises; at least one result; `RawRef.index` counts the results."""
    return [one.result for one in located(message, ref, context)]


def located(message: RawMessage, ref: RawRef, context: MappingContext) -> list[Located]:
    """As `map_fhir`, with where each result stands."""
    try:
        origin = Origin(message, context, stated_release(message.content_type))
        items = _items(message.body)
    except Fault as fault:
        return [Located(Refused(code=fault.code, reason=fault.reason))]
    results: list[Located] = []
    for item in items:
        first = RawRef(partition=ref.partition, offset=ref.offset, index=len(results))
        results += _mapped(item, first, origin) if isinstance(item, Item) else [Located(item)]
    return results


def _items(body: bytes) -> list[Item | NoEffect | Refused]:
    """Every item the body declares. Raises `Fault` for more than `ITEMS_MAX`."""
    items: list[Item | NoEffect | Refused] = []
    for document in documents(body):
        items += [document] if isinstance(document, Refused) else items_of(document)
        if len(items) > ITEMS_MAX:
            raise Fault("too_many_items", f"The message has more than {ITEMS_MAX} items; send it in several messages.")
    return items


def _mapped(item: Item, first: RawRef, origin: Origin) -> list[Located]:
    """The results of one item; the first stands at `first`. A resource with lines gives one each, or is refused whole."""
    try:
        if item.method in {"DELETE", "PATCH"}:
            found = [change_of(item, first, origin)]
        elif not item.resource:
            found = [without_resource(item)]
        else:
            found = _resource(item, first, origin)
    except Fault as fault:
        paths = tuple(_path_in(item, path) for path in fault.paths) or ((item.path,) if item.path else ())
        return [Located(Refused(code=fault.code, reason=fault.reason), paths)]
    where = (item.path or item.resource_type,)
    return [Located(one, where) for one in found]


def _path_in(item: Item, path: str) -> str:
    """A path from the resource type on, as one from the Bundle on."""
    resource_type, dot, rest = path.partition(".")
    return f"{item.path or resource_type}{dot}{rest}"


def _resource(item: Item, first: RawRef, origin: Origin) -> list[Mapped]:
    """The results for an item with a resource. Raises `Fault`."""
    resource_type = item.resource_type
    if not resource_type:
        raise Fault("no_resource_type", "The object has no resourceType, so it can't be read as a FHIR resource.")
    reader = READERS.get(resource_type)
    if reader is None:
        status_of_feed = notified(item)
        return [status_of_feed] if status_of_feed is not None else [_other(item, resource_type, origin)]
    check(item.resource, resource_type, origin.release)
    if resource_type not in STATUS_OPTIONAL and "status" not in item.resource:
        path = f"{resource_type}.status"
        raise Fault("invalid_resource", f"Not a valid {resource_type} of FHIR: {path} is required and missing.", (path,))
    code = text(item.resource, "status")
    status = reader.statuses.get(code)
    if status is None:
        known = ", ".join(reader.statuses)
        path = f"{resource_type}.status"
        raise Fault("unknown_status", f"{path} is {shown(code)}; known are {known}.", (path,))
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
