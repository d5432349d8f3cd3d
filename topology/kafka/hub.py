"""The front of a hub on Kafka: feeds publish, the projection follows the topics, tools ask. Folding is the workers' business."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog

from connectors.contract import Unavailable
from schemas.hub_folder import MARKER
from schemas.log import LogRecord
from schemas.raw import RawMessage
from schemas.topics import OUTCOMES, TOPICS
from sinks.sql.projection import PROJECTED_TOPICS, Projection
from sinks.sql.views import Views
from topology.errors import FolderRefusedError
from topology.folder import HubFolder
from topology.kafka.broadcaster import Broadcaster, BroadcastError
from topology.kafka.connection import Connection
from topology.kafka.lag import GroupLag
from topology.kafka.publisher import Publisher
from topology.kafka.reader import ReadError, TopicReader
from topology.projecting import open_projection
from topology.reference_files import ReferenceRecord, reference_changes
from topology.wakeups import Wakeups

POLL_SECONDS: Final = 0.2
LAG_SECONDS: Final = 0.5
RETRY_SECONDS: Final = 1.0
FOLDED_SECONDS_MAX: Final = 60.0
STOP_SECONDS: Final = 20.0

_log = structlog.get_logger("wardstock.hub")


class TopicFollower:
    """New committed records of one topic."""

    def __init__(self, connection: Connection, topic: str) -> None:
        """Begin at the end of the topic."""
        self._reader = TopicReader(connection)
        self._reader.follow({(topic, partition): end for partition, end in enumerate(self._reader.ends(topic))})

    def poll(self) -> list[LogRecord]:
        """What is new."""
        return self._reader.poll(POLL_SECONDS)

    def close(self) -> None:
        """Stop following."""
        self._reader.close()


class KafkaHub:
    """Feeds, projection and questions of one process (`topology.running.RunningHub`)."""

    def __init__(self, connection: Connection, path: Path, projection_url: str | None = None) -> None:
        """Take the folder and begin to publish and project. Raises `FolderRefusedError`."""
        if (path / MARKER).exists():
            msg = f"{path} is an embedded hub's folder: name another one with --data for a hub on Kafka"
            raise FolderRefusedError(msg)
        path.mkdir(parents=True, exist_ok=True)
        self.folder = HubFolder(path)
        self._connection = connection
        self.projection: Projection = open_projection(path, projection_url)
        self.views = Views(self.projection.engine)
        self._publisher = Publisher(connection)
        self._lag = GroupLag(connection)
        self._stop = threading.Event()
        self._wakeups = Wakeups()
        self._backlog = 0
        self._fresh_at = 0.0
        self.failing: str | None = None
        self.not_taking: str | None = None
        self.not_projecting: str | None = None  # said as `failing`: tables and topics are read by one thread
        self.last_beat = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="projection", daemon=True)

    def start(self) -> None:
        """Start to project."""
        self._thread.start()

    def stop(self) -> None:
        """Deliver or refuse what is queued, stop projecting, give the folder back."""
        self._publisher.stop()
        self._stop.set()
        self._thread.join(STOP_SECONDS)
        self.projection.close()
        self.folder.close()

    # ---- topology.running.RunningHub -----------------------------------------------------------------------------

    async def publish(self, message: RawMessage) -> None:
        """Make one message durable on every in-sync copy."""
        await self._wakeups.wait(self.submit(message))

    def submit(self, message: RawMessage) -> Future[tuple[int, int]]:
        """Queue one message."""
        return self._publisher.submit(message)

    def load_reference(self, records: Sequence[ReferenceRecord]) -> int:
        """Broadcast reference records and wait until the workers have folded them everywhere."""
        try:
            broadcaster = Broadcaster(self._connection, "reference")
            changes = reference_changes(records, broadcaster.next_revision())
            ends = broadcaster.broadcast(changes)
        except (BroadcastError, ReadError) as error:
            raise Unavailable(str(error)) from None
        until = time.monotonic() + FOLDED_SECONDS_MAX
        while not self._lag.folded(ends):
            if time.monotonic() > until:
                msg = f"the records are in, but not folded everywhere after {FOLDED_SECONDS_MAX:.0f} s: does a worker run?"
                raise Unavailable(msg)
            time.sleep(POLL_SECONDS)
        return len(changes)

    def now(self) -> datetime:
        """The time of day; the hub is the one place that knows it."""
        return datetime.now(UTC)

    def behind(self, since: float) -> bool:
        """Whether the last look at which nothing was missing began before `since`."""
        return self._fresh_at < since

    def backlog(self) -> int:
        """Events stored and not folded yet, at the last look."""
        return self._backlog

    def handler_faults(self) -> int:
        """Events whose handling raised: those in quarantine under that code."""
        reasons = self.views.outcomes_summary()["reasons"]
        return sum(int(row["items"]) for row in reasons if row["code"] == "handler_fault")

    def outcomes(self) -> TopicFollower:
        """Follow the outcomes topic from now on."""
        return TopicFollower(self._connection, OUTCOMES)

    # ---- projection ----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        """Follow the topics; after a fault begin again from the projection's own position."""
        while not self._stop.is_set():
            reader = TopicReader(self._connection)
            try:
                self._follow(reader)
            except Exception as error:  # noqa: BLE001  # the projection is derived: it is tried again
                self.failing = f"the topics can't be read ({type(error).__name__})"
                _log.error("projection_failed", error=type(error).__name__)
                self._stop.wait(RETRY_SECONDS)
            finally:
                reader.close()

    def _follow(self, reader: TopicReader) -> None:
        reader.follow(self._projected())
        looked = 0.0
        while not self._stop.is_set():
            self.last_beat = time.monotonic()
            records = reader.poll(POLL_SECONDS)
            if records:
                self.projection.apply(records)
                continue
            if time.monotonic() - looked >= LAG_SECONDS:
                looked = time.monotonic()
                self._look(looked)

    def _projected(self) -> dict[tuple[str, int], int]:
        """The next offset of every partition that is projected."""
        known = self.projection.positions()
        places = [(topic, partition) for topic in PROJECTED_TOPICS for partition in range(TOPICS[topic].partitions)]
        return {place: known.get(place, 0) for place in places}

    def _look(self, began: float) -> None:
        """Whether anything is still to be folded or projected."""
        self._backlog = self._lag.backlog()
        missing = self._lag.beyond(self._projected())
        self.failing = None
        if not self._backlog and not missing:
            self._fresh_at = began
