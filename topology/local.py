"""An embedded hub in this process: folder, engine and projection together, for one-shot commands, tests and the running hub.

It owns the order of things: store, fold, then bring the projection up to what is durable. It listens to nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from schemas.events import ReferenceChange
from schemas.log import LogRecord
from schemas.raw import RawMessage
from schemas.topics import REFERENCE, TOPICS
from sinks.sql.projection import PROJECTED_TOPICS, Projection
from sinks.sql.views import Views
from topology.controlled.staff import staff_key
from topology.embedded.engine import Engine
from topology.embedded.folder import DataFolder
from topology.intake.handover import Handover
from topology.processors import build_processors
from topology.projecting import open_projection
from topology.reference_files import ReferenceRecord, reference_changes
from topology.ticks import REPLAY_PERIOD, TickGrid

PROJECT_RECORDS_MAX: Final = 20_000
"""Records the projection takes in one transaction."""

PUBLISH_MESSAGES_MAX: Final = 2_000
"""Replayed messages stored with one sync."""


class LocalHub:
    """One embedded hub on a folder."""

    def __init__(self, path: Path, projection_url: str | None = None) -> None:
        """Take the folder. Raises `FolderRefusedError` when it can't be taken."""
        self.folder = DataFolder(path)
        try:
            self.engine = Engine(self.folder.store, build_processors(self.folder.patient_key))
            self.received = Handover(path, self.folder.store)
            self.received.take_all(self.engine, PUBLISH_MESSAGES_MAX)
            self.projection = open_projection(path, projection_url)
            self.views = Views(self.projection.engine)
            self.views.staff_key = staff_key(self.folder.patient_key)
        except BaseException:
            self.folder.close()
            raise

    def __enter__(self) -> Self:
        """The hub itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close everything and give the folder back."""
        self.close()

    def close(self) -> None:
        """Close everything and give the folder back."""
        self.projection.close()
        self.folder.close()

    # ---- reference -----------------------------------------------------------------------------------------------

    def load_reference(self, records: Sequence[ReferenceRecord]) -> int:
        """Broadcast reference records under rising revisions and fold them everywhere; returns how many."""
        changes = reference_changes(records, self.next_revision())
        self.broadcast_reference(changes)
        return len(changes)

    def broadcast_reference(self, changes: Sequence[ReferenceChange]) -> None:
        """Write changes to every log in one transaction; returns when every partition has folded them."""
        self.engine.broadcast(changes)
        self.engine.run_until_idle()

    def next_revision(self) -> int:
        """The revision after the newest reference change."""
        return self.engine.ends(REFERENCE)[0] + 1

    # ---- replay --------------------------------------------------------------------------------------------------

    def replay(self, messages: Iterable[RawMessage]) -> Iterator[tuple[RawMessage, tuple[int, int]]]:
        """Store and fold messages in order, with ticks from their time of receipt; yields where each stands in the raw log."""
        grid = TickGrid(REPLAY_PERIOD, self.engine.latest_tick())
        waiting: list[RawMessage] = []
        for message in messages:
            tick = grid.due(message.received_at)
            if tick is not None:
                yield from self._store(waiting)
                self.engine.broadcast([tick])
                self.engine.run_until_idle()
            waiting.append(message)
            if len(waiting) == PUBLISH_MESSAGES_MAX:
                yield from self._store(waiting)
        yield from self._store(waiting)

    def _store(self, waiting: list[RawMessage]) -> Iterator[tuple[RawMessage, tuple[int, int]]]:
        """Store and fold what is waiting, and empty it."""
        if not waiting:
            return
        places = self.engine.publish(waiting)
        self.engine.run_until_idle()
        stored = list(zip(waiting, places, strict=True))
        waiting.clear()
        yield from stored

    def tick(self, now: datetime, period: timedelta) -> None:
        """Say what time it is when the grid asks for it, and fold."""
        tick = TickGrid(period, self.engine.latest_tick()).due(now)
        if tick is not None:
            self.engine.broadcast([tick])
            self.engine.run_until_idle()

    # ---- projection ----------------------------------------------------------------------------------------------

    def project(self) -> int:
        """Bring the projection up to everything that is durable; returns the number of records taken."""
        return project(self.engine, self.projection)


def project(engine: Engine, projection: Projection) -> int:
    """Feed durable records to a projection until it has them all."""
    positions = projection.positions()
    taken = 0
    while batch := list(islice(_after(engine, positions), PROJECT_RECORDS_MAX)):
        taken += projection.apply(batch)
        for record in batch:
            positions[record.topic, record.partition] = record.offset + 1
    return taken


def _after(engine: Engine, positions: dict[tuple[str, int], int]) -> Iterator[LogRecord]:
    """Durable records beyond the positions, topic by topic."""
    for topic in PROJECTED_TOPICS:
        for partition in range(TOPICS[topic].partitions):
            yield from engine.read(topic, partition, positions.get((topic, partition), 0), PROJECT_RECORDS_MAX)
