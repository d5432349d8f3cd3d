"""The MLLP listener over real sockets: acknowledged means durable, and no peer can hurt the others.

Each test starts a listener on a free port with a publish of its own and talks to it byte by byte.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.contract import Publish, PublishError, TooLarge, Unavailable
from connectors.hl7.er7 import Message, read
from connectors.hl7.framing import Deframer, frame
from connectors.hl7.mllp import MllpListener, MllpSettings
from connectors.hl7.mllp_modes import Verdict
from schemas.raw import HL7_ER7, RawMessage

NOW = datetime(2026, 6, 1, 15, 0, tzinfo=UTC)
WAIT_SECONDS = 10.0


def message(control: str = "C1", extra: str = "") -> bytes:
    return f"MSH|^~\\&|MAR|NORTH|HUB|PHARM|20260601||RAS^O17^RAS_O17|{control}|P|2.5.1\rPID|1||X{extra}\r".encode()


class Store:
    """A publish that keeps what it is given, or does what it is told."""

    def __init__(self) -> None:
        self.kept: list[RawMessage] = []
        self.gate: asyncio.Event | None = None
        self.failure: PublishError | None = None

    async def __call__(self, raw: RawMessage) -> None:
        if self.gate is not None:
            await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        self.kept.append(raw)


class Peer:
    """One connection to a listener."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._deframer = Deframer(1_000_000)
        self._answers: list[Message] = []

    def write(self, data: bytes) -> None:
        self.writer.write(data)

    async def answer(self) -> Message:
        """The next acknowledgement."""
        async with asyncio.timeout(WAIT_SECONDS):
            while not self._answers:
                data = await self.reader.read(65536)
                if not data:
                    msg = "closed without an answer"
                    raise EOFError(msg)
                self._answers += [read(block.content) for block in self._deframer.feed(data)]
        return self._answers.pop(0)

    async def closed(self) -> bool:
        """Waits until the listener closes; False when it says something first."""
        async with asyncio.timeout(WAIT_SECONDS):
            with contextlib.suppress(ConnectionError):
                return await self.reader.read(1) == b""
            return True


@contextlib.asynccontextmanager
async def listening(publish: Publish, **settings: Any) -> AsyncIterator[MllpListener]:
    listener = MllpListener(publish, MllpSettings(port=0, **settings), clock=lambda: NOW)
    await listener.start()
    try:
        yield listener
    finally:
        await listener.stop()


@contextlib.asynccontextmanager
async def peer_of(listener: MllpListener) -> AsyncIterator[Peer]:
    reader, writer = await asyncio.open_connection(*listener.address)
    try:
        yield Peer(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 4 * WAIT_SECONDS))  # type: ignore[arg-type]


def test_a_message_is_stored_as_received_and_then_acknowledged() -> None:
    async def scenario() -> None:
        store = Store()
        async with listening(store, source="mar", site="north", profile="standard") as listener, peer_of(listener) as peer:
            peer.write(frame(message()))
            ack = await peer.answer()
        assert (ack.get("MSA-1"), ack.get("MSA-2"), ack.get("MSH-3"), ack.get("MSH-5")) == ("AA", "C1", "HUB", "MAR")
        (kept,) = store.kept
        assert kept.body == message()
        assert (kept.source, kept.site, kept.profile, kept.connector) == ("mar", "north", "standard", "hl7")
        assert (kept.content_type, kept.received_at) == (HL7_ER7, NOW)
        assert kept.peer is not None
        assert kept.peer.startswith("127.0.0.1:")

    run(scenario)


def test_it_listens_on_this_machine_only_unless_told_otherwise() -> None:
    async def scenario() -> None:
        async with listening(Store()) as listener:
            assert listener.address[0] == "127.0.0.1"

    run(scenario)


def test_there_is_no_address_before_the_start() -> None:
    with pytest.raises(RuntimeError, match="not been started"):
        _ = MllpListener(Store(), MllpSettings()).address


def test_nothing_is_acknowledged_before_it_is_durable() -> None:
    async def scenario() -> None:
        store = Store()
        store.gate = asyncio.Event()
        async with listening(store) as listener, peer_of(listener) as peer:
            peer.write(frame(message()))
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await peer.reader.read(1)
            store.gate.set()
            assert (await peer.answer()).get("MSA-1") == "AA"

    run(scenario)


