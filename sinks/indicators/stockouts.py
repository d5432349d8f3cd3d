"""Stock-out frequency: how often usable stock of a place runs out, per line given, and on how many days it ends with none.

Usable here is what lies at the place and has not expired; a lot dated D expires with the local midnight after D. Only places with
a par policy can run out: a pocket that was given up is not short.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Final

from sinks.indicators.catalogue import STOCK_OUT_DAYS, STOCK_OUTS
from sinks.indicators.model import Entry, History, Observation, one
from sinks.indicators.periods import day_start, local_day
from sinks.indicators.standing import GIVEN, OPENING

_MOMENT: Final = timedelta(microseconds=1)
_NEVER: Final = date(9000, 1, 1)
"""Feeds write the last date there is for lots that never expire."""

Change = tuple[datetime, str, date | None, int]
"""When, which lot, its expiry, and how much it changed."""


def stock_outs(history: History, entries: list[Entry]) -> Iterator[Observation]:
    """Lines given, falls of usable stock to nothing, and days that ended with none."""
    lines = {(entry.event_id, entry.source, entry.item): entry.occurred for entry in entries if entry.kind in GIVEN}
    for (_, location, item), at in sorted(lines.items(), key=str):
        if location is not None:
            yield Observation(STOCK_OUTS, location, item, at, 0, 1)
    zone = history.reference.zones.get(history.site, "UTC")
    opened: dict[tuple[str | None, str], set[datetime]] = defaultdict(set)
    for entry in entries:
        if entry.kind == OPENING:  # what is there when the hub begins to count: nothing ran out by it
            opened[entry.target or entry.source, entry.item].add(entry.occurred)
    for (location, item), changes in sorted(by_card(entries).items()):
        if history.as_of is None or (history.site, location, item) not in history.reference.policies:
            continue
        standing = usable_levels(changes, zone, history.as_of)
        begins = opened.get((location, item), frozenset())
        for (_, before), (at, after) in pairwise([(history.as_of, 0), *standing]):
            if before > 0 >= after and at not in begins:
                yield Observation(STOCK_OUTS, location, item, at, 1, 0)
        for end, usable in day_ends(standing, zone, history.as_of):
            yield one(STOCK_OUT_DAYS, location, item, end - _MOMENT, good=usable <= 0)


def by_card(entries: Iterable[Entry]) -> dict[tuple[str, str], list[Change]]:
    """Changes of each item at each place."""
    cards: dict[tuple[str, str], list[Change]] = defaultdict(list)
    for entry in entries:
        if entry.source is not None:
            cards[entry.source, entry.item].append((entry.occurred, entry.lot, entry.expiry, -entry.quantity))
        if entry.target is not None:
            cards[entry.target, entry.item].append((entry.occurred, entry.lot, entry.expiry, entry.quantity))
    return cards


def usable_levels(changes: Iterable[Change], zone: str, until: datetime) -> list[tuple[datetime, int]]:
    """Usable stock after each instant at which something happened; what happens at one instant is one change."""
    at_instant: dict[datetime, list[tuple[str, int]]] = defaultdict(list)
    expiries: dict[str, date] = {}
    for at, lot, expiry, quantity in changes:
        at_instant[at].append((lot, quantity))
        if expiry is not None:
            expiries[lot] = min(expiry, expiries.get(lot, expiry))
    ending: dict[datetime, list[str]] = defaultdict(list)
    for lot, day in expiries.items():
        if day < _NEVER:
            ending[day_start(day + timedelta(days=1), zone)].append(lot)
    held: dict[str, int] = defaultdict(int)
    expired: set[str] = set()
    usable, found = 0, []
    for now in sorted({*at_instant, *(end for end in ending if end <= until)}):
        for lot in ending.get(now, ()):
            expired.add(lot)
            usable -= max(0, held[lot])  # what is missing of a lot is missing of the others, as in the ledger
        for lot, quantity in at_instant.get(now, ()):
            before, held[lot] = held[lot], held[lot] + quantity
            usable += min(0, held[lot]) - min(0, before) if lot in expired else quantity
        found.append((now, usable))
    return found


def day_ends(standing: list[tuple[datetime, int]], zone: str, until: datetime) -> Iterator[tuple[datetime, int]]:
    """The end of each day from the first change on, up to an instant, with what was usable right before it."""
    if not standing:
        return
    place, usable = 0, 0
    day = local_day(standing[0][0], zone)
    while (end := day_start(day + timedelta(days=1), zone)) <= until:
        while place < len(standing) and standing[place][0] < end:
            usable = standing[place][1]
            place += 1
        yield end, usable
        day += timedelta(days=1)
