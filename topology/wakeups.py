"""Waiting on an event loop for futures that other threads complete, many at a time.

`asyncio.wrap_future` wakes the loop once for every future. A store or a broker completes hundreds together; here the loop is
woken once for all that are through.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from concurrent.futures import Future
from typing import Any


class Wakeups:
    """One for each publisher; used from any number of event loops, one after the other or side by side."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._through: dict[asyncio.AbstractEventLoop, deque[asyncio.Future[None]]] = {}

    async def wait(self, future: Future[Any]) -> None:
        """Return when the future is done; raises what it holds."""
        if not future.done():
            loop = asyncio.get_running_loop()
            waiter: asyncio.Future[None] = loop.create_future()
            future.add_done_callback(lambda _: self._done(loop, waiter))
            await waiter
        future.result()

    def _done(self, loop: asyncio.AbstractEventLoop, waiter: asyncio.Future[None]) -> None:
        """In the other thread: note it, and wake the loop unless that is on its way."""
        with self._lock:
            waiting = self._through.get(loop)
            if waiting is not None:
                waiting.append(waiter)
                return
            self._through[loop] = deque([waiter])
        try:
            loop.call_soon_threadsafe(self._deliver, loop)
        except RuntimeError:  # the loop is closed: nobody waits any more
            with self._lock:
                self._through.pop(loop, None)

    def _deliver(self, loop: asyncio.AbstractEventLoop) -> None:
        """On the loop: release everybody who is through."""
        with self._lock:
            through = self._through.pop(loop, ())
        for waiter in through:
            if not waiter.done():
                waiter.set_result(None)