@pytest.mark.parametrize("failure", [Unavailable("disk full"), PublishError("broker gone")])
def test_what_can_not_be_stored_now_gets_no_answer_and_is_sent_again(failure: PublishError) -> None:
    async def scenario() -> None:
        store = Store()
        store.failure = failure
        async with listening(store) as listener:
            async with peer_of(listener) as peer:
                peer.write(frame(message()))
                assert await peer.closed()
            store.failure = None
            async with peer_of(listener) as peer:
                peer.write(frame(message()))
                assert (await peer.answer()).get("MSA-1") == "AA"
            assert (listener.counters.unavailable, listener.counters.stored) == (1, 1)

    run(scenario)


def test_what_the_hub_finds_too_large_is_rejected_with_a_reason_and_the_connection_goes_on() -> None:
    async def scenario() -> None:
        store = Store()
        store.failure = TooLarge("4194304 bytes at most")
        async with listening(store) as listener, peer_of(listener) as peer:
            peer.write(frame(message("C1")))
            ack = await peer.answer()
            assert (ack.get("MSA-1"), ack.get("MSA-2"), ack.get("ERR-8")) == ("AR", "C1", "4194304 bytes at most")
            store.failure = None
            peer.write(frame(message("C2")))
            assert (await peer.answer()).get("MSA-1") == "AA"
            assert listener.counters.rejected == 1

    run(scenario)


def test_a_message_over_the_limit_is_rejected_without_being_held_in_memory() -> None:
    async def scenario() -> None:
        store = Store()
        async with listening(store, message_bytes_max=10_000) as listener, peer_of(listener) as peer:
            peer.write(frame(message("BIG", "y" * 300_000)) + frame(message("C2")))
            big, small = await peer.answer(), await peer.answer()
        assert (big.get("MSA-1"), big.get("MSA-2")) == ("AR", "BIG")
        assert "10000 bytes" in big.get("ERR-8")
        assert (small.get("MSA-1"), small.get("MSA-2")) == ("AA", "C2")
        assert [kept.body for kept in store.kept] == [message("C2")]
        assert listener.counters.oversize == 1

    run(scenario)


def test_a_peer_that_sends_without_end_is_closed() -> None:
    async def scenario() -> None:
        store = Store()
        limits = {"message_bytes_max": 1_000, "skipped_bytes_max": 200_000}
        async with listening(store, **limits) as listener, peer_of(listener) as peer:
            peer.write(b"\x0b" + b"z" * 400_000)
            assert await peer.closed()
        assert store.kept == []

    run(scenario)


def test_pipelined_messages_are_stored_and_answered_in_order() -> None:
    async def scenario() -> None:
        store = Store()
        names = [f"C{number}" for number in range(200)]
        async with listening(store) as listener, peer_of(listener) as peer:
            peer.write(b"".join(frame(message(name)) for name in names))
            answers = [await peer.answer() for _ in names]
        assert [ack.get("MSA-2") for ack in answers] == names
        assert [read(kept.body).get("MSH-10") for kept in store.kept] == names
        assert len({ack.get("MSH-10") for ack in answers}) == len(names)

    run(scenario)


def test_garbage_before_a_block_is_dropped_and_counted() -> None:
    async def scenario() -> None:
        store = Store()
        async with listening(store) as listener:
            async with peer_of(listener) as peer:
                peer.write(b"GET / HTTP/1.1\r\n\r\n" + frame(message()))
                assert (await peer.answer()).get("MSA-1") == "AA"
            await asyncio.sleep(0.05)
        assert [kept.body for kept in store.kept] == [message()]
        assert listener.counters.garbage_bytes == len(b"GET / HTTP/1.1")

    run(scenario)


@pytest.mark.parametrize("content", [b"", b"hello", b"PID|1||X\r", b"MSH|", b"\xff\xfe\x00"])
def test_what_is_no_message_is_stored_all_the_same_and_acknowledged(content: bytes) -> None:
    async def scenario() -> None:
        store = Store()
        async with listening(store) as listener, peer_of(listener) as peer:
            peer.write(frame(content))
            ack = await peer.answer()
        assert (ack.get("MSA-1"), ack.get("MSA-2")) == ("AA", "")
        assert [kept.body for kept in store.kept] == [content]

    run(scenario)


