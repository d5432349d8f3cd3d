"""How received items ended, read from the outcomes topic: one final outcome for every item of every message."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from schemas.events import ITEM_OUTCOME, ItemOutcome
from schemas.kinds import Outcome
from schemas.log import LogRecord
from topology.embedded.engine import Engine
from topology.running import Follower

Place = tuple[int, int]
"""Partition and offset of a message in the raw log."""


class LogFollower:
    """New durable records of one topic of an embedded hub."""

    def __init__(self, engine: Engine, topic: str) -> None:
        """Begin at the end of the topic."""
        self._engine = engine
        self._topic = topic
        self._at = engine.ends(topic)

    def poll(self) -> Iterator[LogRecord]:
        """What is new, partition by partition."""
        for partition, end in enumerate(self._engine.ends(self._topic)):
            start = self._at[partition]
            yield from self._engine.read(self._topic, partition, start, end - start)
            self._at[partition] = end

    def close(self) -> None:
        """Nothing is held."""


class OutcomeReader:
    """How messages end, from the outcomes topic as it is followed."""

    def __init__(self, follower: Follower) -> None:
        """`follower` follows the outcomes topic since before the messages were stored."""
        self._follower = follower
        self._found: dict[Place, dict[int, ItemOutcome]] = {}

    def advance(self) -> None:
        """Read what is new; a later outcome of an item replaces the earlier one."""
        for record in self._follower.poll():
            outcome = ITEM_OUTCOME.decode(record.value or b"")
            items = self._found.setdefault((outcome.raw.partition, outcome.raw.offset), {})
            items[outcome.raw.index] = outcome

    def close(self) -> None:
        """Stop following."""
        self._follower.close()

    def complete(self, place: Place) -> bool:
        """Whether every declared item of a message has an outcome."""
        items = self._found.get(place)
        return items is not None and len(items) >= next(iter(items.values())).items

    def of(self, place: Place) -> list[ItemOutcome]:
        """The outcomes of a message's items, by index."""
        return [outcome for _, outcome in sorted(self._found.get(place, {}).items())]


def line(source: str, outcome: ItemOutcome) -> dict[str, Any]:
    """The JSON line of one item."""
    return {
        "source": source,
        "index": outcome.raw.index,
        "outcome": str(outcome.outcome),
        "code": outcome.code,
        "reason": outcome.reason,
        "event_ids": list(outcome.event_ids),
        "kinds": list(outcome.kinds),
        "site": outcome.site,
    }


class Tally:
    """Counts of a run: items declared, and how they ended. `adds_up` is the first promise as arithmetic."""

    def __init__(self) -> None:
        """All zero."""
        self.messages = 0
        self.items = 0
        self.skipped = 0
        self.counts: dict[str, int] = {str(outcome): 0 for outcome in Outcome}

    def add(self, outcomes: list[ItemOutcome]) -> None:
        """Add one message and its items."""
        self.messages += 1
        self.items += outcomes[0].items if outcomes else 1
        for outcome in outcomes:
            self.counts[str(outcome.outcome)] += 1

    @property
    def adds_up(self) -> bool:
        """Whether every declared item has exactly one outcome."""
        return self.items == sum(self.counts.values())

    def summary(self) -> dict[str, Any]:
        """The counts as a JSON-able dict."""
        return {
            "messages": self.messages,
            "items": self.items,
            **self.counts,
            "skipped_files": self.skipped,
            "adds_up": self.adds_up,
        }


def lines_of(reader: OutcomeReader, placed: list[tuple[str, Place]], tally: Tally) -> Iterator[dict[str, Any]]:
    """The lines of messages in the order in which they were read."""
    for source, place in placed:
        outcomes = reader.of(place)
        tally.add(outcomes)
        for outcome in outcomes:
            yield line(source, outcome)
