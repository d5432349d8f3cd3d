"""The MLLP client: waits for each acknowledgement, reconnects and resends within its bound."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from connectors.contract import Unavailable
from connectors.hl7.er7 import read
from connectors.hl7.framing import frame
from connectors.hl7.mllp import MllpListener, MllpSettings
from connectors.hl7.mllp_client import MllpClient, MllpTarget, NoAcknowledgement
from schemas.raw import RawMessage

MESSAGE = b"MSH|^~\\&|A|B|C|D|1||ADT^A01|C1|P|2.5\rPID|1\r"


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 30))  # type: ignore[arg-type]


def target(port: int, **more: float) -> MllpTarget:
    return MllpTarget(**{"host": "127.0.0.1", "port": port, "retry_seconds": 0.01, "acknowledgement_seconds": 2.0, **more})  # type: ignore[arg-type]


def test_every_message_is_acknowledged_in_turn() -> None:
    async def scenario() -> None:
        kept: list[str] = []

        async def publish(raw: RawMessage) -> None:
            kept.append(read(raw.body).get("MSH-10"))

        listener = MllpListener(publish, MllpSettings(port=0))
        await listener.start()
        async with MllpClient(target(listener.address[1])) as client:
            names = [f"N{number}" for number in range(20)]
            answers = await asyncio.gather(*(client.send(MESSAGE.replace(b"C1", name.encode())) for name in names))
            assert listener.counters.connections == 1
        await listener.stop()
        assert [answer.control_id for answer in answers] == names == kept
        assert all(answer.accepted for answer in answers)

    run(scenario)


def test_a_message_that_was_not_acknowledged_is_sent_again() -> None:
    async def scenario() -> None:
        attempts = 0

        async def publish(raw: RawMessage) -> None:
            nonlocal attempts
            attempts += 1
            if attempts < 3:
                raise Unavailable

        listener = MllpListener(publish, MllpSettings(port=0))
        await listener.start()
        async with MllpClient(target(listener.address[1])) as client:
            assert (await client.send(MESSAGE)).accepted
        await listener.stop()
        assert attempts == 3

    run(scenario)


def test_after_the_last_attempt_the_caller_is_told() -> None:
    async def scenario() -> None:
        async with MllpClient(target(1, attempts_max=2)) as client:
            with pytest.raises(NoAcknowledgement, match="after 2 attempts"):
                await client.send(MESSAGE)

    run(scenario)


@pytest.mark.parametrize(
    ("answer", "code", "accepted"),
    [
        (frame(b"MSH|^~\\&|X\rMSA|AE|C1\r"), "AE", False),
        (frame(b"MSH|^~\\&|X\rMSA|CA|C1\r"), "CA", True),
        (frame(b"no message"), "", False),
    ],
)
def test_whatever_the_answer_says_is_handed_on(answer: bytes, code: str, accepted: bool) -> None:
    async def scenario() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\x1c\r")
            writer.write(answer)
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server, MllpClient(target(server.sockets[0].getsockname()[1])) as client:
            found = await client.send(MESSAGE)
        assert (found.code, found.accepted) == (code, accepted)

    run(scenario)


def test_a_peer_that_never_answers_is_given_up_in_time() -> None:
    async def scenario() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, MllpClient(target(port, attempts_max=2, acknowledgement_seconds=0.05)) as client:
            with pytest.raises(NoAcknowledgement):
                await client.send(MESSAGE)

    run(scenario)
