"""Receiving-to-available time and transfer efficiency: units followed from place to place, first in first out by lot."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from schemas.codes import normalise_lot
from sinks.indicators.catalogue import AVAILABLE, TRANSFERS
from sinks.indicators.model import Entry, History, Observation, minutes_between
from sinks.indicators.standing import IDENTIFY

WAITING_KINDS: Final = frozenset({"quarantine", "transit", "return_bin"})
"""Kinds of places where stock may not be used."""
OTHER_SITE: Final = "site:"
"""Begins the account of another site: what goes there from its way has arrived."""
ON_TIME: Final = timedelta(hours=24)
"""How long a transfer may take."""


@dataclass(slots=True)
class _Batch:
    """Units that wait together: where and when it began."""

    location: str
    since: datetime
    units: int


_Waiting = dict[tuple[str, str, str], deque[_Batch]]


def availability(history: History, entries: list[Entry]) -> Iterator[Observation]:
    """For received units: how long until they lay where they may be used. In the period and at the place of the receipt.

    Units that were destroyed or written off before they lay there became available never, and do not count.
    """

    def waits(place: str) -> bool:
        return history.reference.place_kind(history.site, place) in WAITING_KINDS

    waiting: _Waiting = defaultdict(deque)
    for entry in entries:
        item, target = entry.item, entry.target
        if entry.kind == "receive" and target is not None:
            if waits(target):
                waiting[target, item, normalise_lot(entry.lot)].append(_Batch(target, entry.occurred, entry.quantity))
            else:
                yield Observation(AVAILABLE, target, item, entry.occurred, 0, entry.quantity)
            continue
        gone = _moved_on(waiting, entry, waits)
        for batch in gone if target is not None else ():
            minutes = minutes_between(batch.since, entry.occurred)
            yield Observation(AVAILABLE, batch.location, item, batch.since, minutes * batch.units, batch.units)


def transfers(history: History, entries: list[Entry]) -> Iterator[Observation]:
    """For units sent into transit: whether they reached a place, or another site, on time.

    In the period and at the place they were sent from. What was lost on the way was not received. What is still on its way counts
    once its time has passed.
    """

    def travels(place: str) -> bool:
        return history.reference.place_kind(history.site, place) == "transit"

    waiting: _Waiting = defaultdict(deque)
    for entry in entries:
        source, target = entry.source, entry.target
        if source is not None and target is not None and travels(target) and not travels(source):
            waiting[target, entry.item, normalise_lot(entry.lot)].append(_Batch(source, entry.occurred, entry.quantity))
            continue
        for batch in _moved_on(waiting, entry, travels):
            arrived = target is not None or entry.to_account.startswith(OTHER_SITE)
            on_time = batch.units if arrived and entry.occurred - batch.since <= ON_TIME else 0
            yield Observation(TRANSFERS, batch.location, entry.item, batch.since, on_time, batch.units)
    for (_, item, _), batches in sorted(waiting.items()):
        for batch in batches:
            if history.as_of is not None and batch.since + ON_TIME < history.as_of:
                yield Observation(TRANSFERS, batch.location, item, batch.since, 0, batch.units)


def _moved_on(waiting: _Waiting, entry: Entry, waits: Callable[[str], bool]) -> list[_Batch]:
    """Takes the units of an entry out of those that wait at its source, oldest first; returns those that wait no longer.

    Units that go to another place of waiting keep their beginning.
    """
    queue = waiting.get((entry.source or "", entry.item, normalise_lot(entry.lot)))
    if not queue or entry.kind == IDENTIFY:
        return []
    left, moved = entry.quantity, []
    while left and queue:
        units = min(left, queue[0].units)
        moved.append(_Batch(queue[0].location, queue[0].since, units))
        queue[0].units -= units
        left -= units
        if not queue[0].units:
            queue.popleft()
    if entry.target is not None and waits(entry.target):
        waiting[entry.target, entry.item, normalise_lot(entry.lot)].extend(moved)
        return []
    return moved
