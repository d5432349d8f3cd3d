"""Publishing to a broker that goes away and comes back: nothing is acknowledged that is not stored, and memory stays bounded."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.contract import TooLarge, Unavailable
from schemas.raw import BODY_BYTES_MAX, CABINET_JSON, RawMessage
from schemas.topics import RAW
from tests.conftest import left_out
from tests.kafka.broker import BrokerUnavailableError, Cluster
from tests.kafka.engine import create_topics, new_connection
from topology.kafka.connection import Connection
from topology.kafka.publisher import Publisher
from topology.kafka.reader import TopicReader

pytestmark = pytest.mark.kafka
WAIT_SECONDS = 60


def message(body: bytes) -> RawMessage:
    return RawMessage(
        body=body, source="feed", connector="test", content_type=CABINET_JSON, received_at=datetime(2026, 3, 2, tzinfo=UTC)
    )


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A broker of its own, which may be killed."""
    one: Cluster | None = None
    try:
        one = Cluster(tmp_path / "broker", brokers=1)
        one.start()
    except BrokerUnavailableError as unavailable:
        left_out(str(unavailable), os.environ.get("WARDSTOCK_REQUIRE", ""))
    assert one is not None
    yield one
    one.stop()


def stored(connection: Connection) -> list[bytes]:
    reader = TopicReader(connection)
    try:
        return [record.value or b"" for partition in range(8) for record in reader.read(RAW, partition, 0)]
    finally:
        reader.close()


def test_a_broker_that_goes_away_stops_acknowledging_and_one_that_comes_back_goes_on(cluster: Cluster) -> None:
    connection = new_connection(cluster.bootstrap)
    create_topics(connection, [])
    publisher = Publisher(connection, delivery_ms=3_000, pending=100)
    acknowledged = [b"before"]
    publisher.submit(message(b"before")).result(WAIT_SECONDS)
    cluster.brokers[0].kill()
    futures = [publisher.submit(message(b"%d" % number)) for number in range(100)]
    with pytest.raises(Unavailable, match="wait for a broker"):
        publisher.submit(message(b"one too many"))
    for future in futures:
        with pytest.raises(Unavailable, match="no broker took the message"):
            future.result(WAIT_SECONDS)
    cluster.brokers[0].start()
    cluster.wait()
    for body in (b"after", b"after that"):
        while True:
            try:
                publisher.submit(message(body)).result(WAIT_SECONDS)
            except Unavailable:
                continue  # a sender sends again
            acknowledged.append(body)
            break
    publisher.stop()
    found = stored(connection)
    assert set(acknowledged) <= set(found), "what was acknowledged is there"
    with pytest.raises(Unavailable, match="stopping"):
        publisher.submit(message(b"late"))


def test_a_caller_that_goes_away_does_not_stop_the_others(bootstrap: str) -> None:
    connection = new_connection(bootstrap)
    create_topics(connection, [])
    publisher = Publisher(connection)
    assert not publisher.submit(message(b"left alone")).cancel()
    publisher.submit(message(b"waited for")).result(WAIT_SECONDS)
    publisher.stop()
    assert sorted(stored(connection)) == [b"left alone", b"waited for"]


def test_a_message_over_the_limit_is_refused_at_once(bootstrap: str) -> None:
    publisher = Publisher(new_connection(bootstrap))
    with pytest.raises(TooLarge, match=str(BODY_BYTES_MAX)):
        publisher.submit(message(bytes(BODY_BYTES_MAX + 1)))
    publisher.stop()
