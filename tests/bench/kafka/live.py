"""A whole hub on Kafka for latency and memory: one `wardstock run --role work` process with all processors and ticks.

What publishes and what reads is in this process, as a hub's front is: the worker has an interpreter of its own.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self

from connectors.contract import Unavailable
from schemas.raw import RawMessage
from schemas.topics import RAW, SITE_LOG
from tests.cli.running import environment, program
from tests.kafka.engine import create_topics
from topology.kafka.broadcaster import Broadcaster
from topology.kafka.connection import Connection
from topology.kafka.lag import GroupLag
from topology.kafka.publisher import Publisher
from topology.kafka.reader import TopicReader
from topology.processors import build_processors
from topology.reference_files import ReferenceRecord, reference_changes

KEY: Final = "00" * 32
STOP_SECONDS_MAX: Final = 60.0
ANSWER_SECONDS_MAX: Final = 60.0
READY_SECONDS_MAX: Final = 120.0
_LOOK_SECONDS: Final = 0.5
_FULL_SECONDS: Final = 0.005


@contextmanager
def worker(connection: Connection, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The worker process, stopped at the end by its own process object."""
    folder.mkdir(parents=True, exist_ok=True)
    settings, config = connection.settings, folder / "hub.toml"
    config.write_text(
        f'[kafka]\nprefix = "{settings.prefix}"\nreplication = 1\nmin_insync = 1\nsession_seconds = {settings.session_seconds}\n'
    )
    command = [*program(), "run", "--role", "work", "--broker", f"kafka://{connection.bootstrap}", "--config", str(config)]
    with (folder / "worker.log").open("ab") as log:
        process = subprocess.Popen(
            [*command, "--data", str(folder / "data")], stdout=log, stderr=log, env={**environment(), "WARDSTOCK_PATIENT_KEY": KEY}
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Front:
    """Publishes, and knows how far the worker is. Made before the worker: it makes the topics."""

    def __init__(self, connection: Connection) -> None:
        create_topics(connection, build_processors(b""))
        self._connection = connection
        self._publisher = Publisher(connection)
        self._lag = GroupLag(connection)
        self._reader = TopicReader(connection)

    def load_reference(self, records: Iterable[ReferenceRecord]) -> None:
        """Broadcast reference records and wait until every partition has folded them: then every lane works."""
        broadcaster = Broadcaster(self._connection, "reference")
        self.wait_for(broadcaster.broadcast(reference_changes(list(records), broadcaster.next_revision())))

    def submit(self, message: RawMessage) -> Future[tuple[int, int]]:
        """Publish; while too many messages wait for the broker, wait with it."""
        until = time.monotonic() + ANSWER_SECONDS_MAX
        while True:
            try:
                return self._publisher.submit(message)
            except Unavailable:
                if time.monotonic() > until:
                    raise
                time.sleep(_FULL_SECONDS)

    def publish(self, messages: Iterable[RawMessage]) -> dict[tuple[str, int], int]:
        """Publish all and wait until they are durable; returns the offset behind them in each partition."""
        behind: dict[tuple[str, int], int] = {}
        for future in [self.submit(message) for message in messages]:
            partition, offset = future.result(ANSWER_SECONDS_MAX)
            behind[RAW, partition] = max(behind.get((RAW, partition), 0), offset + 1)
        return behind

    def settle(self, behind: dict[tuple[str, int], int], seconds_max: float) -> None:
        """Wait until these raw messages and what came of them in the sites are folded. A log ends with a transaction's marker."""
        self.wait_for(behind, seconds_max)
        self.wait_for({(SITE_LOG, at): end - 1 for at, end in enumerate(self._reader.ends(SITE_LOG))}, seconds_max)

    def wait_for(self, ends: dict[tuple[str, int], int], seconds_max: float = READY_SECONDS_MAX) -> None:
        """Wait until these places are folded. The group is told once a second."""
        until(lambda: self._lag.folded(ends), seconds_max, "folding")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._publisher.stop()
        self._reader.close()


def until(true: Callable[[], Any], seconds_max: float, what: str) -> None:
    """Wait until it is so. Raises `RuntimeError` after so many seconds."""
    end = time.monotonic() + seconds_max
    while not true():
        if time.monotonic() > end:
            message = f"{what} has not ended after {seconds_max:.0f} s"
            raise RuntimeError(message)
        time.sleep(_LOOK_SECONDS)
