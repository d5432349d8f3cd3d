"""How far the workers are, as the group's committed offsets tell: for people and for waiting, never for processing."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Final

from confluent_kafka import Consumer, KafkaException, TopicPartition

from schemas.topics import NETWORK_LOG, RAW, SITE_LOG, TOPICS
from topology.kafka.connection import Connection, opened
from topology.kafka.reader import ReadError, TopicReader

INPUTS: Final = (RAW, SITE_LOG, NETWORK_LOG)
_TIMEOUT_SECONDS: Final = 20.0

Partition = tuple[str, int]


def group_asker(connection: Connection) -> Consumer:
    """A consumer that asks for the workers' committed offsets and never joins them.

    Not an admin client: librdkafka ends the whole process (a null pointer in `rd_kafka_cgrp_op`) when the group's coordinator
    moves while one is asked by `list_consumer_group_offsets`, as after a broker was killed (seen with confluent-kafka 2.16.1).
    """
    return opened(Consumer, connection.confluent({"group.id": connection.name("workers"), "enable.auto.commit": False}))


class GroupLag:
    """The workers' group, seen from outside. Blocking; one look at a time."""

    def __init__(self, connection: Connection) -> None:
        """Connects when first asked."""
        self._connection = connection
        self._asker = group_asker(connection)
        self._reader = TopicReader(connection)
        self._one = threading.Lock()

    def positions(self) -> dict[Partition, int]:
        """The input offset up to which each partition is folded, as last told; 0 where nothing was told. Raises `ReadError`."""
        names = {self._connection.topic(topic): topic for topic in INPUTS}
        places = [(name, partition) for name, topic in names.items() for partition in range(TOPICS[topic].partitions)]
        asked = [TopicPartition(name, partition) for name, partition in places]
        try:
            told = self._asker.committed(asked, timeout=_TIMEOUT_SECONDS)
        except KafkaException as error:
            msg = f"how far the workers are can't be read ({error.args[0].str()})"
            raise ReadError(msg) from None
        return {(names[one.topic], one.partition): max(0, one.offset) for one in told}

    def backlog(self) -> int:
        """Committed input records that are not folded yet."""
        return sum(self.beyond(self.positions()).values())

    def beyond(self, positions: Mapping[Partition, int]) -> dict[Partition, int]:
        """How many committed records stand beyond each position."""
        with self._one:
            return self._reader.beyond(positions)

    def folded(self, ends: Mapping[Partition, int]) -> bool:
        """Whether every input partition is folded up to these offsets."""
        now = self.positions()
        return all(now.get(at, 0) >= end for at, end in ends.items() if at[0] in INPUTS)
