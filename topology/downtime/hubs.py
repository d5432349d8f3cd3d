"""Hubs as the downtime desk needs them: tables up to what is durable, records, and messages followed to their end."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

from schemas.raw import RawMessage
from topology.errors import HubError
from topology.ingest import ingest
from topology.local import LocalHub
from topology.master.hubs import FolderMaster, RunningMaster
from topology.outcomes import OutcomeReader, Tally, line
from topology.running import RunningHub

ENDED_SECONDS: Final = 50.0
POLL_SECONDS: Final = 0.02


class FolderDowntime(FolderMaster):
    """A hub of this process that does not run."""

    def __init__(self, hub: LocalHub) -> None:
        """`hub` is open."""
        super().__init__(hub)
        self._local = hub

    def ingest(self, messages: Sequence[RawMessage]) -> list[list[dict[str, Any]]]:
        """Store messages and fold them to their end."""
        return [list(ingest(self._local, [message], Tally())) for message in messages]


class RunningDowntime(RunningMaster):
    """A running hub. Waits: call it in a thread of its own."""

    def __init__(self, hub: RunningHub) -> None:
        """`hub` is started."""
        super().__init__(hub)
        self._live = hub

    def ingest(self, messages: Sequence[RawMessage]) -> list[list[dict[str, Any]]]:
        """Store messages and wait for their end. Raises `PublishError` when they can't be stored."""
        reader = OutcomeReader(self._live.outcomes())
        try:
            places = [future.result() for future in [self._live.submit(message) for message in messages]]
            deadline = time.monotonic() + ENDED_SECONDS
            while not all(reader.complete(place) for place in places):
                if time.monotonic() > deadline:
                    msg = "everything is stored; how it ends is still being worked out: do the same again in a moment"
                    raise HubError(msg)
                time.sleep(POLL_SECONDS)
                reader.advance()
            named = zip(messages, places, strict=True)
            return [[line(message.name or message.source, one) for one in reader.of(place)] for message, place in named]
        finally:
            reader.close()
