"""The key of a vault: from the environment, else a file of its own that is made once and readable by its owner only."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path
from typing import Final

from topology.vault.errors import VaultError

KEY_VARIABLE: Final = "WARDSTOCK_VAULT_KEY"
KEY_FILE: Final = "vault.key"
KEY_BYTES: Final = 32
_HEX: Final = re.compile(r"[0-9a-fA-F]{64}")


def vault_key(folder: Path, *, new: bool) -> bytes:
    """The key. Without one in the environment or the folder it is made when the vault is `new`.

    Raises `VaultError` when it is missing, is no key, or others may read it.
    """
    given = os.environ.get(KEY_VARIABLE)
    if given is not None:
        if not _HEX.fullmatch(given):
            msg = f"{KEY_VARIABLE} must be 64 hex digits: make it once with `openssl rand -hex 32`"
            raise VaultError(msg)
        return bytes.fromhex(given)
    target = folder / KEY_FILE
    if not target.exists():
        if not new:
            msg = f"{target} is missing and {KEY_VARIABLE} is not set: without its key the vault names nobody; restore it"
            raise VaultError(msg)
        return _made(target)
    if target.stat().st_mode & 0o077:
        msg = f"{target} may be read by others: chmod 600 {target}"
        raise VaultError(msg)
    key = target.read_bytes()
    if len(key) != KEY_BYTES:
        msg = f"{target} is damaged: restore it from a backup"
        raise VaultError(msg)
    return key


def _made(target: Path) -> bytes:
    key = secrets.token_bytes(KEY_BYTES)
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    return key
