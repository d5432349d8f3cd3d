"""The intake process: a hub's own feeds over a journal. Started and ended by the hub; `python -m topology.intake.process`.

It is told everything in the first line of its input, and ends when the input ends: with its hub, however that one ended. What it
has to say goes out as one JSON object a line: where it listens or why it can't, and how much it kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import sys
from pathlib import Path
from typing import Final

import msgspec
import structlog
import uvloop

from sinks.sql.views import Views
from topology.errors import HubError
from topology.feeds import Feeds
from topology.intake.handover import LOCK, LOCK_SECONDS
from topology.intake.journal import JournalWriter
from topology.intake.keeper import Keeper
from topology.settings import Settings

SAY_SECONDS: Final = 0.01
"""It says at most so often how much it kept; the hub looks into the journal anyway while it is busy."""
_POLL_SECONDS: Final = 0.05
_LINE_BYTES_MAX: Final = 16 * 1024 * 1024


class Told(msgspec.Struct, frozen=True):
    """What the hub tells at the start: the folder of the journal, the file number to begin behind, the URL of the projection, and
    the hub's settings as JSON."""

    folder: str
    behind: int
    projection: str
    settings: str


class Said(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of the process.

    `ports`: of the MLLP feeds in the order of the settings; `shown`: a line for people for each further feed; `refused`: why it
    can't begin; `kept`: messages since it began; `failing`: why it can't store now.
    """

    ports: tuple[int, ...] | None = None
    shown: tuple[str, ...] = ()
    refused: str | None = None
    kept: int | None = None
    failing: str | None = None


class Speaker:
    """Says to the hub how far it came; a hub that does not listen holds nothing up."""

    def __init__(self) -> None:
        os.set_blocking(sys.stdout.fileno(), False)
        self._last: Said | None = None
        self._next: Said | None = None
        self._timer: asyncio.TimerHandle | None = None

    def written(self, kept: int, failing: str | None) -> None:
        """Something was kept, or could not be."""
        self._next = Said(kept=kept, failing=failing)
        if self._timer is None:
            self._say()
            self._timer = asyncio.get_running_loop().call_later(SAY_SECONDS, self._later)

    def _later(self) -> None:
        self._timer = None
        if self._next != self._last and self._next is not None:
            self.written(self._next.kept or 0, self._next.failing)

    def _say(self) -> None:
        self._last = self._next
        if self._next is not None:
            say(self._next)


def say(said: Said) -> None:
    """One line to the hub."""
    with contextlib.suppress(OSError):
        os.write(sys.stdout.fileno(), msgspec.json.encode(said) + b"\n")


async def run(told: Told, reader: asyncio.StreamReader) -> None:
    """Listen until the input ends. Raises `HubError` when a feed can't begin."""
    settings = Settings.model_validate_json(told.settings)
    speaker = Speaker()
    keeper = Keeper(JournalWriter(Path(told.folder), told.behind), speaker.written)
    feeds = Feeds(keeper.publish, Views(told.projection), settings)
    await feeds.start()
    say(Said(ports=tuple(listener.address[1] for listener in feeds.listeners), shown=tuple(feeds.shown())))
    while await reader.read(1024):
        pass
    await feeds.stop()
    await keeper.stop()


async def _main() -> int:
    reader = asyncio.StreamReader(limit=_LINE_BYTES_MAX)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    line = await reader.readline()
    if not line:
        return 0
    told = msgspec.json.decode(line, type=Told)
    try:
        lock = await _locked(Path(told.folder))
        try:
            await run(told, reader)
        finally:
            os.close(lock)
    except HubError as error:
        say(Said(refused=str(error)))
        return 1
    return 0


async def _locked(folder: Path) -> int:
    """The journal's lock; one writer at a time. An earlier process that is about to end is waited for."""
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    for _ in range(int(LOCK_SECONDS / _POLL_SECONDS)):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            await asyncio.sleep(_POLL_SECONDS)
        else:
            return lock
    msg = "another process takes messages in for this folder: stop it first"
    raise HubError(msg)


def main() -> None:
    """Begin. Signals for the hub's group are the hub's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    sys.exit(uvloop.run(_main()))


if __name__ == "__main__":
    main()
