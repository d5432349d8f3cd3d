"""An independent model of the stock ledger: slow, and obviously right.

It keeps a list of facts and nothing else. Every question is answered by sorting the facts by (occurred, device sequence, kind
rank, key) and adding them up from an empty hospital. It shares no code with the processors and knows nothing of arrival.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

UNKNOWN: Final = "unknown"
KIND_RANK: Final = (
    "vend", "return", "waste", "refill", "load", "unload", "count", "expire", "dispense", "administer", "receive", "put_away",
    "pick", "discard", "reversal",
)  # fmt: skip
TRANSIT: Final = "transit"

Lots = Counter[str]


@dataclass(frozen=True)
class Fact:
    """One thing that happened, in base units. `other` is where it went, or where refills come from."""

    key: str
    kind: str
    occurred: datetime
    place: str = ""
    quantity: int = 0
    lot: str | None = None
    expiry: date | None = None
    other: str | None = None
    sequence: int = 0
    undoes: str | None = None


@dataclass(frozen=True)
class Levels:
    """When a place needs supply, and when it has had it."""

    minimum: int
    satisfied_at: int


@dataclass(frozen=True)
class Need:
    """Usable stock fell to the minimum at an instant; it reached the satisfied level at another, or did not yet."""

    opened: datetime
    closed: datetime | None


class ReferenceLedger:
    """Facts of one item at one site, in any order, any number of times."""

    def __init__(self, zone: str, facts: Iterable[Fact] = ()) -> None:
        """`zone` is the site's: its calendar decides what has expired."""
        self._zone = ZoneInfo(zone)
        self._facts: dict[str, Fact] = {}
        for fact in facts:
            self.learn(fact)

    def learn(self, fact: Fact) -> None:
        """Take a fact in. The same key again is the same fact."""
        self._facts.setdefault(fact.key, fact)

    @property
    def voided(self) -> set[str]:
        """Keys of facts that were taken back or stood in for."""
        return {fact.undoes for fact in self._facts.values() if fact.undoes}

    def ordered(self) -> list[Fact]:
        """Facts that count, in ledger order."""
        counting = [fact for fact in self._facts.values() if fact.key not in self.voided]
        return sorted(counting, key=lambda fact: (fact.occurred, fact.sequence, KIND_RANK.index(fact.kind), fact.key))

    def expiries(self) -> dict[str, datetime]:
        """The instant each dated lot leaves usable stock: the site's midnight at the end of the (earliest) stated day."""
        days: dict[str, date] = {}
        for fact in self._facts.values():
            if fact.lot and fact.expiry:
                days[fact.lot] = min(fact.expiry, days.get(fact.lot, fact.expiry))
        return {
            lot: datetime.combine(day + timedelta(days=1), time(), self._zone).astimezone(UTC) for lot, day in days.items()
        }

    def history(self) -> list[tuple[datetime, dict[str, Lots]]]:
        """What every place held after each fact."""
        held: dict[str, Lots] = {}
        steps = []
        for fact in self.ordered():
            _apply(held, fact)
            steps.append((fact.occurred, {place: Counter(lots) for place, lots in held.items()}))
        return steps

    def lots(self, place: str) -> dict[str, int]:
        """What a place holds in the end, per lot, without zeros."""
        steps = self.history()
        lots = steps[-1][1].get(place, Counter()) if steps else Counter()
        return {lot: quantity for lot, quantity in lots.items() if quantity}

    def on_hand(self, place: str) -> int:
        """What a place holds in the end."""
        return sum(self.lots(place).values())

    def usable(self, place: str, at: datetime) -> int:
        """What may be given to a patient at an instant: everything on hand that has not expired, less what is missing of any lot."""
        return self._usable(self._held_at(place, at), at)

    def needs(self, place: str, levels: Levels, until: datetime) -> list[Need]:
        """The needs of a place: walk its instants in order; `≤ minimum` arms, `≥ satisfied_at` disarms, else unchanged."""
        found: list[Need] = []
        opened: datetime | None = None
        for at, usable in self._walk(place, until):
            if usable >= levels.satisfied_at:
                if opened is not None:
                    found.append(Need(opened, at))
                opened = None
            elif usable <= levels.minimum and opened is None:
                opened = at
        return [*found, Need(opened, None)] if opened is not None else found

    def _walk(self, place: str, until: datetime) -> list[tuple[datetime, int]]:
        """Usable stock after each fact that touched the place, and at each instant a lot there expires."""
        expiries = self.expiries()
        seen: dict[str, Lots] = {}
        walk: list[tuple[datetime, int, int]] = []
        lots_seen: set[str] = set()
        for number, fact in enumerate(self.ordered(), start=1):
            if fact.occurred > until or not _touches(fact, place):
                _apply(seen, fact)
                continue
            _apply(seen, fact)
            lots_seen |= set(seen[place]) | {fact.lot or UNKNOWN}
            walk.append((fact.occurred, number, self._usable(seen[place], fact.occurred)))
        started = walk[0][0] if walk else until
        for lot, instant in expiries.items():
            if lot in lots_seen and started < instant <= until:
                walk.append((instant, 0, self._usable(self._held_at(place, instant, before=True), instant)))
        return [(at, usable) for at, _, usable in sorted(walk, key=lambda step: step[:2])]

    def _held_at(self, place: str, at: datetime, *, before: bool = False) -> Lots:
        held: dict[str, Lots] = {}
        for fact in self.ordered():
            if fact.occurred < at or (fact.occurred == at and not before):
                _apply(held, fact)
        return held.get(place, Counter())

    def _usable(self, lots: Lots, at: datetime) -> int:
        expiries = self.expiries()
        good = {lot for lot in lots if lot not in expiries or at < expiries[lot]}
        return sum(quantity for lot, quantity in lots.items() if lot in good or quantity < 0)


