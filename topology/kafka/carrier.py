"""Writing an embedded hub's log and state into Kafka, so that workers go on as if they had always been there.

Offsets are kept, because records name each other by them: a log is written by one plain idempotent producer into topics that
nobody else writes to, and every delivery report is checked. Lanes are marked as unfinished until all state and positions are in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from schemas.log import LogRecord
from topology.errors import HubError
from topology.kafka.changelog import MOVING, POSITION_KEY, ChangelogReader, position_value
from topology.kafka.connection import RECORD_BYTES_MAX, Connection, opened
from topology.kafka.topics import changelog_of

TIMEOUT_SECONDS: Final = 60.0
TRANSACTION_MS: Final = 60_000
TRANSACTION_PAIRS: Final = 20_000
QUEUED_MESSAGES_MAX: Final = 50_000
AT_ONCE: Final = 8
"""Lanes that are looked at and marked at the same time."""
_SERVE_EVERY: Final = 1_000

StatePair = tuple[bytes, bytes]
Lane = tuple[str, int]
"""A processor and one of its partitions."""
Write = tuple[Lane, bytes, bytes | None]
"""Lane, key, and value or a deletion."""


class CarryError(HubError):
    """Something could not be written as it must be."""


class LogCarrier:
    """Appends records to partitions under the offsets they had."""

    def __init__(self, connection: Connection) -> None:
        """Connects when it first writes."""
        self._connection = connection
        self._wrong: str | None = None
        self._producer = opened(
            Producer,
            connection.confluent(
                {
                    "enable.idempotence": True, "acks": "all", "linger.ms": 20, "message.max.bytes": RECORD_BYTES_MAX,
                    "queue.buffering.max.messages": QUEUED_MESSAGES_MAX,
                }
            )
        )  # fmt: skip

    def carry(self, records: Iterable[LogRecord]) -> int:
        """Append records of one partition; returns how many. Raises `CarryError` when one got another offset, or none."""
        count = 0
        for record in records:
            self._append(record)
            count += 1
            if not count % _SERVE_EVERY:
                self._producer.poll(0)
                self._check()
        left = self._producer.flush(TIMEOUT_SECONDS)
        self._check()
        if left:
            msg = f"{left} records were not taken by Kafka within {TIMEOUT_SECONDS:.0f} s: look at its brokers, then run it again"
            raise CarryError(msg)
        return count

    def _append(self, record: LogRecord) -> None:
        def delivered(error: KafkaError | None, message: Message) -> None:
            if self._wrong is not None:
                return
            if error is not None:
                self._wrong = f"Kafka did not take a record of {record.topic} ({error.str()}): run it again"
            elif message.offset() != record.offset:
                self._wrong = (
                    f"{record.topic}[{record.partition}]: offset {record.offset} became {message.offset()}: somebody else writes "
                    "there; stop every other process, and move into topics of their own (another prefix)"
                )

        while True:
            try:
                self._producer.produce(
                    self._connection.topic(record.topic), key=record.key, value=record.value, partition=record.partition,
                    headers=list(record.headers), on_delivery=delivered,
                )  # fmt: skip
            except BufferError:
                self._producer.poll(0.1)
                continue
            return

    def _check(self) -> None:
        if self._wrong is not None:
            raise CarryError(self._wrong)


class StateCarrier:
    """Writes the state of lanes: `begin`, `carry` for each, `finish`. Workers refuse lanes whose move is not finished."""

    def __init__(self, connection: Connection, lanes: Iterable[Lane]) -> None:
        """`lanes` are all that the hub has."""
        self._connection = connection
        self._lanes = list(lanes)
        self._left: dict[Lane, set[bytes]] = {}
        self._writer: Producer

    def begin(self) -> None:
        """Fence every worker and mark every lane as being moved. Raises `CarryError` when a hub has begun to work there."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for lane, known in zip(self._lanes, pool.map(self._known, self._lanes), strict=True):
                found = known.get(POSITION_KEY)
                if found is not None and found != MOVING:
                    msg = (
                        f"a hub has worked on these topics already ({lane[0]}, partition {lane[1]}): move into topics of their "
                        "own (another prefix), made with `wardstock topics apply`"
                    )
                    raise CarryError(msg)
                self._left[lane] = set(known) - {POSITION_KEY}
            list(pool.map(self._mark, self._lanes))
        for broadcaster in ("ticker", "reference"):
            self._producer(broadcaster)  # whoever broadcasts under the name is fenced off, and what was begun is aborted
        self._writer = self._producer("migrate")

    def _mark(self, lane: Lane) -> None:
        """The name is the one that a worker's checkpoint has: whoever holds the lane now is fenced off."""
        producer = self._producer(f"{lane[0]}-{lane[1]}")
        self._transact(producer, [(lane, POSITION_KEY, MOVING)])

    def carry(self, lane: Lane, pairs: Iterable[StatePair]) -> int:
        """Write a lane's state; what an interrupted move left and is no longer so is deleted. Returns the number of pairs."""
        left = self._left[lane]
        batch: list[Write] = []
        count = 0
        for key, value in pairs:
            left.discard(key)
            batch.append((lane, key, value))
            count += 1
            if len(batch) == TRANSACTION_PAIRS:
                self._transact(self._writer, batch)
                batch = []
        batch.extend((lane, key, None) for key in sorted(left))
        if batch:
            self._transact(self._writer, batch)
        return count

    def finish(self, positions: Mapping[Lane, int]) -> None:
        """Write the input positions of all lanes in one transaction: from here on workers may open them."""
        self._transact(self._writer, [(lane, POSITION_KEY, position_value(positions[lane])) for lane in self._lanes])

    def _transact(self, producer: Producer, writes: Iterable[Write]) -> None:
        try:
            producer.begin_transaction()
            for (processor, partition), key, value in writes:
                producer.produce(self._connection.topic(changelog_of(processor)), key=key, value=value, partition=partition)
                producer.poll(0)
            producer.commit_transaction(TIMEOUT_SECONDS)
        except (KafkaException, BufferError) as error:
            msg = f"Kafka did not take the state ({_words(error)}): run it again"
            raise CarryError(msg) from None

    def _producer(self, name: str) -> Producer:
        producer = opened(
            Producer,
            self._connection.confluent(
                {
                    "transactional.id": self._connection.name(name), "transaction.timeout.ms": TRANSACTION_MS,
                    "message.max.bytes": RECORD_BYTES_MAX, "queue.buffering.max.messages": 10 * TRANSACTION_PAIRS, "linger.ms": 5,
                }
            )
        )  # fmt: skip
        try:
            producer.init_transactions(TIMEOUT_SECONDS)
        except KafkaException as error:
            msg = f"Kafka begins no transaction ({_words(error)}): look at its brokers, then run it again"
            raise CarryError(msg) from None
        return producer

    def _known(self, lane: Lane) -> dict[bytes, bytes]:
        """What the changelog of a lane holds."""
        processor, partition = lane
        reader = ChangelogReader(self._connection, self._connection.topic(changelog_of(processor)), partition)
        try:
            known: dict[bytes, bytes] = {}
            for key, value in _pairs(reader):
                if value is None:
                    known.pop(key, None)
                else:
                    known[key] = value
            return known
        finally:
            reader.close()


def _pairs(reader: ChangelogReader) -> Iterator[tuple[bytes, bytes | None]]:
    for pairs, _ in reader.batches(0, reader.end()):
        yield from pairs


def _words(error: BaseException) -> str:
    return str(error.args[0].str()) if isinstance(error, KafkaException) else "its queue is full"
