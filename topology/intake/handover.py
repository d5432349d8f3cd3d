"""The hub's end of the journal: each group into the raw log and the position behind it, as one transaction."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Final

import msgspec

from topology.embedded.engine import Engine
from topology.embedded.store import Store
from topology.errors import FolderRefusedError
from topology.intake.journal import JournalDamagedError, JournalReader, Position

FOLDER: Final = "intake"
LOCK: Final = "lock"
LOCK_SECONDS: Final = 10.0
_POSITION_KEY: Final = b"intake"
_POLL_SECONDS: Final = 0.05


class Handover:
    """What was received and is not in the log yet. Of the thread that owns the engine."""

    def __init__(self, path: Path, store: Store) -> None:
        """Of the hub's folder `path`. Raises `FolderRefusedError` when a process still takes messages in for it."""
        self.folder = path / FOLDER
        self.folder.mkdir(mode=0o700, exist_ok=True)
        _wait_for_writer(self.folder)
        self._journal = JournalReader(self.folder, _position(store))

    def take(self, engine: Engine, messages_max: int) -> int:
        """Take over about so many messages; returns how many. Raises `JournalDamagedError`."""
        messages, position = self._journal.read(messages_max)
        if position != self._journal.position:
            engine.publish(messages, [("meta", _POSITION_KEY, msgspec.msgpack.encode(position))])
            self._journal.taken(position)
        return len(messages)

    def take_all(self, engine: Engine, messages_max: int) -> None:
        """Take over everything, in transactions of about so many. Raises `FolderRefusedError`."""
        try:
            while self.take(engine, messages_max):
                pass
        except JournalDamagedError as error:
            msg = (
                f"{error}, and acknowledged messages stand behind: restore it from a backup, or move the file away and have its "
                "senders send again what they sent since"
            )
            raise FolderRefusedError(msg) from None

    def resume(self, store: Store) -> None:
        """After the store was opened anew: from where it says."""
        self._journal.position = _position(store)

    def waits(self) -> bool:
        """Whether there is something to take over, or about to be. For any thread."""
        return self._journal.waits()

    @property
    def file(self) -> int:
        """Number of the file it stands in."""
        return self._journal.position.file


def nothing_waits(path: Path, store: Store) -> bool:
    """Whether all that was received for a stopped hub's folder is in its log. Damage counts as waiting."""
    folder = path / FOLDER
    if not folder.exists():
        return True
    _wait_for_writer(folder)
    try:
        return not JournalReader(folder, _position(store)).read(1)[0]
    except JournalDamagedError:
        return False


def _position(store: Store) -> Position:
    data = store.get("meta", _POSITION_KEY)
    return Position() if data is None else msgspec.msgpack.decode(data, type=Position)


def _wait_for_writer(folder: Path) -> None:
    """The intake of a hub that was killed ends by itself; until then its file may grow."""
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        for _ in range(int(LOCK_SECONDS / _POLL_SECONDS)):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                time.sleep(_POLL_SECONDS)
            else:
                return
    finally:
        os.close(lock)
    msg = f"a process still takes messages in for {folder.parent}: stop it first"
    raise FolderRefusedError(msg)
