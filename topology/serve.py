"""Serving a hub: HTTP feeds, local API, tower and MLLP on one event loop, until it is told to stop."""

from __future__ import annotations

import asyncio
import secrets
import signal
import socket
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final, Protocol

import uvicorn
import uvloop

from sinks.tower.mount import mount_tower
from topology.downtime.keeper import PackKeeper
from topology.errors import HubError
from topology.folder import HubFolder
from topology.intake.supervisor import IntakeProcess
from topology.listening import bound
from topology.live import LiveHub
from topology.local import LocalHub
from topology.master.api import take_effect
from topology.master.desk import MasterDesk
from topology.master.hubs import RunningMaster
from topology.running import RunningHub
from topology.settings import Settings
from topology.vault.filler import VaultFiller, keep_filled
from topology.vault.store import Vault
from topology.web import hub_app

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


class Listening(Protocol):
    """The feeds of a hub that it opens itself (`topology.feeds.Feeds`), in this process or another."""

    @property
    def port(self) -> int:
        """The port of the default MLLP feed."""

    async def start(self) -> None:
        """Begin to listen. Raises `HubError`."""

    async def stop(self) -> None:
        """Stop listening."""

    def shown(self) -> Sequence[str]:
        """A line for each further feed."""


def serve(settings: Settings, *, say: Callable[[str], None], beside: Extra | None = None) -> None:
    """Run an embedded hub until SIGINT or SIGTERM."""
    url = settings.projection_url.get_secret_value() if settings.projection_url else None
    with LocalHub(settings.data, url) as hub:
        live = LiveHub(hub, timedelta(seconds=settings.tick_seconds))
        with filled_vault(hub, say) as fill:

            async def extra(address: str, port: int) -> None:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(fill())
                    if beside is not None:
                        tasks.create_task(beside(live, address, port))

            uvloop.run(serve_hub(live, hub.folder, intake(live, settings), settings, say, extra))


@contextmanager
def filled_vault(hub: LocalHub, say: Callable[[str], None]) -> Iterator[Callable[[], Coroutine[Any, Any, None]]]:
    """What fills the hub's identity vault while it runs. One that can't be opened is said, and stops nothing."""
    try:
        vault = Vault(hub.folder.path)
    except HubError as error:
        say(f"  the identity vault is closed: {error}")

        async def nothing() -> None:
            """The hub runs without it; patients behind hashes are named once it opens again."""

        yield nothing
        return
    with vault:
        filler = VaultFiller(vault, hub.folder.patient_key)
        yield lambda: keep_filled(filler, hub)


def intake(live: LiveHub, settings: Settings) -> IntakeProcess:
    """The process that takes messages in for an embedded hub."""
    url = live.views.engine.url.render_as_string(hide_password=False)
    return IntakeProcess(settings, live.hub.received, url, live.received)


async def serve_hub(
    live: Startable, folder: HubFolder, mllp: Listening, settings: Settings, say: Callable[[str], None],
    beside: Beside | None = None,
) -> None:  # fmt: skip
    """Feeds, local API and tower of a hub, until SIGINT or SIGTERM."""
    listening = _listen(settings)
    address = f"http://{settings.host}:{listening.getsockname()[1]}"
    token = secrets.token_urlsafe(32)
    desk = MasterDesk(RunningMaster(live))
    keeper = _keeper(live, settings)
    app = hub_app(live, settings, token, desk, None if keeper is None else keeper.ages)
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
        mllp_port = mllp.port
        say(f"Wardstock runs on {folder.path}")
        say(f"  tower  {address}/   scanner {address}/scanner")
        say(f"  HL7 v2 mllp://{settings.host}:{mllp_port}   FHIR {address}/fhir")
        say(f"  cabinets {address}/cabinet   scans {address}/scans")
        for line in mllp.shown():
            say(f"  {line}")
        running = [asyncio.create_task(take_effect(desk, live, settings.tick_seconds))]
        if keeper is not None:
            running.append(asyncio.create_task(keeper.keep()))
            say(f"  downtime packs in {settings.downtime_packs}, never older than {settings.downtime_pack_minutes} minutes")
        if beside is not None:
            running.append(asyncio.create_task(beside(address, mllp_port)))
        await stop.wait()
        say("stopping: finishing what was received")
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await mllp.stop()
        server.should_exit = True
        await web
    finally:
        listening.close()
        await asyncio.to_thread(live.stop)


def _keeper(live: RunningHub, settings: Settings) -> PackKeeper | None:
    """Who keeps downtime packs, when the settings name a folder for them."""
    if settings.downtime_packs is None:
        return None
    return PackKeeper(live, settings.downtime_packs, settings.downtime_pack_minutes)


def check_ports(settings: Settings) -> None:
    """Raise `HubError` when a port that `serve` will take is taken: for work that is wasted if it finds out only then."""
    _bound(settings, settings.http_port, "--http-port").close()
    _bound(settings, settings.mllp_port, "--mllp-port").close()


def _listen(settings: Settings) -> socket.socket:
    """The HTTP socket, taken before anything else starts, so that a busy port is a sentence."""
    return _bound(settings, settings.http_port, "--http-port")


def _bound(settings: Settings, port: int, option: str) -> socket.socket:
    return bound(settings.host, port, f"choose another with {option}")
