"""The data folder of an embedded hub: who owns it, which format it has, who holds it now.

A folder is created only when it is absent or empty. A marker file names format and hub; a lock file is held by the one process
that writes; a running hub leaves its address there, so that command-line tools can talk to it.
"""

from __future__ import annotations

import json
import os
import secrets
import uuid
from pathlib import Path
from typing import Any, Final

from schemas.hub_folder import MARKER
from topology.embedded.rocks import RocksStore
from topology.errors import FolderRefusedError
from topology.folder import LOCK, HubFolder

FORMAT: Final = 1
_DRAFT: Final = "wardstock.json.new"
_CLOSED: Final = "closed"
_KEY_FILE: Final = "patient.key"
_SECRET_BYTES: Final = 32


class DataFolder(HubFolder):
    """An embedded hub's folder. `store` is its database; `patient_key` the secret of the patient hash."""

    def __init__(self, path: Path, *, closed_too: bool = False) -> None:
        """Take the folder, one that was closed for good only when `closed_too` says so.

        Raises `FolderRefusedError` with what to do when it can't be taken.
        """
        new = _is_new(path)
        path.mkdir(parents=True, exist_ok=True)
        if new:
            path.chmod(0o700)
        super().__init__(path)
        try:
            if not closed_too:
                _check_open(path)
            self.marker = _draft_marker(path) if new else _check_marker(path)
            self.patient_key = _secret(path, new=new)
            self.store = RocksStore(path, create=new)
            if new:
                (path / _DRAFT).replace(path / MARKER)
        except BaseException:
            super().close()
            raise

    def reopen(self) -> None:
        """Close the database after a fault and open it again; nothing durable is lost."""
        self.store.close()
        self.store = RocksStore(self.path, create=False)

    def close_for_good(self, why: str) -> None:
        """Note durably that no hub may run on this folder any more, and why."""
        note = self.path / _CLOSED
        note.write_text(why, encoding="utf-8")
        with note.open("rb") as file:
            os.fsync(file.fileno())

    def close(self) -> None:
        """Close the database, take the address back, release the lock."""
        self.store.close()
        super().close()


def patient_key_of(path: Path) -> bytes:
    """The secret of the patient hash of a hub's folder. Raises `FolderRefusedError` when it is missing or damaged."""
    return _secret(path, new=False)


def is_hub_folder(path: Path) -> bool:
    """Whether an embedded hub was made here."""
    return (path / MARKER).exists()


def _is_new(path: Path) -> bool:
    """Whether the folder may be created here. A folder with other things in it is refused."""
    if not path.exists():
        return True
    if not path.is_dir():
        msg = f"{path} is a file, not a folder"
        raise FolderRefusedError(msg)
    if (path / MARKER).exists():
        return False
    if (path / _DRAFT).exists():
        # Creation was interrupted before the folder was ready, so nothing was ever stored or acknowledged in it.
        return True
    found = sorted(entry.name for entry in path.iterdir() if entry.name != LOCK)
    if found:
        msg = f"{path} holds other things ({', '.join(found[:3])}) and is no hub's folder: name an empty or new one with --data"
        raise FolderRefusedError(msg)
    return True


def _check_open(path: Path) -> None:
    note = path / _CLOSED
    if note.exists():
        why = note.read_text(encoding="utf-8")
        msg = f"{path} is closed: {why}. Two hubs on one history would count twice; delete {note} only to give that move up"
        raise FolderRefusedError(msg)


def _draft_marker(path: Path) -> dict[str, Any]:
    """The marker of a folder in the making; it becomes the real one when the database stands."""
    marker = {"format": FORMAT, "hub": str(uuid.uuid4())}
    draft = path / _DRAFT
    draft.write_text(json.dumps(marker), encoding="utf-8")
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    return marker


def _check_marker(path: Path) -> dict[str, Any]:
    try:
        marker: dict[str, Any] = json.loads((path / MARKER).read_text(encoding="utf-8"))
        found = marker["format"]
    except (OSError, ValueError, KeyError, TypeError):
        msg = f"{path / MARKER} can't be read: restore the folder from a backup"
        raise FolderRefusedError(msg) from None
    if found != FORMAT:
        age = "an older" if isinstance(found, int) and found < FORMAT else "a newer"
        msg = f"{path} was written by {age} release (format {found}, this one reads {FORMAT}): use that release to open it"
        raise FolderRefusedError(msg)
    return marker


def _secret(path: Path, *, new: bool) -> bytes:
    """The secret of the patient hash, made once, readable by the owner only. With another key one patient would become two."""
    target = path / _KEY_FILE
    if target.exists() and len(key := target.read_bytes()) == _SECRET_BYTES:
        return key
    if not new:
        msg = f"{target} is missing or damaged, and without it patients can't be recognised again: restore it from a backup"
        raise FolderRefusedError(msg)
    target.unlink(missing_ok=True)
    key = secrets.token_bytes(_SECRET_BYTES)
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    return key
