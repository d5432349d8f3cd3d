"""The roles of a hub on Kafka: `work` folds, `feeds` takes messages in and shows what there is, `all` does both.

Folding runs in processes of its own, so that it holds up neither feeds nor the tower and takes as many cores as it is given. A
worker that ends is started again; it finds all that was committed.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

import structlog
import uvloop

from topology.controlled.staff import staff_key
from topology.errors import HubError, InputRefusedError
from topology.feeds import Feeds
from topology.folder import HubFolder
from topology.kafka.connection import Connection, bootstrap_of
from topology.kafka.health import health_server
from topology.kafka.hub import KafkaHub
from topology.kafka.topics import TopicAdmin, wanted
from topology.kafka.worker import Worker
from topology.processors import build_processors
from topology.serve import serve_hub
from topology.settings import Settings

ROLES: Final = ("all", "feeds", "work")
RESTART_SECONDS: Final = 1.0
STOP_SECONDS: Final = 30.0
_PROGRAM: Final = (sys.executable, "-c", "from topology.cli import main; main()")

_log = structlog.get_logger("wardstock.roles")


def run_on_kafka(
    settings: Settings, *, role: str, workers: int, config: Path | None, say: Callable[[str], None]
) -> None:
    """Run a role until SIGINT or SIGTERM. Raises `HubError` when Kafka or the settings are not as they must be."""
    if role not in ROLES:
        msg = f"there is no role {role!r}; there are {', '.join(ROLES)}"
        raise InputRefusedError(msg)
    connection = Connection(bootstrap_of(settings.broker), settings.kafka)
    missing = TopicAdmin(connection).missing(wanted(build_processors(b""), settings.kafka))
    if missing:
        msg = f"Kafka is not ready for a hub: {missing[0]} ({len(missing)} in all); see `wardstock topics plan`"
        raise HubError(msg)
    key = _patient_key(settings)
    if role == "work":
        settings.data.mkdir(parents=True, exist_ok=True)
        folder = HubFolder(settings.data)  # a second worker here would take the first one's state for a damaged copy
        say(f"a worker runs on {connection.bootstrap}")
        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())  # Faust's consumer thread makes its own loop by the policy
        try:
            asyncio.run(_work(connection, settings, key, folder, say))
        finally:
            folder.close()
        return
    command = [*_PROGRAM, "run", "--role", "work", "--broker", settings.broker]
    if config is not None:
        command += ["--config", str(config)]
    folders = [settings.data / f"worker-{number}" for number in range(1, workers + 1)] if role == "all" else []
    url = settings.projection_url.get_secret_value() if settings.projection_url else None
    hub = KafkaHub(connection, settings.data, url)
    hub.views.staff_key = staff_key(key)
    processes = WorkerProcesses([[*command, "--data", str(folder)] for folder in folders])
    processes.start()
    try:
        uvloop.run(serve_hub(hub, hub.folder, Feeds(hub.publish, hub.views, settings), settings, say))
    finally:
        processes.stop()


def _patient_key(settings: Settings) -> bytes:
    """The secret of the patient hash. With another one in one of the workers a patient would become two."""
    if settings.patient_key is None:
        msg = (
            "a hub on Kafka needs `patient_key` (WARDSTOCK_PATIENT_KEY), the same for all its processes: make it once with "
            "`openssl rand -hex 32` and keep it like a password"
        )
        raise InputRefusedError(msg)
    return bytes.fromhex(settings.patient_key.get_secret_value())


async def _work(
    connection: Connection, settings: Settings, key: bytes, folder: HubFolder, say: Callable[[str], None]
) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    period = timedelta(seconds=settings.tick_seconds)
    worker = Worker(connection, lambda: build_processors(key), settings.data, tick_period=period)
    async with health_server(worker, settings.host, settings.worker_port) as address:
        folder.announce(address, "")
        say(f"  health {address}/ready   metrics {address}/metrics")
        await worker.start()
        await stop.wait()
        await worker.stop()


class WorkerProcesses:
    """Worker processes, each started again when it ends. They are stopped by their own process objects."""

    def __init__(self, commands: Sequence[Sequence[str]]) -> None:
        """Starts nothing yet."""
        self._commands = commands
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self.processes: dict[int, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Start all of them."""
        for number, command in enumerate(self._commands):
            thread = threading.Thread(target=self._keep, args=(number, command), name=f"worker-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Have them finish their batches, and wait for their end."""
        self._stopping.set()
        for process in list(self.processes.values()):
            process.terminate()
        for thread in self._threads:
            thread.join(STOP_SECONDS)

    def _keep(self, number: int, command: Sequence[str]) -> None:
        while not self._stopping.is_set():
            process = self.processes[number] = subprocess.Popen(  # noqa: S603  # ourselves
                command, stdout=subprocess.DEVNULL, env={**os.environ, "WARDSTOCK_WORKER_PORT": "0"},
            )  # fmt: skip
            if self._stopping.is_set():
                process.terminate()
            code = process.wait()
            if self._stopping.is_set():
                return
            _log.error("worker_ended", worker=number, code=code)
            self._stopping.wait(RESTART_SECONDS)
