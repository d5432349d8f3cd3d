"""Opening the vault: who may, and the log that is written first."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from schemas.reference import Role
from topology.errors import InputRefusedError
from topology.vault.access_log import read_log
from topology.vault.errors import VaultError
from topology.vault.key import KEY_VARIABLE
from topology.vault.opening import identified
from topology.vault.store import Vault

ROLES = [
    Role(person="pia", role="pharmacist"), Role(person="sam", role="pharmacist", sites=("south",)),
    Role(person="nils", role="nurse"),
]  # fmt: skip
LINES: list[dict[str, Any]] = [
    {"about": "place", "site": "north"}, {"about": "patient", "site": "north", "patient": "h1"},
    {"about": "patient", "site": "north", "patient": None},
]  # fmt: skip


@pytest.fixture
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Vault]:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    with Vault(tmp_path) as opened:
        opened.take({"h1": ("M0001", "NORTHGEN")}, [], 0, 1)
        yield opened


def opened(vault: Vault, by: str = "pia", reason: str = "recall R-1") -> list[dict[str, Any]]:
    return identified(vault, LINES, ROLES, notice="R-1", by=by, reason=reason, at=datetime(2026, 3, 5, 12, tzinfo=UTC))


def log(vault: Vault) -> Path:
    return vault.folder / "access.log"


def test_patients_are_named_and_the_opening_is_in_the_log(vault: Vault) -> None:
    lines = opened(vault)
    assert lines[1]["identifiers"] == [{"identifier": "M0001", "authority": "NORTHGEN", "merged": False}]
    assert lines[2]["identifiers"] == []
    assert "identifiers" not in lines[0]
    found, fault = read_log(vault)
    assert fault is None
    assert {name: found[0][name] for name in ("number", "at", "by", "reason", "notice", "sites", "patients")} == {
        "number": 1, "at": "2026-03-05T12:00:00+00:00", "by": "pia", "reason": "recall R-1", "notice": "R-1", "sites": ["north"],
        "patients": 1,
    }  # fmt: skip
    assert "M0001" not in log(vault).read_text()


@pytest.mark.parametrize(
    ("by", "reason", "why"),
    [
        ("nils", "r", "nils is no pharmacist by the hub's role records"),
        ("zoe", "r", "zoe is no pharmacist"),
        ("", "r", "nobody is no pharmacist"),
        ("sam", "r", "sam is no pharmacist of site north"),
        ("sam", "r", "or `wardstock reference load` takes a roles.csv .* the line sam,pharmacist,north;south"),
        ("nils", "r", "`wardstock reference load` takes a roles.csv .* the line nils,pharmacist,north"),
        ("pia", "  ", "say why the patients are to be named"),
        ("pia", "r" * 2001, "say why the patients are to be named"),
    ],
)
def test_who_may_not_and_who_says_no_reason_opens_nothing(vault: Vault, by: str, reason: str, why: str) -> None:
    with pytest.raises(InputRefusedError, match=why):
        opened(vault, by, reason)
    assert read_log(vault) == ([], None)


def test_without_its_log_the_vault_stays_closed(vault: Vault) -> None:
    log(vault).mkdir()
    with pytest.raises(VaultError, match="without its access log the vault stays closed"):
        opened(vault)


def test_a_changed_a_missing_and_a_cut_off_line_show(vault: Vault) -> None:
    """Each line has the digest of the one before it; the vault knows the newest."""
    for number in range(3):
        opened(vault, reason=f"call {number}")
    assert read_log(vault)[1] is None
    whole = log(vault).read_text().splitlines(keepends=True)
    changed = [whole[0].replace("pia", "sam"), *whole[1:]]
    for lines, fault in (
        (changed, "line 1 is not signed with the vault's key"), (whole[1:], "line 1 is not as it was written"),
        ([whole[0], whole[2]], "line 2 is not as it was written, or lines before it are missing"),
        (whole[:2], "1 of its 3 lines are missing at the end"), ([], "all of its 3 lines are missing"),
        ([*whole[:2], whole[2].replace("call 2", "call 3")], "line 3 is not signed with the vault's key"),
        (["[]\n", *whole[1:]], "line 1 is not as it was written"),
    ):  # fmt: skip
        log(vault).write_text("".join(lines))
        assert fault in str(read_log(vault)[1]), lines


def test_a_log_that_was_thrown_away_does_not_begin_anew(vault: Vault) -> None:
    opened(vault)
    log(vault).unlink()
    opened(vault)
    assert json.loads(log(vault).read_text())["number"] == 2
    assert "line 1 is not as it was written, or lines before it are missing" in str(read_log(vault)[1])


def test_a_half_written_line_is_followed_by_a_whole_one(vault: Vault) -> None:
    opened(vault)
    with log(vault).open("a") as file:
        file.write('{"number": 2, "at"')
    opened(vault)
    assert [json.loads(line)["number"] for line in log(vault).read_text().splitlines() if line.endswith("}")] == [1, 2]


def test_a_log_that_is_gone_is_told_even_with_what_the_vault_noted_of_it(vault: Vault) -> None:
    """Who takes lines away takes the note of the newest one too: there is one from the first day, sealed with the vault's key."""
    for number in range(2):
        opened(vault, reason=f"call {number}")
    first = log(vault).read_text().splitlines(keepends=True)[0]
    log(vault).unlink()
    assert read_log(vault) == ([], "it is gone")
    log(vault).write_text(first)
    database = vault._database  # what somebody with the folder can do
    for statement in ("DELETE FROM meta WHERE name = 'access_log'", "INSERT INTO meta VALUES ('access_log', '1 x')"):
        with database:
            database.execute(statement)
        assert "notes of its newest line is gone or was changed" in str(read_log(vault)[1])
    assert opened(vault, reason="call 3")[1]["identifiers"], "a recall must be able to phone people all the same"
    assert "line 2 is not as it was written, or lines before it are missing" in str(read_log(vault)[1])


def test_lines_that_were_chained_anew_without_the_key_show(vault: Vault) -> None:
    """The chain's digests need no key; the signatures do (RFC 2104)."""
    for number in range(2):
        opened(vault, reason=f"call {number}")
    first, second = log(vault).read_text().splitlines()
    changed = first.replace("call 0", "call 9")
    again = {**json.loads(second), "previous": hashlib.sha256(changed.encode()).hexdigest()}
    log(vault).write_text(f"{changed}\n{json.dumps(again)}\n")
    assert "line 1 is not signed" in str(read_log(vault)[1])


def test_a_vault_that_is_made_anew_beside_its_log_and_key_tells_what_goes_missing_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    with Vault(tmp_path) as vault:
        vault.take({"h1": ("M0001", "NORTHGEN")}, [], 0, 1)
        opened(vault)
        opened(vault)
    (tmp_path / "vault" / "identities.sqlite").unlink()
    with Vault(tmp_path) as again:
        assert read_log(again)[1] is None
        log(again).write_text(log(again).read_text().splitlines(keepends=True)[0])
        assert read_log(again)[1] == "1 of its 2 lines are missing at the end"
