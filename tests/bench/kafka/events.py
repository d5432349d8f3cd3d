"""The common piece of work, for every engine the same: the events, their topic, and what the sums must be.

A topic of four partitions holds events of about 150 bytes of JSON with 10,000 keys. The work: decode the JSON, add `qty` to the
running sum of the key, and keep the sums in durable keyed state with a changelog. All engines read the very same topic.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from random import Random
from typing import Final

from confluent_kafka import Producer

from schemas.log import LogRecord
from schemas.partition import partition_of
from topology.kafka.connection import Connection
from topology.kafka.topics import TopicAdmin, TopicPlan, changelog_of

TOPIC: Final = "bench.events"
"""A topic of the bench only: the worker takes whatever topic its processors name, so nothing of the contracts is touched."""
PARTITIONS: Final = 4
KEYS: Final = 10_000
PROCESSOR: Final = "sums"
_LOAD_SECONDS_MAX: Final = 120.0
_RECORD_BYTES_MAX: Final = "8388608"

Event = tuple[int, bytes, bytes]
"""Partition, key and value."""


def events(count: int) -> Iterator[Event]:
    """So many events, the same each time; a key stands in the partition where Kafka's own partitioner puts it."""
    random = Random(1)
    keys = [f"site{number % 20}|item{number // 20}" for number in range(KEYS)]
    places = [partition_of(key, PARTITIONS) for key in keys]
    for number in range(count):
        at = random.randrange(KEYS)
        value = {
            "id": f"event-{number:09}", "site": keys[at].partition("|")[0], "item": keys[at], "qty": random.randint(-9, 9),
            "ts": 1_790_000_000 + number, "lot": "L12345", "kind": "administered", "place": "icu/cab1",
        }  # fmt: skip
        yield places[at], keys[at].encode(), json.dumps(value, separators=(",", ":")).encode()


def sums(count: int) -> Counter[str]:
    """What the sums must be after so many events."""
    found: Counter[str] = Counter()
    for _, key, value in events(count):
        found[key.decode()] += json.loads(value)["qty"]
    return found


def ends(count: int) -> dict[int, int]:
    """The position behind the last event of each partition of a topic that was loaded once."""
    return dict(Counter(partition for partition, _, _ in events(count)))


def create(connection: Connection) -> None:
    """Make the topic, and the changelog of our own processor."""
    plans = [
        TopicPlan(connection.topic(TOPIC), PARTITIONS, 1, {"cleanup.policy": "delete", "retention.ms": "-1"}),
        TopicPlan(
            connection.topic(changelog_of(PROCESSOR)), PARTITIONS, 1,
            {"cleanup.policy": "compact", "max.message.bytes": _RECORD_BYTES_MAX},
        ),
    ]  # fmt: skip
    TopicAdmin(connection).apply(plans)


def load(connection: Connection, count: int) -> float:
    """Put the events in; see `load_at_once`."""
    made = (LogRecord(TOPIC, partition, 0, key, value) for partition, key, value in events(count))
    return load_at_once(connection, made)


def load_at_once(connection: Connection, records: Iterable[LogRecord]) -> float:
    """Write records as one transaction: for readers of committed records all of them are there at once.

    Returns the instant (monotonic) right before they were.
    """
    producer = Producer(
        connection.confluent(
            {
                "transactional.id": "bench-load", "linger.ms": 50, "queue.buffering.max.messages": 1_000_000,
                "transaction.timeout.ms": 120_000,
            }
        )
    )  # fmt: skip
    producer.init_transactions(_LOAD_SECONDS_MAX)
    producer.begin_transaction()
    for record in records:
        name = connection.topic(record.topic)
        producer.produce(name, key=record.key, value=record.value, partition=record.partition, headers=list(record.headers))
        producer.poll(0)
    producer.flush(_LOAD_SECONDS_MAX)
    before = time.monotonic()
    producer.commit_transaction(_LOAD_SECONDS_MAX)
    return before
