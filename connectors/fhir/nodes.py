"""Reading parsed JSON that may have any shape: missing, null or of another type is simply absent.

Resources that only help (a Patient, an Encounter, a Location beside the medication resource) are never validated; they are read
through these functions, which never raise.
"""

from __future__ import annotations

from typing import Any

Node = dict[str, Any]


class Fault(ValueError):  # noqa: N818  # a finding about the sender's data, turned into `Refused` at once
    """One item can't be used. `code` is the stable name; `reason` is for a person and holds no patient data.

    `paths` name the elements at fault, from the resource type on (FHIRPath).
    """

    def __init__(self, code: str, reason: str, paths: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.paths = paths


def child(node: object, name: str) -> Node:
    """The object under `name`, or an empty one."""
    value = node.get(name) if node and isinstance(node, dict) else None
    return value if isinstance(value, dict) else {}


def children(node: object, name: str) -> list[Node]:
    """The objects of the list under `name`; a single object counts as a list of one."""
    value = node.get(name) if node and isinstance(node, dict) else None
    if value is None:
        return []
    if isinstance(value, dict):
        return [value]
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def text(node: object, name: str) -> str:
    """The trimmed text under `name`, or an empty one."""
    value = node.get(name) if node and isinstance(node, dict) else None
    return value.strip() if value and isinstance(value, str) else ""


def shown(value: object, characters_max: int = 60) -> str:
    """A sender's value, short, printable and in quotes, for a reason. Never for a field that may name a person."""
    content = value if isinstance(value, str) else str(value)
    cut = content[:characters_max] + ("…" if len(content) > characters_max else "")
    return "'" + "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in cut) + "'"
