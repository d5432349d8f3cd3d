"""Senders of the MLLP bench, in a process of their own: `python -m tests.bench.mllp_senders HOST PORT CONNECTIONS SECONDS`.

Each connection sends, waits for its acknowledgement, and sends again. Prints one JSON line: round trips, times, what was dropped.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import uvloop

MESSAGE = (
    b"\x0bMSH|^~\\&|MAR|NORTH|HUB|PHARM|20260601101500||RAS^O17^RAS_O17|%d|P|2.5.1\rPID|1||MRN1001^^^NORTH^MR||DOE^JANE\r"
    b"PV1|1|I|ICU^12^A\rORC|RE|P%d|F%d||||||20260601101400\r"
    b"RXA|0|1|20260601101000|20260601101000|00409-4888-11^Propofol^NDC|200|mg|||N123||||||LOT1|20270630||||CP|A\rRXR|IV\r\x1c\r"
)
ANSWER_SECONDS_MAX = 30.0


class Sender(asyncio.Protocol):
    """One connection, one message in flight."""

    def __init__(self, number: int, until: float, taken: list[float]) -> None:
        self.number = number * 1_000_000
        self.until, self.taken = until, taken
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.sent = 0.0
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.send()

    def send(self) -> None:
        self.number += 1
        self.sent = time.perf_counter()
        self.transport.write(MESSAGE % (self.number, self.number, self.number))  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if not self.buffer.endswith(b"\x1c\r"):
            return
        good = b"|AA|" in self.buffer
        self.buffer = b""
        now = time.perf_counter()
        self.taken.append(now - self.sent)
        if not good:
            self.over("refused")
        elif now >= self.until:
            self.over("done")
        else:
            self.send()

    def connection_lost(self, exc: Exception | None) -> None:
        self.over("dropped")

    def over(self, how: str) -> None:
        if not self.ended.done():
            self.ended.set_result(how)
            self.transport.close()


async def main(host: str, port: int, connections: int, seconds: float) -> None:
    """Run all senders and print what they saw."""
    loop = asyncio.get_running_loop()
    taken: list[float] = []
    began = time.perf_counter()

    async def one(number: int) -> str:
        try:
            _, sender = await loop.create_connection(lambda: Sender(number, began + seconds, taken), host, port)
            return await asyncio.wait_for(sender.ended, seconds + ANSWER_SECONDS_MAX)
        except (OSError, TimeoutError):
            return "dropped"

    ended = await asyncio.gather(*(one(number) for number in range(connections)))
    passed = time.perf_counter() - began
    print(json.dumps({
        "a_second": len(taken) / passed, "dropped": sum(how != "done" for how in ended),
        "ms": sorted(round(1000 * one, 3) for one in taken)[:: max(1, len(taken) // 2000)],
    }))  # fmt: skip


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
