"""Several workers of one hub for tests: processes as operations runs them, the group as the broker sees it, and a steady load."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from confluent_kafka.admin import AdminClient

from schemas.raw import RawMessage
from tests.cli.running import environment, program
from topology.kafka.connection import Connection
from topology.kafka.publisher import Publisher

WAIT_SECONDS = 60
STOP_SECONDS_MAX = 20
KEY = "00" * 32


def until(true: Callable[[], bool], what: str, seconds: float = WAIT_SECONDS) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.1)


class WorkerProcess:
    """`wardstock run --role work` on a folder of its own. May be started again after `stop`."""

    def __init__(self, config: Path, folder: Path) -> None:
        self._command = [*program(), "run", "--role", "work", "--config", str(config), "--data", str(folder)]
        self._log = folder.with_suffix(".log")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; whether it has joined, `Group` tells."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, env={**environment(), "WARDSTOCK_PATIENT_KEY": KEY}, stdout=log, stderr=log
            )  # fmt: skip

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self) -> int:
        """SIGTERM; returns the exit code. Killed when it does not end in time."""
        assert self._process is not None
        self._process.terminate()
        try:
            return self._process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return -9

    def printed(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")


def config_of(connection: Connection, folder: Path) -> Path:
    """The settings file of a hub on this connection."""
    settings = connection.settings
    config = folder / "hub.toml"
    config.write_text(
        f'broker = "kafka://{connection.bootstrap}"\n[kafka]\nprefix = "{settings.prefix}"\nreplication = {settings.replication}\n'
        f"min_insync = {settings.min_insync}\nsession_seconds = {settings.session_seconds}\n",
        encoding="utf-8",
    )
    return config


class Group:
    """The workers' group, as the broker says."""

    def __init__(self, connection: Connection) -> None:
        self._name = connection.name("workers")
        self._admin = AdminClient(connection.confluent())

    def members(self) -> list[int]:
        """How many partitions each member has; nothing while they are being shared out."""
        described = self._admin.describe_consumer_groups([self._name])[self._name].result(WAIT_SECONDS)
        if described.state.name != "STABLE":
            return []
        return sorted(len(member.assignment.topic_partitions) for member in described.members)


class SteadyLoad(threading.Thread):
    """Publishes messages in order at a steady rate, and what is left as fast as it can once `hurry` is set.

    The last third goes at a tenth of the rate: on a slow machine, too, the load lasts until somebody says `hurry`.
    """

    def __init__(self, connection: Connection, messages: Sequence[RawMessage], per_second: float) -> None:
        super().__init__(daemon=True)
        self._publisher, self._messages, self._pause = Publisher(connection), messages, 1 / per_second
        self.hurry = threading.Event()
        self.stored = 0

    def run(self) -> None:
        """Each message is acknowledged by the broker before it counts."""
        waiting = []
        for number, message in enumerate(self._messages):
            waiting.append(self._publisher.submit(message))
            self.hurry.wait(self._pause if 3 * number < 2 * len(self._messages) else 10 * self._pause)
        for future in waiting:
            future.result(WAIT_SECONDS)
            self.stored += 1
        self._publisher.stop()
