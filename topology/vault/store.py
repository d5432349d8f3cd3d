"""The vault's file: identifiers sealed by AES-256-GCM under the hash they belong to, merges, and how far it has read the raw log.

A sealed identifier opens only under its own hash (it is the associated data), so rows can't be swapped. What is taken in and the
position it was read to are one transaction: after a crash it goes on where it was, and taking the same in again changes nothing.
"""

from __future__ import annotations

import hmac
import json
import secrets
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from topology.vault.errors import VaultError
from topology.vault.key import vault_key

FOLDER: Final = "vault"
FILE: Final = "identities.sqlite"
BUSY_SECONDS: Final = 30.0
MERGES_MAX: Final = 100
"""Identities followed from one patient by merges."""
NEWEST_OPENING: Final = "access_log"
NO_OPENING: Final = "0 "
"""The note of the newest line of the access log, number and digest. It is there from the start: one that is gone was taken."""
_NONCE_BYTES: Final = 12
_CHECK: Final = "wardstock vault 1"
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS identities (hash TEXT PRIMARY KEY, sealed BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS merges (merged TEXT NOT NULL, into_ TEXT NOT NULL, PRIMARY KEY (merged, into_)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS merges_into ON merges (into_);
CREATE TABLE IF NOT EXISTS positions (partition INTEGER PRIMARY KEY, next_offset INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Identity:
    """A patient identifier, who assigned it, and whether it came by a merge of patients."""

    identifier: str
    authority: str
    merged: bool = False


class Vault:
    """One hub's vault. Its key is checked before anything is read."""

    def __init__(self, data: Path) -> None:
        """Open the vault of a hub's folder, or make it. Raises `VaultError`."""
        self.folder = data / FOLDER
        self.folder.mkdir(mode=0o700, exist_ok=True)
        file = self.folder / FILE
        new = not file.exists()
        key = vault_key(self.folder, new=new)
        self._cipher = AESGCM(key)
        self._signing = hmac.digest(key, b"wardstock access log", "sha256")
        if new:
            file.touch(mode=0o600)
        self._database = sqlite3.connect(file, timeout=BUSY_SECONDS, check_same_thread=False)
        try:
            self._database.executescript(_TABLES)
            self._check_key()
        except sqlite3.DatabaseError:
            self.close()
            msg = f"{file} can't be read: move it aside, and it is filled again from what the raw log still holds"
            raise VaultError(msg) from None
        except VaultError:
            self.close()
            raise

    def __enter__(self) -> Self:
        """The vault itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    # ---- filling ---------------------------------------------------------------------------------------------------------

    def position(self, partition: int) -> int:
        """The next offset of a partition of the raw log that it has not read."""
        row = self._database.execute("SELECT next_offset FROM positions WHERE partition = ?", (partition,)).fetchone()
        return 0 if row is None else int(row[0])

    def take(
        self, identities: Mapping[str, tuple[str, str]], merges: Iterable[tuple[str, str]], partition: int, position: int
    ) -> None:
        """Take in what records up to a position told: (identifier, authority) by hash, and (merged, into) hashes."""
        with self._database:
            for hash_, (identifier, authority) in identities.items():
                if self._database.execute("SELECT 1 FROM identities WHERE hash = ?", (hash_,)).fetchone() is None:
                    sealed = self._seal(hash_, identifier, authority)
                    self._database.execute("INSERT INTO identities VALUES (?, ?)", (hash_, sealed))
            self._database.executemany("INSERT OR IGNORE INTO merges VALUES (?, ?)", merges)
            self._database.execute("INSERT OR REPLACE INTO positions VALUES (?, ?)", (partition, position))

    # ---- reading ---------------------------------------------------------------------------------------------------------

    def identities(self, hash_: str) -> list[Identity]:
        """Everything a patient is known by, the patient's own identifier first; those of merged patients behind it."""
        found = []
        for number, one in enumerate(self._one_patient(hash_)):
            row = self._database.execute("SELECT sealed FROM identities WHERE hash = ?", (one,)).fetchone()
            if row is not None:
                identifier, authority = self._opened(one, row[0])
                found.append(Identity(identifier, authority, merged=number > 0))
        return found

    def _one_patient(self, hash_: str) -> list[str]:
        """The hash and all that were merged with it, over any number of merges in either direction."""
        found = [hash_]
        for one in found:
            if len(found) > MERGES_MAX:
                break
            rows = self._database.execute(
                "SELECT into_ FROM merges WHERE merged = ? UNION SELECT merged FROM merges WHERE into_ = ? ORDER BY 1", (one, one)
            )
            found += [str(other) for (other,) in rows if other not in found]
        return found

    # ---- the access log's --------------------------------------------------------------------------------------------------

    def note(self, name: str) -> str | None:
        """A fact about the vault, sealed like an identifier. Raises `VaultError` for one that was not written with this key."""
        row = self._database.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if row is None else self._opened(f"note {name}", row[0])[0]

    def set_note(self, name: str, value: str) -> None:
        """Note a fact about the vault."""
        with self._database:
            sealed = self._seal(f"note {name}", value, "")
            self._database.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, sealed))

    def signature(self, data: bytes) -> str:
        """HMAC-SHA-256 (RFC 2104) of something, by a key that is made of the vault's for nothing else."""
        return hmac.digest(self._signing, data, "sha256").hex()

    # ---- sealing ---------------------------------------------------------------------------------------------------------

    def _check_key(self) -> None:
        row = self._database.execute("SELECT value FROM meta WHERE name = 'check'").fetchone()
        if row is None:
            with self._database:
                self._database.execute("INSERT OR IGNORE INTO meta VALUES ('check', ?)", (self._seal("check", _CHECK, ""),))
                first = self._seal(f"note {NEWEST_OPENING}", NO_OPENING, "")
                self._database.execute("INSERT OR IGNORE INTO meta VALUES (?, ?)", (NEWEST_OPENING, first))
            return
        if self._opened("check", row[0])[0] != _CHECK:
            msg = f"{self.folder / FILE} was made by another release: use that release to open it"
            raise VaultError(msg)

    def _seal(self, hash_: str, identifier: str, authority: str) -> bytes:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        plain = json.dumps([identifier, authority]).encode()
        return nonce + self._cipher.encrypt(nonce, plain, hash_.encode())

    def _opened(self, hash_: str, sealed: bytes) -> tuple[str, str]:
        try:
            plain = self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], hash_.encode())
        except (InvalidTag, TypeError, ValueError):  # sealed with another key, or no sealed bytes at all
            msg = f"the key does not fit the vault {self.folder}, or the vault was changed: restore the key it was made with"
            raise VaultError(msg) from None
        identifier, authority = json.loads(plain)
        return identifier, authority
