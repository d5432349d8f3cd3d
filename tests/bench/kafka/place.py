"""Where a part runs: a broker of its own in a temporary folder, and a connection with a prefix of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.kafka.broker import Cluster
from tests.kafka.engine import new_connection
from topology.kafka.connection import Connection


@contextmanager
def kafka() -> Iterator[tuple[Connection, Path]]:
    """A connection to a new broker and an empty folder; both go at the end."""
    with tempfile.TemporaryDirectory(prefix="wardstock-bench-") as folder:
        cluster = Cluster(Path(folder) / "broker", brokers=1)
        try:
            cluster.start()
            yield new_connection(cluster.bootstrap), Path(folder)
        finally:
            cluster.stop()
