"""A profile's YAML as a `Profile`, or what is wrong with it, line by line.

All scalars stay text (YAML 1.1 would read the path `FT1-6` well, but the code `0123` as 83 and `NO` as false). Short forms are
spelt out here: a path for a field, a kind for an effect, one value for a list of one.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import yaml
from pydantic import ValidationError

from connectors.field_faults import sentence
from schemas.profile import PROFILE, Profile

DOCUMENT_BYTES_MAX: Final = 1024 * 1024
_LOADER: Final[Any] = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_LISTS: Final = frozenset(
    {"paths", "starts", "key", "quantity", "total", "production", "receivers", "systems", "kinds", "contains", "texts", "when",
     "columns", "formats", "ignore"}
)  # fmt: skip
_REPORT_PARTS: Final = frozenset({"facts", "actions", "columns"})
_EFFECTS: Final = frozenset({"absent", "effect"})

Place = tuple[str | int, ...]


class ProfileFault(NamedTuple):
    """What is wrong, and where: line (0 when the document as a whole), the field, and a reason a person can act on."""

    line: int
    field: str
    reason: str


class Document(NamedTuple):
    """A profile and the line of each of its places."""

    profile: Profile
    lines: dict[Place, int]

    def line(self, place: Place) -> int:
        """The line of a place, or of the nearest one above it."""
        return _line_of(self.lines, place)


def is_profile(text: str) -> bool:
    """Whether a YAML text is a mapping with the key `profile`, as every profile is."""
    try:
        root = yaml.compose(text, Loader=_LOADER)
    except (yaml.YAMLError, RecursionError):
        return False
    return isinstance(root, yaml.MappingNode) and any(getattr(key, "value", None) == "profile" for key, _ in root.value)


def read_document(text: str) -> Document | list[ProfileFault]:
    """Read one profile. Never raises for a bad one: the faults name their lines."""
    try:
        root = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        return [ProfileFault(mark.line + 1 if mark else 0, "", f"is not YAML: {error.problem or 'it can not be read'}")]
    except (yaml.YAMLError, RecursionError):
        return [ProfileFault(0, "", "is not YAML that can be read")]
    if not isinstance(root, yaml.MappingNode):
        return [ProfileFault(1, "", "must be a mapping that begins with `profile: <id>`")]
    lines: dict[Place, int] = {}
    faults: list[ProfileFault] = []
    try:
        value = _value(root, (), lines, faults)
    except RecursionError:
        return [ProfileFault(0, "", "is nested too deeply")]
    if faults:
        return faults
    try:
        return Document(PROFILE.validate(value), lines)
    except ValidationError as error:
        return [_fault(detail, lines) for detail in error.errors(include_url=False)]


def _value(node: yaml.Node, place: Place, lines: dict[Place, int], faults: list[ProfileFault]) -> Any:  # JSON value
    """A node as plain data with its short forms spelt out; notes the line of every place."""
    lines.setdefault(place, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        found: dict[str, Any] = {}
        for key, child in node.value:
            name = str(key.value).strip() if isinstance(key, yaml.ScalarNode) else ""
            line = key.start_mark.line + 1
            if not name:
                faults.append(ProfileFault(line, "", "has a key that is no name"))
            elif name in found:
                faults.append(ProfileFault(line, name, "stands twice"))
            else:
                lines[(*place, name)] = line
                found[name] = _spelt(name, place, _value(child, (*place, name), lines, faults))
        return found
    if isinstance(node, yaml.SequenceNode):
        return [_value(child, (*place, number), lines, faults) for number, child in enumerate(node.value)]
    return str(node.value)


def _spelt(name: str, place: Place, value: Any) -> Any:  # JSON value
    """One value with its short form spelt out, by what it belongs to."""
    parent = place[-1] if place else ""
    if parent == "messages" and isinstance(value, dict):
        return [value]
    if parent in _REPORT_PARTS or (parent == "report" and name == "columns"):
        return _spelt_in_report(parent, value)
    if parent == "fields" and isinstance(value, str | list):
        return {"paths": [value] if isinstance(value, str) else value}
    if (name in _EFFECTS or (parent == "codes" and len(place) >= 2 and place[-2] == "kind")) and isinstance(value, str):
        return {"kind": value}
    if name in _LISTS and parent != "codes" and isinstance(value, str | dict) and parent != "fields":
        return [value]
    return value


def _spelt_in_report(parent: str | int, value: Any) -> Any:  # JSON value
    """A fact as its columns, an action as what it means; columns of a fixed-width report stay as they are."""
    if parent == "facts" and isinstance(value, str | list):
        return {"columns": [value] if isinstance(value, str) else value}
    if parent == "actions" and isinstance(value, str):
        return {"action": value}
    return value


def _fault(detail: Any, lines: dict[Place, int]) -> ProfileFault:  # pydantic's ErrorDetails
    """One of pydantic's errors with the line it is about."""
    place: Place = tuple(part for part in detail["loc"] if part != "[key]")
    _, reason = sentence(detail)
    if detail["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        reason = "is no field of this part of a profile"
    field = ".".join(str(part) for part in place)
    return ProfileFault(_line_of(lines, place), field, reason)


def _line_of(lines: dict[Place, int], place: Place) -> int:
    """The line of the deepest part of a place that stands in the text. A list of one may stand there without its list."""
    found: Place = ()
    for part in place:
        if (*found, part) in lines:
            found = (*found, part)
        elif not isinstance(part, int):
            break
    return lines.get(found, 0)
