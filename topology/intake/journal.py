"""The journal between intake and hub: files of groups, written by one process and taken over by another.

The writer never touches a file again in which a write failed, nor one of an earlier process: a reader may have read it. The
reader's position is kept by the hub, in the same transaction as what it took over; so every group is taken over once. A file is
deleted when all of it was taken over and the hub has that on disk.

A file that was finished ends with an empty group. One whose writer was killed may end with a torn group, which was never
acknowledged; it is kept beside (`.torn`). Anything else that is no group is damage, and is said.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
import structlog

from schemas.raw import RawMessage
from topology.intake.groups import HEAD_BYTES, Torn, decode_group, encode_group, group_length, stands_behind

FILE_BYTES: Final = 16 * 1024 * 1024
"""A new file is begun when one has grown to this size."""
BYTES_MAX: Final = 1024 * 1024 * 1024
"""Bytes that may wait for the hub. Beyond it nothing is taken in: the senders keep their queues."""
READ_BYTES: Final = 256 * 1024
END: Final = encode_group(())
"""What a finished file ends with."""
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_log = structlog.get_logger("wardstock.intake")


class JournalFullError(Exception):
    """There is no room for a group: none of it may be acknowledged. The text says why."""


class JournalDamagedError(Exception):
    """Messages that were acknowledged can't be read back. The text names file and place."""


class Position(msgspec.Struct, frozen=True, order=True):
    """Up to where the journal was taken over: number of the file, and bytes of it."""

    file: int = 0
    place: int = 0


class JournalWriter:
    """Appends groups. Of one process and one thread at a time."""

    def __init__(self, folder: Path, behind: int, bytes_max: int = BYTES_MAX) -> None:
        """Write into files behind all that are there and behind the number `behind`."""
        self.folder = folder
        self._bytes_max = bytes_max
        self._number = max([behind, *numbers(folder)])
        self._file = -1
        self._size = 0
        self._waiting = 0
        with contextlib.suppress(JournalFullError):  # it shows the reader that nobody writes into earlier files any more
            self._begin()

    def append(self, messages: Sequence[RawMessage]) -> None:
        """Keep a group, on disk when it returns. Raises `JournalFullError` (also for a disk that fails), keeping none of it."""
        data = encode_group(messages)
        if self._file < 0 or self._size >= FILE_BYTES:
            self._begin()
        if self._waiting + self._size + len(data) > self._bytes_max:
            self._waiting = self._bytes_before()
            if self._waiting + self._size + len(data) > self._bytes_max:
                msg = f"{self._bytes_max} bytes wait for the hub already"
                raise JournalFullError(msg)
        try:
            _write_all(self._file, data)
            os.fdatasync(self._file)
        except OSError as error:
            self._abandon()
            raise JournalFullError(_in_words(error)) from None
        self._size += len(data)

    def _begin(self) -> None:
        """Finish the file, and begin the next."""
        self.close()
        self._number += 1
        path = file_of(self.folder, self._number)
        self._size = 0
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
            _sync_folder(self.folder)
        except OSError as error:
            self._abandon()
            raise JournalFullError(_in_words(error)) from None
        self._waiting = self._bytes_before()

    def _abandon(self) -> None:
        """After a failed write: give its room back, and write no more into this file."""
        if self._file < 0:
            return
        with contextlib.suppress(OSError):
            os.ftruncate(self._file, self._size)
            if not self._size:
                file_of(self.folder, self._number).unlink()
        os.close(self._file)
        self._file = -1

    def _bytes_before(self) -> int:
        """Bytes of the other files that are still there."""
        return sum(_size(file_of(self.folder, number)) for number in numbers(self.folder) if number != self._number)

    def close(self) -> None:
        """Finish the file."""
        if self._file >= 0:
            with contextlib.suppress(OSError):
                _write_all(self._file, END)
            os.close(self._file)
            self._file = -1


class JournalReader:
    """Reads groups behind a position. Of one thread at a time."""

    def __init__(self, folder: Path, position: Position) -> None:
        """Continue at a position."""
        self.folder = folder
        self.position = position
        self._torn: set[int] = set()

    def read(self, messages_max: int) -> tuple[list[RawMessage], Position]:
        """The next groups, until they are so many messages, and the position behind them. Raises `JournalDamagedError`."""
        found: list[RawMessage] = []
        at = self.position
        while len(found) < messages_max:
            later = [number for number in numbers(self.folder) if number > at.file]  # looked up before reading: see `_rest`
            some, behind = self._rest(at, messages_max - len(found), is_last=not later)
            found += some
            if behind == at and not later:
                break
            at = behind if behind != at else Position(min(later), 0)
        return found, at

    def _rest(self, at: Position, messages_max: int, *, is_last: bool) -> tuple[list[RawMessage], Position]:
        """Groups of the file at the position. What is no whole group is being written in the last file, and torn in others,
        which nobody writes to any more."""
        data = self._data(at)
        found: list[RawMessage] = []
        start = 0
        while start < len(data) and len(found) < messages_max:
            try:
                some, start = decode_group(data, start)
            except Torn:
                break
            except msgspec.DecodeError:
                msg = f"{file_of(self.folder, at.file)} holds at byte {at.place + start} what this release can't read"
                raise JournalDamagedError(msg) from None
            found += some
        if not start and data and not is_last:
            if stands_behind(self._all(at), 0):
                msg = f"{file_of(self.folder, at.file)} is damaged at byte {at.place}"
                raise JournalDamagedError(msg)
            self._torn.add(at.file)
        return found, Position(at.file, at.place + start)

    def _data(self, at: Position) -> bytes:
        """Bytes from a position on: one group whole, however large, and what follows within `READ_BYTES`."""
        try:
            with file_of(self.folder, at.file).open("rb", buffering=0) as file:
                file.seek(at.place)
                data = file.read(READ_BYTES)
                with contextlib.suppress(Torn):
                    missing = group_length(data[:HEAD_BYTES]) - len(data)
                    if missing > 0:
                        data += file.read(missing)
        except FileNotFoundError:
            return b""
        return data

    def _all(self, at: Position) -> bytes:
        with file_of(self.folder, at.file).open("rb") as file:
            file.seek(at.place)
            return file.read()

    def waits(self) -> bool:
        """Whether there are bytes behind the position: to be taken over, or being written."""
        last = max(numbers(self.folder), default=0)
        return last > self.position.file or _size(file_of(self.folder, self.position.file)) > self.position.place

    def taken(self, position: Position) -> None:
        """The hub has on disk that it took over so far: files before the position are not needed any more."""
        self.position = position
        for number in numbers(self.folder):
            path = file_of(self.folder, number)
            if number in self._torn and number < position.file:
                path.replace(path.with_suffix(".torn"))
                _log.warning("journal_torn", file=path.with_suffix(".torn").name)
            elif number < position.file:
                path.unlink(missing_ok=True)
        self._torn.clear()


def numbers(folder: Path) -> list[int]:
    """Numbers of the files that are there, in order."""
    names = [name.partition(".") for name in os.listdir(folder)]  # noqa: PTH208  # ten times as fast, and looked at all the time
    return sorted(int(stem) for stem, _, kind in names if kind == "journal" and stem.isdigit())


def file_of(folder: Path, number: int) -> Path:
    """The file of a number."""
    return folder / f"{number:012d}.journal"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _write_all(file: int, data: bytes) -> None:
    written = 0
    while written < len(data):
        written += os.write(file, memoryview(data)[written:])


def _in_words(error: OSError) -> str:
    return "the disk is full" if error.errno in _NO_ROOM else f"the disk fails ({error.strerror})"


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
