"""The intake process as the hub sees it: started with it, started again when it ends, ended with it."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
import structlog

from topology.errors import HubError
from topology.intake.handover import Handover
from topology.intake.process import Said, Told
from topology.mqtt_feed import REVEAL
from topology.settings import Settings

RESTART_SECONDS: Final = 1.0
STOP_SECONDS: Final = 15.0
ENDED: Final = "the process that takes messages in has ended and is started again"
_COMMAND: Final = (sys.executable, "-m", "topology.intake.process")
_log = structlog.get_logger("wardstock.intake")

Received = Callable[[int, str | None], None]
"""Told how many messages were kept in all, and why none can be taken in just now."""


class IntakeProcess:
    """Keeps one intake process at work. Of one event loop."""

    def __init__(self, settings: Settings, handover: Handover, projection: str, received: Received) -> None:
        """`handover`: the hub's end of the journal; `projection`: URL of the reading tables."""
        self._settings = settings
        self._handover = handover
        self._projection = projection
        self._received = received
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._stopping = False
        self._kept_before = 0
        self._kept = 0
        self._ports: Sequence[int] = ()
        self._shown: Sequence[str] = ()

    @property
    def port(self) -> int:
        """The port of the default MLLP feed."""
        return self._ports[0]

    @property
    def pid(self) -> int | None:
        """The process' id."""
        return None if self._process is None else self._process.pid

    def shown(self) -> Sequence[str]:
        """A line for each further feed."""
        return self._shown

    async def start(self) -> None:
        """Begin to listen. Raises `HubError` when a port is taken or certificates or a folder can't be used."""
        await self._begin()
        self._keeper = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """Stop listening; what was acknowledged is in the journal."""
        self._stopping = True
        await self._end()
        if self._keeper is not None:
            await asyncio.gather(self._keeper, return_exceptions=True)

    # ---- within --------------------------------------------------------------------------------------------------

    async def _begin(self) -> None:
        """Start it, and wait until it listens."""
        process = self._process = await asyncio.create_subprocess_exec(
            *_COMMAND, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdin is not None  # noqa: S101  # both are pipes
        feeds = _settings_json(self._settings, self._ports)
        told = Told(str(self._handover.folder), self._handover.file, self._projection, feeds)
        with contextlib.suppress(ConnectionError):
            process.stdin.write(msgspec.json.encode(told) + b"\n")
            await process.stdin.drain()
        said = await self._next(process)
        if said is None or said.ports is None:
            await self._end()
            msg = (said and said.refused) or "the process that takes messages in ended at once"
            raise HubError(msg)
        self._ports, self._shown = said.ports, said.shown
        self._received(self._kept, None)

    async def _keep(self) -> None:
        """Hear what it says until it ends, and start it again, until the hub stops."""
        while True:
            process = self._process
            while process is not None and (said := await self._next(process)) is not None:
                self._kept = self._kept_before + (said.kept or 0)
                self._received(self._kept, said.failing)
            if self._stopping:
                return
            self._kept_before = self._kept
            self._received(self._kept, ENDED)
            _log.error("intake_ended", code=None if process is None else await process.wait())
            await asyncio.sleep(RESTART_SECONDS)
            if self._stopping:
                return
            try:
                await self._begin()
            except (HubError, OSError) as error:
                _log.error("intake_not_started", error=str(error))
                self._process = None

    async def _end(self) -> None:
        """Close its input, which ends it; by force when it does not."""
        process = self._process
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    @staticmethod
    async def _next(process: asyncio.subprocess.Process) -> Said | None:
        """Its next line; None at its end."""
        assert process.stdout is not None  # noqa: S101
        line = await process.stdout.readline()
        return msgspec.json.decode(line, type=Said) if line.endswith(b"\n") else None


def _settings_json(settings: Settings, ports: Sequence[int]) -> str:
    """The settings of the feeds; with the ports it had, when it has listened before. Secrets of others are left out; passwords of
    feeds stand in it as they are: it is told over a pipe and printed nowhere."""
    feeds = settings
    if ports:
        further = tuple(feed.model_copy(update={"port": port}) for feed, port in zip(settings.feeds, ports[1:], strict=True))
        feeds = settings.model_copy(update={"mllp_port": ports[0], "feeds": further})
    return feeds.model_dump_json(exclude={"projection_url", "patient_key", "kafka"}, context={REVEAL: True})
