"""Two hundred MLLP senders of every kind, and a hub that is killed while they send: acknowledged AA = in `raw`, exactly.

Ordinary ones wait for each answer; pipelining ones don't; slow readers take their answers late and in small pieces; rude ones break
off in mid-message and reset. Each sends a message again until it was answered AA. Nothing may stand in `raw` that was not sent whole,
nothing that was acknowledged may be missing, and twice only what a sender sent twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
from collections import Counter
from pathlib import Path

from connectors.hl7.er7 import read
from connectors.hl7.framing import Deframer, frame
from tests.simulation import promises
from tests.simulation.live_hub import HubProcess
from topology.local import LocalHub

CONNECTIONS = 200
MESSAGES = 15
KILLS = 2
WHOLE_SECONDS = 150.0
ANSWER_SECONDS = 8.0


def body_of(sender: int, number: int) -> bytes:
    """A message nobody else sends."""
    name = f"S{sender}M{number}"
    return (
        f"MSH|^~\\&|MAR|NORTH|HUB|PHARM|20260601||RAS^O17^RAS_O17|{name}|P|2.5.1\rPID|1||X{name}\rORC|RE|P{name}|F{name}\r"
        f"RXA|0|1|20260601101000||AMX^Amoxicillin^L|2|TAB\r"
    ).encode()


class Sender:
    """One peer and its queue."""

    def __init__(self, hub: HubProcess, number: int) -> None:
        self.hub, self.number = hub, number
        self.random = random.Random(number)
        self.queue = [body_of(number, one) for one in range(MESSAGES)]
        self.kind = ("pipelining", "slow", "rude", "ordinary", "ordinary")[number % 5]
        self.acknowledged: list[bytes] = []
        self.sent: Counter[bytes] = Counter()

    async def run(self) -> None:
        """Until every message was answered AA."""
        while self.queue:
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    await self._session()
            except (OSError, TimeoutError, EOFError):
                await asyncio.sleep(self.random.uniform(0.05, 0.3))

    async def _session(self) -> None:
        """One connection: as many messages as it takes, or until it breaks."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.hub.mllp_port)
        try:
            while self.queue:
                some = self.queue[: self.random.randint(2, 8) if self.kind == "pipelining" else 1]
                if self.kind == "rude" and self.random.random() < 0.4:
                    _reset_in_mid_message(writer, frame(some[0]))
                    return
                for body in some:
                    self.sent[body] += 1
                    writer.write(frame(body))
                await writer.drain()
                await self._answers(reader, some)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _answers(self, reader: asyncio.StreamReader, some: list[bytes]) -> None:
        deframer = Deframer(100_000)
        waiting = list(some)
        while waiting:
            if self.kind == "slow":
                await asyncio.sleep(self.random.uniform(0, 0.05))
            data = await reader.read(7 if self.kind == "slow" else 65_536)
            if not data:
                raise EOFError
            for block in deframer.feed(data):
                answer = read(block.content)
                body = waiting.pop(0)
                assert answer.get("MSA-2") == read(body).get("MSH-10"), "answers came out of order"
                assert answer.get("MSA-1") == "AA"
                self.acknowledged.append(body)
                self.queue.remove(body)


def _reset_in_mid_message(writer: asyncio.StreamWriter, framed: bytes) -> None:
    """Half a message, then a reset instead of a goodbye."""
    writer.write(framed[: len(framed) // 2])
    opened: socket.socket = writer.get_extra_info("socket")
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def test_what_was_acknowledged_is_stored_and_nothing_else(tmp_path: Path) -> None:
    hub = HubProcess(tmp_path / "hub")
    hub.start()
    senders = [Sender(hub, number) for number in range(CONNECTIONS)]

    async def scenario() -> None:
        async def killer() -> None:
            for share in range(1, KILLS + 1):
                while sum(len(one.acknowledged) for one in senders) < share * CONNECTIONS * MESSAGES / (KILLS + 2):
                    await asyncio.sleep(0.02)
                await asyncio.to_thread(hub.kill)
                await asyncio.to_thread(hub.start)

        async with asyncio.timeout(WHOLE_SECONDS):
            await asyncio.gather(killer(), *(sender.run() for sender in senders))

    try:
        asyncio.run(scenario())
        assert hub.stop() == 0
    finally:
        if hub.process is not None and hub.process.poll() is None:
            hub.kill()
    assert "Traceback" not in "".join(hub.printed)
    acknowledged = Counter(body for sender in senders for body in sender.acknowledged)
    sent = Counter[bytes]()
    for sender in senders:
        sent.update(sender.sent)
    assert acknowledged == Counter({body: 1 for sender in range(CONNECTIONS) for body in (body_of(sender, n) for n in range(MESSAGES))})
    with LocalHub(tmp_path / "hub") as local:
        stored = Counter(record.value for record in promises.records(local.engine, "raw"))
    messages = {body: count for body, count in stored.items() if body is not None and body.startswith(b"MSH")}
    assert messages.keys() == acknowledged.keys()
    assert all(count <= sent[body] for body, count in messages.items()), "something was stored more often than it was sent"
