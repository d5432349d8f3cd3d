"""Expiry write-off rate: what was destroyed because it had expired, over average inventory, both at cost.

What has no known cost is on neither side.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from fractions import Fraction
from typing import Final

from sinks.indicators.catalogue import WRITE_OFFS
from sinks.indicators.model import Entry, History, Observation, Span
from sinks.indicators.periods import local_day

_WASTE: Final = "waste"


def written_off(history: History, entries: list[Entry]) -> Iterator[Observation]:
    """Value that left a place for destruction: taken out as expired, or discarded after its date."""
    zone = history.reference.zones.get(history.site, "UTC")
    for entry in entries:
        cost = history.reference.cost(entry.product, entry.item)
        if entry.source is None or entry.to_account != _WASTE or cost is None:
            continue
        past = entry.expiry is not None and entry.expiry < local_day(entry.occurred, zone)
        if entry.kind == "expire" or (entry.kind == "discard" and past):
            yield Observation(WRITE_OFFS, entry.source, entry.item, entry.occurred, entry.quantity * cost, 0)


def held(history: History, entries: list[Entry]) -> Iterator[Span]:
    """The value that lay at each place, from each change to the next, up to the as-of time."""
    if history.as_of is None:
        return
    cards: dict[tuple[str, str], dict[datetime, Fraction]] = defaultdict(lambda: defaultdict(Fraction))
    for entry in entries:
        cost = history.reference.cost(entry.product, entry.item)
        if cost is None:
            continue
        if entry.source is not None:
            cards[entry.source, entry.item][entry.occurred] -= entry.quantity * cost
        if entry.target is not None:
            cards[entry.target, entry.item][entry.occurred] += entry.quantity * cost
    for (location, item), changes in sorted(cards.items()):
        level = Fraction(0)
        instants = sorted(changes)
        for at, following in zip(instants, [*instants[1:], history.as_of], strict=True):
            level += changes[at]
            end = min(following, history.as_of)
            if level and at < end:
                yield Span(WRITE_OFFS, location, item, at, end, level)
