"""Faults for a hub on Kafka under load: workers killed, paused until another owns their partitions, robbed of their local state;
brokers killed and started again. Seeded, so that a run can be repeated; what a process does in between is not.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.kafka.broker import Cluster

PAUSE_SECONDS = 12
"""Longer than a session: the paused worker wakes up as a zombie, after its partitions have moved."""


def workers_of(process: subprocess.Popen[str]) -> dict[str, int]:
    """The hub's own worker processes: folder name → process id."""
    found: dict[str, int] = {}
    for task in Path(f"/proc/{process.pid}/task").iterdir():
        for child in (task / "children").read_text(encoding="utf-8").split():
            try:
                words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\x00")
            except OSError:  # it has just ended
                continue
            if b"--data" in words:
                found[Path(os.fsdecode(words[words.index(b"--data") + 1])).name] = int(child)
    return found


class Chaos(threading.Thread):
    """Does so many faults to a hub's workers (and, with three brokers, to a broker), one after the other."""

    def __init__(self, hub: subprocess.Popen[str], folder: Path, faults: int, seed: int, cluster: Cluster | None = None) -> None:
        super().__init__(daemon=True)
        self._hub, self._folder, self._faults, self._random, self._cluster = hub, folder, faults, Random(seed), cluster
        self.done: list[str] = []
        self.failed: str | None = None

    def run(self) -> None:
        kinds: list[Callable[[], str]] = [self._kill, self._pause, self._rob]
        if self._cluster is not None:
            kinds.append(self._broker)
        try:
            self._run(kinds)
        except Exception as error:  # noqa: BLE001  # told by the test that waits for the faults
            self.failed = repr(error)

    def _run(self, kinds: list[Callable[[], str]]) -> None:
        while len(self.done) < self._faults:
            fault = kinds[len(self.done) % len(kinds)] if self._faults <= len(kinds) else self._random.choice(kinds)
            self.done.append(fault())
            time.sleep(self._random.uniform(1, 4))

    def _one(self) -> tuple[str, int]:
        """One worker that runs; waits until there is one."""
        while True:
            workers = workers_of(self._hub)
            if workers:
                return self._random.choice(sorted(workers.items()))
            time.sleep(0.1)

    def _kill(self) -> str:
        name, pid = self._one()
        _signal(pid, signal.SIGKILL)
        return f"killed {name}"

    def _pause(self) -> str:
        name, pid = self._one()
        _signal(pid, signal.SIGSTOP)
        time.sleep(PAUSE_SECONDS)
        _signal(pid, signal.SIGCONT)
        return f"paused {name}"

    def _rob(self) -> str:
        name, pid = self._one()
        _signal(pid, signal.SIGKILL)
        shutil.rmtree(self._folder / name, ignore_errors=True)
        return f"killed {name} and wiped its folder"

    def _broker(self) -> str:
        assert self._cluster is not None
        broker = self._random.choice(self._cluster.brokers)
        broker.kill()
        time.sleep(self._random.uniform(2, 6))
        broker.start()
        self._cluster.wait()
        return f"killed broker {broker.number} and started it again"


def _signal(pid: int, number: signal.Signals) -> None:
    """Signal one of our own workers; it may have ended by itself just now."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
