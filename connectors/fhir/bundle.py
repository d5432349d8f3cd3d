"""From documents to items: a Bundle's entries, and the scope in which each item's references are resolved.

An item is one entry of a Bundle (entries of a Bundle inside a Bundle included), or the resource itself. References resolve to
contained resources (`#id`) and to resources of the same Bundle (by fullUrl or `Type/id`), never over a network.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from connectors.fhir.body import ITEMS_MAX
from connectors.fhir.nodes import Fault, Node, child, children, text
from schemas.mapping import NoEffect, Refused

TEST_CODES: Final = frozenset({"HTEST", "TEST"})
"""`meta.security` or `meta.tag` codes of test data (v3 ActReason HTEST, "test health data")."""


class Scope:
    """The Bundle around an item (or nothing): its id, time and test label, and its resources by reference."""

    __slots__ = ("_entries", "_index", "control_id", "is_alone", "is_bundle", "test", "timestamp")

    def __init__(self, bundle: Node | None = None, outer: Scope | None = None) -> None:
        self.is_bundle = bundle is not None
        self._entries = children(bundle, "entry")
        self.is_alone = len(self._entries) == 1
        self._index: dict[str, Node] | None = None
        own_id = text(bundle, "id") or text(child(bundle, "identifier"), "value")
        self.control_id: str | None = own_id or (outer.control_id if outer else None)
        self.timestamp: str = text(bundle, "timestamp") or (outer.timestamp if outer else "")
        self.test: bool = is_test(bundle) or (outer is not None and outer.test)

    def resolve(self, reference: Node, resource: Node) -> Node:
        """The resource a reference of `resource` points to, or an empty object when it is not in this message."""
        target = text(reference, "reference")
        if target.startswith("#"):
            named = target[1:]
            for one in children(resource, "contained"):
                if text(one, "id") == named:
                    return one
            return {}
        if not target or not self._entries:
            return {}
        index = self._indexed()
        return index.get(target) or index.get(type_and_id(target)) or {}

    def _indexed(self) -> dict[str, Node]:
        """Resources by fullUrl and `Type/id`; the first of several wins. Made once, when the first reference asks."""
        if self._index is None:
            self._index = {}
            for entry in self._entries:
                resource = child(entry, "resource")
                full_url = text(entry, "fullUrl")
                names = (full_url, type_and_id(full_url), f"{text(resource, 'resourceType')}/{text(resource, 'id')}")
                for name in names:
                    if resource and name:
                        self._index.setdefault(name, resource)
        return self._index


class Item(NamedTuple):
    """One declared item: its resource (empty when the entry has none), and what the Bundle's entry says about it."""

    resource: Node
    resource_type: str
    """Its resourceType; empty when it states none."""
    scope: Scope
    full_url: str = ""
    method: str = ""
    url: str = ""
    path: str = ""
    """Where it stands in the document (FHIRPath); empty for the document itself."""


def items_of(document: Node) -> list[Item | NoEffect | Refused]:
    """The items of one document, in the order sent. Raises `Fault` for more than `ITEMS_MAX`."""
    resource_type = text(document, "resourceType")
    if resource_type != "Bundle":
        return [Item(document, resource_type, _NO_BUNDLE)]
    found: list[Item | NoEffect | Refused] = []
    _expand(document, None, found, "Bundle")
    return found


def _expand(bundle: Node, outer: Scope | None, found: list[Item | NoEffect | Refused], path: str) -> None:
    entries = bundle.get("entry")
    if entries is not None and not isinstance(entries, list):
        found.append(Refused(code="invalid_resource", reason="Bundle.entry must be a list."))
        return
    if not entries:
        found.append(NoEffect(code="empty_bundle", reason="The Bundle has no entries."))
        return
    if len(found) + len(entries) > ITEMS_MAX:
        raise Fault("too_many_items", f"The Bundle has more than {ITEMS_MAX} entries; send it in several messages.")
    scope = Scope(bundle, outer)
    for number, entry in enumerate(entries):
        if not isinstance(entry, dict):
            found.append(Refused(code="invalid_resource", reason=f"Bundle.entry[{number}] must be an object."))
            continue
        resource, request = child(entry, "resource"), child(entry, "request")
        resource_type = text(resource, "resourceType")
        if resource_type == "Bundle":
            _expand(resource, scope, found, f"{path}.entry[{number}].resource")
            continue
        method, url = text(request, "method").upper(), text(request, "url")
        where = f"{path}.entry[{number}].resource"
        found.append(Item(resource, resource_type, scope, text(entry, "fullUrl"), method, url, where))


def is_test(resource: Node | None) -> bool:
    """Whether `meta.security` or `meta.tag` marks test data."""
    meta = child(resource, "meta")
    if not meta:
        return False
    return any(text(label, "code").upper() in TEST_CODES for name in ("security", "tag") for label in children(meta, name))


def type_and_id(reference: str) -> str:
    """`Type/id` of a relative or absolute reference, without version and query; empty when it has no such end."""
    parts = reference.split("?", 1)[0].split("/_history/", 1)[0].rstrip("/").split("/")
    return "/".join(parts[-2:]) if len(parts) >= 2 and parts[-2][:1].isupper() else ""


_NO_BUNDLE: Final = Scope()
"""The scope of every resource that came by itself."""
