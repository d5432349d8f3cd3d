"""The vault follows the raw log: whom the hub has hashed is in it, after any stop."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from schemas.events import STOCK_EVENT
from schemas.raw import HL7_ER7, RawMessage
from schemas.reference import Site
from schemas.topics import SITE_LOG, TOPICS
from topology.access import FolderAccess
from topology.local import LocalHub
from topology.serve import filled_vault
from topology.vault.client import open_vault
from topology.vault.errors import VaultError
from topology.vault.filler import VaultFiller
from topology.vault.key import KEY_VARIABLE
from topology.vault.store import Identity, Vault

MERGE = (
    r"MSH|^~\&|ADT|NORTHGEN|WARDSTOCK|HUB|20260303120000+0000||ADT^A40^ADT_A39|C1|P|2.5.1|",
    "EVN|A40|20260303120000+0000", "PID|1||M0002^^^NORTHGEN^MR", "MRG|M0001^^^NORTHGEN^MR",
)  # fmt: skip


def dose(number: int, patient: str) -> tuple[str, ...]:
    when = f"2026030312{number:02}00+0000"
    return (
        rf"MSH|^~\&|EMAR|NORTHGEN|WARDSTOCK|HUB|{when}||RAS^O17^RAS_O17|M{number}|P|2.5.1", f"PID|1||{patient}^^^NORTHGEN^MR",
        "PV1|1|I|ICU", f"ORC|RE|P{number}|F{number}", f"RXA|0|1|{when}|{when}|A1^Amoxicillin^L|1|CAP",
    )  # fmt: skip


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    with LocalHub(tmp_path / "hub") as opened:
        opened.load_reference([("site", "north", Site(id="north", name="North", zone="UTC", facility_codes=("NORTHGEN",)))])
        yield opened


def send(hub: LocalHub, *messages: tuple[str, ...]) -> None:
    at = datetime(2026, 3, 3, 12, tzinfo=UTC)
    hub.engine.publish([
        RawMessage(body=("\r".join(one) + "\r").encode(), source="emar", connector="hl7", content_type=HL7_ER7, received_at=at)
        for one in messages
    ])  # fmt: skip
    hub.engine.run_until_idle()


def fill(hub: LocalHub, tmp_path: Path) -> Vault:
    vault = Vault(tmp_path)
    VaultFiller(vault, hub.folder.patient_key).catch_up(hub.engine)
    return vault


def patients(hub: LocalHub) -> list[str]:
    """The hashes the hub itself wrote into its site log, in order."""
    partitions = range(TOPICS[SITE_LOG].partitions)
    records = [record for partition in partitions for record in hub.engine.read(SITE_LOG, partition, 0, 1000)]
    events = [one for one in records if dict(one.headers).get("ce_type") == "StockEvent"]
    return [STOCK_EVENT.decode(one.value or b"").patient or "" for one in events]


def test_every_hash_the_hub_wrote_leads_back_and_merges_are_followed(hub: LocalHub, tmp_path: Path) -> None:
    send(hub, dose(1, "M0001"), dose(2, "M0002"), dose(3, "M0003"), MERGE)
    with fill(hub, tmp_path) as vault:
        first, second, third, *_ = patients(hub)
        assert vault.identities(first) == [Identity("M0001", "NORTHGEN"), Identity("M0002", "NORTHGEN", merged=True)]
        assert {one.identifier for one in vault.identities(second)} == {"M0001", "M0002"}
        assert vault.identities(third) == [Identity("M0003", "NORTHGEN")]


def test_it_goes_on_where_it_was_and_a_broken_message_stops_nothing(hub: LocalHub, tmp_path: Path) -> None:
    send(hub, dose(1, "M0001"))
    fill(hub, tmp_path).close()
    send(hub, ("this is no HL7",), dose(2, "M0002"))
    with fill(hub, tmp_path) as vault:
        assert [vault.identities(one)[0].identifier for one in patients(hub)] == ["M0001", "M0002"]


def test_after_an_older_backup_of_the_hub_it_reads_from_the_beginning(hub: LocalHub, tmp_path: Path) -> None:
    """Its position stands behind the end of the log: what stands there now is other than what it has read."""
    with Vault(tmp_path) as vault:
        vault.take({}, [], 0, 1_000_000)
    send(hub, dose(1, "M0001"), dose(2, "M0002"))
    with fill(hub, tmp_path) as vault:
        assert all(vault.identities(one) for one in patients(hub))
        assert vault.position(0) < 1_000_000


def test_a_vault_that_does_not_open_stops_no_hub(hub: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said at the start; stock comes first."""
    Vault(hub.folder.path).close()
    monkeypatch.setenv(KEY_VARIABLE, "ab" * 32)
    said: list[str] = []
    with filled_vault(hub, said.append) as fill:
        asyncio.run(fill())
    assert len(said) == 1
    assert "the identity vault is closed: the key does not fit" in said[0]


def test_it_is_filled_while_the_hub_runs_and_ends_when_it_is_told(hub: LocalHub) -> None:
    send(hub, dose(1, "M0001"))

    async def a_moment(vault: Vault) -> None:
        task = asyncio.create_task(fill())
        async with asyncio.timeout(20):
            while not vault.identities(patients(hub)[0]):
                await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with filled_vault(hub, print) as fill, Vault(hub.folder.path) as vault:
        asyncio.run(a_moment(vault))


def test_a_hub_that_is_always_busy_is_followed_all_the_same(hub: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    send(hub, dose(1, "M0001"))
    monkeypatch.setattr(hub.engine, "backlog", lambda: 1)
    monkeypatch.setattr("topology.vault.filler.FILL_SECONDS", 0.1)
    monkeypatch.setattr("topology.vault.filler.BUSY_SECONDS_MAX", 0.05)
    test_it_is_filled_while_the_hub_runs_and_ends_when_it_is_told(hub)


def test_a_file_that_is_held_is_a_sentence(hub: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    def held(*_: object) -> None:
        raise sqlite3.OperationalError

    monkeypatch.setattr(Vault, "take", held)
    send(hub, dose(1, "M0001"))
    with pytest.raises(VaultError, match="can't be used"), open_vault(hub.folder.path, FolderAccess(hub)):
        pass


def test_a_mapper_that_fails_is_passed_over(hub: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its message is a fault of the hub already; the log of the vault's trouble holds no patient."""
    from topology.vault import filler

    def broken(message: RawMessage, *_: object) -> None:
        raise ValueError(message.body)

    send(hub, dose(1, "M0001"))
    monkeypatch.setattr(filler, "MAPPERS", {HL7_ER7: broken})
    with fill(hub, tmp_path) as vault:
        assert vault.identities(patients(hub)[0]) == []
