"""The full site processor on a real Kafka, exactly once, one worker, one partition; and how fast its state is restored.

The same events as in `tests/bench/hub.py`; the peer is the same processor on RocksDB alone, in the same run.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from confluent_kafka import Producer

from connectors.simulator import simulate, write_reference
from schemas.log import LogRecord
from schemas.partition import partition_of
from schemas.topics import SITE_LOG
from streams.site.processor import SiteProcessor
from tests.bench import hub
from tests.bench.kafka.place import kafka
from tests.kafka.engine import create_topics, new_connection
from topology.kafka.changelog import ChangelogReader
from topology.kafka.connection import Connection
from topology.kafka.local_state import LocalState
from topology.kafka.topics import changelog_of
from topology.kafka.worker import Worker
from topology.reference_files import load_reference, reference_changes

END_SECONDS_MAX = 300
ROUNDS = 2
"""In turn, and the best counts: in its first half minute a broker compiles its own code, which takes a core."""


def rows() -> Iterator[dict[str, Any]]:
    """Rates of this run."""
    records, partition = records_of_a_site(), partition_of(hub.simulated_site())
    rate, alone = 0.0, 0.0
    with kafka() as (broker, place):
        for number in range(ROUNDS):
            alone = max(alone, hub._site_rate(records, len(records)))
            connection = new_connection(broker.bootstrap)
            create_topics(connection, [SiteProcessor()])
            end = _load(connection, partition, records)
            rate = max(rate, len(records) / asyncio.run(_fold(connection, partition, end, place / f"worker-{number}")))
        restored, seconds = _restore(connection, partition, place / "copy")
    yield {
        "name": "Kafka, exactly once, full site processor, one worker: events", "ours_per_second": rate,
        "peer": "the same on RocksDB alone", "peer_per_second": alone,
        "limit": "Python in the processor; then building batches and their headers",
    }  # fmt: skip
    yield {
        "name": f"restore of {restored:,} changelog records", "ours_per_second": restored / seconds,
        "limit": "one consumer thread into RocksDB",
    }  # fmt: skip


def records_of_a_site() -> list[LogRecord]:
    """The site log of `tests/bench/hub.py`."""
    simulation = simulate(hub.KNOBS)
    with tempfile.TemporaryDirectory() as folder:
        write_reference(simulation.network, Path(folder))
        changes = reference_changes(load_reference([Path(folder)]).records, 1)
    return hub._site_log(changes, list(simulation.messages()))


def _load(connection: Connection, partition: int, records: list[LogRecord]) -> int:
    """Put the events into the site log; returns the offset behind them."""
    producer = Producer(connection.confluent({"linger.ms": 50, "queue.buffering.max.messages": 1_000_000}))
    name = connection.topic(SITE_LOG)
    for record in records:
        producer.produce(name, key=record.key, value=record.value, partition=partition, headers=list(record.headers))
        producer.poll(0)
    producer.flush()
    return len(records)


async def _fold(connection: Connection, partition: int, end: int, folder: Path) -> float:
    """Seconds from an open lane to everything committed."""
    worker = Worker(connection, lambda: [SiteProcessor()], folder)
    await worker.start()
    lane = None
    while lane is None or not lane.ready:
        await asyncio.sleep(0.001)
        lane = worker.lanes().get((SITE_LOG, partition))
    began = time.perf_counter()
    while lane.position < end and time.perf_counter() - began < END_SECONDS_MAX:
        await asyncio.sleep(0.005)
    seconds = time.perf_counter() - began
    await worker.stop()
    return seconds


def _restore(connection: Connection, partition: int, folder: Path) -> tuple[int, float]:
    reader = ChangelogReader(connection, connection.topic(changelog_of("site")), partition)
    state = LocalState(folder)
    began = time.perf_counter()
    restored = reader.restore(state, reader.end(), lambda: None)
    seconds = time.perf_counter() - began
    state.close()
    reader.close()
    return restored, seconds
