"""Defects of Faust 0.15.3 that the worker is built around, reproduced on stock Faust.

Each test states the wrong behaviour. One that fails is good news: Faust was changed, and the workaround can be looked at again.

Method: a stock app with its own consumer, conductor, agents, tables and supervisor; only the broker is missing. Records are given
to the conductor as the consumer's fetcher gives them, and what Faust would commit is written down instead of sent.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from unittest.mock import Mock

import faust
from faust.exceptions import ValueDecodeError
from faust.stores.memory import Store
from faust.transport.producer import ProducerBuffer
from faust.types import TP, ConsumerMessage, Message

PLACE: Final = TP("in", 0)
WAIT_SECONDS: Final = 20.0
Body = Callable[[Any], Awaitable[None]]


def fetched(offset: int, value: bytes) -> ConsumerMessage:
    """A record as the consumer's fetcher hands it over."""
    return ConsumerMessage(
        PLACE.topic, PLACE.partition, offset, time.time(), 0, (), b"key", value, None, tp=PLACE, generation_id=0
    )  # fmt: skip


class Stock:
    """A stock app that owns one partition; `committed` is the offset it would have told the broker last."""

    def __init__(self, **settings: Any) -> None:
        stated = {"store": "memory://", "web_enabled": False, **settings}
        self.app: Any = faust.App("defects", broker="kafka://127.0.0.1:1", **stated)
        self.committed: int | None = None
        self.app.consumer._commit_offsets = self._commit
        self.app.flow_control.resume()

    async def _commit(self, offsets: Mapping[TP, int], **_: Any) -> bool:
        self.committed = offsets[PLACE]
        self.app.consumer._committed_offset.update(offsets)
        return True

    async def feed(self, body: Body, values: Sequence[bytes], **topic: Any) -> None:
        """Start an agent with this body and let it have these records."""
        agent = self.app.agent(self.app.topic(PLACE.topic, **(topic or {"value_type": bytes, "value_serializer": "raw"})))(body)
        await agent.start()
        await asyncio.sleep(0.01)  # the agent begins to iterate: that is what registers its topic
        await self.app.topics._update_indices()
        await self.app.topics.on_partitions_assigned({PLACE})
        for offset, value in enumerate(values):
            await self.app.topics.on_message(fetched(offset, value))

    async def commit_until(self, offset: int) -> None:
        """What the consumer does every few seconds, until it has come to an offset."""
        while self.committed is None or self.committed < offset:
            await self.app.consumer.commit()
            await asyncio.sleep(0.01)

    def close(self) -> None:
        """Nothing is started again; the consumer has an event loop for a thread that was never started."""
        for agent in self.app.agents.values():
            if agent.supervisor is not None:
                agent.supervisor._stopped.set()
            agent._stopped.set()
        self.app.consumer._thread.thread_loop.close()


def run(scenario: Callable[[Stock], Coroutine[Any, Any, Any]], **settings: Any) -> Any:
    """Run a scenario within `WAIT_SECONDS` and end all that Faust left running: an agent that raised can't be stopped in order."""

    async def bounded() -> Any:
        stock = Stock(**settings)
        try:
            return await asyncio.wait_for(scenario(stock), WAIT_SECONDS)
        finally:
            stock.close()
            for _ in range(10):
                left = asyncio.all_tasks() - {asyncio.current_task()}
                if not left:
                    break
                for task in left:
                    task.cancel()
                await asyncio.wait(left, timeout=0.2)

    return asyncio.run(bounded())


# ---- acknowledging and committing ------------------------------------------------------------------------------------


def test_the_offset_to_commit_can_lie_behind_an_unfinished_event() -> None:
    """A1: a gap of exactly one at the head is passed over. (Ours: `acks=False`, Faust commits nothing.)

    2585 is the next to be folded and still in work; 2586 to 2589 are done.
    """

    async def scenario(stock: Stock) -> int | None:
        stock.app.topics._acking_topics.add(PLACE.topic)
        stock.app.consumer._committed_offset[PLACE] = 2585
        for offset in (2586, 2587, 2588, 2589):
            assert stock.app.consumer.ack(fetched(offset, b""))
        await stock.app.consumer.commit()
        return stock.committed

    assert run(scenario) == 2590, "event 2585 is not acknowledged, and the commit passes it"


def test_a_flush_gives_up_after_a_tenth_of_a_second_without_progress() -> None:
    """A2: `ProducerBuffer.flush` returns with messages still queued, and a commit follows. (Ours: nothing is sent through it.)"""

    async def scenario(stock: Stock) -> int:
        buffer = ProducerBuffer()
        buffer.app = stock.app
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

    assert run(scenario) > 0