def test_a_batch_in_a_block_is_stored_whole_and_answered_by_its_first_message() -> None:
    async def scenario() -> None:
        store = Store()
        content = b"BHS|^~\\&|A\r" + message("C1") + message("C2") + b"BTS|2\r"
        async with listening(store) as listener, peer_of(listener) as peer:
            peer.write(frame(content))
            assert (await peer.answer()).get("MSA-2") == "C1"
        assert [kept.body for kept in store.kept] == [content]

    run(scenario)


def test_a_block_that_breaks_off_is_not_stored_and_is_counted() -> None:
    async def scenario() -> None:
        store = Store()
        async with listening(store) as listener:
            async with peer_of(listener) as peer:
                peer.write(b"\x0b" + message())
                await peer.writer.drain()
            await asyncio.sleep(0.1)
            assert listener.counters.incomplete == 1
            assert listener.counters.open_connections == 0
        assert store.kept == []

    run(scenario)


def test_a_half_open_peer_still_gets_its_answer() -> None:
    """The peer closes its sending side after the message, as `nc -N` does."""

    async def scenario() -> None:
        store = Store()
        async with listening(store) as listener, peer_of(listener) as peer:
            peer.write(frame(message()))
            peer.writer.write_eof()
            assert (await peer.answer()).get("MSA-1") == "AA"
            assert await peer.closed()

    run(scenario)


def test_a_silent_peer_is_closed() -> None:
    async def scenario() -> None:
        async with listening(Store(), idle_seconds=0.1) as listener, peer_of(listener) as peer:
            peer.write(b"\x0bMSH|")
            assert await peer.closed()
            assert listener.counters.idle_closed == 1

    run(scenario)


def test_fifty_connections_are_served_side_by_side() -> None:
    async def scenario() -> None:
        store = Store()

        async def sender(number: int) -> list[str]:
            async with peer_of(listener) as peer:
                names = [f"P{number}M{count}" for count in range(20)]
                for name in names:
                    peer.write(frame(message(name)))
                return [(await peer.answer()).get("MSA-2") for _ in names]

        async with listening(store) as listener:
            answers = await asyncio.gather(*(sender(number) for number in range(50)))
        assert answers == [[f"P{number}M{count}" for count in range(20)] for number in range(50)]
        assert len(store.kept) == 1000
        assert listener.counters.accepted == 1000

    run(scenario)


def test_a_peer_that_waits_does_not_hold_up_another() -> None:
    async def scenario() -> None:
        async with listening(Store()) as listener, peer_of(listener) as slow, peer_of(listener) as quick:
            slow.write(b"\x0bMSH|^~")
            quick.write(frame(message()))
            assert (await quick.answer()).get("MSA-1") == "AA"

    run(scenario)


def test_a_connection_over_the_limit_is_turned_away() -> None:
    async def scenario() -> None:
        async with listening(Store(), connections_max=1) as listener, peer_of(listener) as first:
            first.write(frame(message()))
            await first.answer()
            async with peer_of(listener) as second:
                assert await second.closed()
            assert listener.counters.turned_away == 1
            first.write(frame(message("C2")))
            assert (await first.answer()).get("MSA-2") == "C2"

    run(scenario)


def test_stopping_closes_connections_without_acknowledging_what_is_under_way() -> None:
    async def scenario() -> None:
        store = Store()
        store.gate = asyncio.Event()
        listener = MllpListener(store, MllpSettings(port=0))
        await listener.start()
        async with peer_of(listener) as peer:
            peer.write(frame(message()))
            await asyncio.sleep(0.05)
            await listener.stop()
            assert await peer.closed()
        assert store.kept == []
        await listener.stop()

    run(scenario)


def enhanced(control: str, accept: str, application: str) -> bytes:
    """A message that asks for enhanced mode (MSH-15, MSH-16)."""
    return message(control).replace(b"|2.5.1\r", f"|2.5.1|||{accept}|{application}\r".encode())


def test_enhanced_mode_answers_what_was_asked_for_and_nothing_more() -> None:
    async def scenario() -> None:
        store = Store()
        async with listening(store) as listener, peer_of(listener) as peer:
            asked = [("C1", "AL", "NE"), ("C2", "NE", "NE"), ("C3", "AL", "AL"), ("C4", "ER", "SU")]
            peer.write(b"".join(frame(enhanced(*one)) for one in asked) + frame(message("C5")))
            answers = [await peer.answer() for _ in range(5)]
        assert [(ack.get("MSA-1"), ack.get("MSA-2")) for ack in answers] == [
            ("CA", "C1"), ("CA", "C3"), ("AA", "C3"), ("AA", "C4"), ("AA", "C5"),
        ]  # fmt: skip
        assert len({ack.get("MSH-10") for ack in answers}) == 5
        assert len(store.kept) == 5

    run(scenario)


