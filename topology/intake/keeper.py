"""Publishing into the journal from an event loop: messages that arrive while a group is on its way to disk form the next one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from connectors.contract import TooLarge, Unavailable
from schemas.raw import BODY_BYTES_MAX, RawMessage
from topology.intake.journal import JournalFullError, JournalWriter

PENDING_MESSAGES_MAX: Final = 10_000
"""Messages waiting for their group; beyond it publishing is refused, so that memory stays bounded."""
PENDING_BYTES_MAX: Final = 64 * 1024 * 1024
GROUP_MESSAGES_MAX: Final = 500
GROUP_BYTES_MAX: Final = 8 * 1024 * 1024
RETRY_SECONDS: Final = 1.0
"""How long nothing is tried after a write that failed."""

Written = Callable[[int, str | None], None]
"""Told after each write: how many messages were kept so far, and why nothing can be kept just now."""


class Keeper:
    """The connectors' `publish` over a `JournalWriter`. Of one event loop."""

    def __init__(self, journal: JournalWriter, written: Written) -> None:
        """Writes in a thread of its own."""
        self._journal = journal
        self._written = written
        self._thread = ThreadPoolExecutor(1, "journal")
        self._pending: list[tuple[RawMessage, asyncio.Future[None]]] = []
        self._pending_bytes = 0
        self._task: asyncio.Task[None] | None = None
        self._retry_at = 0.0
        self.failing: str | None = None
        self.kept = 0

    async def publish(self, message: RawMessage) -> None:
        """Make one message durable (the connectors' contract)."""
        size = len(message.body)
        if size > BODY_BYTES_MAX:
            msg = f"the message has {size} bytes, the hub stores at most {BODY_BYTES_MAX}"
            raise TooLarge(msg)
        if self.failing is not None and time.monotonic() < self._retry_at:
            raise Unavailable(self.failing)
        if len(self._pending) >= PENDING_MESSAGES_MAX or self._pending_bytes + size > PENDING_BYTES_MAX:
            msg = f"{len(self._pending)} messages wait to be stored already"
            raise Unavailable(msg)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pending.append((message, future))
        self._pending_bytes += size
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._write())
        await future

    async def stop(self) -> None:
        """Finish what is on its way."""
        while self._task is not None:
            await asyncio.wait([self._task])
        self._thread.shutdown()
        self._journal.close()

    async def _write(self) -> None:
        """Groups, one after the other, until nothing is pending."""
        loop = asyncio.get_running_loop()
        try:
            while self._pending:
                group = self._group()
                try:
                    await loop.run_in_executor(self._thread, self._journal.append, [message for message, _ in group])
                except Exception as error:  # noqa: BLE001  # whatever it is, nobody may wait for ever or take it for stored
                    self._failed(group, str(error) if isinstance(error, JournalFullError) else type(error).__name__)
                    continue
                self.failing = None
                self.kept += len(group)
                for _, future in group:
                    if not future.done():
                        future.set_result(None)
                self._written(self.kept, None)
        finally:
            self._task = None

    def _group(self) -> list[tuple[RawMessage, asyncio.Future[None]]]:
        """The first of what is pending, bounded in number and bytes."""
        size = count = 0
        for message, _ in self._pending[:GROUP_MESSAGES_MAX]:
            size += len(message.body)
            if count and size > GROUP_BYTES_MAX:
                size -= len(message.body)
                break
            count += 1
        group = self._pending[:count]
        del self._pending[:count]
        self._pending_bytes -= size
        return group

    def _failed(self, group: list[tuple[RawMessage, asyncio.Future[None]]], why: str) -> None:
        """Nothing of a group was kept: nobody gets an acknowledgement."""
        self.failing = f"received messages can't be stored: {why}"
        self._retry_at = time.monotonic() + RETRY_SECONDS
        for _, future in group:
            if not future.done():
                future.set_exception(Unavailable(self.failing))
        self._written(self.kept, self.failing)
