"""One MLLP connection: blocks in, stored in the order they came, answers out in the same order.

What is pipelined is stored side by side, so that its messages share a disk sync; an answer waits until its own message is durable
and all before it are answered. When one can't be stored the connection is closed: its sender sends again from there.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from typing import TYPE_CHECKING, Final, cast

from connectors.contract import PublishError, TooLarge
from connectors.hl7.framing import Block, Deframer, frame
from connectors.hl7.mllp_modes import Verdict
from connectors.hl7.mllp_tls import common_name

if TYPE_CHECKING:
    from connectors.hl7.mllp import MllpListener

PENDING_MAX: Final = 64
PENDING_BYTES_MAX: Final = 8 * 1024 * 1024
"""Messages of one connection that wait for the store, and their bytes; beyond it the connection is not read."""
WRITE_BYTES_MAX: Final = 256 * 1024
"""Answers that a peer has not taken; beyond it the connection is not read, and closed when that lasts."""


class _Entry:
    """A message between its arrival and its answer. `task` is none for one that is not stored at all."""

    __slots__ = ("content", "refusal", "task")

    def __init__(self, content: bytes, task: asyncio.Task[None] | None, refusal: str = "") -> None:
        self.content = content
        self.task = task
        self.refusal = refusal


class MllpConnection(asyncio.Protocol):
    """Made by the listener for each peer; counts into the listener's counters."""

    def __init__(self, listener: MllpListener) -> None:
        """Nothing is read yet."""
        self._listener = listener
        self._settings = listener.settings
        self._counters = listener.counters
        self._deframer = Deframer(self._settings.message_bytes_max)
        self._waiting: deque[_Entry] = deque()
        self._waiting_bytes = 0
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._last_heard = 0.0
        self._ended = False
        self._blocked = False
        self._paused = False
        self._counted = False
        self.peer: str | None = None

    # ---- what asyncio calls --------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A peer connected (and, with TLS, is who its certificate says)."""
        transport = cast("asyncio.Transport", transport)  # a stream server makes no other
        self._transport = transport
        self._counters.connections += 1
        if not self._listener.admit(self):
            self._counters.turned_away += 1
            transport.close()
            return
        self._counted = True
        self._counters.open_connections += 1
        self.peer = _peer_name(transport)
        transport.set_write_buffer_limits(high=WRITE_BYTES_MAX)
        opened = transport.get_extra_info("socket")
        if opened is not None:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        loop = asyncio.get_running_loop()
        self._last_heard = loop.time()
        self._timer = loop.call_later(self._settings.idle_seconds, self._look)

    def data_received(self, data: bytes) -> None:
        """Store every block that is complete now."""
        if not self._counted or self._ended:
            return
        self._last_heard = asyncio.get_running_loop().time()
        for block in self._deframer.feed(data):
            self._take(block)
        if self._deframer.skipped_bytes > self._settings.skipped_bytes_max:
            self.close()
            return
        self._flush()

    def eof_received(self) -> bool:
        """The peer sends no more; it still gets the answers it waits for."""
        self._ended = True
        return bool(self._waiting)

    def pause_writing(self) -> None:
        """The peer does not take its answers: read no more from it."""
        self._blocked = True
        self._pace()

    def resume_writing(self) -> None:
        """It takes them again."""
        self._blocked = False
        self._last_heard = asyncio.get_running_loop().time()
        self._pace()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's signature
        """It is over; what is being stored stays stored, and its sender sends again what got no answer."""
        if self._timer is not None:
            self._timer.cancel()
        self._waiting.clear()
        self._listener.discard(self)
        if self._counted:
            self._counters.open_connections -= 1
            self._counters.incomplete += self._deframer.partial
            self._counters.garbage_bytes += self._deframer.garbage_bytes

    # ---- storing and answering -----------------------------------------------------------------------------------

    def close(self) -> None:
        """Close without answering what has no answer yet."""
        self._waiting.clear()
        if self._transport is not None:
            self._transport.close()

    def _take(self, block: Block) -> None:
        """Begin to store one block."""
        if block.oversize:
            self._counters.oversize += 1
            limit = self._settings.message_bytes_max
            entry = _Entry(block.content, None, f"the message is larger than {limit} bytes; it was not stored")
        else:
            task = self._listener.store(block.content, self.peer)
            entry = _Entry(block.content, task)
            task.add_done_callback(self._stored)
        self._waiting.append(entry)
        self._waiting_bytes += len(entry.content)

    def _stored(self, task: asyncio.Task[None]) -> None:
        """One of them is through; without a connection only its fault is taken note of."""
        if not task.cancelled():
            task.exception()
        self._flush()

    def _flush(self) -> None:
        """Answer from the front what is through; close at the first that could not be stored."""
        out: list[bytes] = []
        while self._waiting and (self._waiting[0].task is None or self._waiting[0].task.done()):
            entry = self._waiting.popleft()
            self._waiting_bytes -= len(entry.content)
            verdict, reason = self._verdict(entry)
            if verdict is None:
                self._counters.unavailable += 1
                self._write(out)
                self.close()
                return
            out += [frame(answer) for answer in self._listener.answers(entry.content, verdict, reason)]
        self._write(out)
        if self._ended and not self._waiting:
            self.close()
        else:
            self._pace()

    def _verdict(self, entry: _Entry) -> tuple[Verdict | None, str | None]:
        """What became of a message; no verdict when it could not be stored now and must be sent again."""
        if entry.task is None:
            return Verdict.NOT_STORED, entry.refusal
        if entry.task.cancelled():
            return None, None
        fault = entry.task.exception()
        if isinstance(fault, TooLarge):
            self._counters.oversize += 1
            return Verdict.NOT_STORED, str(fault) or "the message is larger than the hub stores; it was not stored"
        if isinstance(fault, PublishError):
            return None, None
        if fault is not None:
            raise fault
        self._counters.stored += 1
        return self._listener.judged(entry.content)

    def _write(self, answers: list[bytes]) -> None:
        if answers and self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"".join(answers))

    def _pace(self) -> None:
        """Read only while there is room: for messages on their way to the store, and for answers on their way to the peer."""
        if self._transport is None or self._transport.is_closing():
            return
        full = self._blocked or len(self._waiting) >= PENDING_MAX or self._waiting_bytes >= PENDING_BYTES_MAX
        if full and not self._paused:
            self._transport.pause_reading()
        elif self._paused and not full:
            self._transport.resume_reading()
        self._paused = full

    def _look(self) -> None:
        """Close a peer that has been silent, or has not taken its answers, for too long; one that waits for us is not silent."""
        loop = asyncio.get_running_loop()
        due = self._last_heard + self._settings.idle_seconds
        if self._waiting and not self._blocked:
            due = loop.time() + self._settings.idle_seconds
        if due > loop.time():
            self._timer = loop.call_at(due, self._look)
            return
        self._counters.idle_closed += 1
        self._waiting.clear()
        if self._transport is not None:
            self._transport.abort()


def _peer_name(transport: asyncio.Transport) -> str | None:
    """The peer's address as text, and the common name of its certificate."""
    name = transport.get_extra_info("peername")
    if not isinstance(name, tuple) or len(name) < 2:
        return None
    certified = common_name(transport.get_extra_info("peercert"))
    return f"{name[0]}:{name[1]}" + (f" CN={certified}" if certified else "")
