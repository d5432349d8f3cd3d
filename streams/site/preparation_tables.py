"""What the site processor remembers of openings and transforms: beyond-use clocks, and what lots are made of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from streams.state import State, Table, TableSpec


class Clock(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A beyond-use clock: what started it, of which product, when, and when it ends; None while no policy says."""

    kind: str
    product: str
    started_us: int
    until_us: int | None


Subject = tuple[str, str, str, str, str]
"""What has a clock: site, item and container (product and lot empty), or site, item, product and lot (no container)."""
Line = tuple[str, str, str]
"""Item, product as it was stated, and lot number, of a line of a transform."""
Left = tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str, str], ...]]
"""What an event left to do at its end: see `Prepared`."""

CLOCKS_STARTED: Final = TableSpec("clocks_started", Clock)
CLOCKS_OF: Final = TableSpec("clocks_of", tuple[tuple[str, str, str, str, str], ...])
CONTAINER_PLACES: Final = TableSpec("container_places", int)
MADE_OF: Final = TableSpec("made_of", tuple[tuple[str, str, str], ...])
USED_FOR: Final = TableSpec("used_for", tuple[tuple[str, str, str], ...])
MADE: Final = TableSpec("made", tuple[tuple[tuple[str, str, str], ...], tuple[tuple[str, str, str], ...]])
TRACED: Final = TableSpec("traced", int)
TRACES: Final = TableSpec("traces", tuple[str, str, str, str])
PREPARATION_TABLES: Final = (CLOCKS_STARTED, CLOCKS_OF, CONTAINER_PLACES, MADE_OF, USED_FOR, MADE, TRACED, TRACES)


ANY: Final = ("", "")
"""Stands among the transforms once there was one."""


class Prepared:
    """These tables of one state, and what the event at hand left to do at its end."""

    def __init__(self, state: State) -> None:
        """Binds the tables."""
        self.clocks_started: Table[Clock] = state.table(CLOCKS_STARTED)
        self.clocks_of: Table[tuple[Subject, ...]] = state.table(CLOCKS_OF)
        self.container_places: Table[int] = state.table(CONTAINER_PLACES)
        self.made_of: Table[tuple[Line, ...]] = state.table(MADE_OF)
        self.used_for: Table[tuple[Line, ...]] = state.table(USED_FOR)
        self.made: Table[tuple[tuple[Line, ...], tuple[Line, ...]]] = state.table(MADE)
        self.traced: Table[int] = state.table(TRACED)
        self.traces: Table[tuple[str, str, str, str]] = state.table(TRACES)
        self.taken_back: list[tuple[str, str]] = []
        """Keys of facts that the event took back: what followed from them ends with it (`preparation`)."""
        self.to_review: list[tuple[str, str, str]] = []
        """Site, item and number of lots of which the event told what they are made of, or their product."""

    def is_empty(self) -> bool:
        """Whether nothing was ever made here: most hubs, and each new lot asks."""
        return self.made.get(ANY) is None

    def begin(self, taken_back: Iterable[tuple[str, str]] = (), to_review: Iterable[Line] = ()) -> None:
        """Nothing is left to do, or what was at a point to which the event is taken back."""
        self.taken_back[:] = taken_back
        self.to_review[:] = to_review

    def left(self) -> Left:
        """What is left to do."""
        return tuple(self.taken_back), tuple(self.to_review)