def test_an_event_whose_agent_raised_is_committed_and_never_seen_again() -> None:
    """A3: the stream acknowledges in `finally`. (Ours: the agent only hands batches on, and what raises ends the process.)"""
    seen: list[bytes] = []
    finished: list[bytes] = []

    async def scenario(stock: Stock) -> None:
        async def body(stream: AsyncIterator[bytes]) -> None:
            async for value in stream:
                seen.append(value)
                if value == b"poison":
                    raise ZeroDivisionError
                finished.append(value)

        await stock.feed(body, [b"before", b"poison", b"after"])
        await stock.commit_until(3)

    run(scenario)
    assert seen == [b"before", b"poison", b"after"], "it is not given to the restarted agent again"
    assert finished == [b"before", b"after"], "and the commit is behind all three"


def test_a_table_cannot_be_written_while_a_batch_is_taken() -> None:
    """A4: in `take` no event is current. (Ours: lanes make the batches, and there are no tables.)"""
    errors: list[str] = []

    async def scenario(stock: Stock) -> None:
        table = stock.app.Table("counts", default=int, partitions=1)
        done = asyncio.Event()

        async def body(stream: Any) -> None:
            async for batch in stream.take(2, within=1):
                try:
                    table["all"] += len(batch)
                except TypeError as error:
                    errors.append(str(error))
                done.set()

        await stock.feed(body, [b"1", b"2"])
        await done.wait()

    run(scenario)
    assert errors == ["Cannot modify table key from outside of stream iteration"]


def test_a_batch_that_raised_is_committed_as_a_whole() -> None:
    """A5: `take` acknowledges its batch in `finally`. (Ours: a batch is one transaction, with the position in it.)"""
    batches: list[list[bytes]] = []

    async def scenario(stock: Stock) -> None:
        async def body(stream: Any) -> None:
            async for batch in stream.take(2, within=1):
                batches.append(list(batch))
                raise ZeroDivisionError

        await stock.feed(body, [b"1", b"2"])
        await stock.commit_until(2)

    run(scenario)
    assert batches == [[b"1", b"2"]], "nobody finished it, and the commit is behind it"


def test_a_record_that_cannot_be_decoded_ends_the_agent_and_is_committed() -> None:
    """A26: the error is thrown into the stream. (Ours: values are bytes; what can't be decoded raises inside the fold's guard.)"""
    ended: list[type] = []

    async def scenario(stock: Stock) -> None:
        async def body(stream: AsyncIterator[Any]) -> None:
            try:
                async for _ in stream:
                    pass
            except ValueDecodeError as error:
                ended.append(type(error))
                raise

        await stock.feed(body, [b"{"], value_type=int, value_serializer="json")
        await stock.commit_until(1)

    run(scenario)
    assert ended == [ValueDecodeError]


# ---- state -----------------------------------------------------------------------------------------------------------


def test_an_event_that_is_read_again_after_a_kill_is_counted_twice_in_rocksdb(tmp_path: Path) -> None:
    """A7: the table is on disk before its changelog record has left the process. (Ours: the local copy is written after the commit.)

    The killed process is an app that is dropped before it sent or committed anything; the second has the same folder.
    """

    counts: list[int] = []

    async def process(stock: Stock) -> None:
        table = stock.app.Table("counts", key_type=str, default=int, partitions=1)
        done = asyncio.Event()

        async def body(stream: AsyncIterator[bytes]) -> None:
            async for _ in stream:
                table["all"] += 1
                counts.append(table["all"])
                done.set()

        await stock.feed(body, [b"the one event"])
        await done.wait()
        assert stock.app.producer.buffer.size == 1, "the changelog record waits in memory"
        assert stock.committed is None
        assert table.persisted_offset(TP(table.changelog_topic_name, 0)) is None, "the store knows of no changelog record"
        for store in table.data._dbs.values():
            store.close()  # a second one can't open the folder otherwise; what it holds stays as it is

    for _ in range(2):
        run(process, store="rocksdb://", datadir=str(tmp_path))
    assert counts == [1, 2]


def test_a_falsy_value_after_a_tombstone_is_lost_in_recovery() -> None:
    """A12: in one recovery batch value, tombstone, 0 leaves no key. (Ours: state is restored by a plain consumer, from bytes.)"""

    def event(value: bytes | None, decoded: Any) -> Any:
        message = Message("log", 0, 1, time.time(), 0, {}, b"key", value, None, tp=TP("log", 0))
        return Mock(key="key", value=decoded, message=message)

    async def scenario(stock: Stock) -> bool:
        store = Store("memory://", stock.app, Mock(name="table"))
        events = [event(b"5", 5), event(None, None), event(b"0", 0)]
        store.apply_changelog_batch(events, to_key=lambda key: key, to_value=lambda value: value)
        return "key" in store.data

    assert run(scenario) is False


# ---- exposure --------------------------------------------------------------------------------------------------------


def test_tables_are_served_over_http_unless_that_is_switched_off() -> None:
    """A30: the web server is on by default and has the tables' contents. (Ours: `web_enabled=False`.)"""

    async def scenario(_: Stock) -> set[str]:
        app = faust.App("defects", broker="kafka://127.0.0.1:1", store="memory://")
        assert app.conf.web_enabled
        app.web.init_server()
        return {route.resource.canonical for route in app.web.web_app.router.routes() if route.resource}

    assert "/table/{name}/{key}/" in run(scenario)
