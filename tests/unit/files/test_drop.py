"""A drop folder: every file once to its end, none half written, none lost by a crash, none by a hub that can't store."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.contract import TooLarge, Unavailable
from connectors.files import drop
from connectors.files.drop import DONE, FAILED, WORKING, DropError, DropFolder, DropSettings
from schemas.raw import RawMessage
from tests.unit.hl7.support import ras, rxa

NOW = datetime(2026, 6, 1, 15, 0, tzinfo=UTC)
WAIT_SECONDS = 10.0


class Store:
    """A publish that keeps what it is given; fails as often as it is told to."""

    def __init__(self, unavailable: int = 0, dies_at: int = -1) -> None:
        self.kept: list[RawMessage] = []
        self.unavailable, self.dies_at = unavailable, dies_at

    async def __call__(self, message: RawMessage) -> None:
        if self.unavailable:
            self.unavailable -= 1
            raise Unavailable("disk full")
        if len(self.kept) == self.dies_at:
            raise asyncio.CancelledError
        if b"HUGE" in message.body:
            raise TooLarge("the message is too large")
        self.kept.append(message)


def folder_of(tmp_path: Path, store: Store, **settings: object) -> DropFolder:
    stated = {"path": tmp_path / "in", "source": "sftp", "settle_seconds": 0.05, "poll_seconds": 0.01, **settings}
    return DropFolder(store, DropSettings(**stated), lambda: NOW)  # type: ignore[arg-type]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def until(dropped: DropFolder, true: Callable[[], bool], meanwhile: Callable[[], Awaitable[None]] | None = None) -> None:
    """Run the folder until it is so."""

    async def scenario() -> None:
        dropped.open()
        task = asyncio.ensure_future(dropped.run())
        try:
            if meanwhile is not None:
                await meanwhile()
            async with asyncio.timeout(WAIT_SECONDS):
                while not true() and not task.done():
                    await asyncio.sleep(0.005)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            dropped.close()

    asyncio.run(scenario())
    assert true()


def test_files_are_stored_in_the_order_of_their_times_and_put_away(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number, name in enumerate(("z.hl7", "a.hl7", "m.hl7")):
        (tmp_path / "in" / name).write_bytes(ras(rxa(), control=name))
        os.utime(tmp_path / "in" / name, (1_000 + number, 1_000 + number))
    store = Store()
    dropped = folder_of(tmp_path, store, profile="vista-oms", site="north")
    until(dropped, lambda: dropped.counters.done == 3)
    assert [message.name for message in store.kept] == ["z.hl7", "a.hl7", "m.hl7"]
    assert {(one.source, one.connector, one.profile, one.site) for one in store.kept} == {("sftp", "drop", "vista-oms", "north")}
    assert names(tmp_path / "in" / DONE) == ["a.hl7", "m.hl7", "z.hl7"]
    assert names(tmp_path / "in" / WORKING) == []


def test_a_file_that_grows_or_has_a_temporary_name_waits(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    store = Store()
    dropped = folder_of(tmp_path, store, settle_seconds=0.2)
    whole = ras(rxa()) + ras(rxa(), control="C2")
    path = tmp_path / "in" / "slow.hl7"

    async def grow() -> None:
        (tmp_path / "in" / "other.hl7.part").write_bytes(whole)
        for at in range(0, len(whole), 40):
            with path.open("ab") as file:
                file.write(whole[at : at + 40])
            await asyncio.sleep(0.03)
        assert store.kept == []

    until(dropped, lambda: dropped.counters.done == 1, grow)
    assert [message.body for message in store.kept] == [whole]
    assert names(tmp_path / "in") == [DONE, FAILED, "other.hl7.part"]


def test_what_a_crash_left_is_read_again_whole(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    capture = b"\n".join(b'{"item": %d}' % n for n in range(5))
    (tmp_path / "in" / "scans.ndjson").write_bytes(capture)
    died = Store(dies_at=0)
    first = folder_of(tmp_path, died)
    with pytest.raises(AssertionError):
        until(first, lambda: first.counters.done == 1)
    assert names(tmp_path / "in" / WORKING) == ["scans.ndjson"]
    store = Store()
    second = folder_of(tmp_path, store)
    until(second, lambda: second.counters.done == 1)
    assert b"".join(message.body for message in store.kept).count(b"item") == 5
    assert names(tmp_path / "in" / DONE) == ["scans.ndjson"]


def test_while_the_hub_can_not_store_nothing_is_put_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drop, "RETRY_SECONDS", 0.01)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.hl7").write_bytes(ras(rxa()))
    store = Store(unavailable=5)
    dropped = folder_of(tmp_path, store)
    until(dropped, lambda: dropped.counters.done == 1)
    assert len(store.kept) == 1


def test_what_can_never_be_stored_is_put_aside_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.hl7").write_bytes(b"MSH|^~\\&|HUGE\r")
    dropped = folder_of(tmp_path, Store(), format="hl7")
    until(dropped, lambda: dropped.counters.failed == 1)
    assert names(tmp_path / "in" / FAILED) == ["a.hl7", "a.hl7.reason.txt"]
    assert (tmp_path / "in" / FAILED / "a.hl7.reason.txt").read_text() == "the message is too large\n"


def test_a_name_that_comes_again_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for _ in range(3):
        (tmp_path / "in" / "a.hl7").write_bytes(ras(rxa()))
        dropped = folder_of(tmp_path, Store())
        until(dropped, lambda: dropped.counters.done == 1)  # noqa: B023  # used at once
    assert names(tmp_path / "in" / DONE) == ["a.1.hl7", "a.2.hl7", "a.hl7"]


def test_a_second_process_is_refused_and_so_is_a_folder_that_is_none(tmp_path: Path) -> None:
    first = folder_of(tmp_path, Store())
    first.open()
    with pytest.raises(DropError, match="another process works on the drop folder"):
        folder_of(tmp_path, Store()).open()
    first.close()
    (tmp_path / "file").write_text("x")
    with pytest.raises(DropError, match="can't be used"):
        folder_of(tmp_path, Store(), path=tmp_path / "file").open()


def test_a_file_whose_name_is_no_utf8_is_stored_under_a_name_that_is_text(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / os.fsdecode(b"caf\xe9.hl7")).write_bytes(ras(rxa()))
    store = Store()
    dropped = folder_of(tmp_path, store)
    until(dropped, lambda: dropped.counters.done == 1)
    assert [message.name for message in store.kept] == ["caf\\xe9.hl7"]
