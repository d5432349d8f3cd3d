"""MLLP round trips against a running hub, beside HAPI HL7v2's own server in the same run.

The hub is the real one on a folder of this machine: an acknowledgement is sent only when the message is synced, and the engine folds
and projects what came in while more comes and fills its identity vault, in its own process beside that of the intake. HAPI parses
without validation and acknowledges; it stores nothing. Senders are a process of their own, on the same two cores, and each waits for
its acknowledgement before it sends again.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import uvloop

from connectors.contract import Publish
from connectors.hl7.mllp import MllpListener, MllpSettings
from connectors.simulator import Knobs, simulate, write_reference
from topology.live import LiveHub
from topology.local import LocalHub
from topology.reference_files import load_reference
from topology.serve import filled_vault, intake
from topology.settings import Settings

Fill = Callable[[], Coroutine[Any, Any, None]]
"""What fills the identity vault of a running hub."""
KNOBS: Final = Knobs(seed=2, sites=1, beds=100, days=2)
CONNECTIONS: Final = (1, 20, 200, 1000)
SECONDS: Final = 4.0
ROUNDS: Final = 2
"""In turn, and the best counts: a Java server, HAPI or broker, compiles its own code in its first seconds, which takes a core."""
HERE: Final = Path(__file__).parent / "hapi"
LIMIT: Final = {
    1: "one sync and a thread switch for each message alone",
    20: "two cores for senders, intake, and the hub that folds",
    200: "the same; nobody is turned away",
    1000: "the same",
}


def rows() -> list[dict[str, Any]]:
    """Round trips a second, with the middle and the slow ones, by number of connections."""
    return table("embedded", _ours(), LIMIT)


def table(runtime: str, ours: dict[int, dict[str, Any]], limits: dict[int, str]) -> list[dict[str, Any]]:
    """A row for each number of connections, beside HAPI, which is measured now."""
    with _hapi() as port:
        peers = best(lambda count: _measure("127.0.0.1", port, count)) if port else {}
    return [_row(runtime, count, ours[count], peers.get(count), limits[count]) for count in CONNECTIONS]


def best(measure: Callable[[int], dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """The best round for each number of connections, with the most that were dropped in any."""
    rounds = [{count: measure(count) for count in CONNECTIONS} for _ in range(ROUNDS)]
    return {
        count: max((one[count] for one in rounds), key=lambda one: float(one["a_second"]))
        | {"dropped": max(one[count]["dropped"] for one in rounds)}
        for count in CONNECTIONS
    }


def _row(runtime: str, count: int, ours: dict[str, Any], peer: dict[str, Any] | None, limit: str) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": f"MLLP round trips, {runtime}, stored durably, {count} connection{'s' if count > 1 else ''}; {_shown(ours)}",
        "ours_per_second": ours["a_second"], "limit": limit,
    }  # fmt: skip
    if peer is not None:
        row |= {"peer": f"HAPI 2.5.1, nothing stored; {_shown(peer)}", "peer_per_second": peer["a_second"]}
    return row


def _shown(measured: dict[str, Any]) -> str:
    ms = measured["ms"] or [0.0]
    return f"p50 {ms[len(ms) // 2]:.1f} ms, p99 {ms[int(len(ms) * 0.99)]:.0f} ms, dropped {measured['dropped']}"


def _ours() -> dict[int, dict[str, Any]]:
    simulation = simulate(KNOBS)
    with tempfile.TemporaryDirectory() as folder, LocalHub(Path(folder) / "hub") as local:
        write_reference(simulation.network, Path(folder) / "reference")
        local.load_reference(load_reference([Path(folder) / "reference"]).records)
        live = LiveHub(local, timedelta(seconds=5))
        live.start()
        try:
            with filled_vault(local, lambda said: print(said, file=sys.stderr)) as fill:
                return best(lambda count: _one(live, fill, count))
        finally:
            live.stop()


def _one(live: LiveHub, fill: Fill, connections: int) -> dict[str, Any]:
    """One measurement, and the hub at rest again."""
    measured = uvloop.run(_through_intake(live, fill, connections))
    while live.backlog():
        time.sleep(0.1)
    return measured


async def _through_intake(live: LiveHub, fill: Fill, connections: int) -> dict[str, Any]:
    """What so many senders saw of the hub's intake process."""
    taking = intake(live, Settings(mllp_port=0, mllp_source="bench"))
    await taking.start()
    filling = asyncio.create_task(fill())
    try:
        return await asyncio.to_thread(_measure, "127.0.0.1", taking.port, connections)
    finally:
        filling.cancel()
        await asyncio.gather(filling, return_exceptions=True)
        await taking.stop()


async def against(publish: Publish, connections: int) -> dict[str, Any]:
    """What so many senders saw of a listener that stores with `publish`."""
    listener = MllpListener(publish, MllpSettings(port=0, source="bench"))
    await listener.start()
    try:
        return await asyncio.to_thread(_measure, *listener.address, connections)
    finally:
        await listener.stop()


def _measure(host: str, port: int, connections: int) -> dict[str, Any]:
    """What the senders' process saw."""
    command = [sys.executable, "-m", "tests.bench.mllp_senders", host, str(port), str(connections), str(SECONDS)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)  # type: ignore[no-any-return]


@contextmanager
def _hapi() -> Iterator[int]:
    """HAPI's server on a free port; 0 where Java or Maven is missing. It ends with its input."""
    missing = [program for program in ("java", "javac", "mvn") if shutil.which(program) is None]
    if missing:
        sys.stderr.write(f"HAPI IS LEFT OUT: {missing[0]} is not installed\n")
        yield 0
        return
    pom = HERE / "pom.xml"
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "wardstock"
    jars = cache / f"hapi-{hashlib.sha256(pom.read_bytes()).hexdigest()[:12]}"
    if not jars.exists():
        incoming = cache / f"incoming-{uuid.uuid4().hex}"
        bring = ["mvn", "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={incoming}"]
        subprocess.run(bring, check=True, capture_output=True)
        incoming.rename(jars)
    with tempfile.TemporaryDirectory() as classes:
        subprocess.run(["javac", "-cp", f"{jars}/*", "-d", classes, str(HERE / "PeerHapi.java")], check=True, capture_output=True)
        command = ["java", "-Xmx512m", "-cp", f"{classes}{os.pathsep}{jars}/*", "PeerHapi"]
        server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=classes)
        try:
            assert server.stdout is not None
            yield int(server.stdout.readline())
        finally:
            server.communicate()
