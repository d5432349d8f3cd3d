"""Scan to command: from the call that publishes a cabinet transaction to the command that a reader of committed records sees.

A steady load of vends, every 25th of which empties a pocket, so that a critical need opens. Then a burst as fast as the broker takes it;
when all of it is folded, the steady load again: latency must have fallen back. The way is two transactions long (normalise, site).
One worker process, one broker and this process (publisher and reader) share the cores; replication is 1.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from statistics import quantiles
from typing import Any, Final

from schemas.records import COMMAND
from schemas.topics import COMMANDS
from tests.bench.kafka import wards
from tests.bench.kafka.live import ANSWER_SECONDS_MAX, READY_SECONDS_MAX, Front, until, worker
from tests.bench.kafka.place import kafka
from topology.kafka.connection import Connection
from topology.kafka.reader import TopicReader

A_SECOND: Final = 500
EVERY: Final = 25
WARM_SECONDS, STEADY_SECONDS, AFTER_SECONDS = 30, 20, 10
"""A new broker compiles its own code for half a minute, which takes a core."""
BURST: Final = int(os.environ.get("WARDSTOCK_BENCH_BURST", "100000"))
BURST_SECONDS_MAX: Final = 300.0
ITEMS, WATCHED = 400, 340
P50_MS, P99_MS = 60, 250
_POLL_SECONDS: Final = 0.05


def rows() -> Iterator[dict[str, Any]]:
    """Latency under a steady load, the burst, and latency after it."""
    with kafka() as (connection, folder), Front(connection) as front, worker(connection, folder / "hub"):
        front.load_reference(wards.reference(ITEMS, 1, WATCHED))
        traffic = wards.Traffic(ITEMS, WATCHED)
        front.settle(front.publish(traffic.stocked()), READY_SECONDS_MAX)
        seen = Commands(connection)
        try:
            _steady(front, traffic, seen, WARM_SECONDS)
            yield _row("steady", _steady(front, traffic, seen, STEADY_SECONDS))
            yield _burst(front, traffic, seen)
            yield _row("after the burst", _steady(front, traffic, seen, AFTER_SECONDS))
        finally:
            seen.close()


class Commands(threading.Thread):
    """When the first command of each card was seen."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(daemon=True)
        self.at: dict[wards.Card, float] = {}
        self._reader = TopicReader(connection)
        self._reader.follow({(COMMANDS, partition): end for partition, end in enumerate(self._reader.ends(COMMANDS))})
        self._ending = threading.Event()
        self.start()

    def run(self) -> None:
        """Follow the topic."""
        while not self._ending.is_set():
            records = self._reader.poll(_POLL_SECONDS)
            now = time.monotonic()
            for record in records:
                if record.value is not None:
                    command = COMMAND.decode(record.value)
                    self.at.setdefault((command.site, command.location, command.item), now)

    def close(self) -> None:
        """Stop following."""
        self._ending.set()
        self.join()
        self._reader.close()


@dataclass(frozen=True)
class Measured:
    """Latencies in ms, and how late the publishing itself was at worst."""

    ms: list[float]
    late_ms: float


def _steady(front: Front, traffic: wards.Traffic, seen: Commands, seconds: int) -> Measured:
    """Publish at an even rate, then wait for every command."""
    sent: dict[wards.Card, float] = {}
    futures: list[Future[tuple[int, int]]] = []
    began, late = time.monotonic(), 0.0
    for number in range(seconds * A_SECOND):
        card, message = traffic.emptying() if number % EVERY == 0 else (None, traffic.quiet())
        due = began + number / A_SECOND
        now = time.monotonic()
        if due > now:
            time.sleep(due - now)
        now = time.monotonic()
        late = max(late, now - due)
        if card is not None:
            sent[card] = now
        futures.append(front.submit(message))
    for future in futures:
        future.result(ANSWER_SECONDS_MAX)
    until(lambda: sent.keys() <= seen.at.keys(), BURST_SECONDS_MAX, "issuing of commands")
    return Measured([(seen.at[card] - at) * 1000 for card, at in sent.items()], late * 1000)


def _row(when: str, measured: Measured) -> dict[str, Any]:
    cuts = quantiles(measured.ms, n=100, method="inclusive")
    met = cuts[49] <= P50_MS and cuts[98] <= P99_MS
    return {
        "name": f"Kafka, scan published → command visible, {A_SECOND} events/s, {when}: p50 / p99 of {len(measured.ms)}",
        "value": f"{cuts[49]:,.0f} / {cuts[98]:,.0f} ms",
        "peer": f"target {P50_MS} / {P99_MS} ms: {'met' if met else 'NOT MET'}",
        "limit": f"two transactions one after the other; worst {max(measured.ms):,.0f} ms; publishing late by {measured.late_ms:.0f} ms at most",
    }  # fmt: skip


def _burst(front: Front, traffic: wards.Traffic, seen: Commands) -> dict[str, Any]:
    """As fast as the broker takes it; folded when what was sent last at each site has its command."""
    began = time.monotonic()
    front.publish(traffic.quiet() for _ in range(BURST))
    published = time.monotonic() - began
    last = [traffic.emptying() for _ in wards.SITES]
    front.publish(message for _, message in last)
    until(lambda: all(card in seen.at for card, _ in last), BURST_SECONDS_MAX, "folding of the burst")
    seconds = max(seen.at[card] for card, _ in last) - began
    return {
        "name": f"Kafka, whole hub, one worker, burst of {BURST:,} vends: raw bytes to committed outputs",
        "ours_per_second": BURST / seconds,
        "limit": f"published in {published:.1f} s, folded after {seconds:.1f} s; normalise and site share one interpreter",
    }
