"""The logs of a hub on Kafka: committed records, and input positions out of the changelog topics.

The newest record under the position key of a changelog partition is the authority on what was folded (ADR 7). It is looked for
from the end backwards, because every batch writes one. A transaction shows in one partition a moment before it does in the next:
between positions and topics there is a pause.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

from confluent_kafka import Consumer, KafkaException, TopicPartition

from schemas.log import LogRecord
from schemas.topics import TOPICS
from topology.errors import HubError
from topology.kafka.connection import Connection, opened
from topology.kafka.reader import TopicReader
from topology.verify.source import INPUT_OF

_POSITION_KEY: Final = b"\x00position"
_FORMAT: Final = b"1"
_LOOK_BACK_RECORDS: Final = 20_000
_TIMEOUT_SECONDS: Final = 20.0
MARKERS_SECONDS: Final = 2.0
"""Longer than a broker takes to mark a committed transaction as such in all its partitions."""


class KafkaSource:
    """The topics of one hub."""

    compacts = True

    def __init__(self, connection: Connection) -> None:
        """Takes the positions of all partitions, before anything else is read. Raises `HubError`."""
        self.name = connection.bootstrap
        self._connection = connection
        self._reader = TopicReader(connection)
        self._asker = opened(Consumer, connection.confluent({"group.id": connection.name("verify"), "enable.auto.commit": False}))
        try:
            self._positions = {
                (processor, partition): self._newest_position(f"{processor}.changelog", partition)
                for processor, topic in INPUT_OF.items()
                for partition in range(TOPICS[topic].partitions)
            }
            time.sleep(MARKERS_SECONDS)
        except BaseException:
            self.close()
            raise

    def position(self, processor: str, partition: int) -> int:
        """The input position of a processor."""
        return self._positions[processor, partition]

    def start(self, topic: str, partition: int) -> int:
        """The first offset that is still kept."""
        return self._watermarks(topic, partition)[0]

    def read(self, topic: str, partition: int) -> Iterator[LogRecord]:
        """Committed records of a partition."""
        low, high = self._watermarks(topic, partition)
        return self._reader.read(topic, partition, low) if high > low else iter(())

    def close(self) -> None:
        """Close the consumers."""
        self._reader.close()
        self._asker.close()

    def _newest_position(self, topic: str, partition: int) -> int:
        low, high = self._watermarks(topic, partition)
        if high == low:
            return 0
        look_back = _LOOK_BACK_RECORDS
        while True:
            start = max(low, high - look_back)
            found: bytes | None = None
            for record in self._reader.read(topic, partition, start):
                if record.key == _POSITION_KEY:
                    found = record.value
            if found is not None or start == low:
                return _position(topic, found)
            look_back *= 8

    def _watermarks(self, topic: str, partition: int) -> tuple[int, int]:
        name = self._connection.topic(topic)
        try:
            low, high = self._asker.get_watermark_offsets(TopicPartition(name, partition), timeout=_TIMEOUT_SECONDS)
        except KafkaException as error:
            msg = f"{name} can't be read ({error.args[0].str()})"
            raise HubError(msg) from None
        return int(low), int(high)


def _position(topic: str, value: bytes | None) -> int:
    if value is None:
        return 0
    if not value.startswith(_FORMAT) or not value[1:].isdigit():
        msg = f"{topic} names its position in a format that this release does not know: run the release that wrote it"
        raise HubError(msg)
    return int(value[1:])
