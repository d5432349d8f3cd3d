"""One simulated site: its clock of due actions, its shelves, and the streams of chance that drive it.

Owns time and stock. Actions run in order of time; every fact gets a second of its own on each card it touches, and never a
local midnight, so that no order of facts is left to interpretation. What people do is in `patients`, `logistics` and `clinic`.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from datetime import timedelta
from random import Random
from typing import Any, Final

from connectors.simulator.catalogue import Box, Drug
from connectors.simulator.clock import HOUR, LocalClock
from connectors.simulator.drawing import Drawing
from connectors.simulator.feeds import Device, Feeds, Part
from connectors.simulator.knobs import Knobs
from connectors.simulator.outbox import Arrival, Outbox, Window
from connectors.simulator.plan import MAIN, SitePlan
from connectors.simulator.records import PEOPLE, person
from connectors.simulator.truth import Card, Lot, Truth, TruthSink

CLOSING: Final = 6 * HOUR
"""From the end of the last day to the last message of all."""
BEATS: Final = (2 * HOUR, 4 * HOUR, CLOSING)
SHORT_DATED: Final = 0.15
"""Share of lots that arrive with less than two weeks to go."""

_LETTERS: Final = "ABCDEFGHJKLMNPRSTUVWXY"

Action = Callable[..., None]


def lot_number(first: int, number: int) -> str:
    """A lot number of seven letters and digits in turn, unique by `number`.

    In the first ten million no two digits stand together, so that no part of a lot can be taken for a GS1 application identifier
    whose separator was lost.
    """
    text = _LETTERS[first]
    for _ in range(3):
        number, digit = divmod(number, 10)
        number, letter = divmod(number, len(_LETTERS))
        text += f"{digit}{_LETTERS[letter]}"
    return f"{text}{number or ''}"


class Hospital:
    """State of one site while it is simulated. `end`: no event of stock happens from then on."""

    def __init__(self, plan: SitePlan, knobs: Knobs, windows: list[Window], network_end: int, sink: TruthSink | None) -> None:
        """`network_end` is the end of the last day at the westernmost site; `sink` takes the lines of the truth."""
        self.plan = plan
        self.clock = LocalClock(plan.zone, with_offset=plan.with_offset)
        self.start = self.clock.midnight(knobs.start)
        self.end = self.clock.midnight(knobs.start + timedelta(days=knobs.days))
        self.final = network_end + CLOSING
        self.closing = tuple(network_end + beat for beat in BEATS)
        self.outbox = Outbox(plan.id, knobs, windows, self.final * 1000)
        self.feeds = Feeds(plan, self.clock, knobs, self.outbox)
        self.truth = Truth(plan.id, plan.policies, sink)
        self.main = {drug.item: self.truth.card(MAIN, drug.item) for drug in plan.drugs}
        self.drugs = {drug.item: drug for drug in (*plan.drugs, *plan.clinic)}
        self.nurses = [person(plan.id, name) for name, role in PEOPLE if role == "nurse"]
        self.technicians = [person(plan.id, name) for name, role in PEOPLE if role == "technician"]
        self.pharmacists = [person(plan.id, name) for name, role in PEOPLE if role == "pharmacist"]
        self._seed = f"{knobs.seed}:{plan.id}"
        self._queue: list[tuple[int, int, Action, tuple[Any, ...]]] = []
        self._number = 0
        self._lots = self.chance("lots")
        self.take = Drawing(knobs.drawing, knobs.careless, self.chance("drawing")).take
        self.low: Callable[[int, Card], None] = lambda _t, _card: None

    def chance(self, purpose: str) -> Random:
        """The stream of random numbers of one purpose."""
        return Random(f"{self._seed}:{purpose}")  # noqa: S311  # a reproducible simulation, nothing secret

    def at(self, t: int, action: Action, *args: Any) -> None:
        """Do `action(t, *args)` at `t`; what would fall after the end does not happen."""
        if t < self.end - 60:
            self._number += 1
            heapq.heappush(self._queue, (t, self._number, action, args))

    def run(self) -> Iterator[Arrival]:
        """Messages in order of arrival, while time passes. What is still under way at the end comes with `finish`."""
        while self._queue:
            t, _, action, args = heapq.heappop(self._queue)
            yield from self.outbox.until(t * 1000)
            action(t, *args)

    def finish(self) -> Iterator[Arrival]:
        """The messages that are left, and the end of the truth."""
        yield from self.outbox.until(None)
        self.truth.close(self.final)

    def stamp(self, t: int, *used: Card | Device) -> int:
        """The first second from `t` on at which none of the cards and devices has been used, and that is no local midnight."""
        for one in used:
            t = max(t, one.last + 1)
        if self.clock.is_midnight(t):
            t += 1
        for one in used:
            one.last = t
        return t

    def new_lot(self, box: Box, t: int) -> Lot:
        """A lot as a supplier delivers it at `t`: most last months, a few days only."""
        rng = self._lots
        days = rng.randint(1, 12) if rng.random() < SHORT_DATED else rng.randint(45, 700)
        expiry = self.clock.local_date(t) + timedelta(days=days)
        number = lot_number(rng.randrange(len(_LETTERS)), self.feeds.number("lot"))
        return Lot(number, box, expiry.isoformat(), self.clock.midnight(expiry + timedelta(days=1)))

    def remove(
        self, kind: str, t: int, card: Card, parts: list[tuple[Lot, int]], to: Card | str, device: Device | None = None
    ) -> list[Part]:
        """Move lots out of a card, each at a second of its own; says so to whoever watches for low stock."""
        done = []
        for lot, quantity in parts:
            used: list[Card | Device] = [card]
            if isinstance(to, Card):
                used.append(to)
            if device is not None:
                used.append(device)
            t = self.stamp(t, *used)
            self.truth.move(kind, t, lot, quantity, card, to)
            done.append((t, lot, quantity))
        self.low(t, card)
        return done

    def add(self, kind: str, t: int, lot: Lot, quantity: int, source: str, card: Card, device: Device) -> int:
        """Move a lot from outside onto a card; returns the instant."""
        t = self.stamp(t, card, device)
        self.truth.move(kind, t, lot, quantity, source, card)
        return t

    def next_day_at(self, t: int, second: int) -> int:
        """`second` of the next local day."""
        return self.clock.midnight(self.clock.local_date(t) + timedelta(days=1)) + second

    def pocket(self, place: str, drug: Drug) -> Card:
        """The card of a drug in a cabinet's pocket or a ward, by its location path."""
        return self.truth.card(place, drug.item)
