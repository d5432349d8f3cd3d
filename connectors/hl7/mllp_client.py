"""A small MLLP client: sends messages one after the other and waits for each acknowledgement.

Owns one connection, reconnecting and resending within a bound. A message may reach the other side more than once: receivers
recognise a resend by its content.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from types import TracebackType
from typing import Final, Self

from connectors.hl7.er7 import Er7Error, read
from connectors.hl7.framing import Deframer, frame

ACK_BYTES_MAX: Final = 1024 * 1024
"""An answer larger than this is no acknowledgement."""

_READ_BYTES: Final = 64 * 1024

# Exceptions:
#   MllpSendError
#   └── NoAcknowledgement   after all attempts nobody answered


class MllpSendError(Exception):
    """A message was not delivered."""


class NoAcknowledgement(MllpSendError):  # noqa: N818  # named for what happened
    """After all attempts there was no acknowledgement; the message may or may not have arrived."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MllpTarget:
    """Where to send, and how patiently. Waits between attempts double from `retry_seconds` up to `retry_seconds_max`."""

    host: str
    port: int
    acknowledgement_seconds: float = 30.0
    attempts_max: int = 5
    retry_seconds: float = 0.2
    retry_seconds_max: float = 10.0


@dataclasses.dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What the other side answered. `code` is MSA-1 (empty when the answer could not be read), `control_id` is MSA-2."""

    code: str
    control_id: str
    content: bytes

    @property
    def accepted(self) -> bool:
        """Whether the other side has taken the message."""
        return self.code in ("AA", "CA")


class MllpClient:
    """Use as an async context manager; `send` may be called from several tasks, messages go one at a time."""

    def __init__(self, target: MllpTarget) -> None:
        self._target = target
        self._lock = asyncio.Lock()
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._deframer = Deframer(ACK_BYTES_MAX)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def send(self, message: bytes) -> Acknowledgement:
        """Send one message and wait for its acknowledgement, whatever it says.

        Raises `NoAcknowledgement` when no attempt was answered.
        """
        wait = self._target.retry_seconds
        async with self._lock:
            for attempt in range(1, self._target.attempts_max + 1):
                try:
                    async with asyncio.timeout(self._target.acknowledgement_seconds):
                        return await self._exchange(message)
                except (OSError, TimeoutError, asyncio.IncompleteReadError):
                    await self.close()
                if attempt < self._target.attempts_max:
                    await asyncio.sleep(wait)
                    wait = min(wait * 2, self._target.retry_seconds_max)
        target = f"{self._target.host}:{self._target.port}"
        msg = f"no acknowledgement from {target} after {self._target.attempts_max} attempts"
        raise NoAcknowledgement(msg)

    async def close(self) -> None:
        """Close the connection; the next `send` opens another."""
        writer, self._reader, self._writer = self._writer, None, None
        if writer is not None:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _exchange(self, message: bytes) -> Acknowledgement:
        """One attempt: connect when needed, send, wait for one block."""
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(self._target.host, self._target.port)
            self._deframer = Deframer(ACK_BYTES_MAX)
        expected = _control_id(message)
        self._writer.write(frame(message))
        await self._writer.drain()
        while True:
            data = await self._reader.read(_READ_BYTES)
            if not data:
                msg = "the peer closed the connection without an acknowledgement"
                raise ConnectionResetError(msg)
            for block in self._deframer.feed(data):
                answer = _acknowledgement(block.content)
                if not answer.control_id or not expected or answer.control_id == expected:
                    return answer
                # An answer to another message: taking it for this one's is how engines lose messages.


def _control_id(message: bytes) -> str:
    """MSH-10 of a message; "" when it has none that can be read."""
    try:
        return read(message.partition(b"\r")[0]).get("MSH-10")
    except Er7Error:
        return ""


def _acknowledgement(content: bytes) -> Acknowledgement:
    """An answer as MSA-1 and MSA-2."""
    try:
        answer = read(content)
    except Er7Error:
        return Acknowledgement("", "", content)
    return Acknowledgement(answer.get("MSA-1"), answer.get("MSA-2"), content)
