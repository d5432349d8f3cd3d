"""The spool: an append-only, signed log of requests in files, and how far they were handed over.

What `append` has returned for is on disk (fsync) and is handed over in the end, whatever happens to the process. A record that
was being written when the process or the machine died was never answered with success: its bytes are set aside, not deleted.
Records that don't follow each other, or bear another signature, were changed by somebody: the spool refuses to open and says
where.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from connectors.edge.record import (
    FIRST,
    HEAD_BYTES,
    Framed,
    FrameError,
    Record,
    Request,
    frame,
    read_frame,
    read_frames,
    stands_behind,
)

SEGMENT_BYTES: Final = 16 * 1024 * 1024
"""A file is closed when it has grown to this size, and deleted when all of it was handed over."""
KEY_BYTES: Final = 32
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class SpoolFullError(Exception):
    """There is no room for the request: nothing of it was kept. The text says which limit."""


class SpoolDamagedError(Exception):
    """A file of the spool was changed or lost. The text names it and the place."""


class Cursor(msgspec.Struct, frozen=True):
    """The last record that was handed over: its number and signature."""

    number: int = 0
    signature: bytes = FIRST


class Spool:
    """A folder with the key, the files of records, and the cursor. Of one process and one thread at a time."""

    def __init__(self, folder: Path, bytes_max: int) -> None:
        """Open or make it. `bytes_max`: of files with records not handed over. Raises `SpoolDamagedError`."""
        self.folder = folder
        self.bytes_max = bytes_max
        self.set_aside: list[str] = []
        """Names of files that hold what was being written when an earlier process ended."""
        folder.mkdir(parents=True, exist_ok=True)
        self._key = self._own_key()
        self._cursor = self._read_cursor()
        self.last, self._signature = self._cursor.number, self._cursor.signature
        self._sizes: dict[Path, int] = {}
        self._place: tuple[Path, int] | None = None
        self._file: BinaryIO | None = None
        for path in sorted(folder.glob("*.spool")):
            self._open(path, is_last=path == max(folder.glob("*.spool")))

    # ---- keeping -------------------------------------------------------------------------------------------------------

    def append(self, requests: Sequence[Request]) -> int:
        """Keep requests, durable when it returns; the number of the last. Raises `SpoolFullError`, keeping none of them."""
        number, signature, data = self.last, self._signature, bytearray()
        for request in requests:
            number += 1
            one, signature = frame(Record(number, signature, request), self._key)
            data += one
        if self.bytes_held + len(data) > self.bytes_max:
            msg = f"the spool holds {self.bytes_held} bytes that are not handed over, its limit is {self.bytes_max}"
            raise SpoolFullError(msg)
        try:
            self._write(bytes(data))
        except OSError as error:
            if error.errno in _NO_ROOM:
                msg = "the disk is full"
                raise SpoolFullError(msg) from None
            raise
        self.last, self._signature = number, signature
        return number

    def _write(self, data: bytes) -> None:
        """All of it or nothing: what a failed write left is cut off before the next one."""
        path = Path(self._file.name) if self._file is not None else None
        if self._file is None or path is None or self._sizes[path] >= SEGMENT_BYTES:
            self.close()
            path = self.folder / f"{self.last + 1:016d}.spool"
            self._file = path.open("ab", buffering=0)
            self._sizes.setdefault(path, 0)
            _sync_folder(self.folder)
        size = self._sizes[path]
        self._file.truncate(size)
        written = 0
        try:
            while written < len(data):
                written += self._file.write(data[written:]) or 0
            os.fsync(self._file.fileno())
        except OSError:
            with contextlib.suppress(OSError):
                self._file.truncate(size)
            raise
        self._sizes[path] = size + len(data)

    # ---- handing over --------------------------------------------------------------------------------------------------

    def next(self) -> Framed | None:
        """The first record that was not handed over; None when there is none. Raises `SpoolDamagedError`."""
        while self.count_waiting:
            path, place = self._place or (min(self._sizes), 0)
            if place >= self._sizes[path]:
                later = [one for one in self._sizes if one > path]
                if not later:
                    return None
                self._place = (min(later), 0)
                continue
            found = self._read(path, place)
            if found.record.number > self._cursor.number:
                self._place = (path, place)
                return found
            self._place = (path, found.end)
        return None

    def _read(self, path: Path, place: int) -> Framed:
        try:
            with path.open("rb") as file:
                file.seek(place)
                head = file.read(HEAD_BYTES)
                data = head + file.read(int.from_bytes(head[:4], "big"))
            found = read_frame(data, 0, self._key)
        except (OSError, FrameError) as error:
            msg = f"{path.name} at byte {place}: {error}"
            raise SpoolDamagedError(msg) from None
        return Framed(found.record, found.signature, place, place + found.end)

    def handed_over(self, found: Framed) -> None:
        """The record that `next` gave is the hub's now; kept in memory until `save`."""
        self._cursor = Cursor(found.record.number, found.signature)
        if self._place is not None:
            self._place = (self._place[0], found.end)

    def save(self) -> None:
        """Remember on disk how far it was handed over, and delete files of which nothing waits.

        On a full disk it is not remembered: after a restart the hub is told again what it knows already.
        """
        with contextlib.suppress(OSError):
            _replace(self.folder / "cursor", msgspec.msgpack.encode(self._cursor))
            paths = sorted(self._sizes)
            for path, following in pairwise(paths):
                if int(following.stem) <= self._cursor.number + 1:
                    path.unlink(missing_ok=True)
                    del self._sizes[path]
                    self._place = None if self._place is None or self._place[0] == path else self._place

    def refuse(self, found: Framed, answer: str) -> None:
        """Set a record aside that the hub will never take, with its answer."""
        path = self.folder / "refused" / f"{found.record.number:016d}.json"
        path.parent.mkdir(exist_ok=True)
        _replace(path, msgspec.json.encode({"answer": answer, "record": found.record}))

    @property
    def count_waiting(self) -> int:
        """Records not handed over."""
        return self.last - self._cursor.number

    @property
    def bytes_held(self) -> int:
        """Bytes of the files; one that holds a record not handed over counts whole."""
        return sum(self._sizes.values()) if self.count_waiting else 0

    def close(self) -> None:
        """Let go of the open file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    # ---- opening -------------------------------------------------------------------------------------------------------

    def _open(self, path: Path, *, is_last: bool) -> None:
        """Walk through a file's records; the end of the last file, when it is no record, was being written: set aside."""
        data = path.read_bytes()
        end = 0
        try:
            for found in read_frames(data, self._key):
                self._take(found, path)
                end = found.end
        except FrameError as error:
            if not is_last or not error.is_torn or stands_behind(data, error.place, self._key):
                msg = f"{path.name} at byte {error.place}: {error}"
                raise SpoolDamagedError(msg) from None
            self._cut(path, data, error.place)
        self._sizes[path] = end

    def _take(self, found: Framed, path: Path) -> None:
        number = found.record.number
        if number <= self._cursor.number:
            return
        if (number, found.record.before) != (self.last + 1, self._signature):
            msg = f"{path.name}: record {self.last + 1} is missing or was changed; {number} stands in its place"
            raise SpoolDamagedError(msg)
        self.last, self._signature = number, found.signature

    def _cut(self, path: Path, data: bytes, place: int) -> None:
        """Take what is no whole record off the end of the last file, and keep it beside."""
        name = f"{path.stem}-{place}.torn"
        _replace(self.folder / name, data[place:])
        with path.open("r+b") as file:
            file.truncate(place)
            os.fsync(file.fileno())
        self.set_aside.append(name)

    def _own_key(self) -> bytes:
        path = self.folder / "key"
        if not path.exists():
            if any(self.folder.glob("*.spool")):
                msg = "the file key is missing, and there are records: put it back"
                raise SpoolDamagedError(msg)
            _replace(path, secrets.token_bytes(KEY_BYTES), mode=0o600)
        return path.read_bytes()

    def _read_cursor(self) -> Cursor:
        path = self.folder / "cursor"
        if not path.exists():
            if any(self.folder.glob("*.spool")):
                msg = "the file cursor is missing, and there are records: put it back"
                raise SpoolDamagedError(msg)
            _replace(path, msgspec.msgpack.encode(Cursor()))
        return msgspec.msgpack.decode(path.read_bytes(), type=Cursor)


def _replace(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write a whole file or nothing."""
    beside = path.with_name(path.name + ".new")
    beside.touch(mode)
    with beside.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
