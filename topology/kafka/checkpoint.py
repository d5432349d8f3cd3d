"""The checkpoint: the only place where the Kafka runtime makes anything durable. One per partition of a processor.

On opening: a transactional producer starts, which fences whoever had the partition before; the local copy is brought up to the
changelog's end; the input position is read from it. Per batch: fold in memory, then outputs, state changes and the new input
position in one transaction, then the local copy. The copy is never ahead of Kafka.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Final

from aiokafka import AIOKafkaProducer

from schemas.log import LogRecord, Output
from streams.contract import BATCH_BYTES_MAX, BATCH_EVENTS_MAX, HandlerFault, fold
from streams.state import Change, State
from topology.collector import collector_paused
from topology.kafka.changelog import INPUT_KEY, POSITION_KEY, ChangelogReader, position_of, position_value
from topology.kafka.connection import RECORD_BYTES_MAX, Connection
from topology.kafka.local_state import LocalState, Pair, Trust, table_prefix
from topology.kafka.place import CheckpointError, Place, check_input
from topology.kafka.topics import TOMBSTONE_RETENTION_MS, TopicAdmin, changelog_of
from topology.outgoing import outgoing

FOLD_SECONDS_MAX: Final = 0.2
"""A transaction takes in what was folded in this time; the event loop belongs to others in between."""
FOLD_SLICE: Final = 50
"""Events folded between two looks at the clock."""
TRANSACTION_MS: Final = 15_000
"""The broker ends a transaction that hangs longer; shorter than the watchdog's patience."""
STOP_SECONDS_MAX: Final = 5.0
COPY_AGE_SECONDS_MAX: Final = TOMBSTONE_RETENTION_MS / 2 / 1000
_RETRY_MS: Final = 5
_SEND_BATCH_BYTES: Final = 512 * 1024
_HEADROOM: Final = 1024
"""Bytes of a record beside key, value and headers, generously."""

Record = tuple[bytes, bytes | None, list[tuple[str, bytes]]]
Outputs = dict[tuple[str, int], list[Record]]


class OversizedRecordError(Exception):
    """An output or a value of the state is larger than a topic takes; the event that made it becomes a quarantine record."""


