"""The engine: the log, the processors over it, and the one place where the embedded runtime makes anything durable.

Not thread-safe: one thread owns it. `publish` returns when the messages are synced. `step` folds one batch of every partition
that has a backlog; outputs, state and input position of a batch are one store write, and one sync closes the step. Readers see
only what is synced.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final

from schemas.events import ReferenceChange, Tick
from schemas.log import Headers, LogRecord, Output
from schemas.raw import BODY_BYTES_MAX, RawMessage, raw_headers
from schemas.topics import RAW, TOPICS
from streams.contract import BATCH_BYTES_MAX, BATCH_EVENTS_MAX, HandlerFault, Processor, fold
from streams.state import Change, State
from topology.collector import collector_paused
from topology.embedded.log import (
    StateBackend,
    encode_record,
    end_key,
    log_key,
    number,
    position_key,
    read_number,
    read_records,
    stream_prefix,
    table_prefix,
)
from topology.embedded.store import Store, Write
from topology.embedded.tail import Tail
from topology.outgoing import RECORD_SCHEMA, broadcast_record, broadcast_topics, outgoing, partition_for

Partition = tuple[str, int]
FAULTS_KEPT_MAX: Final = 1_000


class Oversized(ValueError):  # noqa: N818  # named for what the caller does about it
    """A message is over `schemas.raw.BODY_BYTES_MAX`."""


class Engine:
    """Log and processors of one embedded hub."""

    def __init__(self, store: Store, processors: Sequence[Processor]) -> None:
        """Continue where the store ends."""
        self._store = store
        self._processors = processors
        self._ends: dict[Partition, int] = {
            (topic.name, partition): read_number(store, end_key(topic.name, partition))
            for topic in TOPICS.values()
            for partition in range(topic.partitions)
        }
        self._durable = dict(self._ends)
        self._written = dict(self._ends)
        self._positions: dict[Partition, int] = {}
        self._states: dict[Partition, State] = {}
        self._prefixes: dict[tuple[str, int, str], bytes] = {}
        self._starts = {key: stream_prefix(*key) for key in self._ends}
        self._tails: dict[Partition, Tail] = {}
        self._unwritten: list[tuple[Tail, LogRecord]] = []
        for processor in processors:
            for partition in range(TOPICS[processor.input_topic].partitions):
                key = (processor.name, partition)
                self._positions[key] = read_number(store, position_key(*key))
                self._tails[processor.input_topic, partition] = Tail()
        self.faults: list[HandlerFault] = []
        self.events_folded = 0

    # ---- in ------------------------------------------------------------------------------------------------------

    def publish(self, messages: Sequence[RawMessage], note: Sequence[Write] = ()) -> list[tuple[int, int]]:
        """Make raw messages durable; returns partition and offset of each. Raises `Oversized` before anything is written.

        `note` is written in the same transaction: where they were taken from.
        """
        for message in messages:
            if len(message.body) > BODY_BYTES_MAX:
                msg = f"the message has {len(message.body)} bytes, the limit is {BODY_BYTES_MAX}"
                raise Oversized(msg)
        with collector_paused():
            places = self._append_all(messages, note)
        self._sync()
        return places

    def _append_all(self, messages: Sequence[RawMessage], note: Sequence[Write]) -> list[tuple[int, int]]:
        batch = self._begin()
        batch += note
        places = [self._append_raw(batch, message) for message in messages]
        self._commit(batch)
        return places

    def _append_raw(self, batch: list[Write], message: RawMessage) -> tuple[int, int]:
        partition = partition_for(message.source, TOPICS[RAW].partitions)
        offset = self._ends[RAW, partition]
        received_at = message.received_at.isoformat()
        place = f"{RAW}-{partition}-{offset}"
        headers = (
            ("ce_id", place), ("ce_type", "RawMessage"), ("ce_source", message.source), ("ce_time", received_at),
            ("schema", RECORD_SCHEMA), ("trace", place), *raw_headers(message, received_at),
        )  # fmt: skip
        self._append(batch, RAW, partition, message.source.encode("utf-8"), message.body, headers)
        return partition, offset

    def broadcast(self, changes: Iterable[ReferenceChange | Tick], at: datetime | None = None) -> None:
        """Write reference changes and ticks to every partition that folds them, in one transaction, and sync.

        `at` is when reference changes come into force; without it, at the last tick.
        """
        batch = self._begin()
        since = at or self.latest_tick()
        for change in changes:
            key, value, headers = broadcast_record(change, since)
            for topic in broadcast_topics(change):
                for partition in range(TOPICS[topic].partitions):
                    self._append(batch, topic, partition, key, value, headers)
            if isinstance(change, Tick):
                batch.append(("meta", b"tick", change.at.isoformat().encode("ascii")))
        self._commit(batch)
        self._sync()

    # ---- fold ----------------------------------------------------------------------------------------------------

    def step(self) -> int:
        """Fold one batch of every partition with a backlog; returns the number of events folded."""
        folded = 0
        for processor in self._processors:
            for partition in range(TOPICS[processor.input_topic].partitions):
                if self._positions[processor.name, partition] < self._ends[processor.input_topic, partition]:
                    with collector_paused():
                        folded += self._fold(processor, partition)
        if folded:
            self._sync()
        self.events_folded += folded
        return folded

    def run_until_idle(self) -> int:
        """Fold until no partition has a backlog."""
        total = 0
        while folded := self.step():
            total += folded
        return total

    def _fold(self, processor: Processor, partition: int) -> int:
        """One batch of one partition: read, fold, write outputs + state + position as one."""
        position = self._positions[processor.name, partition]
        records = self._batch(processor.input_topic, partition, position)
        if not records:
            self._positions[processor.name, partition] = self._ends[processor.input_topic, partition]
            return 0
        state = self._state(processor, partition)
        batch = self._begin()
        folded, faults, changes = _folded(processor, records, state)
        for record, outputs in folded:
            self._append_outputs(batch, processor, record, outputs)
        for table, key, value in changes:
            batch.append(("state", self._table_prefix(processor.name, partition, table) + key, value))
        after = records[-1].offset + 1
        batch.append(("meta", position_key(processor.name, partition), number(after)))
        self._commit(batch)
        self._positions[processor.name, partition] = after
        self._tails[processor.input_topic, partition].drop(after)
        state.clean()
        if faults and len(self.faults) < FAULTS_KEPT_MAX:
            self.faults.extend(faults)
        return len(records)

    def _batch(self, topic: str, partition: int, position: int) -> list[LogRecord]:
        """The next records, bounded in number and bytes."""
        records: list[LogRecord] = []
        size = 0
        end = min(self._ends[topic, partition], position + BATCH_EVENTS_MAX)
        newest = self._tails[topic, partition].after(position)[: end - position]
        for record in newest or read_records(self._store, topic, partition, position, end):
            size += len(record.value or b"")
            if size > BATCH_BYTES_MAX and records:
                break
            records.append(record)
        return records

    def _append_outputs(self, batch: list[Write], processor: Processor, record: LogRecord, outputs: list[Output]) -> None:
        """Outputs of one event, each to its partition."""
        for topic, partition, key, value, headers in outgoing(processor.name, record, outputs):
            self._append(batch, topic, partition, key, value, headers)

    # ---- out -----------------------------------------------------------------------------------------------------

    def ends(self, topic: str) -> list[int]:
        """Next durable offset of each partition of a topic."""
        return [self._durable[topic, partition] for partition in range(TOPICS[topic].partitions)]

    def read(self, topic: str, partition: int, start: int, limit: int) -> Iterator[LogRecord]:
        """Durable records of a partition from an offset on."""
        end = min(self._durable[topic, partition], start + limit)
        return read_records(self._store, topic, partition, start, end)

    def backlog(self) -> int:
        """Events that are stored and not folded yet."""
        return sum(
            self._ends[processor.input_topic, partition] - self._positions[processor.name, partition]
            for processor in self._processors
            for partition in range(TOPICS[processor.input_topic].partitions)
        )

    def latest_tick(self) -> datetime | None:
        """The last tick that was broadcast, for the ticker to continue from."""
        data = self._store.get("meta", b"tick")
        return None if data is None else datetime.fromisoformat(data.decode("ascii"))

    def state_of(self, processor: str, partition: int) -> State:
        """The state of a processor's partition, for checks that look inside."""
        found = next(candidate for candidate in self._processors if candidate.name == processor)
        return self._state(found, partition)

    # ---- within --------------------------------------------------------------------------------------------------

    def _begin(self) -> list[Write]:
        """An empty batch. What a batch that failed had appended must never reach a processor: it is in no log."""
        self._unwritten.clear()
        return []

    def _append(
        self, batch: list[Write], topic: str, partition: int, key: bytes, value: bytes | None, headers: Headers
    ) -> None:
        at = (topic, partition)
        offset = self._ends[at]
        self._ends[at] = offset + 1
        batch.append(("log", log_key(self._starts[at], offset), encode_record(key, value, headers)))
        tail = self._tails.get(at)
        if tail is not None:
            self._unwritten.append((tail, LogRecord(topic, partition, offset, key, value, headers)))

    def _commit(self, batch: list[Write]) -> None:
        """Write a batch with the new ends of the partitions it appended to."""
        for (topic, partition), end in self._ends.items():
            if end != self._written.get((topic, partition), -1):
                batch.append(("meta", end_key(topic, partition), number(end)))
                self._written[topic, partition] = end
        if batch:
            self._store.write(batch)
        for tail, record in self._unwritten:
            tail.append(record)
        self._unwritten.clear()

    def _sync(self) -> None:
        self._store.sync()
        self._durable = dict(self._ends)

    def _state(self, processor: Processor, partition: int) -> State:
        key = (processor.name, partition)
        state = self._states.get(key)
        if state is None:
            state = State(processor.tables, lambda table: StateBackend(self._store, processor.name, partition, table))
            self._states[key] = state
        return state

    def _table_prefix(self, processor: str, partition: int, table: str) -> bytes:
        key = (processor, partition, table)
        prefix = self._prefixes.get(key)
        if prefix is None:
            prefix = self._prefixes[key] = table_prefix(*key)
        return prefix


def _folded(
    processor: Processor, records: list[LogRecord], state: State
) -> tuple[list[tuple[LogRecord, list[Output]]], list[HandlerFault], list[Change]]:
    """Fold a batch; where a write of it can't be encoded, again from its beginning, so that only the event at fault fails."""
    folded, faults = fold(processor, records, state)
    try:
        return folded, faults, state.changes()
    except Exception:  # noqa: BLE001  # whatever it is, the careful fold meets it at its event
        state.discard()
        processor.forget()
    folded, faults = fold(processor, records, state, inspect=_encodable)
    return folded, faults, state.changes()


def _encodable(_: Change) -> None:
    """A write that is encoded can be stored, however large."""
