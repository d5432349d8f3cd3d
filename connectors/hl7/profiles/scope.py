"""What belongs to one item of a message: its own segment, what follows it, what stands before it in its group, and the head.

Cut by segment names alone: a group begins at one of the starting segments (an order, a master file entry), an item at its own
segment. A path is looked up in the nearest of these that has its segment.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from connectors.hl7.er7 import Message, Segment
from connectors.hl7.paths import PATHS
from connectors.hl7.syntax import NULL


class Scope:
    """One item of a message."""

    __slots__ = ("_own", "_parts", "item", "number")

    def __init__(
        self, item: Segment, number: int, own: Sequence[Segment], above: Sequence[Segment], head: Sequence[Segment]
    ) -> None:
        """`own` begins with the item's segment; `above` is the group before its first item; `number` counts from 1."""
        self.item = item
        self.number = number
        self._own = own
        self._parts = (own, above, head)

    def segment(self, path: str) -> Segment | None:
        """The segment a path names, of the nearest part that has one of that name."""
        step = PATHS[path]
        for part in self._parts:
            found = [segment for segment in part if segment.name == step.segment]
            if found:
                return found[step.nth] if step.nth < len(found) else None
        return None

    def value(self, path: str) -> str:
        """The trimmed text at a path; "" when absent or null."""
        segment = self.segment(path)
        return "" if segment is None else segment.value(relative(path))

    def raw(self, path: str) -> str:
        """The text at a path as sent."""
        segment = self.segment(path)
        return "" if segment is None else segment.raw(relative(path)).strip()

    def texts(self, path: str) -> Iterator[str]:
        """The decoded text at a path in every repetition of every such segment that belongs to the item."""
        step = PATHS[path]
        for segment in self._own:
            if segment.name == step.segment:
                yield from (text for text in segment.repetitions(relative(path)) if text and text != NULL)


def relative(path: str) -> str:
    """A path without its segment."""
    return path.split("-", 1)[1]


def scopes_of(message: Message, each: str, starts: Sequence[str]) -> list[Scope]:
    """The items of a message in order. Segments before the first group, and before the first item, are the head of all.

    An item before the first starting segment is an item as well, in a group of its own.
    """
    segments = list(message)
    names = {*starts, each}
    first = next((at for at, segment in enumerate(segments) if segment.name in names), len(segments))
    cuts = [at for at, segment in enumerate(segments) if segment.name in starts]
    if not cuts or cuts[0] > first:
        cuts.insert(0, first)
    found: list[Scope] = []
    for start, end in pairwise([*cuts, len(segments)]):
        found.extend(_items(segments[start:end], each, segments[:first], len(found)))
    return found


def _items(group: Sequence[Segment], each: str, head: Sequence[Segment], before: int) -> Iterator[Scope]:
    places = [at for at, segment in enumerate(group) if segment.name == each]
    if not places:
        return
    for number, (at, end) in enumerate(zip(places, [*places[1:], len(group)], strict=True), start=before + 1):
        yield Scope(group[at], number, group[at:end], group[: places[0]], head)
