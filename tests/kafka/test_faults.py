"""What goes wrong around a worker ends it with a sentence, before anything is lost, doubled or started from less.

Aim: no fault leaves a worker that looks well and does nothing, or that goes on from a place that is no longer the right one.
Method: a real broker whose topics are made anew, and faults put where aiokafka and Faust would have them.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiokafka.errors import CorruptRecordException
from confluent_kafka.admin import AdminClient

from schemas.log import LogRecord
from schemas.partition import PARTITIONS
from schemas.topics import RAW, TOPICS
from tests.kafka.engine import WorkerThread, create_topics, new_connection
from tests.support.runtimes import echo, raw
from topology.kafka import transport
from topology.kafka.connection import Connection
from topology.kafka.health import readiness
from topology.kafka.publisher import Publisher
from topology.kafka.reader import TopicReader
from topology.kafka.worker import LAG_SECONDS

pytestmark = pytest.mark.kafka
SECONDS_MAX = 40


@pytest.fixture
def connection(bootstrap: str) -> Connection:
    made = new_connection(bootstrap)
    create_topics(made, echo())
    return made


def until(true: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + SECONDS_MAX
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def started(connection: Connection, folder: Path) -> WorkerThread:
    """A worker whose partitions are all open."""
    thread = WorkerThread(connection, echo, folder)

    def is_open() -> bool:
        lanes = thread.worker.lanes()
        return bool(thread.fatal) or (len(lanes) == PARTITIONS and all(lane.ready for lane in lanes.values()))

    until(is_open, "all partitions open")
    return thread


def publish(connection: Connection, *bodies: bytes) -> None:
    publisher = Publisher(connection)
    for body in bodies:
        publisher.submit(raw(body)).result(SECONDS_MAX)
    publisher.stop()


def written(connection: Connection) -> list[LogRecord]:
    """Everything that stands in topics behind the worker."""
    reader = TopicReader(connection)
    try:
        return [
            record
            for topic in TOPICS
            if topic != RAW
            for partition, end in enumerate(reader.ends(topic))
            if end
            for record in reader.read(topic, partition, 0)
        ]
    finally:
        reader.close()


def make_anew(connection: Connection, topic: str) -> None:
    client = AdminClient(connection.confluent())
    client.delete_topics([connection.topic(topic)])[connection.topic(topic)].result(SECONDS_MAX)
    until(lambda: connection.topic(topic) not in client.list_topics(timeout=10).topics, "the topic is gone")
    create_topics(connection, echo())


def folded_and_stopped(connection: Connection, folder: Path, count: int) -> list[LogRecord]:
    """A worker folded so many messages, told the group so, and was stopped."""
    thread = started(connection, folder)
    publish(connection, *(b"message %d" % number for number in range(count)))
    until(lambda: len(written(connection)) >= count, "all messages are folded")
    time.sleep(2 * LAG_SECONDS)
    thread.stop()
    return written(connection)


def test_an_input_topic_that_was_made_anew_is_noticed(connection: Connection, tmp_path: Path) -> None:
    """Its new messages stand below our position: they would be taken for folded ones."""
    before = folded_and_stopped(connection, tmp_path, 10)
    make_anew(connection, RAW)
    publish(connection, b"acknowledged, and new")
    thread = started(connection, tmp_path)
    until(lambda: bool(thread.fatal), "the worker ends")
    assert "was made anew since" in thread.fatal[0] or "its end was lost" in thread.fatal[0]
    assert written(connection) == before
    thread.stop()


def test_a_changelog_that_was_made_anew_does_not_make_everything_twice(connection: Connection, tmp_path: Path) -> None:
    before = folded_and_stopped(connection, tmp_path, 10)
    make_anew(connection, f"{echo()[0].name}.changelog")
    thread = started(connection, tmp_path)
    until(lambda: bool(thread.fatal), "the worker ends")
    assert "the changelog lost its end" in thread.fatal[0]
    assert written(connection) == before
    thread.stop()


def test_a_consumer_that_crashes_inside_faust_ends_the_worker(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Faust notes the crash and the process lives on: idle lanes would look well for ever."""
    thread = started(connection, tmp_path)
    assert readiness(thread.worker)["ready"]

    async def bad(*_: Any, **__: Any) -> Any:
        reason = "one bad response"
        raise CorruptRecordException(reason)

    monkeypatch.setattr(transport.ConsumerThread, "_fetch_records", bad)
    until(lambda: bool(thread.fatal), "the worker ends")
    assert "the consumer ended" in thread.fatal[0]
    assert not readiness(thread.worker)["ready"]
    monkeypatch.undo()


def test_a_batch_that_is_thrown_away_on_the_way_is_read_again(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fetch of an older generation moves the consumer on and is dropped: what it held must not pass for markers."""
    whole = transport.Consumer.getmany
    dropped: list[int] = []

    async def forgetful(self: transport.Consumer, timeout: float) -> AsyncIterator[Any]:
        async for tp, message in whole(self, timeout):
            if len(dropped) < 2:
                dropped.append(len(message.value.records))
                continue
            yield tp, message

    monkeypatch.setattr(transport.Consumer, "getmany", forgetful)
    thread = started(connection, tmp_path)
    for number in range(12):
        publish(connection, b"message %d" % number)
    until(lambda: len(written(connection)) >= 12, f"all are folded, {sum(dropped)} of them were dropped once; {thread.fatal}")
    assert sum(dropped) > 0
    assert len(written(connection)) == 12
    assert thread.fatal == []
    thread.stop()
