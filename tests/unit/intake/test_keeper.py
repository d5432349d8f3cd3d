"""Publishing into the journal: it returns when the message is on disk, refuses what it can't keep, and holds nobody for ever."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path

import pytest

from connectors.contract import TooLarge, Unavailable
from schemas.raw import BODY_BYTES_MAX
from tests.unit.intake.test_journal import message, read_all
from topology.intake import journal as journal_module
from topology.intake import keeper as keeper_module
from topology.intake.journal import JournalReader, JournalWriter, Position
from topology.intake.keeper import Keeper


class Heard:
    """What a keeper says."""

    def __init__(self) -> None:
        self.kept = 0
        self.failing: str | None = None

    def __call__(self, kept: int, failing: str | None) -> None:
        self.kept, self.failing = kept, failing


def test_published_is_on_disk_in_the_order_of_the_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard, synced = Heard(), []
    real = os.fdatasync
    monkeypatch.setattr(journal_module.os, "fdatasync", lambda file: (synced.append(file), real(file))[1])
    given = [message(number) for number in range(200)]

    async def scenario() -> None:
        keeper = Keeper(JournalWriter(tmp_path, 0), heard)
        await asyncio.gather(*(keeper.publish(one) for one in given))
        assert keeper.kept == heard.kept == 200
        assert read_all(JournalReader(tmp_path, Position())) == given
        await keeper.stop()

    asyncio.run(scenario())
    assert 1 <= len(synced) < 20, "they share their syncs"


def test_nothing_is_acknowledged_while_the_disk_fails_and_it_recovers_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper_module, "RETRY_SECONDS", 0.05)
    heard, tried = Heard(), []

    def failing(_: int) -> None:
        tried.append(1)
        raise OSError(errno.ENOSPC, "No space left on device")

    async def scenario() -> None:
        keeper = Keeper(JournalWriter(tmp_path, 0), heard)
        monkeypatch.setattr(journal_module.os, "fdatasync", failing)
        for _ in range(20):
            with pytest.raises(Unavailable, match="the disk is full"):
                await keeper.publish(message(1))
        assert len(tried) == 1, "a disk that failed is left alone for a while"
        assert heard.failing == "received messages can't be stored: the disk is full"
        monkeypatch.undo()
        await asyncio.sleep(0.06)
        await keeper.publish(message(2))
        assert (heard.kept, heard.failing) == (1, None)
        await keeper.stop()

    asyncio.run(scenario())
    assert read_all(JournalReader(tmp_path, Position())) == [message(2)]


def test_a_fault_nobody_thought_of_leaves_nobody_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object, __: object) -> None:
        raise RuntimeError

    async def scenario() -> None:
        keeper = Keeper(JournalWriter(tmp_path, 0), Heard())
        monkeypatch.setattr(JournalWriter, "append", broken)
        with pytest.raises(Unavailable, match="RuntimeError"):
            await asyncio.wait_for(keeper.publish(message(1)), 5)
        await keeper.stop()

    asyncio.run(scenario())


def test_memory_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper_module, "PENDING_MESSAGES_MAX", 10)

    async def scenario() -> None:
        keeper = Keeper(JournalWriter(tmp_path, 0), Heard())
        ended = await asyncio.gather(*(keeper.publish(message(number)) for number in range(30)), return_exceptions=True)
        assert sum(one is None for one in ended) == 10
        assert all(one is None or "wait to be stored already" in str(one) for one in ended)
        with pytest.raises(TooLarge):
            await keeper.publish(message(1, BODY_BYTES_MAX))
        await keeper.stop()

    asyncio.run(scenario())


def test_a_group_is_bounded_in_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper_module, "GROUP_BYTES_MAX", 1_000)
    groups: list[int] = []
    real = JournalWriter.append
    monkeypatch.setattr(JournalWriter, "append", lambda self, some: (groups.append(len(some)), real(self, some))[1])

    async def scenario() -> None:
        keeper = Keeper(JournalWriter(tmp_path, 0), Heard())
        await asyncio.gather(*(keeper.publish(message(number, 400)) for number in range(9)), keeper.publish(message(9, 5_000)))
        await keeper.stop()

    asyncio.run(scenario())
    assert max(groups) == 2
    assert sum(groups) == 10
