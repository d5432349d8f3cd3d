"""Our runtime in a process of its own: the real worker with the real checkpoint, and one processor: the common work, or the site.

Run as a program this is that process. It prints a JSON line when lanes are ready and one for each partition that is durable up to
its end, with the monotonic instant, and works until its standard input is closed.
"""

from __future__ import annotations

import asyncio
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, Self

import msgspec

from schemas.log import LogRecord, Output
from streams.contract import Processor
from streams.site.processor import SiteProcessor
from streams.state import State, TableSpec
from tests.bench.kafka.events import PROCESSOR, TOPIC, ends
from topology.collector import collect_seldom
from topology.kafka.connection import Connection, KafkaSettings
from topology.kafka.worker import Worker

SUMS: Final = TableSpec("sums", int)
LOOK_SECONDS: Final = 0.005
LIFE_SECONDS_MAX: Final = 600.0
STOP_SECONDS_MAX: Final = 30.0
_ROOT: Final = Path(__file__).resolve().parents[3]
_decode = msgspec.json.Decoder().decode


class Sums:
    """The running sum of each key."""

    name = PROCESSOR
    input_topic = TOPIC
    tables = (SUMS,)

    def handle(self, record: LogRecord, state: State) -> Iterable[Output]:
        event = _decode(record.value or b"")
        table, key = state.table(SUMS), (record.key.decode(),)
        table.put(key, (table.get(key) or 0) + event["qty"])
        return ()

    def forget(self) -> None:
        """Nothing is remembered."""


PROCESSORS: Final[dict[str, Callable[[], Processor]]] = {Sums.name: Sums, "site": SiteProcessor}


class Process:
    """One worker process, as its parent sees it. `behind` is where each partition ends."""

    def __init__(self, connection: Connection, folder: Path, processor: str, behind: dict[int, int]) -> None:
        self._told: queue.Queue[dict[str, Any]] = queue.Queue()
        told = [connection.bootstrap, connection.settings.prefix, str(folder), processor, json.dumps(list(behind.items()))]
        command = [sys.executable, "-m", __name__, *told]
        environment = {**os.environ, "PYTHONPATH": str(_ROOT)}
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=_ROOT, env=environment, text=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._told.put(json.loads(line))
        self._told.put({"ended": True})

    def next(self, seconds: float) -> dict[str, Any]:
        """The next thing it says. Raises `RuntimeError` when it ended, `queue.Empty` when it says nothing for so long."""
        line = self._told.get(timeout=seconds)
        if "ended" in line:
            message = f"a worker process ended with {self._process.wait(STOP_SECONDS_MAX)}"
            raise RuntimeError(message)
        return line

    def lines(self) -> Iterator[dict[str, Any]]:
        """What it has said by now."""
        while not self._told.empty():
            yield self.next(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(STOP_SECONDS_MAX)
        assert self._process.stdout is not None
        self._process.stdout.close()


def rate(connection: Connection, folder: Path, count: int) -> float:
    """Events a second of one worker on a topic that is full already: from its first lane's being ready to all committed."""
    behind = ends(count)
    began, last, left = 0.0, 0.0, set(behind)
    with Process(connection, folder, PROCESSOR, behind) as process:
        while left:
            line = process.next(LIFE_SECONDS_MAX)
            if "ready" in line:
                began = began or line["at"]
            else:
                left.discard(line["done"])
                last = line["at"]
    return count / (last - began)


async def _serve(worker: Worker, behind: dict[int, int]) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, stop.set)
    await worker.start()
    until, ready, done = time.monotonic() + LIFE_SECONDS_MAX, set[int](), set[int]()
    while not stop.is_set() and time.monotonic() < until:
        lanes = {partition: lane for (_, partition), lane in worker.lanes().items()}
        now = {partition for partition, lane in lanes.items() if lane.ready}
        if now != ready:
            ready = now
            _say(ready=sorted(ready))
        for partition in (ready & behind.keys()) - done:
            if lanes[partition].position >= behind[partition]:
                done.add(partition)
                _say(done=partition)
        await asyncio.sleep(LOOK_SECONDS)
    await worker.stop()


def _say(**what: Any) -> None:
    print(json.dumps({**what, "at": time.monotonic()}), flush=True)


def main() -> None:
    """The worker process."""
    bootstrap, prefix, folder, processor, behind = sys.argv[1:]
    settings = KafkaSettings(prefix=prefix, replication=1, min_insync=1, session_seconds=6)
    collect_seldom()
    worker = Worker(Connection(bootstrap, settings), lambda: [PROCESSORS[processor]()], Path(folder))
    asyncio.run(_serve(worker, dict(json.loads(behind))))


if __name__ == "__main__":
    main()
