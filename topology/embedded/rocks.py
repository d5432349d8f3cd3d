"""RocksDB (rocksdict) as the embedded store. Recovery never starts from less than was synced.

`tolerate_corrupted_tail_records` is set because the library's default recovery silently drops synced rows after one flipped
byte; a database is created only where `folder` says the folder is new.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from rocksdict import DBRecoveryMode, Options, Rdict, WriteBatch, WriteOptions

from topology.embedded.store import FAMILIES, Family, Write
from topology.errors import FolderRefusedError
from topology.filters import with_filters

COMMIT_KEY: Final = b"commit"
_SYNCED_FILE: Final = "synced"
_NUMBER_BYTES: Final = 8


class RocksStore:
    """One database folder. Raises `FolderRefusedError` when it can't be opened whole."""

    def __init__(self, path: Path, *, create: bool) -> None:
        """Open (or, for a new folder, create) the database below `path`."""
        database = path / "db"
        if not create and not (database / "CURRENT").exists():
            msg = f"{path} is a hub's folder but its database is incomplete (no CURRENT file): restore it from a backup"
            raise FolderRefusedError(msg)
        self._synced_path = path / _SYNCED_FILE
        if create:
            _write_synced(self._synced_path, 0)
        synced = _read_synced(self._synced_path)
        try:
            families: dict[str, Options] = {family: _options(create=create) for family in FAMILIES}
            self._db = Rdict(str(database), _options(create=create), column_families=families)
        except Exception as error:  # noqa: BLE001  # rocksdict raises plain Exception
            msg = f"the database in {path} is damaged and was left as it is ({_short(error)}): restore it from a backup"
            raise FolderRefusedError(msg) from None
        self._families: dict[Family, Any] = {family: self._db.get_column_family(family) for family in FAMILIES}
        self._handles = {family: self._db.get_column_family_handle(family) for family in FAMILIES}
        self._unsynced = WriteOptions()
        self._unsynced.sync = False
        self._commit = int.from_bytes(self.get("meta", COMMIT_KEY) or b"", "big")
        self._synced_file = os.open(self._synced_path, os.O_RDWR)
        if self._commit < synced:
            self.close()
            msg = (
                f"the database in {path} ends at commit {self._commit}, but commit {synced} was synced: "
                "durable records are missing (a damaged or deleted log file); restore it from a backup"
            )
            raise FolderRefusedError(msg)

    def get(self, family: Family, key: bytes) -> bytes | None:
        """The value of a key."""
        value: bytes | None = self._families[family].get(key)
        return value

    def scan(self, family: Family, start: bytes, end: bytes, *, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """Pairs with start ≤ key < end."""
        if reverse:
            for key, value in self._families[family].items(backwards=True, from_key=end):
                if key >= end:
                    continue
                if key < start:
                    return
                yield key, value
            return
        for key, value in self._families[family].items(from_key=start):
            if key >= end:
                return
            yield key, value

    def write(self, batch: Sequence[Write]) -> None:
        """Apply a batch in one write: all of it or nothing."""
        writes = WriteBatch(raw_mode=True)
        handles, put = self._handles, writes.put
        for family, key, value in batch:
            if value is None:
                writes.delete(key, handles[family])
            else:
                put(key, value, handles[family])
        self._commit += 1
        writes.put(COMMIT_KEY, self._commit.to_bytes(_NUMBER_BYTES, "big"), handles["meta"])
        self._db.write(writes, self._unsynced)

    def sync(self) -> None:
        """Sync the write-ahead log to disk; then note the commit number outside the database."""
        self._db.flush_wal(sync=True)
        os.pwrite(self._synced_file, _synced_text(self._commit), 0)

    def close(self) -> None:
        """Close the database. Column families keep it open (and locked) until the last of them is let go. Twice is no error."""
        if not self._families:
            return
        for family in self._families.values():
            family.close()
        self._families.clear()
        self._handles.clear()
        self._db.close()
        if hasattr(self, "_synced_file"):
            os.close(self._synced_file)
            del self._synced_file


def _options(*, create: bool) -> Options:
    options = Options(raw_mode=True)
    options.create_if_missing(create)
    options.create_missing_column_families(create)
    options.set_wal_recovery_mode(DBRecoveryMode.tolerate_corrupted_tail_records())
    options.set_keep_log_file_num(4)
    options.set_write_buffer_size(64 * 1024 * 1024)
    return with_filters(options)


def _synced_text(commit: int) -> bytes:
    return b"%020d\n" % commit


def _write_synced(path: Path, commit: int) -> None:
    """Note a commit number durably, before there is anything it could be compared with."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(_synced_text(commit))
        file.flush()
        os.fsync(file.fileno())


def _read_synced(path: Path) -> int:
    """The commit number that was durable at the last sync. A missing file is damage: it was written when the folder was made."""
    text = path.read_bytes().strip() if path.exists() else b""
    if not text.isdigit():
        msg = f"{path} does not hold a commit number: restore the folder from a backup"
        raise FolderRefusedError(msg)
    return int(text)


def _short(error: BaseException) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
