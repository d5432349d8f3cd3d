"""A folder that others drop files into (batch exports, SFTP): every file once to its end, across crashes of either side.

A file is claimed by renaming it into `.working`, which is atomic: of several readers one gets it. It is taken only when its size
and time have not changed for a while and its name is no transfer's temporary one. When all its messages are durable it moves to
`done`; one that can't be read moves to `failed`, with the reason beside it. After a crash what stands in `.working` is read again
from its beginning: messages stored twice are recognised as duplicates.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Final

from connectors.contract import Publish, PublishError, TooLarge
from connectors.files.folder import Skipped, in_text
from connectors.files.messages import AUTO, messages_of
from schemas.raw import RawMessage

WORKING: Final = ".working"
DONE: Final = "done"
FAILED: Final = "failed"
_LOCK: Final = ".wardstock.lock"
_TEMPORARY: Final = (".part", ".partial", ".tmp", ".temp", ".filepart", ".crdownload", ".lock", ".swp", "~")
STORED_TOGETHER_MAX: Final = 200
"""Messages of one file on their way to the store at a time."""
RETRY_SECONDS: Final = 1.0


class DropError(Exception):
    """A drop folder that can't be used. The text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DropSettings:
    """Which folder, and what is known of its messages."""

    path: Path
    source: str
    profile: str = "standard"
    site: str | None = None
    format: str = AUTO
    settle_seconds: float = 2.0
    poll_seconds: float = 1.0


@dataclass(slots=True)
class DropCounters:
    """What has become of files since the start."""

    done: int = 0
    failed: int = 0
    messages: int = 0
    waiting: int = 0


class DropFolder:
    """One watched folder. `open` takes it, `run` works until cancelled, `close` lets it go."""

    def __init__(self, publish: Publish, settings: DropSettings, now: Callable[[], datetime]) -> None:
        """`now` gives the time of receipt, timezone-aware UTC."""
        self._publish = publish
        self.settings = settings
        self._now = now
        self._seen: dict[str, tuple[int, int, float]] = {}
        self._lock: int | None = None
        self.counters = DropCounters()

    def open(self) -> None:
        """Make the folders, take the lock. Raises `DropError` when the folder can't be used or another process works on it."""
        path = self.settings.path
        try:
            for folder in (path, path / WORKING, path / DONE, path / FAILED):
                folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT, 0o644)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            msg = f"another process works on the drop folder {path}"
            raise DropError(msg) from None
        except OSError as error:
            self.close()
            msg = f"the drop folder {path} can't be used: {error.strerror or error}"
            raise DropError(msg) from None

    def close(self) -> None:
        """Give the lock back."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def run(self) -> None:
        """First what a crash left behind, then what comes, in the order of its time."""
        for left in sorted((self.settings.path / WORKING).iterdir(), key=_age):
            await self._finish(left)
        loop = asyncio.get_running_loop()
        while True:
            for path in self._settled(loop.time()):
                claimed = self._claimed(path)
                if claimed is not None:
                    await self._finish(claimed)
            await asyncio.sleep(self.settings.poll_seconds)

    def _settled(self, now: float) -> list[Path]:
        """Files that have not changed for the settling time, oldest first."""
        found: dict[str, tuple[int, int, float]] = {}
        ready: list[tuple[int, str, Path]] = []
        for entry in os.scandir(self.settings.path):
            if not entry.is_file(follow_symlinks=False) or _is_temporary(entry.name):
                continue
            try:
                stat = entry.stat(follow_symlinks=False)
            except OSError:  # gone meanwhile: renamed by its sender, or taken
                continue
            known = self._seen.get(entry.name)
            same = known is not None and known[:2] == (stat.st_size, stat.st_mtime_ns)
            since = known[2] if known is not None and same else now
            found[entry.name] = (stat.st_size, stat.st_mtime_ns, since)
            if now - since >= self.settings.settle_seconds:
                ready.append((stat.st_mtime_ns, entry.name, Path(entry.path)))
        self._seen = found
        self.counters.waiting = len(found)
        return [path for _, _, path in sorted(ready)]

    def _claimed(self, path: Path) -> Path | None:
        """The file under our name; None when it is gone."""
        target = _free(self.settings.path / WORKING, path.name)
        try:
            path.rename(target)
        except OSError:
            return None
        return target

    async def _finish(self, path: Path) -> None:
        """Store everything in a claimed file, then put it where people look for it."""
        skipped = await self._store(path)
        if skipped:
            self._put(path, FAILED)
            self.counters.failed += 1
            reasons = "".join(f"{reason}\n" for reason in skipped)
            _free(self.settings.path / FAILED, f"{path.name}.reason.txt").write_text(reasons, encoding="utf-8")
        else:
            self._put(path, DONE)
            self.counters.done += 1

    async def _store(self, path: Path) -> list[str]:
        """Publish the file's messages in order; returns why parts of it could not be taken. Waits while the hub can't store."""
        settings = self.settings
        skipped: list[str] = []
        on_the_way: deque[asyncio.Task[str | None]] = deque()
        found = messages_of([path], format=settings.format, site=settings.site, now=self._now(), profile=settings.profile)
        while some := await asyncio.to_thread(lambda: list(islice(found, STORED_TOGETHER_MAX))):
            for message in some:
                if isinstance(message, Skipped):
                    skipped.append(message.reason)
                    continue
                named = replace(message, source=settings.source, connector="drop", name=in_text(path.name))
                on_the_way.append(asyncio.ensure_future(self._one(named)))
            while len(on_the_way) >= STORED_TOGETHER_MAX:
                skipped += filter(None, [await on_the_way.popleft()])
        for task in on_the_way:
            skipped += filter(None, [await task])
        return skipped

    async def _one(self, message: RawMessage) -> str | None:
        """Publish one message, again and again while the hub can't store; returns why it never can."""
        while True:
            try:
                await self._publish(message)
            except TooLarge as error:
                return str(error)
            except PublishError:
                await asyncio.sleep(RETRY_SECONDS)
            else:
                self.counters.messages += 1
                return None

    def _put(self, path: Path, folder: str) -> None:
        name = path.name
        path.rename(_free(self.settings.path / folder, name))


def _age(path: Path) -> tuple[int, str]:
    return path.stat().st_mtime_ns, path.name


def _is_temporary(name: str) -> bool:
    return name.startswith(".") or name.lower().endswith(_TEMPORARY)


def _free(folder: Path, name: str) -> Path:
    """A path of this name in a folder that is not taken: a number is added before its suffix."""
    path, number = folder / name, 1
    while path.exists():
        path = folder / f"{Path(name).stem}.{number}{Path(name).suffix}"
        number += 1
    return path
