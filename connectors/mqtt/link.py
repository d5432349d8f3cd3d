"""One connection to a broker, acknowledged by hand. The only place that looks below aiomqtt.

paho sends the PUBACK of a QoS 1 message as soon as its callback returns, and aiomqtt's callback only puts the message in a queue:
what is in that queue when the process dies would be lost. paho can be told to leave acknowledging to its user
(`manual_ack_set`, `ack`), aiomqtt passes neither on. So this sets the one and calls the other on the paho client inside the
aiomqtt client. A link is used once: acknowledgements name messages by numbers that mean others on the next connection.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import ssl
from types import TracebackType
from typing import Any, Final, Self

from aiomqtt import Client, Message, MqttError, ProtocolVersion, Will
from paho.mqtt.client import MQTT_ERR_SUCCESS, error_string
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from connectors.mqtt.settings import ANSWER_SECONDS, CONNECT_SECONDS, UNCONFIRMED_MAX, MqttCounters, MqttSettings
from schemas.raw import BODY_BYTES_MAX

ONLINE: Final = "online"
OFFLINE: Final = "offline"
QOS: Final = 1
REFUSAL_SECONDS: Final = 0.1
_QUIET: Final = logging.getLogger("wardstock.mqtt.paho")
_QUIET.disabled = True  # it logs topics, and what it has to say is raised as well


class Arrived(asyncio.Queue[Message]):
    """Messages that paho has read. Bounded: QoS 1 by the broker, which heeds Receive Maximum; QoS 0 here, by dropping."""

    def __init__(self, counters: MqttCounters, maxsize: int = 0) -> None:
        super().__init__(maxsize)
        self._counters = counters

    def put_nowait(self, item: Message) -> None:
        """Keep a message; of one over the hub's limit only so much that it is known to be over it."""
        if item.qos == 0 and self.qsize() + self._counters.in_flight >= UNCONFIRMED_MAX:
            self._counters.dropped += 1
            return
        if len(item.payload) > BODY_BYTES_MAX:
            item.payload = item.payload[: BODY_BYTES_MAX + 1]
        super().put_nowait(item)


class Link:
    """One connection: `async with` opens and closes it. `resumed`: the broker still had the session."""

    def __init__(self, settings: MqttSettings, context: ssl.SSLContext | None, counters: MqttCounters) -> None:
        """Connects to nothing yet. Of the running event loop."""
        self._settings = settings
        self._client = Client(
            settings.host, settings.port, username=settings.user, password=settings.password, logger=_QUIET,
            identifier=settings.client_id, queue_type=functools.partial(Arrived, counters),  # type: ignore[arg-type]
            protocol=ProtocolVersion.V5, will=Will(settings.status_topic, OFFLINE, QOS, retain=True), timeout=ANSWER_SECONDS,
            keepalive=settings.keepalive_seconds, clean_start=False, properties=_wishes(settings), tls_context=context,
        )  # fmt: skip
        self._paho = self._client._client  # noqa: SLF001  # see the module's first paragraph
        self._paho.manual_ack_set(True)  # noqa: FBT003
        self._paho.connect_timeout = CONNECT_SECONDS
        self._told: Any = self._paho.on_connect
        self._paho.on_connect = self._greeted
        self._told_of_end: Any = self._paho.on_disconnect
        self._paho.on_disconnect = self._ended
        self._end = asyncio.Event()
        self.messages = self._client.messages
        self.resumed = False

    async def __aenter__(self) -> Self:
        """Connect. Raises `MqttError`, `OSError` or `ValueError`."""
        connecting = asyncio.ensure_future(self._client.__aenter__())
        ended = asyncio.ensure_future(self._end.wait())
        try:
            await asyncio.wait([connecting, ended], return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait([connecting], timeout=REFUSAL_SECONDS)  # a refusal ends the connection as well, and says why
            if not connecting.done():
                msg = "it closed the connection without an answer (a broker that asks for a certificate does)"
                raise MqttError(msg)
            connecting.result()
        except BaseException:
            connecting.cancel()
            self._paho.disconnect()  # a broker that took the connection and then said nothing still holds its socket
            raise
        finally:
            ended.cancel()
            del connecting  # it holds the error, whose frames hold a socket and this future: a circle until the next collection
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        """Disconnect; with a `say(OFFLINE)` before, nobody misses the will that a goodbye cancels."""
        await self._client.__aexit__(kind, error, where)

    async def subscribe(self, topic: str) -> str | None:
        """Ask for a topic at QoS 1; what the broker said when it grants less. Retained messages come when it is a new one."""
        options = SubscribeOptions(qos=QOS, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)
        (granted,) = await self._client.subscribe(topic, options=options)
        # A ReasonCode of MQTT 5: granted at a QoS, or why not.
        return None if getattr(granted, "value", granted) == QOS else str(granted)

    async def say(self, status: str) -> None:
        """Publish the hub's retained status, until the broker has it."""
        await self._client.publish(self._settings.status_topic, status, QOS, retain=True)

    def acknowledge(self, number: int) -> None:
        """Send the PUBACK of a message by its number (`Message.mid`). Raises `MqttError` when the connection is gone."""
        code = self._paho.ack(number, QOS)
        if code != MQTT_ERR_SUCCESS:
            msg = f"not acknowledged: {error_string(code)}"
            raise MqttError(msg)

    def _greeted(self, client: Any, data: Any, flags: Any, code: ReasonCode, properties: Any) -> None:
        """aiomqtt keeps no word of whether the session was still there."""
        self.resumed = bool(flags.session_present)
        self._told(client, data, flags, code, properties)

    def _ended(self, *told: Any) -> None:
        """aiomqtt does not listen to this before it is connected, and would wait for an answer in vain."""
        self._end.set()
        self._told_of_end(*told)


def _wishes(settings: MqttSettings) -> Any:
    """The properties of the CONNECT: how long the session is kept, and how much may be unacknowledged.

    No Maximum Packet Size: a broker drops what is larger without a word to anyone (MQTT 5.0, 3.1.2.11.4).
    """
    properties: Any = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = settings.session_seconds
    properties.ReceiveMaximum = settings.in_flight_max
    return properties
