"""Sending a queue over MLLP, for sinks: strictly in order, one in flight, until each message is acknowledged.

A message that nobody answers is sent again for as long as it takes, and nothing overtakes it. One that is answered AE or AR would
be refused again: what becomes of it is the owner's choice, said once (`Refusal`). `done` is told of each message that is through,
so that a sink can remember its place; after a crash the last one may be sent twice, under the same control id.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable
from enum import Enum
from typing import Final

from connectors.hl7.mllp_client import Acknowledgement, MllpClient, MllpTarget, NoAcknowledgement

PAUSE_SECONDS_MAX: Final = 60.0


class Refusal(Enum):
    """What to do with a message that the other side refuses (AE, AR, CE, CR)."""

    STOP = "stop"  # raise `RefusedMessageError`: a person decides, nothing overtakes
    SET_ASIDE = "set aside"  # hand it to `aside` and go on with the next
    RESEND = "resend"  # send it again later, as some engines ask by AE while they are busy


class RefusedMessageError(Exception):
    """The other side refused a message. `acknowledgement` is its answer."""

    def __init__(self, acknowledgement: Acknowledgement) -> None:
        super().__init__(f"the receiver answered {acknowledgement.code or 'what is no acknowledgement'}")
        self.acknowledgement = acknowledgement


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SenderSettings:
    """How to send, and what refusals mean. Pauses double from `pause_seconds` up to a minute."""

    target: MllpTarget
    refusal: Refusal = Refusal.STOP
    pause_seconds: float = 1.0
    aside: Callable[[bytes, Acknowledgement], Awaitable[None]] | None = None


@dataclasses.dataclass(slots=True)
class SenderCounters:
    """What a sender has done since it started."""

    delivered: int = 0
    refused: int = 0
    unanswered: int = 0


class MllpSender:
    """Sends what `messages` yields, in order, for ever or until it ends."""

    def __init__(self, settings: SenderSettings) -> None:
        """Connects when the first message comes."""
        self._settings = settings
        self.counters = SenderCounters()

    async def run(self, messages: AsyncIterator[bytes], done: Callable[[bytes], Awaitable[None]]) -> None:
        """Send each message until it is through, then call `done`. Raises `RefusedMessageError` as `Refusal.STOP` says."""
        async with MllpClient(self._settings.target) as client:
            async for message in messages:
                await self._deliver(client, message)
                await done(message)

    async def _deliver(self, client: MllpClient, message: bytes) -> None:
        pause = self._settings.pause_seconds
        while True:
            try:
                answer = await client.send(message)
            except NoAcknowledgement:
                self.counters.unanswered += 1
            else:
                if answer.accepted:
                    self.counters.delivered += 1
                    return
                self.counters.refused += 1
                if await self._is_settled(message, answer):
                    return
            await asyncio.sleep(pause)
            pause = min(2 * pause, PAUSE_SECONDS_MAX)

    async def _is_settled(self, message: bytes, answer: Acknowledgement) -> bool:
        """Whether a refused message is through with. Raises `RefusedMessageError` when nobody said it may be passed over."""
        match self._settings.refusal:
            case Refusal.RESEND:
                return False
            case Refusal.SET_ASIDE if self._settings.aside is not None:
                await self._settings.aside(message, answer)
                return True
            case _:
                raise RefusedMessageError(answer)
