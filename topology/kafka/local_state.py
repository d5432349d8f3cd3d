"""The local copy of one partition's state: a cache in RocksDB of what the changelog topic says, never ahead of it.

It needs no write-ahead log: everything in it can be read again. State and changelog position are one write batch in one column
family, so a copy that lost its newest writes in a crash is an older copy, whole. One that can't be trusted is wiped.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rocksdict import Options, Rdict, WriteBatch, WriteOptions

from schemas.keys import prefix_end
from topology.filters import with_filters
from topology.kafka.changelog import POSITION_KEY

_CHANGELOG: Final = b"\x00changelog"
_TOPIC: Final = b"\x00topic"
_TOUCHED: Final = b"\x00touched"
_NUMBER_BYTES: Final = 8
_CLOCK_SECONDS_MAX: Final = 3600
_WRITE_BUFFER_BYTES: Final = 8 * 1024 * 1024  # for each partition that a worker holds

Pair = tuple[bytes, bytes | None]
"""A changelog record: key, and value or a deletion."""


@dataclass(frozen=True, slots=True)
class Trust:
    """What a local copy must match to be used: the changelog topic's identity and end, and how old the copy may be."""

    topic_id: str
    end: int
    age_seconds_max: float


class LocalState:
    """One database folder."""

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        """Open the copy, or begin one. One that can't be opened is begun anew."""
        self.path = path
        self._now = now
        self.wiped: str | None = None
        self._condemned = path.with_name(f"{path.name}.unreadable")
        if self._condemned.exists():
            shutil.rmtree(path, ignore_errors=True)
            self._condemned.unlink()
            self.wiped = "a part of it could not be read"
        try:
            self._db = _open(path)
        except Exception as error:  # noqa: BLE001  # rocksdict raises plain Exception
            self._wipe(f"it can't be opened ({type(error).__name__})")

    @property
    def changelog_position(self) -> int:
        """The changelog offset up to which the copy holds everything."""
        return int.from_bytes(self._db.get(_CHANGELOG) or b"", "big")

    @property
    def position_record(self) -> bytes | None:
        """The newest input position, as the changelog carries it."""
        value: bytes | None = self._db.get(POSITION_KEY)
        return value

    def distrust(self, trust: Trust) -> str | None:
        """Wipe the copy when it can't be trusted; returns why. A new copy is always trusted."""
        topic, touched = self._db.get(_TOPIC), self._db.get(_TOUCHED)
        why: str | None = None
        if topic is not None and topic.decode("ascii") != trust.topic_id:
            why = "the changelog topic was made anew"
        elif self.changelog_position > trust.end:
            why = f"it is at {self.changelog_position}, beyond the changelog's end {trust.end}"
        elif touched is not None and not self._is_recent(int.from_bytes(touched, "big"), trust.age_seconds_max):
            why = "it is so old that it may have missed deletions, or its clock was ahead"
        if why is not None:
            self._wipe(why)
        writes = WriteBatch(raw_mode=True)
        writes.put(_TOPIC, trust.topic_id.encode("ascii"))
        if not self.changelog_position:
            self._stamp(writes)  # who reads from the beginning sees every deletion that is there now
        self._db.write(writes, _without_log())
        return why

    def _is_recent(self, confirmed: int, age_seconds_max: float) -> bool:
        return -_CLOCK_SECONDS_MAX <= self._now() - confirmed <= age_seconds_max

    def confirm(self) -> None:
        """Note that the copy holds everything the changelog says, as of now.

        Its age counts from here, not from the last write: a restore that was broken off may not have come to the deletions.
        """
        writes = WriteBatch(raw_mode=True)
        self._stamp(writes)
        self._db.write(writes, _without_log())

    def apply(self, pairs: Iterable[Pair], changelog_position: int, *, confirmed: bool = False) -> None:
        """Take changelog records in, with the position behind them; `confirmed` when that is all there is."""
        writes = WriteBatch(raw_mode=True)
        for key, value in pairs:
            if value is None:
                writes.delete(key)
            else:
                writes.put(key, value)
        writes.put(_CHANGELOG, changelog_position.to_bytes(_NUMBER_BYTES, "big"))
        if confirmed:
            self._stamp(writes)
        self._db.write(writes, _without_log())

    def get(self, key: bytes) -> bytes | None:
        """The value of a key."""
        try:
            value: bytes | None = self._db.get(key)
        except Exception:
            self._condemn()
            raise
        return value

    def scan(self, start: bytes, end: bytes, *, reverse: bool) -> Iterator[tuple[bytes, bytes]]:
        """Pairs with start ≤ key < end."""
        try:
            yield from self._scanned(start, end, reverse=reverse)
        except Exception:
            self._condemn()
            raise

    def _scanned(self, start: bytes, end: bytes, *, reverse: bool) -> Iterator[tuple[bytes, bytes]]:
        if reverse:
            for key, value in self._db.items(backwards=True, from_key=end):
                if key >= end:
                    continue
                if key < start:
                    return
                yield key, value
            return
        for key, value in self._db.items(from_key=start):
            if key >= end:
                return
            yield key, value

    def backend(self, table: str) -> TableBackend:
        """The committed state of one table."""
        return TableBackend(self, table)

    def close(self) -> None:
        """Write what is only in memory and let the folder go. Twice is no error."""
        if self._db is not None:
            self._db.flush()
            self._db.close()
            self._db = None

    def wipe(self, why: str) -> None:
        """Begin anew."""
        self._wipe(why)

    def _condemn(self) -> None:
        """A part of the copy can't be read: the next start begins anew, instead of failing at the same place again."""
        self._condemned.touch()

    def _wipe(self, why: str) -> None:
        if getattr(self, "_db", None) is not None:
            self._db.close()
        shutil.rmtree(self.path, ignore_errors=True)
        self.wiped = why
        self._db = _open(self.path)

    def _stamp(self, writes: WriteBatch) -> None:
        writes.put(_TOUCHED, int(self._now()).to_bytes(_NUMBER_BYTES, "big"))


class TableBackend:
    """One table's part of the copy (the `Backend` contract of `streams.state`)."""

    __slots__ = ("_prefix", "_skip", "_state")

    def __init__(self, state: LocalState, table: str) -> None:
        """Keys stand below the table's name."""
        self._state = state
        self._prefix = table_prefix(table)
        self._skip = len(self._prefix)

    def get(self, key: bytes) -> bytes | None:
        """The committed value of a key."""
        return self._state.get(self._prefix + key)

    def scan(self, start: bytes, end: bytes, *, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """Committed pairs with start ≤ key < end."""
        skip = self._skip
        low, high = self._prefix + start, min(self._prefix + end, prefix_end(self._prefix))
        for key, value in self._state.scan(low, high, reverse=reverse):
            yield key[skip:], value


def table_prefix(table: str) -> bytes:
    """Key prefix of a table, in the changelog and in the local copy."""
    return table.encode("ascii") + b"\x00"


def _open(path: Path) -> Any:
    path.parent.mkdir(parents=True, exist_ok=True)
    options = Options(raw_mode=True)
    options.create_if_missing(create_if_missing=True)
    options.set_write_buffer_size(_WRITE_BUFFER_BYTES)
    options.set_keep_log_file_num(2)
    return Rdict(str(path), with_filters(options))


def _without_log() -> WriteOptions:
    options = WriteOptions()
    options.disable_wal = True  # type: ignore[method-assign,assignment]  # a property that the stub calls a method
    return options
