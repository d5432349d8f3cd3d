"""The business identity of a FHIR resource: the key under which a resend is a duplicate and an update is seen.

The key is the resource's first identifier, else its id, else the fullUrl of its entry, else its stock-bearing content. The
server's base address and the version are not part of it: the same resource by another route is the same fact, and its versions
(`meta.versionId`) are versions of one fact.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from connectors.fhir.bundle import Item, type_and_id
from connectors.fhir.datatypes import instant_of
from connectors.fhir.nodes import Fault, child, text

VERSION_DIGITS_MAX: Final = 15
"""Longer numbers are names: they are no counts of versions."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBERS_AN_ORDER: Final = (".100495.20.3.81", ".100495.20.3.82", ".100495.20.3.11")
"""Identifier systems (JP Core: RP number, order in RP, request number) that number an order's lines: every dispense of the order
bears the same ones."""


def key_of(*parts: str) -> str:
    """Parts joined with `|`; `|` and `%` inside a part are percent-encoded, so that no two lists give one key."""
    return "|".join([part.replace("%", "%25").replace("|", "%7C") for part in parts])


def event_key(item: Item, identifiers: list[tuple[str, str]], content: Callable[[], str]) -> str:
    """The key of an item that holds a resource with `identifiers` (system, value).

    `content` makes the fingerprint of last resort.
    """
    resource_type = item.resource_type
    for system, value in identifiers:
        if not system.endswith(_NUMBERS_AN_ORDER):
            return key_of("fhir", resource_type, system, value)
    own_id = text(item.resource, "id")
    if own_id:
        return id_key(resource_type, own_id)
    named = type_and_id(item.full_url)
    if named:
        return id_key(*named.split("/"))
    if item.full_url:
        return key_of("fhir", resource_type, item.full_url)
    return key_of("fhir", resource_type, "content", "", content())


def order_key(item: Item, identifiers: list[tuple[str, str]], content: Callable[[], str]) -> str:
    """The key of an order: all its identifiers, since the first may number a whole prescription; else as `event_key`."""
    if len(identifiers) < 2:
        return event_key(item, identifiers, content)
    return key_of("fhir", item.resource_type, *(part for pair in identifiers for part in pair))


def id_key(resource_type: str, own_id: str) -> str:
    """The key of a resource known by its id alone."""
    return key_of("fhir", resource_type, own_id)


def deleted_key(url: str) -> tuple[str, str] | None:
    """(type, key) of the resource a DELETE names: `Type/id`, or `Type?identifier=system|value`; None for any other search."""
    path, _, query = url.partition("?")
    if not query:
        named = type_and_id(path)
        resource_type, _, own_id = named.partition("/")
        return (resource_type, id_key(resource_type, own_id)) if named else None
    resource_type = path.rstrip("/").rsplit("/", 1)[-1]
    name, _, token = query.partition("=")
    system, bar, value = token.replace("%7C", "|").replace("%7c", "|").partition("|")
    if name != "identifier" or "&" in query or not bar or not value:
        return None
    return resource_type, key_of("fhir", resource_type, system, value)


class ResourceVersion(NamedTuple):
    """A version of a resource: its name, and its place among the versions (a positive integer)."""

    label: str
    order: int


def version_of(item: Item, received_at: datetime) -> ResourceVersion | None:
    """The version a resource bears, or the fullUrl of its entry: a number orders by itself, any other name by `meta.lastUpdated`
    (microseconds). An update (PUT) that bears none is a version by when it was received: its server would have numbered it then.
    """
    meta = child(item.resource, "meta")
    label = text(meta, "versionId") or item.full_url.partition("/_history/")[2]
    if label.isascii() and label.isdigit() and len(label) <= VERSION_DIGITS_MAX and int(label) > 0:
        return ResourceVersion(str(int(label)), int(label))
    updated = text(meta, "lastUpdated")
    try:
        at = instant_of(updated, "meta.lastUpdated", None)[0] if updated and label else None
    except Fault:
        at = None
    if at is None and item.method == "PUT":
        label, at = f"received {received_at.isoformat()}", received_at
    return None if at is None else ResourceVersion(label[:64], (at - _EPOCH) // timedelta(microseconds=1))


def reversal_key(original: str) -> str:
    """The key of the event that takes `original` back."""
    return f"rev|{original}"
