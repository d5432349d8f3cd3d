"""Inventory accuracy: counts that found what the ledger said.

The variance of a count is what its entries and their later corrections add up to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from sinks.indicators.catalogue import ACCURACY
from sinks.indicators.model import Count, Entry, History, Observation, one
from sinks.indicators.standing import VARIANCE, taken_back

_UNKNOWN: Final = "unknown"


def accuracy(history: History, entries: list[Entry]) -> Iterator[Observation]:
    """One observation for each item counted at a place; the lines of one report about it are one count."""
    off: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for entry in entries:
        if VARIANCE in (entry.from_account, entry.to_account):
            off[entry.event_id][entry.lot] += entry.quantity if entry.from_account == VARIANCE else -entry.quantity
    for event_id, lots_off in off.items():
        off[event_id] = _explained(lots_off)
    counted: dict[tuple[str, str, str], list[Count]] = defaultdict(list)
    for count in standing_counts(history):
        counted[count.location, count.item, count.report].append(count)
    for (location, item, _), lines in sorted(counted.items()):
        lots: dict[str, int] = defaultdict(int)
        for event_id in {line.event_id for line in lines}:
            for lot, quantity in off.get(event_id, {}).items():
                lots[lot] += quantity
        yield one(ACCURACY, location, item, max(line.occurred for line in lines), good=not any(lots.values()))


def _explained(off: dict[str, int]) -> dict[str, int]:
    """What a count of lots was off by, less what had been moved without its lot: the ledger said so of the place."""
    found = dict(off)
    rest = found.pop(_UNKNOWN, 0)
    for lot, quantity in sorted(found.items()):
        taken = min(abs(quantity), abs(rest)) if quantity * rest < 0 else 0
        found[lot] += taken if rest > 0 else -taken
        rest -= taken if rest > 0 else -taken
    return {**found, _UNKNOWN: rest}


def standing_counts(history: History) -> list[Count]:
    """Counts that nobody took back, the highest version of each."""
    gone = taken_back(history.entries)
    keys = {reversal.key for reversal in history.reversals}
    kept = [count for count in history.counts if count.event_id not in gone and not keys.intersection((*count.keys, count.fact))]
    newest: dict[str, int] = {}
    for count in kept:
        newest[count.fact] = max(newest.get(count.fact, count.version), count.version)
    return [count for count in kept if count.version == newest[count.fact]]
