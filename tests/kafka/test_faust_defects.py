"""Defects of Faust 0.15.3 that the worker is built around, reproduced on stock Faust.

Each test states the wrong behaviour. One that fails is good news: Faust was changed, and the workaround can be looked at again.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any
from unittest.mock import Mock

import faust
from faust.stores.memory import Store
from faust.transport.producer import ProducerBuffer
from faust.types import TP, Message


def application() -> Any:
    return faust.App("defects", broker="kafka://127.0.0.1:1", store="memory://", web_enabled=False)


def test_a_flush_gives_up_after_a_tenth_of_a_second_without_progress() -> None:
    """`ProducerBuffer.flush` returns with messages still queued, and a commit follows. (Ours: nothing is sent through it.)"""

    async def scenario() -> int:
        buffer = ProducerBuffer()
        buffer.app = application()
        published: list[Any] = []

        async def slow(pending: Any) -> None:
            await asyncio.sleep(0.25)
            published.append(pending)

        buffer._send_pending = slow  # type: ignore[method-assign]
        for _ in range(10):
            buffer.put(Mock())
        await buffer.start()
        began = time.monotonic()
        await buffer.flush()
        left = 10 - len(published)
        assert time.monotonic() - began < 1
        while buffer.size:
            buffer.pending.get_nowait()
        await buffer.stop()
        return left

    assert asyncio.run(asyncio.wait_for(scenario(), 20)) > 0


def test_a_falsy_value_after_a_tombstone_is_lost_in_recovery() -> None:
    """In one recovery batch value, tombstone, 0 leaves no key. (Ours: state is restored by a plain consumer, from bytes.)"""
    app = application()
    store = Store("memory://", app, Mock(name="table"))

    def event(value: bytes | None, decoded: Any) -> Any:
        message = Message("log", 0, 1, time.time(), 0, {}, b"key", value, None, tp=TP("log", 0))
        return Mock(key="key", value=decoded, message=message)

    events = [event(b"5", 5), event(None, None), event(b"0", 0)]
    store.apply_changelog_batch(events, to_key=lambda key: key, to_value=lambda value: value)
    assert "key" not in store.data


def test_the_offset_to_commit_can_lie_behind_an_unfinished_event() -> None:
    """A gap of exactly one at the head is passed over. (Ours: `acks=False`, Faust commits nothing.)"""
    from faust.transport.consumer import Consumer

    consumer = Mock(spec=Consumer)
    tp = TP("topic", 0)
    consumer._acked = {tp: [2586, 2587, 2588, 2589]}
    consumer._committed_offset = {tp: 2585}
    consumer._gap = {tp: None}
    consumer._acked_index = {tp: set(consumer._acked[tp])}
    found = Consumer._new_offset(consumer, tp)
    assert found == 2590, "event 2585 is not acknowledged, and the commit passes it"
