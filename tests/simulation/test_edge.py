"""`wardstock edge` through an outage of the hub: killed, its disk filled up and freed, and everything arrives once.

Real processes on both sides. `make edge` sends 50,000 transactions of three hours, `make test` fewer.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import resource
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.cli.running import EXAMPLE, environment, program, run_here
from tests.simulation import promises
from tests.simulation.live_hub import HubProcess
from topology.local import LocalHub

EVENTS: Final = int(os.environ.get("WARDSTOCK_EDGE_EVENTS", "800"))
DEVICES: Final = 40
OUTAGE: Final = timedelta(hours=3)
WAIT_SECONDS: Final = 60 + EVENTS * 0.02
NO_ROOM: Final = 0.5


class EdgeProcess:
    """One `wardstock edge` on a folder, at a port that stays the same."""

    def __init__(self, folder: Path, hub: str) -> None:
        self.folder = folder
        self.hub = hub
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.printed: list[str] = []
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            [*program(), "edge", "--hub", self.hub, "--spool", str(self.folder), "--port", str(self.port)],
            env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        ready = threading.Event()
        self._reader = threading.Thread(target=self._read, args=(self.process, ready), daemon=True)
        self._reader.start()
        assert ready.wait(30), "".join(self.printed)
        assert self.process.poll() is None, "".join(self.printed)

    def _read(self, process: subprocess.Popen[str], ready: threading.Event) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.printed.append(line)
            if "wait from before" in line:
                ready.set()
        ready.set()

    def end(self, *, kill: bool) -> int:
        assert self.process is not None
        (self.process.kill if kill else self.process.terminate)()
        code = self.process.wait(30)
        self._reader.join(30)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def files_may_grow(self, *, may: bool) -> None:
        """Take the room to write from the process, or give it back: what it then sees is a failing write, as on a full disk."""
        assert self.process is not None
        room = resource.RLIM_INFINITY if may else 0
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))

    def health(self) -> dict[str, Any]:
        return dict(httpx.get(f"{self.url}/health", timeout=10).json())


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Devices(threading.Thread):
    """Cabinets that each send one transaction after the other, again until it is kept."""

    def __init__(self, url: str, transactions: list[dict[str, Any]]) -> None:
        super().__init__(daemon=True)
        self.url = url
        self.left = iter(transactions)
        self.kept = 0
        self.refused = 0
        self.unanswered = 0
        self.give_up = threading.Event()

    def run(self) -> None:
        asyncio.run(self._all())

    async def _all(self) -> None:
        async with httpx.AsyncClient(timeout=10) as client:
            await asyncio.gather(*(self._device(client) for _ in range(DEVICES)))

    async def _device(self, client: httpx.AsyncClient) -> None:
        for transaction in self.left:
            while not self.give_up.is_set():
                try:
                    answer = await client.post(f"{self.url}/cabinet?site=north", json=transaction)
                except httpx.HTTPError:
                    self.unanswered += 1
                else:
                    if answer.status_code == 202:
                        self.kept += 1
                        break
                    assert answer.status_code == 503, answer.text
                    assert answer.headers["Retry-After"]
                    self.refused += 1
                await asyncio.sleep(0.05)


def transactions() -> list[dict[str, Any]]:
    """A load of the pocket, then vends of one bag over three hours."""
    now = datetime.now(UTC).replace(microsecond=0)
    common = {
        "device": "ICU-CAB1",
        "pocket": "d4/p07",
        "product_code": "0338-0049-04",
        "code_system": "ndc",
        "unit": "bag",
        "user": "n1",
    }
    load = {**common, "transaction_id": "load", "action": "load", "quantity": EVENTS + 5, "occurred": (now - OUTAGE).isoformat()}
    step = OUTAGE / (EVENTS + 1)
    return [
        load,
        *(
            {
                **common,
                "transaction_id": f"v{number}",
                "action": "vend",
                "quantity": 1,
                "occurred": (now - OUTAGE + step * number).isoformat(),
            }
            for number in range(1, EVENTS)
        ),
    ]


def until(done: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while not done():
        assert time.monotonic() < end, what
        time.sleep(0.05)


@pytest.fixture
def hub_folder(tmp_path: Path) -> Path:
    data = tmp_path / "hub"
    assert run_here("reference", "load", *(str(file) for file in sorted(EXAMPLE.glob("*.csv"))), "--data", str(data)).code == 0
    return data


def test_everything_a_device_was_told_is_kept_arrives_once(tmp_path: Path, hub_folder: Path) -> None:
    hub_port = free_port()
    hub = HubProcess(hub_folder, arguments=("--http-port", str(hub_port)))
    edge = EdgeProcess(tmp_path / "spool", f"http://127.0.0.1:{hub_port}")
    devices = Devices(edge.url, transactions())
    edge.start()
    devices.start()
    try:
        until(lambda: devices.kept > EVENTS // 4, "a quarter kept while the hub is away")
        edge.end(kill=True)
        edge.start()
        until(lambda: devices.kept > EVENTS // 2, "half kept")
        edge.files_may_grow(may=False)
        until(lambda: devices.refused > 3, "refused to devices while there is no room")
        kept = devices.kept
        time.sleep(NO_ROOM)
        assert devices.kept == kept, "nothing is acknowledged that is not kept"
        edge.files_may_grow(may=True)
        until(lambda: devices.kept > EVENTS * 3 // 4, "kept again when there is room")
        assert edge.health()["waiting"] >= EVENTS * 3 // 4
        hub.start()
        until(lambda: edge.health()["handed_over"] > EVENTS // 8, "handed over")
        edge.end(kill=True)
        edge.start()
        devices.join(WAIT_SECONDS)
        assert devices.kept == EVENTS
        until(lambda: edge.health()["waiting"] == 0, "all handed over")
        assert edge.health()["refused_by_hub"] == 0
        assert edge.end(kill=False) == 0
        hub.stop()
    finally:
        devices.give_up.set()
        for one in (edge, hub):
            if one.process is not None and one.process.poll() is None:
                one.process.kill()
    assert devices.unanswered > 0, "no device ever met a dead edge"
    assert "Traceback" not in "".join([*edge.printed, *hub.printed])
    with LocalHub(hub_folder) as local:
        local.engine.run_until_idle()
        promises.check_all(local.engine)
        arrived = {
            json.loads(record.value or b"")["transaction_id"]
            for record in promises.records(local.engine, "raw")
            if b"transaction_id" in (record.value or b"")
        }
        assert len(arrived) == EVENTS
        [position] = [row for row in local.views.positions(site="north") if row["location"] == "icu/cab1/d4/p07"]
        assert position["on_hand"] == EVENTS + 5 - (EVENTS - 1)


def test_a_spool_that_somebody_changed_is_a_sentence(tmp_path: Path) -> None:
    edge = EdgeProcess(tmp_path / "spool", "http://127.0.0.1:9")
    edge.start()
    for number in range(3):
        assert httpx.post(f"{edge.url}/scans", content=f"{number}".encode()).status_code == 202
    edge.end(kill=True)
    [file] = (tmp_path / "spool").glob("*.spool")
    data = bytearray(file.read_bytes())
    data[60] ^= 1
    file.write_bytes(data)
    done = subprocess.run(
        [*program(), "edge", "--hub", "http://127.0.0.1:9", "--spool", str(tmp_path / "spool"), "--port", "0"],
        env=environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert re.search(r"wardstock: the spool .* was changed: .*\.spool at byte 0", done.stderr)
    assert "Traceback" not in done.stderr
