"""Sending a queue over MLLP: nothing overtakes, nothing is passed over unasked, and an answer belongs to its own message."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from connectors.hl7.er7 import read
from connectors.hl7.framing import Deframer, frame
from connectors.hl7.mllp_client import Acknowledgement, MllpTarget
from connectors.hl7.mllp_sender import MllpSender, Refusal, RefusedMessageError, SenderSettings

NAMES = [f"C{number}" for number in range(6)]
Answer = Callable[[str, int], list[bytes] | None]
"""What a receiver says to a control id at its n-th arrival; None closes the connection."""


def message(name: str) -> bytes:
    return f"MSH|^~\\&|A|B|C|D|1||ADT^A01|{name}|P|2.5\rPID|1\r".encode()


def ack(code: str, name: str) -> bytes:
    return frame(f"MSH|^~\\&|C|D|A|B|1||ACK|1|P|2.5\rMSA|{code}|{name}\r".encode())


async def queue() -> AsyncIterator[bytes]:
    for name in NAMES:
        yield message(name)


def delivered(answer: Answer, **settings: object) -> tuple[list[str], list[str], MllpSender]:
    """What arrived, in order, and what was called done."""
    arrived: list[str] = []
    through: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        deframer = Deframer(10_000)
        try:
            while data := await reader.read(4096):
                for block in deframer.feed(data):
                    name = read(block.content).get("MSH-10")
                    arrived.append(name)
                    said = answer(name, arrived.count(name))
                    if said is None:
                        return
                    writer.write(b"".join(said))
        finally:
            writer.close()

    async def done(body: bytes) -> None:
        through.append(read(body).get("MSH-10"))

    async def scenario() -> MllpSender:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        target = MllpTarget(host="127.0.0.1", port=port, acknowledgement_seconds=0.3, attempts_max=2, retry_seconds=0.01)
        sender = MllpSender(SenderSettings(target=target, pause_seconds=0.01, **settings))  # type: ignore[arg-type]
        try:
            await asyncio.wait_for(sender.run(queue(), done), 20)
        finally:
            server.close()
        return sender

    outcome: list[MllpSender] = []

    async def whole() -> None:
        try:
            outcome.append(await scenario())
        except RefusedMessageError as error:
            through.append(f"stopped at {error.acknowledgement.code}")

    asyncio.run(whole())
    return arrived, through, outcome[0] if outcome else None  # type: ignore[return-value]


def test_a_queue_is_sent_in_order_once_each() -> None:
    arrived, through, sender = delivered(lambda name, _: [ack("AA", name)])
    assert arrived == through == NAMES
    assert sender.counters.delivered == len(NAMES)


@pytest.mark.parametrize("failures", [1, 3, 5])
def test_a_receiver_that_goes_away_gets_the_same_message_until_it_answers(failures: int) -> None:
    arrived, through, _ = delivered(lambda name, times: None if name == "C2" and times <= failures else [ack("AA", name)])
    assert through == NAMES
    assert arrived == ["C0", "C1", *["C2"] * (failures + 1), "C3", "C4", "C5"]


def test_silence_is_no_acknowledgement() -> None:
    arrived, through, _ = delivered(lambda name, times: [] if name == "C1" and times == 1 else [ack("AA", name)])
    assert (arrived.count("C1"), through) == (2, NAMES)


def test_an_answer_to_another_message_is_not_taken_for_this_one() -> None:
    """A late acknowledgement of the message before, and then silence: the message itself is sent again."""
    arrived, through, _ = delivered(lambda name, times: [ack("AA", "C1")] if name == "C2" and times == 1 else [ack("AA", name)])
    assert (arrived.count("C2"), through) == (2, NAMES)
    arrived, through, _ = delivered(lambda name, _: [ack("AA", "OLD"), ack("AA", name)])
    assert (arrived, through) == (NAMES, NAMES)


@pytest.mark.parametrize("code", ["AE", "AR", "CE", "CR", "??"])
def test_a_refusal_stops_the_queue_unless_somebody_said_otherwise(code: str) -> None:
    arrived, through, _ = delivered(lambda name, _: [ack(code if name == "C3" else "AA", name)])
    assert through == ["C0", "C1", "C2", f"stopped at {code}"]
    assert arrived == ["C0", "C1", "C2", "C3"]


def test_a_refused_message_may_be_set_aside() -> None:
    aside: list[tuple[str, str]] = []

    async def put(body: bytes, answer: Acknowledgement) -> None:
        aside.append((read(body).get("MSH-10"), answer.code))

    refuse: Answer = lambda name, _: [ack("AR" if name == "C3" else "AA", name)]  # noqa: E731  # one line says it
    _, through, sender = delivered(refuse, refusal=Refusal.SET_ASIDE, aside=put)
    assert (aside, through) == ([("C3", "AR")], NAMES)
    assert (sender.counters.delivered, sender.counters.refused) == (5, 1)


def test_a_busy_receiver_may_be_asked_again() -> None:
    arrived, through, _ = delivered(lambda name, times: [ack("AE" if times < 3 else "AA", name)], refusal=Refusal.RESEND)
    assert through == NAMES
    assert arrived == [name for name in NAMES for _ in range(3)]


def test_an_accept_acknowledgement_is_enough() -> None:
    _, through, _ = delivered(lambda name, _: [ack("CA", name)])
    assert through == NAMES

