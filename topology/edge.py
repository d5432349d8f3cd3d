"""`wardstock edge`: the spool as a process of its own, on 127.0.0.1 unless told otherwise."""

from __future__ import annotations

import asyncio
import fcntl
import signal
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx
import uvicorn

from connectors.edge.app import edge_app
from connectors.edge.forward import Forwarder
from connectors.edge.spool import Spool, SpoolDamagedError
from topology.errors import HubError
from topology.listening import bound

STARTED_POLL_SECONDS: Final = 0.01


def run_edge(folder: Path, hub: str, *, host: str, port: int, bytes_max: int, say: Callable[[str], None]) -> None:
    """Run until SIGTERM or SIGINT. Raises `HubError` for a folder in use, a damaged spool or a port that is taken."""
    check_hub(hub)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            msg = f"another process runs on {folder}"
            raise HubError(msg) from None
        try:
            spool = Spool(folder, bytes_max)
        except SpoolDamagedError as error:
            msg = f"the spool {folder} was changed: {error}. Nothing was deleted: keep the folder, and start on a new one"
            raise HubError(msg) from None
        listening = bound(host, port, "choose another with --port")
        asyncio.run(_serve(spool, hub, folder.resolve().name, listening, say))


def check_hub(hub: str) -> None:
    """Raise `HubError` for what is no address of a hub: http or https, a host, maybe a port and a path, nothing else."""
    try:
        parts = urlsplit(hub)
        is_text = hub.isascii() and hub.isprintable() and " " not in hub
        is_address = is_text and parts.scheme in ("http", "https") and bool(parts.hostname)
        is_plain = not (parts.query or parts.fragment or parts.username or parts.password) and parts.port != 0
    except ValueError:
        is_address = is_plain = False
    if not (is_address and is_plain):
        msg = "--hub must be the address of a hub, like http://hub.example:8080, without name, password, query or fragment"
        raise HubError(msg)


async def _serve(spool: Spool, hub: str, name: str, listening: socket.socket, say: Callable[[str], None]) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with httpx.AsyncClient() as client:
        app = edge_app(spool, Forwarder(spool, hub, name, client), lambda: datetime.now(UTC))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
        web = asyncio.create_task(server._serve([listening]))  # noqa: SLF001  # serve() would take the signals away
        while not server.started and not web.done():
            await asyncio.sleep(STARTED_POLL_SECONDS)
        host, port = listening.getsockname()[:2]
        say(f"Wardstock edge keeps for {hub} in {spool.folder}")
        say(f"  cabinets http://{host}:{port}/cabinet   scans /scans   FHIR /fhir   health /health")
        say(f"  {spool.count_waiting} requests wait from before")
        for left in spool.set_aside:
            say(f"  {left} holds what was being written when the last process ended")
        await stop.wait()
        server.should_exit = True
        await web