class Checkpoint:
    """State, outputs and position of one partition, made durable together."""

    def __init__(self, connection: Connection, place: Place) -> None:
        """Nothing is opened yet. `alive`, once set, is called whenever something went on."""
        self._connection = connection
        self.place = place
        self._processor = place.processor
        self.partition = place.partition
        self._changelog = connection.topic(changelog_of(place.processor.name))
        self._folder = place.folder / f"{place.processor.name}-{place.partition}"
        self.alive: Callable[[], None] = lambda: None
        self._producer: AIOKafkaProducer | None = None
        self._local: LocalState | None = None
        self._restoring: asyncio.Future[LocalState] | None = None
        self._closing = False
        self._input = connection.topic(place.processor.input_topic)
        self._input_id: str | None = None
        self.state: State | None = None
        self.position = 0
        self.restored = 0
        self.wiped: str | None = None
        self.faults: list[HandlerFault] = []
        self.transactions = 0

    # ---- open and close ------------------------------------------------------------------------------------------

    async def open(self) -> int:
        """Fence, restore, and return the input position to go on from."""
        self._producer = AIOKafkaProducer(
            transactional_id=self._connection.name(f"{self._processor.name}-{self.partition}"),
            transaction_timeout_ms=TRANSACTION_MS, retry_backoff_ms=_RETRY_MS, linger_ms=0, max_batch_size=_SEND_BATCH_BYTES,
            max_request_size=RECORD_BYTES_MAX, request_timeout_ms=TRANSACTION_MS, **self._connection.aiokafka(),
        )  # fmt: skip
        await self._producer.start()
        self._restoring = asyncio.ensure_future(asyncio.to_thread(self._restored))
        # Shielded: a cancelled lane must not leave a thread behind that still has the folder open; `close` waits for it.
        self._local = await asyncio.shield(self._restoring)
        self.state = State(self._processor.tables, self._local.backend)
        self.position = position_of(self._local.position_record)
        return self.position

    def _restored(self) -> LocalState:
        ids = TopicAdmin(self._connection).topic_ids([self._changelog, self._input])
        local = LocalState(self._folder)
        reader = ChangelogReader(self._connection, self._changelog, self.partition)
        try:
            end = reader.end()
            local.distrust(Trust(ids[self._changelog], end, COPY_AGE_SECONDS_MAX))
            self.restored = reader.restore(local, end, self.alive, lambda: not self._closing)
            if local.changelog_position >= end:
                local.confirm()
                self._input_id = check_input(self._connection, self.place, local, ids[self._input])
        except BaseException:
            local.close()
            raise
        finally:
            reader.close()
        self.wiped = local.wiped
        return local

    async def close(self) -> None:
        """Let the partition go: the local copy is closed, an open transaction is left to be ended by the next owner's fence."""
        self._closing = True
        local, self._local = self._local, None
        if local is None and self._restoring is not None:
            await asyncio.wait([self._restoring], timeout=STOP_SECONDS_MAX)
            if self._restoring.done() and self._restoring.exception() is None:
                local = self._restoring.result()
        if local is not None:
            await asyncio.to_thread(local.close)
        producer, self._producer = self._producer, None
        if producer is not None:
            try:
                await asyncio.wait_for(producer.stop(), STOP_SECONDS_MAX)
            except Exception:  # noqa: BLE001  # it holds nothing that counts: what was not committed never happened
                return

    # ---- one batch -----------------------------------------------------------------------------------------------

    async def process(self, records: Sequence[LogRecord]) -> int:
        """Fold the first of these records and make them durable; returns how many were taken. The rest is for the next batch."""
        if self.state is None or self._local is None:
            msg = "the checkpoint is not open"
            raise CheckpointError(msg)
        with collector_paused():
            taken = await self._process(records, self.state, self._local)
        self.transactions += 1
        self.alive()
        return taken

    async def _process(self, records: Sequence[LogRecord], state: State, local: LocalState) -> int:
        outputs, taken, changes = self._folded(records, state)
        position = records[taken - 1].offset + 1
        changes.append((POSITION_KEY, position_value(position)))
        if self._input_id is not None:
            changes.append((INPUT_KEY, self._input_id.encode("ascii")))
        behind = await self._commit(outputs, changes)
        local.apply(changes, behind, confirmed=True)
        self._input_id = None
        state.clean()
        self.position = position
        return taken

    def _folded(self, records: Sequence[LogRecord], state: State) -> tuple[Outputs, int, list[Pair]]:
        """Fold; where a write can't be encoded or carried, again from the beginning, so that only the event at fault fails."""
        faults = len(self.faults)
        outputs, taken = self._fold(records, state)
        try:
            return outputs, taken, _pairs(state)
        except Exception:  # noqa: BLE001  # whatever it is, the careful fold meets it at its event
            state.discard()
            self._processor.forget()
            del self.faults[faults:]
        outputs, taken = self._fold(records, state, inspect=_carried)
        return outputs, taken, _pairs(state)

    def _fold(
        self, records: Sequence[LogRecord], state: State, inspect: Callable[[Change], None] | None = None
    ) -> tuple[Outputs, int]:
        """Fold until the batch is full or the time is up."""
        outputs: Outputs = defaultdict(list)
        until = time.monotonic() + FOLD_SECONDS_MAX
        taken = size = 0
        while taken < min(len(records), BATCH_EVENTS_MAX) and (taken == 0 or time.monotonic() < until):
            some: list[LogRecord] = []
            for record in records[taken : taken + FOLD_SLICE]:
                size += len(record.value or b"")
                if size > BATCH_BYTES_MAX and (taken or some):
                    break
                some.append(record)
            if not some:
                break
            folded, faults = fold(self._processor, some, state, _refuse_oversized, inspect)
            self.faults.extend(faults)
            for record, made in folded:
                for topic, partition, key, value, headers in outgoing(self._processor.name, record, made):
                    encoded = [(name, text.encode("utf-8")) for name, text in headers]
                    outputs[topic, partition].append((key, value, encoded))
            taken += len(some)
        return outputs, taken

    async def _commit(self, outputs: Outputs, changes: list[Pair]) -> int:
        """One transaction; returns the changelog offset behind its records. What raises leaves it open for a fence to end."""
        producer = self._producer
        if producer is None:
            msg = "the checkpoint is closed"
            raise CheckpointError(msg)
        await producer.begin_transaction()
        sent: list[Any] = []
        for (topic, partition), some in outputs.items():
            sent.extend(await _send(producer, self._connection.topic(topic), partition, some))
        changelog = await _send(producer, self._changelog, self.partition, [(key, value, []) for key, value in changes])
        last = 0
        for future, count in changelog:
            last = (await future).offset + count
        for future, _ in sent:
            await future
        await producer.commit_transaction()
        return last


async def _send(producer: AIOKafkaProducer, topic: str, partition: int, records: Sequence[Record]) -> list[tuple[Any, int]]:
    """Send records in as few batches as they fit; returns the batches' futures and sizes."""
    sent: list[tuple[Any, int]] = []
    batch, count = producer.create_batch(), 0
    for key, value, headers in records:
        while batch.append(key=key, value=value, timestamp=None, headers=headers) is None:
            if not count:
                msg = f"a record of {topic} does not fit into any batch"
                raise CheckpointError(msg)
            batch.close()
            sent.append((await producer.send_batch(batch, topic, partition=partition), count))
            batch, count = producer.create_batch(), 0
        count += 1
    if count:
        batch.close()
        sent.append((await producer.send_batch(batch, topic, partition=partition), count))
    return sent


def _refuse_oversized(output: Output) -> None:
    if len(output.key) + len(output.value or b"") + _HEADROOM > RECORD_BYTES_MAX:
        raise OversizedRecordError


def _pairs(state: State) -> list[Pair]:
    """What the batch writes. Raises for what can't be encoded or carried."""
    pairs: list[Pair] = []
    for change in state.changes():
        _carried(change)
        table, key, value = change
        pairs.append((table_prefix(table) + key, value))
    return pairs


def _carried(change: Change) -> None:
    table, key, value = change
    if len(table) + len(key) + len(value or b"") + _HEADROOM > RECORD_BYTES_MAX:
        raise OversizedRecordError
