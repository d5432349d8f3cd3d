"""What has arrived on one connection and is not acknowledged yet.

Owns two orders. Messages of one topic are stored one after the other, because MQTT promises the order of a topic (5.0, 4.6):
one that has to be tried again holds up only those behind it on its topic. Acknowledgements go out in the order of arrival, as
the same clause asks: the first message that is not stored holds up all of them, and with them what the broker may send.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import Final

import structlog

from connectors.contract import Publish, PublishError, TooLarge
from connectors.mqtt.settings import MqttCounters, MqttSettings
from schemas.raw import BODY_BYTES_MAX, RawMessage

_log: Final = structlog.get_logger("wardstock.mqtt")


class Storing:
    """Stores what it is given and acknowledges it, for as long as one connection lasts. Of one event loop."""

    def __init__(
        self, publish: Publish, acknowledge: Callable[[int], None], settings: MqttSettings, counters: MqttCounters
    ) -> None:
        """`acknowledge` sends the PUBACK of a message by its number."""
        self._publish = publish
        self._acknowledge = acknowledge
        self._settings = settings
        self._counters = counters
        self._arrived: deque[tuple[int | None, asyncio.Future[None]]] = deque()
        self._last: dict[str, asyncio.Task[None]] = {}
        self._is_waiting = False
        self._more = asyncio.Event()
        self._settled = asyncio.Event()
        self._settled.set()

    def take(self, message: RawMessage, number: int | None) -> None:
        """Begin to store a message; once it is durable, it is acknowledged under its number (None: QoS 0, never)."""
        topic = message.name or ""
        task = asyncio.create_task(self._store(message, topic, self._last.get(topic)))
        self._last[topic] = task
        self._add(number, task)

    def pass_over(self, number: int | None) -> None:
        """Acknowledge in its turn what is not stored."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        self._add(number, done)

    def _add(self, number: int | None, task: asyncio.Future[None]) -> None:
        self._arrived.append((number, task))
        self._counters.in_flight = len(self._arrived)
        self._counters.in_flight_peak = max(self._counters.in_flight_peak, len(self._arrived))
        self._settled.clear()
        self._more.set()

    async def acknowledge(self) -> None:
        """Acknowledge for ever. Raises what storing raised beside `PublishError`, and what acknowledging raised."""
        while True:
            while self._arrived:
                number, task = self._arrived[0]
                await asyncio.wait([task])
                task.result()
                if number is not None:
                    self._acknowledge(number)
                self._arrived.popleft()
                self._counters.in_flight = len(self._arrived)
            self._settled.set()
            self._more.clear()
            await self._more.wait()

    async def finish(self, seconds: float) -> None:
        """Wait until all is acknowledged, at most so long."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._settled.wait(), seconds)

    async def close(self) -> None:
        """The connection is over: what is not acknowledged comes again on the next one."""
        tasks = [task for _, task in self._arrived]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._counters.in_flight = 0

    async def _store(self, message: RawMessage, topic: str, before: asyncio.Task[None] | None) -> None:
        """Store one message, behind the one before it on its topic, again and again while the hub can't."""
        if before is not None:
            await asyncio.wait([before])
            before.result()
        while not await self._stored(message, topic):
            await asyncio.sleep(self._settings.store_retry_seconds)
        if self._last.get(topic) is asyncio.current_task():
            del self._last[topic]

    async def _stored(self, message: RawMessage, topic: str) -> bool:
        """One try. True when the message is off our hands."""
        counters = self._counters
        try:
            if len(message.body) > BODY_BYTES_MAX:
                msg = f"the message has more than {BODY_BYTES_MAX} bytes, which is all the hub stores"
                raise TooLarge(msg)  # as publishing would say of the whole message
            await self._publish(message)
        except TooLarge as error:
            counters.oversize += 1
            _log.error("mqtt_message_too_large", source=message.source, topic=topic, reason=str(error))
        except PublishError as error:
            counters.unavailable += 1
            if not self._is_waiting:  # said once, not for every message and every second
                _log.warning("mqtt_messages_wait", source=message.source, reason=str(error) or type(error).__name__)
            self._is_waiting = True
            return False
        else:
            counters.stored += 1
            self._is_waiting = False
        return True
