"""Two worker processes beside one: on the common work, which is half the broker's, and on the full site processor, which is ours.

The workers have joined, restored and wait when the events appear in one committed transaction; from then until every partition is
durable up to its end. The broker needs the same two cores, so a factor of two is out of reach here: with one worker the broker has
a core for itself, with two it takes its time from the workers. For the site the same log of a site stands in two partitions.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import msgspec

from schemas.log import LogRecord
from schemas.topics import SITE_LOG, TOPICS
from streams.site.processor import SiteProcessor
from tests.bench.kafka import events, ours
from tests.bench.kafka.place import kafka
from tests.bench.kafka.site import records_of_a_site
from tests.bench.kafka.work import EVENTS
from tests.kafka.engine import create_topics, new_connection
from topology.kafka.connection import Connection

ROUNDS: Final = 2
JOIN_SECONDS_MAX: Final = 120.0
RUN_SECONDS_MAX: Final = 300.0
_LOOK_SECONDS: Final = 0.01


class Job(msgspec.Struct, frozen=True):
    """A piece of work: which processor folds which records, over how many partitions."""

    name: str
    processor: str
    partitions: int
    records: list[LogRecord]
    create: Callable[[Connection], None]

    def behind(self) -> dict[int, int]:
        """The position behind the last record of each partition that has any."""
        found: dict[int, int] = {}
        for record in self.records:
            found[record.partition] = found.get(record.partition, 0) + 1
        return found


def rows() -> Iterator[dict[str, Any]]:
    """The rate of two processes; the peer is one. The best of `ROUNDS`, in turn."""
    with kafka() as (broker, folder):
        for job in (_sums(), _sites()):
            best = {1: 0.0, 2: 0.0}
            for number in range(ROUNDS):
                for workers in (1, 2):
                    place = folder / f"{job.processor}-{workers}-{number}"
                    seconds = _seconds(new_connection(broker.bootstrap), place, job, workers)
                    best[workers] = max(best[workers], len(job.records) / seconds)
            yield {
                "name": f"Kafka, {job.name}, two worker processes: events", "ours_per_second": best[2],
                "peer": "one worker process", "peer_per_second": best[1], "limit": "two cores for two workers and the broker",
            }  # fmt: skip


def _sums() -> Job:
    records = [LogRecord(events.TOPIC, partition, 0, key, value) for partition, key, value in events.events(EVENTS)]
    return Job("keyed sums", events.PROCESSOR, events.PARTITIONS, records, events.create)


def _sites() -> Job:
    """The same site twice, in two partitions that two workers get one each of."""
    records = [
        LogRecord(SITE_LOG, partition, 0, one.key, one.value, one.headers) for one in records_of_a_site() for partition in (0, 1)
    ]
    return Job("full site processor", "site", TOPICS[SITE_LOG].partitions, records, lambda to: create_topics(to, [SiteProcessor()]))


def _seconds(connection: Connection, folder: Path, job: Job, workers: int) -> float:
    """From the events' being visible to all of them committed."""
    job.create(connection)
    behind = job.behind()
    with ExitStack() as stack:
        processes = [
            stack.enter_context(ours.Process(connection, folder / str(number), job.processor, behind))
            for number in range(workers)
        ]
        ready, done = [0] * workers, dict[int, float]()

        def listen() -> None:
            for number, process in enumerate(processes):
                for line in process.lines():
                    if "ready" in line:
                        ready[number] = len(line["ready"])
                    else:
                        done[line["done"]] = line["at"]

        _until(lambda: set(ready) == {job.partitions // workers}, listen, JOIN_SECONDS_MAX)
        began = events.load_at_once(connection, job.records)
        _until(lambda: done.keys() == behind.keys(), listen, RUN_SECONDS_MAX)
        return max(done.values()) - began


def _until(true: Callable[[], bool], listen: Callable[[], None], seconds_max: float) -> None:
    end = time.monotonic() + seconds_max
    while not true():
        if time.monotonic() > end:
            message = f"the workers did not come so far within {seconds_max:.0f} s"
            raise RuntimeError(message)
        time.sleep(_LOOK_SECONDS)
        listen()
