"""The vault as command-line tools reach it: filled up to what the hub holds, whether the hub runs or not."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from schemas.topics import RAW
from topology.access import ApiAccess, FolderAccess
from topology.embedded.folder import is_hub_folder
from topology.errors import HubError, InputRefusedError
from topology.vault.errors import VaultError
from topology.vault.filler import VaultFiller
from topology.vault.store import Vault

FILLED_SECONDS_MAX: Final = 30.0
"""How long a running hub may take to fill its vault."""
POLL_SECONDS: Final = 0.1


@contextmanager
def open_vault(data: Path, access: FolderAccess | ApiAccess) -> Iterator[Vault]:
    """The vault with everybody the hub has heard of. Raises `HubError` when it can't be opened or is not filled in time."""
    check_has_vault(data)
    with Vault(data) as vault:
        try:
            if isinstance(access, FolderAccess):
                VaultFiller(vault, access.hub.folder.patient_key).catch_up(access.hub.engine)
            else:
                _wait_filled(vault, access)
            yield vault
        except sqlite3.Error as error:
            msg = f"the vault's file can't be used ({type(error).__name__}): is the disk full, or is it held by another program?"
            raise VaultError(msg) from None


def check_has_vault(data: Path) -> None:
    """Raise `InputRefusedError` when no embedded hub's folder is there."""
    if not is_hub_folder(data):
        msg = f"{data} is no embedded hub's folder: only these have an identity vault"
        raise InputRefusedError(msg)


def _wait_filled(vault: Vault, access: ApiAccess) -> None:
    ends: list[int] = access.call("GET", "/api/v1/log")["ends"][RAW]
    until = time.monotonic() + FILLED_SECONDS_MAX
    while any(vault.position(partition) < end for partition, end in enumerate(ends)):
        if time.monotonic() > until:
            msg = "the vault is behind what the hub has received: try again when the hub is less busy, or see its log for why"
            raise HubError(msg)
        time.sleep(POLL_SECONDS)
