"""Serving a hub: HTTP feeds, local API, tower and MLLP on one event loop, until it is told to stop."""

from __future__ import annotations

import asyncio
import secrets
import signal
import socket
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, Final, Protocol

import uvicorn
import uvloop
from fastapi import FastAPI

from connectors.http.app import feeds_router
from connectors.http.intake import FeedSettings
from sinks.tower.mount import mount_tower
from topology.api import local_api
from topology.feeds import Feeds
from topology.folder import HubFolder
from topology.listening import bound
from topology.live import LiveHub
from topology.local import LocalHub
from topology.running import RunningHub
from topology.settings import Settings

STARTED_POLL_SECONDS: Final = 0.01
Beside = Callable[[str, int], Coroutine[Any, Any, None]]
"""Something that runs beside a hub; it is given the HTTP address and the MLLP port."""
Extra = Callable[[LiveHub, str, int], Coroutine[Any, Any, None]]
"""The same for an embedded hub, which is given first."""


class Startable(RunningHub, Protocol):
    """A running hub that is started and stopped with what serves it."""

    def start(self) -> None:
        """Begin to work."""

    def stop(self) -> None:
        """Finish what was taken."""


def serve(settings: Settings, *, say: Callable[[str], None], beside: Extra | None = None) -> None:
    """Run an embedded hub until SIGINT or SIGTERM."""
    url = settings.projection_url.get_secret_value() if settings.projection_url else None
    with LocalHub(settings.data, url) as hub:
        live = LiveHub(hub, timedelta(seconds=settings.tick_seconds))
        extra: Beside | None = None if beside is None else lambda address, port: beside(live, address, port)
        uvloop.run(serve_hub(live, hub.folder, settings, say, extra))


async def serve_hub(
    live: Startable, folder: HubFolder, settings: Settings, say: Callable[[str], None], beside: Beside | None = None
) -> None:
    """Feeds, local API and tower of a hub, until SIGINT or SIGTERM."""
    listening = _listen(settings)
    address = f"http://{settings.host}:{listening.getsockname()[1]}"
    token = secrets.token_urlsafe(32)
    mllp = Feeds(live.publish, live.views, settings)
    app = FastAPI(title=settings.title, docs_url=None, redoc_url=None)
    app.include_router(feeds_router(live.publish, live.now, FeedSettings(site=settings.default_site)))
    app.include_router(local_api(live, token))
    mount_tower(app, live.views, title=settings.title, refresh_seconds=2.0, now=live.now)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="on", timeout_graceful_shutdown=2))
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    live.start()
    try:
        await mllp.start()
        web = asyncio.create_task(server._serve([listening]))  # noqa: SLF001  # serve() would take the signals away
        while not server.started and not web.done():
            await asyncio.sleep(STARTED_POLL_SECONDS)
        folder.announce(address, token)
        mllp_port = mllp.default.address[1]
        say(f"Wardstock runs on {folder.path}")
        say(f"  tower  {address}/")
        say(f"  HL7 v2 mllp://{settings.host}:{mllp_port}   FHIR {address}/fhir")
        say(f"  cabinets {address}/cabinet   scans {address}/scans")
        for line in mllp.shown():
            say(f"  {line}")
        extra = asyncio.create_task(beside(address, mllp_port)) if beside is not None else None
        await stop.wait()
        say("stopping: finishing what was received")
        if extra is not None:
            extra.cancel()
            await asyncio.gather(extra, return_exceptions=True)
        await mllp.stop()
        server.should_exit = True
        await web
    finally:
        listening.close()
        await asyncio.to_thread(live.stop)


def check_ports(settings: Settings) -> None:
    """Raise `HubError` when a port that `serve` will take is taken: for work that is wasted if it finds out only then."""
    _bound(settings, settings.http_port, "--http-port").close()
    _bound(settings, settings.mllp_port, "--mllp-port").close()


def _listen(settings: Settings) -> socket.socket:
    """The HTTP socket, taken before anything else starts, so that a busy port is a sentence."""
    return _bound(settings, settings.http_port, "--http-port")


def _bound(settings: Settings, port: int, option: str) -> socket.socket:
    return bound(settings.host, port, f"choose another with {option}")
