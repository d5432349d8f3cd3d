"""The common work (`events.py`) on our runtime and on its peers: same broker, same topic, one after the other.

What is measured differs, to the peers' favour: ours is from the first lane's being ready until every event is committed in a
transaction; a peer's is from its first to its last *processed* event. Kafka Streams commits every 100 ms and Quix every 5 s, so
their last events are not durable yet when their clock stops; Faust promises nothing about them at all.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any, Final

from tests.bench.kafka import events, ours, peers
from tests.bench.kafka.place import kafka
from tests.kafka.engine import new_connection

EVENTS: Final = int(os.environ.get("WARDSTOCK_BENCH_EVENTS", "200000"))
ROUNDS: Final = 2
"""Every engine is measured so often, in turn on one broker, and its best counts: the broker's first half minute is slow."""
WARM_TIMES: Final = 5
"""So many times the events are put to Kafka Streams and to us once more: in its first seconds a JVM still compiles."""
NAME: Final = "Kafka, keyed sums with changelog, exactly once, until committed"
LIMIT: Final = "Python: fold, encoding of state, building of batches; the broker has the other core"


def rows() -> Iterator[dict[str, Any]]:
    """Our rate beside each peer's; then ours and Kafka Streams' over a longer run."""
    yield from _rows(EVENTS, peers.PEERS)
    yield from _rows(EVENTS * WARM_TIMES, peers.PEERS[:1])


def _rows(count: int, beside: Sequence[peers.Peer]) -> Iterator[dict[str, Any]]:
    best, found = 0.0, dict[str, float]()
    missing: dict[str, str] = {}
    with kafka() as (broker, folder):
        for number in range(ROUNDS):
            connection = new_connection(broker.bootstrap)
            events.create(connection)
            events.load(connection, count)
            best = max(best, ours.rate(connection, folder / f"ours-{number}", count))
            task = peers.Task(connection.bootstrap, connection.topic(events.TOPIC), count, folder)
            for peer in beside:
                rate = peer.run(task)
                if isinstance(rate, str):
                    missing[peer.name] = rate
                else:
                    found[peer.name] = max(found.get(peer.name, 0.0), rate)
    for peer in beside:
        limit = LIMIT if peer.name in found else f"PEER NOT MEASURED: {missing[peer.name]}"
        yield {
            "name": f"{NAME}: {count:,} events", "ours_per_second": best,
            "peer": peer.name, "peer_per_second": found.get(peer.name), "limit": limit,
        }  # fmt: skip
