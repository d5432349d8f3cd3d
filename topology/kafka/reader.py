"""Reading topics: durable, committed records only, as the log records that sinks and checks take."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from schemas.log import LogRecord
from schemas.topics import TOPICS
from topology.errors import HubError
from topology.kafka.connection import Connection, opened

READ_RECORDS_MAX: Final = 5_000
COUNTED_RECORDS_MAX: Final = 60_000
_POLL_SECONDS: Final = 0.2
_TIMEOUT_SECONDS: Final = 20.0
_ELECTING: Final = frozenset({KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE})


class ReadError(HubError):
    """A topic can't be read."""


class TopicReader:
    """A consumer that belongs to no group and reads what it is told, `read_committed`."""

    def __init__(self, connection: Connection) -> None:
        """Connects when it first reads."""
        self._connection = connection
        self._consumer = opened(
            Consumer,
            connection.confluent(
                {
                    "group.id": connection.name("reader"), "enable.auto.commit": False, "isolation.level": "read_committed",
                    "enable.partition.eof": True, "auto.offset.reset": "earliest", "fetch.wait.max.ms": 50,
                }
            )
        )  # fmt: skip

    def ends(self, topic: str) -> list[int]:
        """The next offset of each partition, open transactions included. Raises `ReadError`."""
        name = self._connection.topic(topic)
        try:
            return [end_of(self._consumer, name, partition) for partition in range(TOPICS[topic].partitions)]
        except KafkaException as error:
            msg = f"{name} can't be read ({error.args[0].str()})"
            raise ReadError(msg) from None

    def read(self, topic: str, partition: int, start: int) -> Iterator[LogRecord]:
        """Committed records of one partition from an offset up to where it ends now."""
        self._consumer.assign([TopicPartition(self._connection.topic(topic), partition, start)])
        silent = 0.0
        while silent < _TIMEOUT_SECONDS:
            messages = next_messages(self._consumer, READ_RECORDS_MAX, _POLL_SECONDS)
            silent = 0.0 if messages else silent + _POLL_SECONDS
            for message in messages:
                error = message.error()
                if error is None:
                    yield log_record(topic, message)
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  # the library's public constant
                    return
                else:
                    msg = f"{message.topic()}[{partition}] can't be read ({error.str()})"
                    raise ReadError(msg)
        msg = f"{self._connection.topic(topic)}[{partition}] can't be read: no broker has answered for {_TIMEOUT_SECONDS:.0f} s"
        raise ReadError(msg)

    def beyond(self, positions: Mapping[tuple[str, int], int]) -> dict[tuple[str, int], int]:
        """How many committed records stand beyond each position; positions without any are left out. Raises `ReadError`.

        It counts by reading, and stops at `COUNTED_RECORDS_MAX`: there are at least so many.
        """
        self.follow(positions)
        skip = len(self._connection.settings.prefix)
        waiting, found = set(positions), dict.fromkeys(positions, 0)
        end = time.monotonic() + _TIMEOUT_SECONDS
        while waiting and sum(found.values()) < COUNTED_RECORDS_MAX:
            for message in next_messages(self._consumer, READ_RECORDS_MAX, _POLL_SECONDS):
                error, at = message.error(), (str(message.topic())[skip:], message.partition() or 0)
                if error is None:
                    found[at] += 1
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  # the library's public constant
                    waiting.discard(at)
            if time.monotonic() > end:
                msg = f"no broker says where {len(waiting)} partitions end"
                raise ReadError(msg)
        return {at: count for at, count in found.items() if count}

    def follow(self, starts: Mapping[tuple[str, int], int]) -> None:
        """Begin to read partitions from these offsets; `poll` gives what comes."""
        name = self._connection.topic
        self._consumer.assign([TopicPartition(name(topic), partition, start) for (topic, partition), start in starts.items()])

    def poll(self, seconds: float, records_max: int = READ_RECORDS_MAX) -> list[LogRecord]:
        """The next records of the followed partitions; none after so many seconds. Raises `ReadError`."""
        records: list[LogRecord] = []
        skip = len(self._connection.settings.prefix)
        for message in next_messages(self._consumer, records_max, seconds):
            error = message.error()
            if error is None:
                records.append(log_record(str(message.topic())[skip:], message))
            elif error.code() != KafkaError._PARTITION_EOF and not error.retriable():  # noqa: SLF001
                msg = f"{message.topic()}[{message.partition()}] can't be read ({error.str()})"
                raise ReadError(msg)
        return records

    def close(self) -> None:
        """Close the consumer."""
        self._consumer.close()


def first_visible(connection: Connection, topic: str, partition: int, start: int) -> int | None:
    """The offset of the first committed record of a partition from `start` on; none when there is none now. Blocking."""
    reader = TopicReader(connection)
    try:
        record = next(reader.read(topic, partition, start), None)
        return None if record is None else record.offset
    finally:
        reader.close()


def end_of(consumer: Consumer, topic: str, partition: int) -> int:
    """The next offset of a partition. While its leader is being elected it is asked again. Raises `KafkaException`."""
    until = time.monotonic() + _TIMEOUT_SECONDS
    while True:
        try:
            return int(consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=_TIMEOUT_SECONDS)[1])
        except KafkaException as error:
            if error.args[0].code() not in _ELECTING or time.monotonic() > until:
                raise
            time.sleep(_POLL_SECONDS)


def next_messages(consumer: Consumer, messages_max: int, seconds: float) -> list[Message]:
    """What is there, or the first to come: `consume` alone would wait for its full number."""
    first = consumer.poll(seconds)
    return [] if first is None else [first, *consumer.consume(messages_max - 1, 0)]


def log_record(topic: str, message: Message) -> LogRecord:
    """A Kafka record as processors and sinks know it; `topic` is its name without the prefix."""
    stated: Any = message.headers() or ()
    headers = tuple((name, value.decode("utf-8")) for name, value in stated)
    return LogRecord(topic, message.partition() or 0, message.offset() or 0, message.key() or b"", message.value(), headers)
