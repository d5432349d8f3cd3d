"""Cabinet batches over HTTP against a running hub, beside the same endpoints that store nothing.

A batch holds 100 transactions and is answered when it is synced; the engine folds and projects what came in while more comes. Senders
are a process of their own on the same two cores, and each waits for its answer before it sends again.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import uvicorn
import uvloop
from fastapi import FastAPI

from connectors.contract import Publish
from connectors.http.app import feeds_router
from schemas.raw import RawMessage
from topology.live import LiveHub
from topology.local import LocalHub
from topology.reference_files import load_reference

CONNECTIONS: Final = 8
BATCH: Final = 100
SECONDS: Final = 4.0
EXAMPLE: Final = Path(__file__).resolve().parents[2] / "docs" / "example"


def rows() -> list[dict[str, Any]]:
    """Batches a second that are durable when they are answered, and of endpoints that only answer."""
    with tempfile.TemporaryDirectory() as folder, LocalHub(Path(folder) / "hub") as local:
        local.load_reference(load_reference([*sorted(EXAMPLE.glob("*.csv"))]).records)
        live = LiveHub(local, timedelta(seconds=5))
        live.start()
        try:
            ours = uvloop.run(_against(live.publish))
            while live.backlog():
                time.sleep(0.1)
        finally:
            live.stop()
    peer = uvloop.run(_against(_nowhere))
    return [
        {
            "name": f"HTTP, cabinet batches of {BATCH}, stored durably, {CONNECTIONS} connections; p99 {ours['p99_ms']:.0f} ms",
            "ours_per_second": ours["a_second"],
            "peer": "the same endpoints, nothing stored",
            "peer_per_second": peer["a_second"],
            "limit": "one interpreter: it folds 100 events for each batch it answers",
        }
    ]


async def _nowhere(_: RawMessage) -> None:
    """Store nothing."""


async def _against(publish: Publish) -> dict[str, float]:
    """What the senders saw of the endpoints that store with `publish`."""
    app = FastAPI()
    app.include_router(feeds_router(publish, lambda: datetime.now(UTC)))
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
    web = asyncio.create_task(server._serve([listening]))
    while not server.started:
        await asyncio.sleep(0.01)
    command = [sys.executable, "-m", "tests.bench.http", str(listening.getsockname()[1])]
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, check=True, env=os.environ, timeout=120
    )
    server.should_exit = True
    await web
    listening.close()
    return dict(json.loads(done.stdout))


async def _send(port: int) -> dict[str, float]:
    """All senders for `SECONDS`, after a second of warming up."""
    numbers = itertools.count(1)
    times: list[float] = []
    begin = time.monotonic() + 1.0

    async def sender() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.monotonic() < begin + SECONDS:
            body = _batch(next(numbers))
            writer.write(b"POST /cabinet?site=north HTTP/1.1\r\nHost: hub\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            sent = time.monotonic()
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
            await reader.readexactly(length)
            if not head.startswith(b"HTTP/1.1 202"):
                raise RuntimeError(head.decode())
            if sent >= begin:
                times.append(time.monotonic() - sent)
        writer.close()

    await asyncio.gather(*(sender() for _ in range(CONNECTIONS)))
    times.sort()
    return {"a_second": len(times) / SECONDS, "p99_ms": times[int(len(times) * 0.99)] * 1000}


def _batch(number: int) -> bytes:
    """A hundred vends of one bag."""
    now = datetime.now(UTC).isoformat()
    common = {
        "device": "ICU-CAB1",
        "pocket": "d4/p07",
        "product_code": "0338-0049-04",
        "code_system": "ndc",
        "unit": "bag",
        "user": "n1",
    }
    vends = [
        {**common, "transaction_id": f"{number}-{place}", "action": "vend", "quantity": 1, "occurred": now}
        for place in range(BATCH)
    ]
    return json.dumps(vends).encode()


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_send(int(sys.argv[1])))))  # what the parent reads
