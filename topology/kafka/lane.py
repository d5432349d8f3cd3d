"""A lane: one partition of one processor in a worker, from assignment to revocation, as one task.

Batches arrive from the consumer as they are fetched; what has queued up is folded together. A lane that restores does not hold up
the others, and takes nothing until its own position was sought.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice
from typing import Any, Final, overload

from schemas.log import LogRecord
from streams.contract import BATCH_BYTES_MAX, BATCH_EVENTS_MAX
from topology.kafka.checkpoint import Checkpoint
from topology.kafka.place import CheckpointError
from topology.kafka.transport import Fetched

QUEUED_RECORDS_MAX: Final = 4 * BATCH_EVENTS_MAX
QUEUED_BYTES_MAX: Final = 4 * BATCH_BYTES_MAX
"""What a lane holds in memory; beyond it its partition is not read."""
REVOKE_SECONDS_MAX: Final = 10.0
REST_SECONDS: Final = 0.008
"""A lane rests so long before it takes up few events. A transaction costs worker and broker 3 ms each, however small it is; with
one for every event that arrives they wait for each other (measured at 500 events/s: 390 instead of 480 transactions/s, and 49
instead of 71 ms from scan to command)."""
FEW_RECORDS: Final = 50

Seek = Callable[[int], Awaitable[None]]


class Lane:
    """The life of one assigned partition."""

    def __init__(self, topic: str, checkpoint: Checkpoint, seek: Seek) -> None:
        """`topic` is the input's name without prefix; `seek` moves the consumer to an offset."""
        self._topic = topic
        self.checkpoint = checkpoint
        self._seek = seek
        self._queue: deque[Any] = deque()  # as aiokafka read them
        self._bytes = 0
        self._arrived = asyncio.Event()
        self._expected: int | None = None
        self._stopping = False
        self.busy_since: float | None = None
        checkpoint.alive = self._went_on

    def _went_on(self) -> None:
        """Something was restored or committed: work at hand counts from now."""
        if self.busy_since is not None:
            self.busy_since = time.monotonic()

    @property
    def position(self) -> int:
        """The input position that is durable."""
        return self.checkpoint.position

    @property
    def expected(self) -> int:
        """The input offset that is to be queued next."""
        return self._expected or 0

    @property
    def ready(self) -> bool:
        """Restored, and its position sought."""
        return self._expected is not None

    def wants(self) -> bool:
        """Whether more records may be fetched."""
        return self.ready and not self._stopping and len(self._queue) < QUEUED_RECORDS_MAX and self._bytes < QUEUED_BYTES_MAX

    def skips(self, batch: Fetched) -> bool:
        """Whether a batch begins beyond the next expected offset: `skip` must say why before it is delivered."""
        return self._expected is not None and batch.start > self._expected

    def skip(self, batch: Fetched, first: int) -> None:
        """Go on behind offsets that readers do not see (markers and aborted records come as a fetch without records).

        `first` is where the log begins now. Raises `CheckpointError` when that is beyond the next offset: records were dropped.
        """
        if self._expected is not None and first > self._expected:
            msg = (
                f"{self._topic}[{self.checkpoint.partition}]: the next batch was fetched from {batch.start}, but "
                f"{self._expected} is next and the log begins at {first}: records were dropped (deleted from the topic?)"
            )
            raise CheckpointError(msg)
        self._expected = batch.start

    def deliver(self, batch: Fetched) -> None:
        """Queue a fetched batch. Raises `CheckpointError` for one that skips offsets nobody has looked at (`skip`)."""
        expected = self._expected
        if expected is None or self._stopping:
            return  # fetched before the seek, or after the partition was taken away: read again by whoever owns it
        if (batch.reset or batch.start >= expected) and batch.records[-1].offset < expected:
            msg = (
                f"{self._topic}[{self.checkpoint.partition}]: {expected} is next, but the log goes on at "
                f"{batch.records[0].offset}: it is shorter than what was folded (its end was lost, or it was made anew?)"
            )
            raise CheckpointError(msg)
        if batch.start > expected:
            msg = f"{self._topic}[{self.checkpoint.partition}]: fetched from {batch.start}, but {expected} is next"
            raise CheckpointError(msg)
        for raw in batch.records:
            if raw.offset >= expected:
                self._bytes += len(raw.value or b"")
                self._queue.append(raw)
        self._expected = max(expected, batch.after)
        if self._queue:
            self.busy_since = self.busy_since or time.monotonic()
            self._arrived.set()

    async def run(self) -> None:
        """Open, then make batch after batch durable, until stopped."""
        self.busy_since = time.monotonic()
        position = await self.checkpoint.open()
        await self._seek(position)
        self._expected = position
        self.busy_since = None
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._queue and not self._stopping:
                await self._step()
            if self._stopping:
                return

    async def _step(self) -> None:
        taken = await self.checkpoint.process(_Waiting(self._topic, list(islice(self._queue, BATCH_EVENTS_MAX))))
        for _ in range(taken):
            self._bytes -= len(self._queue.popleft().value or b"")
        self.busy_since = time.monotonic() if self._queue else None
        await asyncio.sleep(REST_SECONDS if len(self._queue) < FEW_RECORDS else 0)

    async def stop(self, task: asyncio.Task[None]) -> None:
        """Finish the batch at hand within a deadline, or abandon it, and let everything go."""
        self._stopping = True
        self._arrived.set()
        if self.ready:
            await asyncio.wait([task], timeout=REVOKE_SECONDS_MAX)
        if not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=REVOKE_SECONDS_MAX)
        await self.checkpoint.close()


class _Waiting(Sequence[LogRecord]):
    """The next records as processors know them, made when they are asked for: a batch may take fewer than are waiting."""

    __slots__ = ("_raw", "_topic")

    def __init__(self, topic: str, raw: Sequence[Any]) -> None:
        self._topic = topic
        self._raw = raw

    def __len__(self) -> int:
        return len(self._raw)

    @overload
    def __getitem__(self, at: int) -> LogRecord: ...
    @overload
    def __getitem__(self, at: slice) -> list[LogRecord]: ...
    def __getitem__(self, at: int | slice) -> LogRecord | list[LogRecord]:
        if isinstance(at, slice):
            return [_log_record(self._topic, raw) for raw in self._raw[at]]
        return _log_record(self._topic, self._raw[at])


def _log_record(topic: str, raw: Any) -> LogRecord:
    """An aiokafka record as processors know it."""
    headers = tuple([(name, value.decode("utf-8")) for name, value in raw.headers])
    return LogRecord(topic, raw.partition, raw.offset, raw.key or b"", raw.value, headers)
