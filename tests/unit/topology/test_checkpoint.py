"""A partition that is taken away while it is restored lets its folder go, so that the next owner in this process can open it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from streams.site.processor import SiteProcessor
from topology.kafka import checkpoint as module
from topology.kafka.checkpoint import Checkpoint, Place
from topology.kafka.connection import Connection, KafkaSettings
from topology.kafka.local_state import LocalState


class FakeProducer:
    def __init__(self, **_: Any) -> None:
        pass

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass


def test_a_restore_that_is_abandoned_closes_its_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AIOKafkaProducer", FakeProducer)

    def restored(self: Checkpoint) -> LocalState:
        local = LocalState(tmp_path / "copy")
        while not self._closing:
            time.sleep(0.01)
        return local

    monkeypatch.setattr(Checkpoint, "_restored", restored)

    async def scenario() -> None:
        one = Checkpoint(Connection("127.0.0.1:1", KafkaSettings()), Place(SiteProcessor(), 0, tmp_path))
        task = asyncio.create_task(one.open())
        while not (tmp_path / "copy").exists():
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait([task])
        await one.close()
        again = LocalState(tmp_path / "copy")
        assert again.wiped is None, "the folder was still open"
        again.close()

    asyncio.run(scenario())
