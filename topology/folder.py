"""A hub's folder: held by one process, which leaves its address there for command-line tools of the same user."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import Any, Final

from topology.errors import FolderRefusedError

LOCK: Final = "lock"
_ADDRESS: Final = "hub.json"


class HubFolder:
    """A folder locked by this process."""

    def __init__(self, path: Path) -> None:
        """Lock the folder, which exists. Raises `FolderRefusedError` when another process has it."""
        self.path = path
        self._lock = os.open(path / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            running = running_hub(path)
            where = f" at {running['url']}" if running and running.get("url") else ""
            msg = f"another hub uses {path}{where}: stop it first, or name another folder with --data"
            raise FolderRefusedError(msg) from None

    def announce(self, url: str, token: str) -> None:
        """Leave the running hub's address and token for command-line tools of the same user."""
        target = self.path / _ADDRESS
        draft = target.with_suffix(".new")
        draft.touch(mode=0o600)
        draft.write_text(json.dumps({"url": url, "token": token, "pid": os.getpid()}), encoding="utf-8")
        draft.replace(target)

    def stamp(self, name: str, value: str) -> None:
        """Note a fact about the folder beside the database: never anything that stock depends on."""
        (self.path / f"{name}.stamp").write_text(value, encoding="utf-8")

    def stamped(self, name: str) -> str | None:
        """A noted fact, or None."""
        path = self.path / f"{name}.stamp"
        return path.read_text(encoding="utf-8") if path.exists() else None

    def close(self) -> None:
        """Take the address back, release the lock."""
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
        probe = os.open(path / LOCK, os.O_RDWR)
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
