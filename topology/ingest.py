"""One-shot ingest: files in, every item to its end, one line an item."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from connectors.files.folder import Skipped
from schemas.raw import RawMessage
from schemas.topics import OUTCOMES
from topology.local import LocalHub
from topology.outcomes import LogFollower, OutcomeReader, Place, Tally, lines_of


def ingest(hub: LocalHub, messages: Iterable[RawMessage | Skipped], tally: Tally) -> Iterator[dict[str, Any]]:
    """Replay messages into a hub of this process; yields the lines when everything has been folded."""
    reader = OutcomeReader(LogFollower(hub.engine, OUTCOMES))
    placed: list[tuple[str, Place]] = []
    skipped: list[dict[str, Any]] = []
    for message, place in hub.replay(_readable(messages, skipped, tally)):
        placed.append((message.name or message.source, place))
    hub.project()
    reader.advance()
    yield from lines_of(reader, placed, tally)
    yield from skipped


def _readable(
    messages: Iterable[RawMessage | Skipped], skipped: list[dict[str, Any]], tally: Tally
) -> Iterator[RawMessage]:
    """The messages; what was skipped is noted with its reason."""
    for message in messages:
        if isinstance(message, Skipped):
            tally.skipped += 1
            skipped.append(skipped_line(message))
        else:
            yield message


def skipped_line(skipped: Skipped) -> dict[str, Any]:
    """The line of a file that holds no messages."""
    return {"source": skipped.name, "skipped": True, "code": skipped.code, "reason": skipped.reason}
