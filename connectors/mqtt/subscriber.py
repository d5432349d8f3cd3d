"""An MQTT feed: connected to one broker for as long as the hub runs, messages in, raw messages out.

A message of QoS 1 is acknowledged only after `publish` has returned. The session at the broker outlives connections and hubs:
what is published meanwhile, and what was delivered without being acknowledged, comes with the next one. A broker that is away,
refuses or grants less than asked is counted and logged, and tried again for ever; it never ends the feed.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import structlog
from aiomqtt import Message, MqttError
from aiomqtt.exceptions import MqttConnectError
from paho.mqtt.reasoncodes import ReasonCode

from connectors.contract import Publish
from connectors.mqtt.link import OFFLINE, ONLINE, Link
from connectors.mqtt.settings import (
    CONTENTS,
    FINISH_SECONDS,
    NAME_CHARACTERS_MAX,
    STEADY_SECONDS,
    MqttCounters,
    MqttSettings,
    Subscription,
)
from connectors.mqtt.storing import Storing
from connectors.mqtt.tls import broker_context
from schemas.raw import UNKNOWN_TYPE, RawMessage

STOP_SECONDS: Final = 10.0
"""How long stopping waits for a goodbye; a connection that is just being made is waited for, at most so long."""
UNASKED_SAID_MAX: Final = 100
"""Topics of which it is said that no subscription asks for them."""
_LOST: Final = 128
"""The reason paho gives when the broker gave none."""
_NOT_LET_IN: Final = ("Not authorized", "Bad user name or password")
_log: Final = structlog.get_logger("wardstock.mqtt")


def _now() -> datetime:
    return datetime.now(UTC)


class MqttSubscriber:
    """Keeps one feed connected. Of one event loop."""

    def __init__(self, publish: Publish, settings: MqttSettings, clock: Callable[[], datetime] = _now) -> None:
        """`clock` gives the time of receipt, timezone-aware UTC."""
        self._publish = publish
        self.settings = settings
        self._clock = clock
        self._context: ssl.SSLContext | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._had_session = False
        self._unasked: set[str] = set()
        self.counters = MqttCounters()
        self.connected = False
        self.failing: str | None = "not connected yet"
        """Why nothing comes in just now, in words; None while it is subscribed."""

    async def start(self) -> None:
        """Begin to connect, without waiting for it. Raises `BrokerTlsError` when the TLS files can't be used."""
        self._context = None if self.settings.tls is None else broker_context(self.settings.tls)
        self._stopping.clear()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Acknowledge what is being stored, say goodbye and disconnect. The session stays at the broker."""
        if self._task is None:
            return
        self._stopping.set()
        done, _ = await asyncio.wait([self._task], timeout=STOP_SECONDS)
        if not done:
            self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None

    # ---- one connection after the other ------------------------------------------------------------------------------

    async def _run(self) -> None:
        """Connect, again and again, until stopped."""
        shortest, longest = self.settings.retry_seconds
        rest = shortest
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            began = loop.time()
            try:
                await self._connection()
            except Exception as error:  # noqa: BLE001  # whatever it is, the feed goes on, and nothing was acknowledged
                self.failing = _reason(error)
                self.counters.failures += 1
                _log.error("mqtt_not_connected", source=self.settings.source, broker=self.settings.broker, reason=self.failing)
            if loop.time() - began > STEADY_SECONDS:
                rest = shortest
            if not self._stopping.is_set():
                await _event_or(self._stopping, rest)
            rest = min(rest * 2, longest)

    async def _connection(self) -> None:
        """One connection, from its beginning to its end. Raises what ended it, unless that was `stop`."""
        async with Link(self.settings, self._context, self.counters) as link:
            self._greet(link)
            storing = Storing(self._publish, link.acknowledge, self.settings, self.counters)
            stopped = asyncio.create_task(self._stopping.wait())
            working = [
                asyncio.create_task(one) for one in (self._subscribed(link), self._read(link, storing), storing.acknowledge())
            ]
            try:
                done, _ = await asyncio.wait([stopped, *working], return_when=asyncio.FIRST_COMPLETED)
                for task in done - {stopped}:
                    task.result()
                await storing.finish(FINISH_SECONDS)
                await link.say(OFFLINE)
            finally:
                self.connected = False
                for task in (stopped, *working):
                    task.cancel()
                await asyncio.gather(stopped, *working, return_exceptions=True)
                await storing.close()

    def _greet(self, link: Link) -> None:
        """Count the connection, and say when the broker no longer had the session of the one before."""
        source, broker = self.settings.source, self.settings.broker
        self.counters.connections += 1
        self.connected = True
        if self._had_session and not link.resumed:
            self.counters.sessions_lost += 1
            _log.error("mqtt_session_lost", source=source, broker=broker, reason="what was published meanwhile may be missing")
        self._had_session = True
        _log.info("mqtt_connected", source=source, broker=broker, session="resumed" if link.resumed else "new")

    async def _subscribed(self, link: Link) -> None:
        """Ask for every topic, say that the hub listens, and ask again for ever for what was not granted."""
        wanted = list(self.settings.subscriptions)
        said = False
        while True:
            wanted = [one for one in wanted if not await self._granted(link, one)]
            if not said:
                await link.say(ONLINE)
                said = True
            self.failing = None if not wanted else f"the broker does not grant {', '.join(one.topic for one in wanted)} at QoS 1"
            if not wanted:
                await asyncio.get_running_loop().create_future()  # never: cancelled with the connection
            await asyncio.sleep(self.settings.ask_again_seconds)

    async def _granted(self, link: Link, one: Subscription) -> bool:
        answer = await link.subscribe(one.topic)
        if answer is None:
            return True
        self.counters.not_granted += 1
        _log.error("mqtt_not_granted", source=self.settings.source, broker=self.settings.broker, topic=one.topic, answer=answer)
        return False

    # ---- messages ----------------------------------------------------------------------------------------------------

    async def _read(self, link: Link, storing: Storing) -> None:
        """Take up what arrives. Raises `MqttError` when the connection ends."""
        async for message in link.messages:
            number = message.mid if message.qos else None
            self.counters.retained += message.retain
            self.counters.unconfirmed += number is None
            if message.payload:
                storing.take(self._raw(message), number)
            else:  # how a publisher clears a retained state: it says nothing
                self.counters.empty += 1
                storing.pass_over(number)

    def _raw(self, message: Message) -> RawMessage:
        """The bytes with what is known about how they came."""
        settings = self.settings
        topic = message.topic.value
        content = next((CONTENTS[one.content] for one in settings.subscriptions if message.topic.matches(one.topic)), None)
        if content is None:
            self.counters.unasked += 1
            self._say_unasked(topic)
        return RawMessage(
            body=bytes(message.payload),
            source=settings.source,
            connector="mqtt",
            content_type=content or UNKNOWN_TYPE,
            received_at=self._clock(),
            profile=settings.profile,
            site=settings.site,
            peer=settings.broker,
            name=topic[:NAME_CHARACTERS_MAX],
        )

    def _say_unasked(self, topic: str) -> None:
        """A session keeps subscriptions that are no longer in the settings. Said once a topic, of so many topics."""
        if topic in self._unasked or len(self._unasked) >= UNASKED_SAID_MAX:
            return
        self._unasked.add(topic)
        reason = "the session still has a subscription that the settings don't: it is stored, and nothing says how to read it"
        _log.error("mqtt_not_asked_for", source=self.settings.source, broker=self.settings.broker, topic=topic, reason=reason)


async def _event_or(event: asyncio.Event, seconds: float) -> None:
    """Wait for the event, at most so long."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)


def _reason(error: Exception) -> str:
    """Why a connection failed or ended, as a sentence; the broker's own reason where it gave one (MQTT 5.0, 2.4)."""
    cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
    code = getattr(cause, "rc", None)
    if isinstance(cause, MqttConnectError):
        advice = ": check user and password" if str(code) in _NOT_LET_IN else ""
        return f"the broker refuses the connection: {code}{advice}"
    if isinstance(code, ReasonCode) and code.value == _LOST:
        return "the connection was lost, or another client took this client id"
    if isinstance(code, ReasonCode):
        return f"the broker ended the connection: {code}"
    if isinstance(error, MqttError):
        return f"the broker can't be reached or was lost: {cause}"
    return f"{type(error).__name__}: {error}"
