"""Entries that hold no resource: deletions, patches, reads, and notifications of a Subscription that leave the content out.

Source: FHIR R5 and the Subscriptions R5 Backport guide (SubscriptionStatus, payload content `empty`, `id-only`, `full-resource`).
"""

from __future__ import annotations

from typing import Final

from connectors.fhir.bundle import Item, type_and_id
from connectors.fhir.events import Origin, deletion_of
from connectors.fhir.identity import deleted_key
from connectors.fhir.nodes import Fault, children, text
from connectors.fhir.readers import READERS
from schemas.mapping import Mapped, NoEffect
from schemas.raw import RawRef

_HAPPENED: Final = "event-notification"
_ASK_FOR_CONTENT: Final = "ask the sender for the payload content full-resource, or send the resource by itself"


def change_of(item: Item, ref: RawRef, origin: Origin) -> Mapped:
    """A DELETE takes the fact back; a PATCH can't be followed without the resource it changes. Raises `Fault`."""
    resource_type = _type_named(item.url)
    reader = READERS.get(resource_type)
    if reader is None or reader.feed is None:
        return NoEffect(code="no_stock_meaning", reason=f"A {item.method} of this resource type moves no stock.")
    named = deleted_key(item.url)
    if item.method == "PATCH" or named is None or not reader.deletable:
        by_name = ", or DELETE it by Type/id or by ?identifier=system|value." if reader.deletable else "."
        reason = (
            f"A {item.method} of a {resource_type} that can't be followed here: send the whole resource"
            f" (entered-in-error takes it back){by_name}"
        )
        raise Fault("unsupported_change", reason)
    return deletion_of(item, reader.feed, named[1], ref, origin)


def _type_named(url: str) -> str:
    path = url.partition("?")[0]
    return type_and_id(path).partition("/")[0] or path.rsplit("/", 1)[-1]


def without_resource(item: Item) -> Mapped:
    """An entry that only asks, or only answers. Raises `Fault` for one that says that stock moved and leaves out how much."""
    if not item.scope.is_bundle:
        raise Fault("no_resource_type", "The object has no resourceType, so it can't be read as a FHIR resource.")
    resource_type = _type_named(item.url) if "/" in item.url or "?" in item.url else item.url
    if not item.method:
        return NoEffect(code="no_resource", reason="The Bundle entry holds no resource.")
    reader = READERS.get(resource_type) or READERS.get(type_and_id(item.full_url).partition("/")[0])
    if item.method in {"POST", "PUT"} and reader is not None and reader.feed is not None:
        raise Fault("no_resource", f"The entry says that a {resource_type} was stored and does not hold it; {_ASK_FOR_CONTENT}.")
    return NoEffect(code="read_request", reason=f"The entry is a {item.method[:10]} request without a resource.")


def notified(item: Item) -> Mapped | None:
    """What the status of a Subscription says; None for another resource. Raises `Fault` when something happened, unsaid what."""
    kind = _notification_type(item)
    if kind is None:
        return None
    if kind == _HAPPENED and item.scope.is_alone:
        raise Fault(
            "notification_without_content", f"The notification says that something happened, and not what; {_ASK_FOR_CONTENT}."
        )
    return NoEffect(code="subscription_status", reason=f"The status of a Subscription ({kind[:40] or 'no type'}) moves no stock.")


def _notification_type(item: Item) -> str | None:
    """The type of the notification: SubscriptionStatus.type, or the parameter `type` of the backport's Parameters."""
    if item.resource_type == "SubscriptionStatus":
        return text(item.resource, "type")
    if item.resource_type != "Parameters":
        return None
    parameters = children(item.resource, "parameter")
    if not any(text(one, "name") == "subscription" for one in parameters):
        return None
    return next((text(one, "valueCode") for one in parameters if text(one, "name") == "type"), "")
