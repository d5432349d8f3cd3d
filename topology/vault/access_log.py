"""Who opened the vault, when, why, for which notice, and how many patients were asked for. Written before anything is shown.

One JSON object a line, each with the SHA-256 of the line before it and signed with the vault's key, as the edge spool signs its
records. The vault seals the number and digest of the newest line from the beginning, so that a changed, a missing and a cut-off
line show, and a log that is gone. No line names a patient.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from topology.vault.errors import VaultError
from topology.vault.store import NEWEST_OPENING, Vault

LOG_FILE: Final = "access.log"


def write_opening(
    vault: Vault, *, at: datetime, by: str, reason: str, notice: str, sites: list[str], patients: int, staff: int = 0
) -> None:  # fmt: skip
    """Note an opening durably. Raises `VaultError` when it can't be written: then the vault must stay closed."""
    path = vault.folder / LOG_FILE
    try:
        with _alone(path) as descriptor:
            number, previous = _newest(vault, path)
            line = {
                "number": number + 1, "at": at.isoformat(timespec="seconds"), "by": by, "reason": reason, "notice": notice,
                "sites": sites, "patients": patients, **({"staff": staff} if staff else {}), "previous": previous,
            }  # fmt: skip
            data = _encoded({**line, "signature": vault.signature(_encoded(line))}) + b"\n"
            cut = not _is_whole(path)  # a line that was being written when the process died stays a line of its own
            if os.write(descriptor, b"\n" * cut + data) != len(data) + cut:
                raise OSError
            os.fsync(descriptor)
            vault.set_note(NEWEST_OPENING, f"{number + 1} {_digest(data)}")
    except OSError as error:
        msg = f"{path} can't be written ({error.strerror or 'disk full'}): without its access log the vault stays closed"
        raise VaultError(msg) from None


def read_log(vault: Vault) -> tuple[list[dict[str, Any]], str | None]:
    """Openings, the oldest first, and what is wrong with the log; none when every line is as it was written."""
    try:
        noted, digest = _noted(vault)  # before the lines: an opening that is being written notes itself last
    except VaultError:
        return [], "what the vault notes of its newest line is gone or was changed"
    path = vault.folder / LOG_FILE
    found: list[dict[str, Any]] = []
    previous = ""
    for data in _lines(path):
        line = _parsed(data)
        if line is None or line.get("number") != len(found) + 1 or line.get("previous") != previous:
            return found, f"line {len(found) + 1} is not as it was written, or lines before it are missing"
        if not hmac.compare_digest(str(line.pop("signature", "")), vault.signature(_encoded(line))):
            return found, f"line {len(found) + 1} is not signed with the vault's key: somebody else wrote it"
        found.append(line)
        previous = _digest(data)
        if len(found) == noted and previous != digest:
            return found[:-1], f"line {noted} is not as it was written"
    if len(found) < noted:
        gone = "it is gone" if not path.exists() else f"{noted - len(found)} of its {noted} lines are missing at the end"
        return found, gone if found or not path.exists() else f"all of its {noted} lines are missing"
    if len(found) > noted:  # the process died between the two, or the vault was made anew beside its log
        vault.set_note(NEWEST_OPENING, f"{len(found)} {previous}")
    return found, None


def _noted(vault: Vault) -> tuple[int, str]:
    """Number and digest of the newest line as the vault knows it. Raises `VaultError` when it does not."""
    number, _, digest = (vault.note(NEWEST_OPENING) or "").partition(" ")
    if not number:
        msg = "the vault's note of the newest line of its access log is gone"
        raise VaultError(msg)
    return int(number), digest


@contextmanager
def _alone(path: Path) -> Iterator[int]:
    """The log open for appending, by one process at a time."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _newest(vault: Vault, path: Path) -> tuple[int, str]:
    """Number and digest of the newest line: the file's own, unless the vault knows of a later one.

    Where the vault's note is gone or was changed the next line fits no other: the vault opens, and the fault stays to be seen.
    """
    lines = _lines(path)
    last = _parsed(lines[-1]) if lines else None
    own = last.get("number") if last is not None else 0
    own = own if isinstance(own, int) else 0
    try:
        number, digest = _noted(vault)
    except VaultError:
        return own, "unknown"
    return (own, _digest(lines[-1])) if own > number else (number, digest)


def _is_whole(path: Path) -> bool:
    data = path.read_bytes()
    return not data or data.endswith(b"\n")


def _lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True) if path.exists() else []


def _encoded(line: dict[str, Any]) -> bytes:
    return json.dumps(line, ensure_ascii=False).encode()


def _parsed(data: bytes) -> dict[str, Any] | None:
    try:
        line = json.loads(data)
    except ValueError:
        return None
    return line if isinstance(line, dict) else None


def _digest(data: bytes) -> str:
    return hashlib.sha256(data.rstrip(b"\n")).hexdigest()
