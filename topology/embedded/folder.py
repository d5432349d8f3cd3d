"""The data folder of an embedded hub: who owns it, which format it has, who holds it now.

A folder is created only when it is absent or empty. A marker file names format and hub; a lock file is held by the one process
that writes; a running hub leaves its address there, so that command-line tools can talk to it.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import uuid
from pathlib import Path
from typing import Any, Final

from topology.embedded.rocks import RocksStore
from topology.errors import FolderRefusedError

FORMAT: Final = 1
_MARKER: Final = "wardstock.json"
_DRAFT: Final = "wardstock.json.new"
_LOCK: Final = "lock"
_ADDRESS: Final = "hub.json"
_KEY_FILE: Final = "patient.key"
_SECRET_BYTES: Final = 32


class DataFolder:
    """A hub's folder, locked by this process. `store` is its database; `patient_key` the secret of the patient hash."""

    def __init__(self, path: Path) -> None:
        """Take the folder. Raises `FolderRefusedError` with what to do when it can't be taken."""
        self.path = path
        new = _is_new(path)
        path.mkdir(parents=True, exist_ok=True)
        if new:
            path.chmod(0o700)
        self._lock = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            running = running_hub(path)
            where = f" at {running['url']}" if running and running.get("url") else ""
            msg = f"another hub uses {path}{where}: stop it first, or name another folder with --data"
            raise FolderRefusedError(msg) from None
        try:
            self.marker = _draft_marker(path) if new else _check_marker(path)
            self.patient_key = _secret(path, new=new)
            self.store = RocksStore(path, create=new)
            if new:
                (path / _DRAFT).replace(path / _MARKER)
        except BaseException:
            os.close(self._lock)
            raise

    def announce(self, url: str, token: str) -> None:
        """Leave the running hub's address and token for command-line tools of the same user."""
        target = self.path / _ADDRESS
        draft = target.with_suffix(".new")
        draft.touch(mode=0o600)
        draft.write_text(json.dumps({"url": url, "token": token, "pid": os.getpid()}), encoding="utf-8")
        draft.replace(target)

    def reopen(self) -> None:
        """Close the database after a fault and open it again; nothing durable is lost."""
        self.store.close()
        self.store = RocksStore(self.path, create=False)

    def stamp(self, name: str, value: str) -> None:
        """Note a fact about the folder beside the database: never anything that stock depends on."""
        (self.path / f"{name}.stamp").write_text(value, encoding="utf-8")

    def stamped(self, name: str) -> str | None:
        """A noted fact, or None."""
        path = self.path / f"{name}.stamp"
        return path.read_text(encoding="utf-8") if path.exists() else None

    def close(self) -> None:
        """Close the database, take the address back, release the lock."""
        self.store.close()
        (self.path / _ADDRESS).unlink(missing_ok=True)
        os.close(self._lock)


def running_hub(path: Path) -> dict[str, Any] | None:
    """Address of the hub that runs on a folder, or None. A left-over of a killed hub does not count: its lock is free."""
    try:
        address = json.loads((path / _ADDRESS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return address if isinstance(address, dict) and is_locked(path) else None


def is_locked(path: Path) -> bool:
    """Whether a process holds the folder."""
    try:
        probe = os.open(path / _LOCK, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    else:
        fcntl.flock(probe, fcntl.LOCK_UN)
        return False
    finally:
        os.close(probe)


def _is_new(path: Path) -> bool:
    """Whether the folder may be created here. A folder with other things in it is refused."""
    if not path.exists():
        return True
    if not path.is_dir():
        msg = f"{path} is a file, not a folder"
        raise FolderRefusedError(msg)
    if (path / _MARKER).exists():
        return False
    if (path / _DRAFT).exists():
        # Creation was interrupted before the folder was ready, so nothing was ever stored or acknowledged in it.
        return True
    found = sorted(entry.name for entry in path.iterdir() if entry.name != _LOCK)
    if found:
        msg = f"{path} holds other things ({', '.join(found[:3])}) and is no hub's folder: name an empty or new one with --data"
        raise FolderRefusedError(msg)
    return True


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
        marker: dict[str, Any] = json.loads((path / _MARKER).read_text(encoding="utf-8"))
        found = marker["format"]
    except (OSError, ValueError, KeyError, TypeError):
        msg = f"{path / _MARKER} can't be read: restore the folder from a backup"
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
