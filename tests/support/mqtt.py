"""What MQTT tests share: a store that can hang or fail, a subscriber at work, a cabinet that publishes, and a wire that is watched."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Final

import aiomqtt

from connectors.contract import PublishError
from connectors.mqtt.settings import MqttSettings, Subscription
from connectors.mqtt.subscriber import MqttSubscriber
from schemas.raw import RawMessage

HOST: Final = "127.0.0.1"
WAIT_SECONDS: Final = 15.0
PUBACK: Final = 4
QUICK: Final = (0.05, 0.2)


class Store:
    """Keeps what is published; hangs while `gate` is closed, and raises what `fault` says of a message."""

    def __init__(self) -> None:
        self.kept: list[RawMessage] = []
        self.tried = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.fault: Callable[[RawMessage], PublishError | None] = lambda _: None

    async def __call__(self, message: RawMessage) -> None:
        self.tried += 1
        await self.gate.wait()
        await asyncio.sleep(0)
        fault = self.fault(message)
        if fault is not None:
            raise fault
        self.kept.append(message)

    @property
    def bodies(self) -> list[bytes]:
        return [one.body for one in self.kept]


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a scenario that has to end in time."""

    async def timed() -> None:
        async with asyncio.timeout(60):
            await scenario()

    asyncio.run(timed())


async def until(what: Callable[[], object], otherwise: str = "it did not happen") -> None:
    end = asyncio.get_running_loop().time() + WAIT_SECONDS
    while not what():
        assert asyncio.get_running_loop().time() < end, otherwise
        await asyncio.sleep(0.01)


def settings(port: int, **more: Any) -> MqttSettings:
    """Of a feed that subscribes to `cabinets/#` and does not wait long for anything."""
    given = {
        "host": HOST, "port": port, "client_id": "hub-1", "subscriptions": (Subscription("cabinets/#"),), "source": "cabinets",
        "site": "north", "retry_seconds": QUICK, "store_retry_seconds": 0.05, **more,
    }  # fmt: skip
    return MqttSettings(**given)


@contextlib.asynccontextmanager
async def subscribed(port: int, store: Store, **more: Any) -> AsyncIterator[MqttSubscriber]:
    """A subscriber at work, subscribed already."""
    subscriber = MqttSubscriber(store, settings(port, **more))
    await subscriber.start()
    try:
        await until(lambda: subscriber.failing is None, f"not subscribed: {subscriber.failing}")
        yield subscriber
    finally:
        await subscriber.stop()


@contextlib.asynccontextmanager
async def client(port: int, **more: Any) -> AsyncIterator[aiomqtt.Client]:
    """A cabinet's connection, or an onlooker's."""
    async with aiomqtt.Client(HOST, port, protocol=aiomqtt.ProtocolVersion.V5, **more) as one:
        yield one


async def published(port: int, *messages: tuple[str, bytes], qos: int = 1, retain: bool = False) -> None:
    """Publish each message and wait until the broker has it."""
    async with client(port) as cabinet:
        for topic, body in messages:
            await cabinet.publish(topic, body, qos=qos, retain=retain)


class Relay:
    """A wire between a subscriber and its broker, which can be cut. `sent`: types of the packets that the subscriber sent."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.sent: list[int] = []
        self.port = 0

    async def __aenter__(self) -> Relay:
        self._server = await asyncio.start_server(self._connected, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def cut(self) -> None:
        """The wire is torn: nobody says goodbye."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, there = await asyncio.open_connection(HOST, self._to)
        self._writers += [writer, there]
        for task in (self._pass_on(reader, there, seen=True), self._pass_on(back, writer, seen=False)):
            running = asyncio.create_task(task)
            self._tasks.add(running)
            running.add_done_callback(self._tasks.discard)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, seen: bool) -> None:
        """Packet by packet: a byte with the type, the length in groups of seven bits, the rest (MQTT 5.0, 2.1)."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                packet = await reader.readexactly(1)
                length, shift = 0, 0
                while True:
                    packet += await reader.readexactly(1)
                    length |= (packet[-1] & 0x7F) << shift
                    shift += 7
                    if not packet[-1] & 0x80:
                        break
                packet += await reader.readexactly(length)
                if seen:
                    self.sent.append(packet[0] >> 4)
                writer.write(packet)
                await writer.drain()
        writer.close()
