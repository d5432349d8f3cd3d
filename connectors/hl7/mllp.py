"""The MLLP listener: HL7 v2 over TCP in, raw messages out.

It acknowledges a message only after `publish` has returned, that is, when its bytes are durable. It judges no content: what can't
be understood is stored and acknowledged AA as well, so that a sender's queue never blocks or loops on a bad message. It binds to
127.0.0.1 unless told otherwise.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from connectors.contract import Publish, PublishError, TooLarge
from connectors.hl7.ack import AckCode, build_ack
from connectors.hl7.batch import split
from connectors.hl7.er7 import Er7Error, Message, read
from connectors.hl7.framing import Block, Deframer, frame
from schemas.raw import BODY_BYTES_MAX, HL7_ER7, RawMessage

READ_BYTES: Final = 64 * 1024
"""Read at a time; with the size limit of a message it bounds the memory of a connection."""

CONNECTIONS_MAX: Final = 1000
"""A connection beyond it is closed at once and counted."""

SKIPPED_BYTES_MAX: Final = 16 * BODY_BYTES_MAX
"""A connection that sends more than this in messages over the limit is closed."""

_CONTROL_NUMBERS: Final = 1_000_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MllpSettings:
    """Where to listen, and what to say about the messages that come in. Port 0 takes a free one."""

    host: str = "127.0.0.1"
    port: int = 2575
    source: str = "mllp"
    site: str | None = None
    profile: str = "standard"
    message_bytes_max: int = BODY_BYTES_MAX
    skipped_bytes_max: int = SKIPPED_BYTES_MAX
    idle_seconds: float = 300.0
    connections_max: int = CONNECTIONS_MAX


@dataclasses.dataclass(slots=True)
class MllpCounters:
    """What a listener has seen since it started."""

    connections: int = 0
    open_connections: int = 0
    turned_away: int = 0
    stored: int = 0
    accepted: int = 0
    rejected: int = 0
    unavailable: int = 0
    oversize: int = 0
    incomplete: int = 0
    garbage_bytes: int = 0
    idle_closed: int = 0


def _now() -> datetime:
    """The time of day; the listener is the one place here that knows it."""
    return datetime.now(UTC)


class MllpListener:
    """Listens for MLLP connections and hands every message to `publish`, in the order of each connection."""

    def __init__(self, publish: Publish, settings: MllpSettings, clock: Callable[[], datetime] = _now) -> None:
        """`clock` gives the time of receipt and of answering, timezone-aware UTC."""
        self._publish = publish
        self._settings = settings
        self._clock = clock
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._control_number = 0
        self.counters = MllpCounters()

    @property
    def address(self) -> tuple[str, int]:
        """Host and port it listens on. Raises `RuntimeError` before `start`."""
        if self._server is None or not self._server.sockets:
            msg = "the MLLP listener has not been started"
            raise RuntimeError(msg)
        host, port = self._server.sockets[0].getsockname()[:2]
        return str(host), int(port)

    async def start(self) -> None:
        """Begin to listen. Raises `OSError` when the address can't be used."""
        self._server = await asyncio.start_server(
            self._serve, self._settings.host, self._settings.port, limit=READ_BYTES, backlog=128
        )

    async def stop(self) -> None:
        """Stop listening and close every connection. What is not yet acknowledged stays the sender's to resend."""
        if self._server is None:
            return
        self._server.close()
        connections = list(self._connections)
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from opening to closing."""
        self.counters.connections += 1
        if self.counters.open_connections >= self._settings.connections_max:
            self.counters.turned_away += 1
            writer.close()
            return
        self.counters.open_connections += 1
        task = asyncio.current_task()
        if task is not None:
            self._connections.add(task)
        deframer = Deframer(self._settings.message_bytes_max)
        try:
            await self._converse(reader, writer, deframer)
        except (ConnectionError, TimeoutError):
            pass  # the peer is gone or silent: closing is all there is to do, and what it sent last was not acknowledged
        except asyncio.CancelledError:
            pass  # `stop` closes the connection; the sender resends what has no answer
        finally:
            self.counters.open_connections -= 1
            self.counters.incomplete += deframer.partial
            self.counters.garbage_bytes += deframer.garbage_bytes
            if task is not None:
                self._connections.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, deframer: Deframer) -> None:
        """Answer block after block until the peer closes, falls silent, or a message can't be stored."""
        peer = _peer_name(writer)
        while True:
            try:
                async with asyncio.timeout(self._settings.idle_seconds):
                    data = await reader.read(READ_BYTES)
            except TimeoutError:
                self.counters.idle_closed += 1
                return
            if not data:
                return
            for block in deframer.feed(data):
                answer = await self._answer(block, peer)
                if answer is None:
                    return
                writer.write(frame(answer))
                async with asyncio.timeout(self._settings.idle_seconds):
                    await writer.drain()
            if deframer.skipped_bytes > self._settings.skipped_bytes_max:
                return

    async def _answer(self, block: Block, peer: str | None) -> bytes | None:
        """Store one block and build its acknowledgement; None when it could not be stored now and must be sent again."""
        limit = self._settings.message_bytes_max
        if block.oversize:
            self.counters.oversize += 1
            return self._ack(block.content, "AR", f"the message is larger than {limit} bytes; it was not stored")
        try:
            await self._publish(self._raw(block.content, peer))
        except TooLarge as error:
            self.counters.oversize += 1
            return self._ack(block.content, "AR", str(error) or "the message is larger than the hub stores; it was not stored")
        except PublishError:
            self.counters.unavailable += 1
            return None
        self.counters.stored += 1
        return self._ack(block.content, "AA", None)

    def _raw(self, body: bytes, peer: str | None) -> RawMessage:
        """The bytes with what is known about how they came."""
        return RawMessage(
            body=body,
            source=self._settings.source,
            connector="hl7",
            content_type=HL7_ER7,
            received_at=self._clock(),
            profile=self._settings.profile,
            site=self._settings.site,
            peer=peer,
        )

    def _ack(self, content: bytes, code: AckCode, error: str | None) -> bytes:
        """The acknowledgement of one block, under a control id of our own."""
        if code == "AA":
            self.counters.accepted += 1
        else:
            self.counters.rejected += 1
        at = self._clock()
        self._control_number = (self._control_number + 1) % _CONTROL_NUMBERS
        control_id = f"{at:%Y%m%d%H%M%S}{self._control_number:06d}"
        return build_ack(_header_of(content), code, control_id, at, error)


def _header_of(content: bytes) -> Message | None:
    """The first message of a block, for its header; None when there is none that can be read."""
    members = split(content).members
    try:
        return read(members[0]) if members else None
    except Er7Error:
        return None


def _peer_name(writer: asyncio.StreamWriter) -> str | None:
    """The peer's address as text."""
    name = writer.get_extra_info("peername")
    return f"{name[0]}:{name[1]}" if isinstance(name, tuple) and len(name) >= 2 else None
