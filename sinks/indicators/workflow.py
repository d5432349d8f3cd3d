"""Share of transactions through standard workflow: what posted by itself and as it should, of all that was reported."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from sinks.indicators.catalogue import STANDARD
from sinks.indicators.counting import standing_counts
from sinks.indicators.model import NO_PLACE, Entry, History, Observation, one
from sinks.indicators.standing import BOOKKEEPING

SUSPENSE: Final = "suspense"


def standard_share(history: History, entries: list[Entry]) -> Iterator[Observation]:
    """One observation a transaction; a reversal, and what is held or in quarantine, has no place and counts for the site alone.

    A fact that was taken back counts by its reversal, so that it does not matter which of the two arrived first.
    """
    events: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.kind not in BOOKKEEPING:
            events[entry.event_id].append(entry)
    for event_id, made in sorted(events.items()):
        first = min(made, key=lambda entry: entry.movement_id)
        good = event_id not in history.broken and all(_standard(history, entry) for entry in made)
        yield one(STANDARD, first.source or first.target or NO_PLACE, first.item, first.occurred, good=good)
    for count in standing_counts(history):
        if count.event_id not in events:
            yield one(STANDARD, count.location, count.item, count.occurred, good=count.event_id not in history.broken)
    for at in (*(stuck.at for stuck in history.stuck), *(reversal.occurred for reversal in history.reversals)):
        yield one(STANDARD, NO_PLACE, "", at, good=False)


def _standard(history: History, entry: Entry) -> bool:
    """Neither on override nor to or from nobody knows where."""
    return entry.cause not in history.overridden and SUSPENSE not in (entry.from_account, entry.to_account)