def _touches(fact: Fact, place: str) -> bool:
    """Whether a fact speaks of a place at all."""
    if fact.kind in {"waste", "reversal"}:
        return False
    if fact.quantity == 0 and fact.kind not in {"count", "load", "unload"}:
        return False
    other = fact.other or (TRANSIT if fact.kind in {"pick", "put_away"} else None)
    moves_other = fact.kind in {"refill", "load", "unload", "pick", "put_away"} and fact.quantity > 0
    return fact.place == place or (moves_other and other == place)


def _apply(held: dict[str, Lots], fact: Fact) -> None:
    """Add one fact to what places hold."""
    here = held.setdefault(fact.place, Counter())
    lot, quantity = fact.lot or UNKNOWN, fact.quantity
    match fact.kind:
        case "vend" | "dispense" | "administer" | "expire" | "discard":
            here[lot] -= quantity
        case "return" | "receive":
            here[lot] += quantity
        case "refill":
            _move(held, fact.other, fact.place, lot, quantity)
        case "load":
            here.clear()
            _move(held, fact.other, fact.place, lot, quantity)
        case "unload":
            _move(held, fact.place, fact.other, lot, quantity)
            here.clear()
        case "put_away" | "pick":
            _move(held, fact.place, fact.other or TRANSIT, lot, quantity)
        case "count":
            _count(here, fact)


def _move(held: dict[str, Lots], source: str | None, target: str | None, lot: str, quantity: int) -> None:
    """From one place to another; a place that is not named is outside."""
    if source:
        held.setdefault(source, Counter())[lot] -= quantity
    if target:
        held.setdefault(target, Counter())[lot] += quantity


def _count(here: Lots, fact: Fact) -> None:
    """A count is absolute: of its lot; without a lot of the place, the difference being nobody knows which lot.

    What a counted lot is off by is first what was moved without lot.
    """
    if fact.lot:
        others = sum(min(0, quantity) for lot, quantity in here.items() if lot not in (fact.lot, UNKNOWN))
        off, unknown = fact.quantity - here[fact.lot], here[UNKNOWN] + others
        here[fact.lot] = fact.quantity
        if off * unknown > 0:  # what is off was moved without its lot before, as far as both are of one sign
            here[UNKNOWN] -= min(off, unknown, key=abs)
    elif fact.quantity == 0:
        here.clear()
    else:
        here[UNKNOWN] += fact.quantity - sum(here.values())
