"""Futures of other threads wake a loop once for many; nobody waits for ever, and faults reach whoever waits."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import Future

import pytest

from topology.wakeups import Wakeups


def test_many_that_are_through_together_are_all_released() -> None:
    wakeups = Wakeups()
    futures: list[Future[int]] = [Future() for _ in range(2_000)]

    def complete() -> None:
        time.sleep(0.02)
        for number, future in enumerate(futures):
            future.set_result(number)

    async def scenario() -> None:
        thread = threading.Thread(target=complete)
        thread.start()
        async with asyncio.timeout(10):
            await asyncio.gather(*(wakeups.wait(future) for future in futures))
        thread.join()

    asyncio.run(scenario())


def test_completed_one_by_one_from_several_threads() -> None:
    wakeups = Wakeups()

    async def one(delay: float) -> None:
        future: Future[None] = Future()
        threading.Timer(delay, future.set_result, (None,)).start()
        await wakeups.wait(future)

    async def scenario() -> None:
        async with asyncio.timeout(10):
            await asyncio.gather(*(one(number % 7 / 100) for number in range(100)))

    asyncio.run(scenario())
    asyncio.run(scenario())  # a second loop is served as well


def test_faults_reach_whoever_waits() -> None:
    async def scenario() -> None:
        wakeups = Wakeups()
        early: Future[None] = Future()
        early.set_exception(ValueError("full"))
        late: Future[None] = Future()
        threading.Timer(0.02, late.set_exception, (ValueError("gone"),)).start()
        with pytest.raises(ValueError, match="full"):
            await wakeups.wait(early)
        with pytest.raises(ValueError, match="gone"):
            await wakeups.wait(late)

    asyncio.run(scenario())


def test_who_goes_away_and_a_closed_loop_harm_nobody() -> None:
    wakeups = Wakeups()
    left: Future[None] = Future()

    async def scenario() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await wakeups.wait(left)

    asyncio.run(scenario())
    left.set_result(None)
    other: Future[None] = Future()
    threading.Timer(0.01, other.set_result, (None,)).start()
    asyncio.run(wakeups.wait(other))
