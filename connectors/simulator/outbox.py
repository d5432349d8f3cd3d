"""When each message of a site arrives: latency, reordering, outages and resends. Nothing is ever lost here.

Owns arrival alone. It holds messages until simulated time has passed them, so its memory is what is under way, not the run.
Its random numbers are its own: turning a knob of arrival changes no event of the hospital.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Final

from connectors.simulator.clock import instant
from connectors.simulator.knobs import Knobs
from schemas.raw import RawMessage

LATENCY_MS: Final = 1_500
"""Least delay of every message: network, interface engine, queue."""
RESEND_MS: Final = (1_000, 2 * 3_600_000)
"""Least and greatest delay of a resend after the first arrival."""
BACKLOG_MS: Final = 20
"""Spacing of the messages of a backlog that drains after an outage."""

Resend = Callable[[bytes, int], bytes]
"""Gives the body of a resend at an instant (seconds), e.g. with a new time and control id."""

Arrival = tuple[int, int, RawMessage]
"""Milliseconds of arrival, the site's running number, and the message."""


class Window:
    """One outage of one source in milliseconds, and how many messages it has delayed."""

    __slots__ = ("delayed", "end", "source", "start")

    def __init__(self, source: str, start: int, end: int) -> None:
        """A message that would arrive in [start, end) arrives at the end."""
        self.source = source
        self.start = start
        self.end = end
        self.delayed = 0


class Outbox:
    """Messages of one site on their way."""

    def __init__(self, site: str, knobs: Knobs, windows: Sequence[Window], final_ms: int) -> None:
        """`final_ms`: nothing arrives later."""
        self._site = site
        self._rng = Random(f"{knobs.seed}:{site}:arrival")  # noqa: S311  # reproducible arrival, nothing secret
        self._jitter_ms = knobs.reorder_minutes * 60_000
        self._duplicates = knobs.duplicates
        self._final_ms = final_ms
        self._windows: dict[str, list[Window]] = {}
        for window in windows:
            self._windows.setdefault(window.source, []).append(window)
        self._last: dict[str, int] = {}
        self._heap: list[tuple[int, int, tuple[str, str, str, bytes]]] = []
        self._number = 0

    def post(self, t: int, source: str, connector: str, content_type: str, body: bytes, resend: Resend | None = None) -> None:
        """Send a body whose last fact is of second `t`."""
        at = t * 1000 + LATENCY_MS
        if self._jitter_ms:
            at += int(self._rng.random() * self._jitter_ms)
        else:
            at = self._last[source] = max(at, self._last.get(source, 0))
        at = self._arrive(at, source, connector, content_type, body)
        if self._duplicates and self._rng.random() < self._duplicates:
            again = at + self._rng.randint(*RESEND_MS)
            if resend is not None and self._rng.random() < 0.5:
                body = resend(body, again // 1000)
            self._arrive(again, source, connector, content_type, body)

    def post_at(self, ms: int, source: str, connector: str, content_type: str, body: bytes) -> None:
        """Send a body that arrives exactly at `ms`: no jitter, outage or resend."""
        self._push(ms, source, connector, content_type, body)

    def _arrive(self, at: int, source: str, connector: str, content_type: str, body: bytes) -> int:
        for window in self._windows.get(source, ()):
            if window.start <= at < window.end:
                at = window.end + window.delayed * BACKLOG_MS
                window.delayed += 1
        at = min(at, self._final_ms)
        self._push(at, source, connector, content_type, body)
        return at

    def _push(self, at: int, source: str, connector: str, content_type: str, body: bytes) -> None:
        self._number += 1
        heapq.heappush(self._heap, (at, self._number, (source, connector, content_type, body)))

    def until(self, ms: int | None) -> Iterator[Arrival]:
        """Messages that arrive up to `ms`, in order of arrival; all that are left when None."""
        heap = self._heap
        while heap and (ms is None or heap[0][0] <= ms):
            at, number, (source, connector, content_type, body) = heapq.heappop(heap)
            message = RawMessage(
                body=body,
                source=source,
                connector=connector,
                content_type=content_type,
                received_at=instant(at),
                site=self._site,
            )
            yield at, number, message
