"""The MLLP listener: HL7 v2 over TCP in, raw messages out.

It acknowledges a message only after `publish` has returned, that is, when its bytes are durable. It judges no content unless it
is told to: what can't be understood is stored and acknowledged AA as well, so that a sender's queue never blocks or loops on a
bad message. It binds to 127.0.0.1 unless told otherwise.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from connectors.contract import Publish
from connectors.hl7.ack import build_ack, plain_ack
from connectors.hl7.batch import split
from connectors.hl7.er7 import Er7Error, Message, read
from connectors.hl7.mllp_connection import MllpConnection
from connectors.hl7.mllp_modes import Verdict, answers
from connectors.hl7.mllp_tls import TlsFiles, server_context
from schemas.raw import BODY_BYTES_MAX, HL7_ER7, RawMessage

CONNECTIONS_MAX: Final = 2_000
"""A connection beyond it is closed at once and counted."""

SKIPPED_BYTES_MAX: Final = 16 * BODY_BYTES_MAX
"""A connection that sends more than this in messages over the limit is closed."""

HANDSHAKE_SECONDS_MAX: Final = 10.0
BACKLOG: Final = 1_024
"""Connections that may wait to be taken, as when many senders come back at once after a restart."""

Judge = Callable[[bytes], tuple[Verdict, str] | None]
"""What a profile wants a sender told about a stored message: ERROR or REJECTED with a reason; nothing for AA."""

_CONTROL_NUMBERS: Final = 1_000_000
_PLAIN_START: Final = b"MSH|^~\\&|"
_ASKS_FROM: Final = 13
"""Separators of a header that ends before MSH-15."""


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
    tls: TlsFiles | None = None
    judge: Judge | None = None


@dataclasses.dataclass(slots=True)
class MllpCounters:
    """What a listener has seen since it started. `handshakes` that did not become `connections` were refused (TLS only)."""

    connections: int = 0
    open_connections: int = 0
    turned_away: int = 0
    handshakes: int = 0
    stored: int = 0
    accepted: int = 0
    rejected: int = 0
    unavailable: int = 0
    oversize: int = 0
    incomplete: int = 0
    garbage_bytes: int = 0
    idle_closed: int = 0
    unjudged: int = 0


def _now() -> datetime:
    """The time of day; the listener is the one place here that knows it."""
    return datetime.now(UTC)


class MllpListener:
    """Listens for MLLP connections and hands every message to `publish`, in the order of each connection."""

    def __init__(self, publish: Publish, settings: MllpSettings, clock: Callable[[], datetime] = _now) -> None:
        """`clock` gives the time of receipt and of answering, timezone-aware UTC."""
        self._publish = publish
        self.settings = settings
        self._clock = clock
        self._server: asyncio.Server | None = None
        self._connections: set[MllpConnection] = set()
        self._storing: set[asyncio.Task[None]] = set()
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
        """Begin to listen. Raises `OSError` when the address can't be used, `TlsError` when the certificates can't."""
        context = None if self.settings.tls is None else server_context(self.settings.tls)
        if context is not None:
            context.sni_callback = self._greeted
        self._server = await asyncio.get_running_loop().create_server(
            lambda: MllpConnection(self), self.settings.host, self.settings.port, backlog=BACKLOG, ssl=context,
            ssl_handshake_timeout=HANDSHAKE_SECONDS_MAX if context is not None else None,
        )  # fmt: skip

    async def stop(self) -> None:
        """Stop listening and close every connection. What is not yet acknowledged stays the sender's to resend."""
        if self._server is None:
            return
        self._server.close()
        for connection in list(self._connections):
            connection.close()
        for task in list(self._storing):
            task.cancel()
        await asyncio.gather(*self._storing, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None

    # ---- what connections ask ------------------------------------------------------------------------------------

    def admit(self, connection: MllpConnection) -> bool:
        """Whether there is room for one more."""
        if len(self._connections) >= self.settings.connections_max:
            return False
        self._connections.add(connection)
        return True

    def discard(self, connection: MllpConnection) -> None:
        """It is over."""
        self._connections.discard(connection)

    def store(self, content: bytes, peer: str | None) -> asyncio.Task[None]:
        """Begin to store a message; stores begin in the order of these calls."""
        task = asyncio.ensure_future(self._publish(self._raw(content, peer)))
        self._storing.add(task)  # type: ignore[arg-type]  # publish is a coroutine function
        task.add_done_callback(self._storing.discard)  # type: ignore[arg-type]
        return task  # type: ignore[return-value]

    def judged(self, content: bytes) -> tuple[Verdict, str | None]:
        """What the feed's profile wants said of a stored message. A judge that fails says nothing against it."""
        judge = self.settings.judge
        if judge is None:
            return Verdict.TAKEN, None
        try:
            return judge(content) or (Verdict.TAKEN, None)
        except Exception:  # noqa: BLE001  # the message is stored: nothing may keep its sender from its answer
            self.counters.unjudged += 1
            return Verdict.TAKEN, None

    def answers(self, content: bytes, verdict: Verdict, reason: str | None) -> list[bytes]:
        """The acknowledgements of one message, each under a control id of our own."""
        if verdict is Verdict.TAKEN:
            self.counters.accepted += 1
            quick = self._plain_answer(content)
            if quick is not None:
                return [quick]
        else:
            self.counters.rejected += 1
        header = _header_of(content)
        accept, application = (header.get("MSH-15"), header.get("MSH-16")) if header is not None else ("", "")
        found = []
        for code in answers(accept, application, verdict):
            at = self._clock()
            control_id = self._control_id(at)
            found.append(build_ack(header, code, control_id, at, None if code in ("AA", "CA") else reason))
        return found

    def _plain_answer(self, content: bytes) -> bytes | None:
        """The one AA of an accepted message with a header as nearly all have it; None when it takes more to say."""
        if not content.startswith(_PLAIN_START) or not content.isascii():
            return None
        head = content.partition(b"\r")[0]
        if b"\n" in head or head.count(b"|") > _ASKS_FROM:  # MSH-15 or later is there: it may ask for enhanced mode
            return None
        at = self._clock()
        return plain_ack(head, "AA", self._control_id(at), f"{_second(at.replace(microsecond=0))}+0000")

    def _control_id(self, at: datetime) -> str:
        """A control id of our own: the time to the second, and a number."""
        self._control_number = (self._control_number + 1) % _CONTROL_NUMBERS
        return f"{_second(at.replace(microsecond=0))}{self._control_number:06d}"

    def _raw(self, body: bytes, peer: str | None) -> RawMessage:
        """The bytes with what is known about how they came."""
        return RawMessage(
            body=body,
            source=self.settings.source,
            connector="hl7",
            content_type=HL7_ER7,
            received_at=self._clock(),
            profile=self.settings.profile,
            site=self.settings.site,
            peer=peer,
        )

    def _greeted(self, *_: object) -> None:
        """A TLS client said hello; whether it is let in shows when its connection is made."""
        self.counters.handshakes += 1


@lru_cache(maxsize=16)
def _second(at: datetime) -> str:
    """A second as HL7 writes it."""
    return f"{at:%Y%m%d%H%M%S}"


def _header_of(content: bytes) -> Message | None:
    """The header of a block's first message; None when there is none that can be read."""
    if content.startswith(_PLAIN_START) and content.isascii():
        first = content.partition(b"\r")[0]
        if b"\n" not in first:
            return read(first)
    members = split(content).members
    try:
        return read(members[0]) if members else None
    except Er7Error:
        return None
