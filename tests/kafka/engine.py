"""The Kafka runtime behind the face that the contract tests know: a real worker, publisher, broadcaster and reader.

The worker runs in a thread with a loop of its own, and is stopped in order; kills are the business of `test_hub`.
"""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from schemas.events import ReferenceChange, Tick
from schemas.log import LogRecord
from schemas.raw import RawMessage
from schemas.topics import TOPICS
from streams.contract import HandlerFault, Processor
from topology.kafka.broadcaster import Broadcaster
from topology.kafka.connection import Connection, KafkaSettings
from topology.kafka.publisher import Publisher
from topology.kafka.reader import TopicReader
from topology.kafka.topics import TopicAdmin, wanted
from topology.kafka.worker import Worker

IDLE_SECONDS_MAX = 60
Processors = Callable[[], Sequence[Processor]]


def new_connection(bootstrap: str, **settings: Any) -> Connection:
    """A hub of its own on a shared cluster."""
    values = {"prefix": f"t{uuid.uuid4().hex[:10]}.", "replication": 1, "min_insync": 1, "session_seconds": 6, **settings}
    return Connection(bootstrap, KafkaSettings.model_validate(values))


class WorkerThread:
    """A worker on an event loop of its own."""

    def __init__(self, connection: Connection, processors: Processors, folder: Path, **more: Any) -> None:
        self.fatal: list[str] = []
        self.worker = Worker(connection, processors, folder, fatal=self.fatal.append, **more)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self.call(self.worker.start())

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    async def _end(self) -> None:
        """Close what is open, as the end of a process does: a worker that was stopped while it joined leaves connections."""
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        for connection in list(self._loop._transports.values()):  # type: ignore[attr-defined]  # asyncio has no public list of them
            connection.abort()
        await asyncio.sleep(0)

    def call(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(IDLE_SECONDS_MAX)

    def stop(self) -> None:
        self.call(self.worker.stop())
        self.call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(IDLE_SECONDS_MAX)
        self._loop.close()


class KafkaEngine:
    """One hub on Kafka."""

    def __init__(self, connection: Connection, processors: Processors, folder: Path) -> None:
        self.connection = connection
        self._inputs = [one.input_topic for one in processors()]
        self._publisher = Publisher(connection)
        self._broadcaster = Broadcaster(connection, "reference")
        self._reader = TopicReader(connection)
        self._thread = WorkerThread(connection, processors, folder) if self._inputs else None
        self._settled = False

    def publish(self, messages: Sequence[RawMessage]) -> list[tuple[int, int]]:
        self._settled = False
        return [future.result(IDLE_SECONDS_MAX) for future in [self._publisher.submit(message) for message in messages]]

    def broadcast(self, changes: Iterable[ReferenceChange | Tick]) -> None:
        self._settled = False
        self._broadcaster.broadcast(changes)

    def run_until_idle(self) -> None:
        """The worker runs by itself; whoever reads waits for it."""

    def read(self, topic: str, partition: int, start: int, limit: int) -> Iterator[LogRecord]:
        self._settle()
        for number, record in enumerate(self._reader.read(topic, partition, start)):
            if number == limit:
                return
            yield record

    def backlog(self) -> int:
        """Committed records that are not folded yet."""
        if self._thread is None:
            return 0
        end = time.monotonic() + IDLE_SECONDS_MAX
        while not self.ready():
            assert time.monotonic() < end, f"partitions do not open: {self._thread.fatal}"
            time.sleep(0.02)
        lanes = self._thread.worker.lanes()
        positions = {
            (topic, partition): lanes[topic, partition].position
            for topic in self._inputs
            for partition in range(TOPICS[topic].partitions)
        }
        return sum(self._reader.beyond(positions).values())

    def ready(self) -> bool:
        """Every partition restored and reading."""
        if self._thread is None:
            return True
        lanes = self._thread.worker.lanes()
        return len(lanes) == sum(TOPICS[topic].partitions for topic in self._inputs) and all(one.ready for one in lanes.values())

    @property
    def faults(self) -> list[HandlerFault]:
        self._settle()
        assert self._thread is not None
        lanes = self._thread.worker.lanes().values()
        return [*self._thread.worker.faults, *(fault for lane in lanes for fault in lane.checkpoint.faults)]

    def _settle(self) -> None:
        """Wait until everything committed is folded, three processors deep."""
        end = time.monotonic() + IDLE_SECONDS_MAX
        while not self._settled:
            assert not (self._thread and self._thread.fatal), self._thread and self._thread.fatal
            assert time.monotonic() < end, "the worker does not come to an end"
            if not self.backlog():
                self._settled = True
            else:
                time.sleep(0.05)

    def state_of(self, processor: str, partition: int) -> Any:
        """The state of a processor's partition, for checks that look inside."""
        self._settle()
        assert self._thread is not None
        lanes = self._thread.worker.lanes().items()
        found = [lane for (_, at), lane in lanes if at == partition and lane.checkpoint.place.processor.name == processor]
        return found[0].checkpoint.state

    def close(self) -> None:
        if self._thread is not None:
            self._thread.stop()
        self._publisher.stop()
        self._reader.close()


def create_topics(connection: Connection, processors: Sequence[Processor]) -> None:
    TopicAdmin(connection).apply(wanted(processors, connection.settings))
