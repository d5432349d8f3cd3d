"""Which line of paper and which line of a device's log tell of the same deed. Pure: the order of the lines makes no difference,
and paper against device gives the same pairs as device against paper.

Two lines can be one deed when they name the same place and item, the same sort of deed, and times at most a tolerance apart.
First those that agree in quantity and lot are paired, as many as possible; then, of what is left, those that don't. Among equally
many pairs those count that differ in fewest quantities, lots and people, then in least time. Pairs of a step don't cross in time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from schemas.codes import normalise_lot

TOLERANCE_MINUTES: Final = 15
"""How far a time written by hand may be from the device's clock."""
UNKNOWN: Final = "UNKNOWN"
CLUSTER_LINES_MAX: Final = 400
"""Lines of one item at one place within one stretch of time; of more, those beyond are compared apart from the first ones."""


@dataclass(frozen=True, slots=True)
class Line:
    """One deed as one side tells it. `quantity` is in base units; an empty lot or person was not told."""

    id: str
    deed: str
    place: str
    item: str
    quantity: int
    occurred: datetime
    lots: frozenset[str] = frozenset()
    person: str = ""


Pair = tuple[Line, Line]


@dataclass(frozen=True, slots=True)
class Matched:
    """Every line of both sides, once: in a pair, or alone."""

    pairs: tuple[Pair, ...]
    paper_alone: tuple[Line, ...]
    device_alone: tuple[Line, ...]


def match(paper: Iterable[Line], device: Iterable[Line], tolerance: timedelta) -> Matched:
    """Pair the lines of paper with those of devices. Ids are unique within a side and not shared between sides."""
    pairs: list[Pair] = []
    left, right = list(paper), list(device)
    for key, fits in ((_with_quantity, same_lot), (_of_card, _any)):
        found = _paired(left, right, tolerance, key, fits)
        pairs += found
        taken = {line.id for pair in found for line in pair}
        left = [line for line in left if line.id not in taken]
        right = [line for line in right if line.id not in taken]
    return Matched(tuple(sorted(pairs, key=lambda pair: _order(pair[0]))), _sorted(left), _sorted(right))


def same_lot(one: Line, other: Line) -> bool:
    """Whether both may mean one lot: a lot that nobody told contradicts none."""
    mine, theirs = (_told(line) for line in (one, other))
    return not mine or not theirs or mine == theirs or (min(len(mine), len(theirs)) == 1 and (mine <= theirs or theirs <= mine))


def same_person(one: Line, other: Line) -> bool:
    """Whether both may mean one person."""
    return not one.person or not other.person or one.person.strip().casefold() == other.person.strip().casefold()


def _told(line: Line) -> set[str]:
    return {lot for lot in map(normalise_lot, line.lots) if lot and lot != UNKNOWN}


def _any(one: Line, other: Line) -> bool:  # noqa: ARG001  # the form of a rule
    return True


def _of_card(line: Line) -> tuple[str, str, str, int]:
    return line.deed, line.place, line.item, -1


def _with_quantity(line: Line) -> tuple[str, str, str, int]:
    return line.deed, line.place, line.item, line.quantity


Key = Callable[[Line], tuple[str, str, str, int]]
Fits = Callable[[Line, Line], bool]


def _paired(left: Sequence[Line], right: Sequence[Line], tolerance: timedelta, key: Key, fits: Fits) -> list[Pair]:
    groups: defaultdict[tuple[str, str, str, int], tuple[list[Line], list[Line]]] = defaultdict(lambda: ([], []))
    for side, lines in enumerate((left, right)):
        for line in lines:
            groups[key(line)][side].append(line)
    found: list[Pair] = []
    for _, (mine, theirs) in sorted(groups.items()):
        for here, there in _clusters(mine, theirs, tolerance):
            found += _aligned(here, there, tolerance, fits)
    return found


def _clusters(left: list[Line], right: list[Line], tolerance: timedelta) -> list[tuple[list[Line], list[Line]]]:
    """Stretches of lines with a gap longer than the tolerance between them: nothing can pair across a gap."""
    both = [(0, line) for line in left] + [(1, line) for line in right]
    found: list[tuple[list[Line], list[Line]]] = []
    last: datetime | None = None
    size = 0
    for side, line in sorted(both, key=lambda one: _order(one[1])):
        if last is None or line.occurred - last > tolerance or size >= CLUSTER_LINES_MAX:
            found.append(([], []))
            size = 0
        found[-1][side].append(line)
        last = line.occurred
        size += 1
    return [cluster for cluster in found if cluster[0] and cluster[1]]


Cost = tuple[int, int, int, int, float, tuple[tuple[str, str], ...]]
"""Pairs (negative), other quantities, lots and people, seconds apart, and the pairs' ids so that no two costs are equal."""
_NOTHING: Final[Cost] = (0, 0, 0, 0, 0.0, ())


def _aligned(left: list[Line], right: list[Line], tolerance: timedelta, fits: Fits) -> list[Pair]:
    """The cheapest pairs that don't cross: an alignment of two sequences, by dynamic programming."""
    row: list[tuple[Cost, tuple[Pair, ...]]] = [(_NOTHING, ())] * (len(right) + 1)
    for one in left:
        before, row = row, [(_NOTHING, ())]
        for number, other in enumerate(right):
            best = min(before[number + 1], row[number], key=lambda state: state[0])
            if abs(one.occurred - other.occurred) <= tolerance and fits(one, other):
                cost, pairs = before[number]
                joined = (_with(cost, one, other), (*pairs, (one, other)))
                best = min(best, joined, key=lambda state: state[0])
            row.append(best)
    return list(row[-1][1])


def _with(cost: Cost, one: Line, other: Line) -> Cost:
    pairs, quantities, lots, people, seconds, ids = cost
    return (
        pairs - 1, quantities + (one.quantity != other.quantity), lots + (not same_lot(one, other)),
        people + (not same_person(one, other)), seconds + abs((one.occurred - other.occurred).total_seconds()),
        (*ids, (min(one.id, other.id), max(one.id, other.id))),
    )  # fmt: skip


def _order(line: Line) -> tuple[datetime, int, tuple[str, ...], str, str]:
    return line.occurred, line.quantity, tuple(sorted(line.lots)), line.person, line.id


def _sorted(lines: Iterable[Line]) -> tuple[Line, ...]:
    return tuple(sorted(lines, key=_order))
