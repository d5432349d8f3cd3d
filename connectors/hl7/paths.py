"""Path names such as `PID-3(2).4.1` and `RXA[2]-5.1`, compiled once and kept.

Numbers are HL7's own, from 1: segment `[n]`, field, repetition `(n)`, component, subcomponent. What is not named is the first.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

PATHS_CACHED_MAX: Final = 4096
"""More different paths than this are compiled each time; code has a fixed set of them."""


class Path(NamedTuple):
    """A compiled path with indices from 0 (the field keeps HL7's number). `depth`: how deep it names, 0 field to 3 subcomponent.

    `component` is -1 where the text is taken as it stands: the header's delimiter fields. `first`: nothing but firsts is named.
    """

    segment: str
    nth: int
    field: int
    repetition: int
    component: int
    subcomponent: int
    depth: int
    first: bool


_INDEX: Final = r"(?:\[(\d+)\]|\((\d+)\))?"
_PATTERN: Final = re.compile(
    rf"(?:([A-Z][A-Z0-9]{{2}}){_INDEX}[-.])?(\d+){_INDEX}(?:[.-](\d+)(?:[.-](\d+))?)?",
)
_HEADERS: Final = frozenset({"MSH", "BHS", "FHS"})


class _Paths(dict[str, Path]):
    """Compiled paths by name; the first look-up of a name compiles it."""

    __slots__ = ()

    def __missing__(self, path: str) -> Path:
        result = _compile(path)
        if len(self) < PATHS_CACHED_MAX:
            self[path] = result
        return result


def _compile(path: str) -> Path:
    """Read one path name."""
    match = _PATTERN.fullmatch(path)
    if match is None:
        msg = f"{path!r} is not an HL7 path (expected e.g. PID-3, PID-3.1, PID-3(2).4.1, RXA[2]-5.1)"
        raise ValueError(msg)
    segment, bracket, round_, field, rep_bracket, rep_round, component, subcomponent = match.groups()
    numbers = [int(number or 1) for number in (bracket or round_, field, rep_bracket or rep_round, component, subcomponent)]
    if min(numbers) < 1:
        msg = f"{path!r}: HL7 counts from 1"
        raise ValueError(msg)
    nth, field_number, repetition, component_number, subcomponent_number = numbers
    depth = 3 if subcomponent else 2 if component else 1 if rep_bracket or rep_round else 0
    verbatim = segment in _HEADERS and field_number <= 2
    component_index = -1 if verbatim else component_number - 1
    first = repetition == component_number == subcomponent_number == 1
    return Path(segment or "", nth - 1, field_number, repetition - 1, component_index, subcomponent_number - 1, depth, first)


PATHS: Final = _Paths()
"""`PATHS[path]` is the compiled form; without a segment name it is relative to one. Raises `ValueError` when it is no path."""
