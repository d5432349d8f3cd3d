"""MLLP round trips on the Kafka runtime: listener and publisher in one process, as `wardstock feeds` runs them, beside HAPI.

An acknowledgement is sent only when the broker's delivery report is in (idempotent, `acks=all`). The broker shares the machine's two
cores with the listener and the senders; workers are other processes, on other machines where it counts, and none runs here.
"""

from __future__ import annotations

from typing import Any, Final

import uvloop

from streams.site.processor import SiteProcessor
from tests.bench.kafka.place import kafka
from tests.bench.mllp import against, best, table
from tests.kafka.engine import create_topics
from topology.kafka.publisher import Publisher

LIMIT: Final = {
    1: "the producer's linger and the broker's answer",
    20: "one interpreter for listener and delivery reports; the broker's round trips",
    200: "the same; nobody is turned away",
    1000: "the same",
}


def rows() -> list[dict[str, Any]]:
    """Round trips a second by number of connections."""
    with kafka() as (connection, _):
        create_topics(connection, [SiteProcessor()])
        publisher = Publisher(connection)
        try:
            found = best(lambda count: uvloop.run(against(publisher.publish, count)))
        finally:
            publisher.stop()
    return table("Kafka", found, LIMIT)
