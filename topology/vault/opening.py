"""Opening the vault for a recall: who may, and what is noted before any patient is named."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from schemas.reference import Role
from topology.errors import InputRefusedError
from topology.role_words import how_to_get
from topology.vault.access_log import write_opening
from topology.vault.store import Vault

TEXT_CHARACTERS_MAX: Final = 2_000
"""Longest name of a person and longest reason."""


def identified(
    vault: Vault, lines: list[dict[str, Any]], roles: Iterable[Role], *, notice: str, by: str, reason: str, at: datetime
) -> list[dict[str, Any]]:
    """The lines of a look-back with `identifiers` at those of patients. The opening is in the access log before.

    Raises `InputRefusedError` for a person who may not or a missing reason, `VaultError` when the vault does not open.
    """
    patients = [line for line in lines if line["about"] == "patient"]
    check_pharmacist(roles, by, {line["site"] for line in patients})
    if not reason.strip() or len(reason) > TEXT_CHARACTERS_MAX:
        msg = f"say why the patients are to be named: --reason, at most {TEXT_CHARACTERS_MAX} characters"
        raise InputRefusedError(msg)
    hashes = {line["patient"] for line in patients if line["patient"]}
    write_opening(
        vault, at=at, by=by, reason=reason.strip(), notice=notice, sites=sorted({line["site"] for line in patients}),
        patients=len(hashes),
    )  # fmt: skip
    names = {hash_: [_shown(one) for one in vault.identities(hash_)] for hash_ in sorted(hashes)}
    return [
        {**line, "identifiers": names.get(line["patient"], [])} if line["about"] == "patient" else line for line in lines
    ]


def check_pharmacist(roles: Iterable[Role], by: str, sites: set[str]) -> None:
    """Raise `InputRefusedError` unless a person is a pharmacist of every one of these sites."""
    own = [role for role in roles if role.person == by and role.role == "pharmacist"]
    if not by.strip() or len(by) > TEXT_CHARACTERS_MAX or not own:
        msg = f"{by[:100] or 'nobody'} is no pharmacist by the hub's role records: {how_to_get(by, 'pharmacist', sites)}"
        raise InputRefusedError(msg)
    allowed = {site for role in own for site in role.sites}
    missing = sorted(sites - allowed) if all(role.sites for role in own) else []
    if missing:
        more = how_to_get(by, "pharmacist", allowed | sites)
        msg = f"{by} is no pharmacist of site {' and '.join(missing)}: ask for a site of theirs alone, or {more}"
        raise InputRefusedError(msg)


def _shown(identity: Any) -> dict[str, Any]:
    return {"identifier": identity.identifier, "authority": identity.authority, "merged": identity.merged}
