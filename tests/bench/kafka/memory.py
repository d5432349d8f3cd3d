"""Resident memory of a worker process that holds very many balances, beside an empty one.

The worker is the real one with all processors (17 lanes). Measured after it has folded everything, and again in a new process that
has opened what the first left.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from schemas.topics import BALANCES, TOPICS
from tests.bench.kafka import wards
from tests.bench.kafka.live import Front, worker
from tests.bench.kafka.place import kafka
from topology.kafka.connection import Connection
from topology.kafka.reader import TopicReader

BALANCES_WANTED: Final = int(os.environ.get("WARDSTOCK_BENCH_BALANCES", "200000"))
ITEMS, LOTS = 500, 2
CABINETS: Final = max(1, BALANCES_WANTED // (len(wards.SITES) * ITEMS * LOTS))
FOLD_SECONDS_MAX: Final = 400.0
REST_SECONDS: Final = 6.0
"""Long enough for a tick to be folded by every lane."""


def rows() -> Iterator[dict[str, Any]]:
    """RSS with all balances, before and after a restart; the peer is the same worker without any."""
    with kafka() as (connection, folder), Front(connection) as front:
        with worker(connection, folder / "hub"):
            front.load_reference(wards.reference(ITEMS, CABINETS, 0))
        empty = _after_start(connection, front, folder / "hub")
        with worker(connection, folder / "hub") as process:
            front.settle(front.publish(wards.Traffic(ITEMS, 0).lots(CABINETS, LOTS)), FOLD_SECONDS_MAX)
            full = _resident(process.pid)
        balances = _balances(connection)
        reopened = _after_start(connection, front, folder / "hub")
        restored = _after_start(connection, front, folder / "other")
    for when, found in (("having folded them", full), ("restarted", reopened), ("restored from the changelog", restored)):
        yield {
            "name": f"memory of a worker with {balances:,} balances, {when}", "value": f"{found:,.0f} MB",
            "peer": f"without any: {empty:,.0f} MB", "limit": "a database a lane with write buffers of 32 MiB; up to 20,000 decoded values a table",
        }  # fmt: skip


def _after_start(connection: Connection, front: Front, folder: Path) -> float:
    """Resident memory of a new process once every lane works: it has folded what is said now."""
    with worker(connection, folder) as process:
        front.load_reference([wards.any_record()])
        time.sleep(REST_SECONDS)
        return _resident(process.pid)


def _resident(pid: int) -> float:
    """Resident memory in MB (10⁶ bytes)."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024 / 1e6


def _balances(connection: Connection) -> int:
    """How many balances stand, as the topic says."""
    reader, last = TopicReader(connection), dict[bytes, bool]()
    for partition in range(TOPICS[BALANCES].partitions):
        last.update((record.key, record.value is not None) for record in reader.read(BALANCES, partition, 0))
    reader.close()
    return sum(last.values())
