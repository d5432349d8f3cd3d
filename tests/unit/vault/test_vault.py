"""The vault's file and its key: what is sealed, what opens it, and what does not."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from topology.vault.errors import VaultError
from topology.vault.key import KEY_VARIABLE
from topology.vault.store import Identity, Vault

PEOPLE = {"h1": ("M0001", "NORTHGEN"), "h2": ("M0002", "NORTHGEN"), "h3": ("M0003", "NORTHGEN")}


@pytest.fixture(autouse=True)
def _no_key_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)


def test_what_is_taken_in_is_found_and_stands_nowhere_in_the_open(tmp_path: Path) -> None:
    with Vault(tmp_path) as vault:
        vault.take(PEOPLE, [], 0, 7)
        assert vault.identities("h1") == [Identity("M0001", "NORTHGEN")]
        assert vault.identities("nobody") == []
        assert vault.position(0) == 7
    for file in (tmp_path / "vault").iterdir():
        assert b"M0001" not in file.read_bytes()
        assert b"NORTHGEN" not in file.read_bytes()
        assert file.stat().st_mode & 0o077 == 0, file.name


def test_merges_are_followed_in_both_directions_over_any_number_of_steps(tmp_path: Path) -> None:
    """M0001 became M0002, and M0002 became M0003: each is known by all three, its own identifier first."""
    with Vault(tmp_path) as vault:
        vault.take(PEOPLE, [("h1", "h2"), ("h2", "h3")], 0, 1)
        for hash_, (identifier, _) in PEOPLE.items():
            found = vault.identities(hash_)
            assert found[0] == Identity(identifier, "NORTHGEN")
            assert {one.identifier for one in found} == {"M0001", "M0002", "M0003"}
            assert [one.merged for one in found] == [False, True, True]


def test_taking_the_same_in_again_changes_nothing(tmp_path: Path) -> None:
    with Vault(tmp_path) as vault:
        for _ in range(2):
            vault.take(PEOPLE, [("h1", "h2")], 0, 7)
        assert [one.identifier for one in vault.identities("h1")] == ["M0001", "M0002"]
    with Vault(tmp_path) as again:
        assert again.position(0) == 7


def test_another_key_opens_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Vault(tmp_path).close()
    monkeypatch.setenv(KEY_VARIABLE, "ab" * 32)
    with pytest.raises(VaultError, match="the key does not fit the vault"):
        Vault(tmp_path)


def test_a_key_from_the_environment_leaves_none_in_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "ab" * 32)
    with Vault(tmp_path) as vault:
        vault.take(PEOPLE, [], 0, 1)
    monkeypatch.setenv(KEY_VARIABLE, "AB" * 32)
    with Vault(tmp_path) as vault:
        assert vault.identities("h1")
    assert not (tmp_path / "vault" / "vault.key").exists()
    monkeypatch.delenv(KEY_VARIABLE)
    with pytest.raises(VaultError, match=r"vault\.key is missing and WARDSTOCK_VAULT_KEY is not set"):
        Vault(tmp_path)


@pytest.mark.parametrize("given", ["", "abc", "zz" * 32, "ab" * 33])
def test_what_is_no_key_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv(KEY_VARIABLE, given)
    with pytest.raises(VaultError, match="must be 64 hex digits"):
        Vault(tmp_path)


def test_a_key_file_that_others_may_read_or_that_is_cut_is_refused(tmp_path: Path) -> None:
    Vault(tmp_path).close()
    key = tmp_path / "vault" / "vault.key"
    key.chmod(0o640)
    with pytest.raises(VaultError, match="may be read by others: chmod 600"):
        Vault(tmp_path)
    key.chmod(0o600)
    key.write_bytes(key.read_bytes()[:5])
    with pytest.raises(VaultError, match="is damaged"):
        Vault(tmp_path)


def test_an_identifier_does_not_open_under_another_patients_hash(tmp_path: Path) -> None:
    """Whoever swaps two rows of the file names nobody."""
    with Vault(tmp_path) as vault:
        vault.take(PEOPLE, [], 0, 1)
    database = sqlite3.connect(tmp_path / "vault" / "identities.sqlite")
    database.execute("UPDATE identities SET sealed = (SELECT sealed FROM identities WHERE hash = 'h2') WHERE hash = 'h1'")
    database.commit()
    database.close()
    with Vault(tmp_path) as vault, pytest.raises(VaultError, match="or the vault was changed"):
        vault.identities("h1")


def test_a_damaged_file_is_a_sentence(tmp_path: Path) -> None:
    Vault(tmp_path).close()
    (tmp_path / "vault" / "identities.sqlite").write_bytes(b"x" * 5000)
    with pytest.raises(VaultError, match="can't be read: move it aside"):
        Vault(tmp_path)