def test_enhanced_mode_says_cr_of_what_is_too_large() -> None:
    async def scenario() -> None:
        async with listening(Store(), message_bytes_max=1_000) as listener, peer_of(listener) as peer:
            peer.write(frame(enhanced("BIG", "AL", "AL") + b"y" * 2_000))
            ack = await peer.answer()
        assert (ack.get("MSA-1"), ack.get("MSA-2")) == ("CR", "BIG")
        assert "1000 bytes" in ack.get("ERR-8")

    run(scenario)


@pytest.mark.parametrize(("verdict", "code"), [(Verdict.ERROR, "AE"), (Verdict.REJECTED, "AR")])
def test_a_profile_may_have_its_sender_told_and_the_message_is_stored_all_the_same(verdict: Verdict, code: str) -> None:
    async def scenario() -> None:
        store = Store()
        judged = {"judge": lambda content: (verdict, "RXA-6 is not a number") if b"BAD" in content else None}
        async with listening(store, **judged) as listener, peer_of(listener) as peer:
            peer.write(frame(message("BAD")) + frame(message("C2")))
            bad, good = await peer.answer(), await peer.answer()
        assert (bad.get("MSA-1"), bad.get("MSA-2"), bad.get("ERR-8")) == (code, "BAD", "RXA-6 is not a number")
        assert good.get("MSA-1") == "AA"
        assert len(store.kept) == 2
        assert (listener.counters.accepted, listener.counters.rejected) == (1, 1)

    run(scenario)


def test_a_judge_that_fails_keeps_nobody_from_an_answer() -> None:
    async def scenario() -> None:
        def broken(content: bytes) -> None:
            raise ZeroDivisionError(content)

        async with listening(Store(), judge=broken) as listener, peer_of(listener) as peer:
            peer.write(frame(message()))
            assert (await peer.answer()).get("MSA-1") == "AA"
        assert listener.counters.unjudged == 1

    run(scenario)


def test_pipelined_messages_are_on_their_way_to_the_store_together() -> None:
    """They share a sync: the second is handed over before the first is durable; answers keep their order all the same."""

    async def scenario() -> None:
        handed: list[bytes] = []
        gates = {b"C1": asyncio.Event(), b"C2": asyncio.Event()}

        async def store(raw: RawMessage) -> None:
            handed.append(raw.body)
            await gates[b"C1" if b"|C1|" in raw.body else b"C2"].wait()

        async with listening(store) as listener, peer_of(listener) as peer:
            peer.write(frame(message("C1")) + frame(message("C2")))
            async with asyncio.timeout(WAIT_SECONDS):
                while len(handed) < 2:
                    await asyncio.sleep(0.005)
            gates[b"C2"].set()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await peer.reader.read(1)
            gates[b"C1"].set()
            assert [(await peer.answer()).get("MSA-2") for _ in range(2)] == ["C1", "C2"]

    run(scenario)


def test_nothing_behind_a_message_that_was_not_stored_is_answered() -> None:
    async def scenario() -> None:
        async def store(raw: RawMessage) -> None:
            await asyncio.sleep(0)
            if b"|C2|" in raw.body:
                raise Unavailable("disk full")

        async with listening(store) as listener, peer_of(listener) as peer:
            peer.write(b"".join(frame(message(name)) for name in ("C1", "C2", "C3")))
            assert (await peer.answer()).get("MSA-2") == "C1"
            assert await peer.closed()
            assert listener.counters.unavailable == 1

    run(scenario)


def test_a_peer_that_never_takes_its_answers_is_closed_and_holds_no_memory() -> None:
    async def scenario() -> None:
        store = Store()
        async with listening(store, idle_seconds=0.5) as listener:
            _, writer = await asyncio.open_connection(*listener.address, limit=1)
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            with contextlib.suppress(ConnectionError):
                async with asyncio.timeout(WAIT_SECONDS):
                    for number in range(200_000):
                        writer.write(frame(message(f"C{number}")))
                        await writer.drain()
                        if listener.counters.idle_closed:
                            break
            assert listener.counters.idle_closed == 1
            assert len(store.kept) < 150_000  # what the sockets of both sides hold of answers, and no more
            writer.transport.abort()

    run(scenario)
