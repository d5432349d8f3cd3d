"""Pseudonyms of staff: keyed, so that a score names nobody; opened by a pharmacist with a reason that is logged before.

The key is derived from the hub's patient key for this purpose alone. Whoever holds that key can recompute every pseudonym, as the
hub does; the access log of the vault shows who did it through the command line.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from schemas.reference import Role
from topology.errors import InputRefusedError
from topology.vault.access_log import write_opening
from topology.vault.opening import TEXT_CHARACTERS_MAX, check_pharmacist
from topology.vault.store import Vault

NOTICE: Final = "scores of staff"
"""What the access log names where an opening of the vault names its recall notice."""
_PURPOSE: Final = b"wardstock pseudonyms of staff, 1"
_CHARACTERS: Final = 12


def staff_key(patient_key: bytes) -> bytes:
    """The key of the pseudonyms."""
    return hmac.digest(patient_key, _PURPOSE, hashlib.sha256)


def pseudonym(key: bytes, person: str) -> str:
    """A person's pseudonym: the same in every answer of one hub, and no way back without the key and a guess."""
    digest = hmac.digest(key, person.encode("utf-8"), hashlib.sha256)
    return f"staff-{base64.b32encode(digest).decode('ascii')[:_CHARACTERS].lower()}"


def opened(
    vault: Vault, rows: list[dict[str, Any]], people: Iterable[str], roles: Iterable[Role], *, key: bytes, by: str, reason: str,
    at: datetime,
) -> list[dict[str, Any]]:  # fmt: skip
    """The rows of scores with `person` beside each pseudonym. The opening stands in the access log before.

    Raises `InputRefusedError` for a person who is no pharmacist of the rows' sites, who is among the scored, or a missing reason.
    """
    sites = {row["site"] for row in rows}
    check_pharmacist(roles, by, sites)
    if not reason.strip() or len(reason) > TEXT_CHARACTERS_MAX:
        msg = f"say why staff is to be named: --reason, at most {TEXT_CHARACTERS_MAX} characters"
        raise InputRefusedError(msg)
    names = {pseudonym(key, person): person for person in people}
    shown = {names.get(row["user"], "") for row in rows}
    if by in shown:
        msg = f"{by} is among those who are scored: have another pharmacist open the names"
        raise InputRefusedError(msg)
    write_opening(vault, at=at, by=by, reason=reason.strip(), notice=NOTICE, sites=sorted(sites), patients=0, staff=len(shown))
    return [{**row, "person": names.get(row["user"])} for row in rows]
