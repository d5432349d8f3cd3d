"""From the ledger's entries of one item at one site to what happened at its places, in ledger order. Pure.

Owns what an entry says about lots: a count is absolute, loading and unloading prove a place empty, a return brings back what the
same order took. What was taken back, and what only gave a lot its product or opened a container of it, is left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import Enum
from itertools import groupby
from typing import Final

from schemas.kinds import EventKind
from sinks.lots.drawing import NEVER, UNNAMED, Lot, Purpose, later
from sinks.lots.labels import goods_may_be, return_may_be
from sinks.recalls.places import STAYS, STOCK, VARIANCE
from sinks.recalls.scope import UNKNOWN_LOT, Move, standing

LotName = tuple[str, str]
"""Product (empty: not stated) and lot number as compared."""
PATIENT: Final = "patient"
NO_LOT: Final[LotName] = ("", UNKNOWN_LOT)
COUNT_ROUND: Final = timedelta(minutes=15)
"""How long lots of one place are counted one after the other."""
ONE_REMOVAL: Final = timedelta(minutes=1)
"""How far apart the lines of one removal are told: alike but for lot and quantity, with nothing else at the place between."""
_RANK: Final = {kind.value: rank for rank, kind in enumerate(EventKind)}
"""The order of the vocabulary ranks events of one instant, as in the ledger."""


class What(Enum):
    """What happened to a place."""

    MOVED = "moved"
    COUNTED_LOT = "counted lot"
    COUNTED = "counted"
    COUNTED_REST = "counted rest"
    EMPTIED = "emptied"


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that happened. `source` and `target` are places, none outside; `lot` is none where nobody told it.

    `ran_out`: the rest of the same removal was of another lot, as where nothing is left of this one.
    `back`: some of what it took comes back. `brings_back`: it is what the removal of this key took; `last`: the last of it.
    `may_be`: lots that what came without lot may be of, with weights. `listed` are lots that were counted one by one, `booked` is
    what the ledger held by lot then.
    """

    key: str
    what: What
    at: str
    source: str | None
    target: str | None
    quantity: int = 0
    lot: Lot | None = None
    purpose: Purpose = Purpose.USE
    ran_out: bool = False
    back: bool = False
    brings_back: str | None = None
    last: bool = False
    may_be: tuple[tuple[Lot, int], ...] = ()
    listed: frozenset[Lot] = frozenset()
    booked: Mapping[Lot, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Story:
    """What happened to an item at a site. `names` are its lots by number, `keys` the acts of an entry by its place in `moves`."""

    acts: tuple[Act, ...]
    names: tuple[LotName, ...]
    expires: tuple[str, ...]
    keys: Mapping[Move, str]


def story_of(moves: Iterable[Move], expires: Mapping[LotName, str], isolating: Collection[str] = ()) -> Story:
    """The story of an item at a site. `expires` is the instant at which a lot ends; `isolating` are places of unusable stock."""
    given = list(moves)
    products = _products(given)
    counting = [move for move in standing(given) if move.kind not in STAYS]
    names = [NO_LOT, *sorted({_name(move, products) for move in counting} - {NO_LOT})]
    number = {name: place for place, name in enumerate(names)}
    ends = _ends(expires, products)
    reader = _Reader({move: number[_name(move, products)] for move in counting}, frozenset(isolating))
    for event in _in_order(counting):
        reader.read(event)
    reader.finish()
    acts = _with_labels(_with_returns(reader.acts, reader.whose), reader.orders, reader.whose.keys())
    return Story(tuple(acts), tuple(names), tuple(ends.get(name, NEVER) for name in names), reader.keys)


def _products(moves: Sequence[Move]) -> dict[str, str]:
    """The product of lot numbers that only one product was named with."""
    found: dict[str, set[str]] = defaultdict(set)
    for move in moves:
        if move.product:
            found[move.lot_key].add(move.product)
    return {lot: next(iter(products)) for lot, products in found.items() if len(products) == 1}


def _name(move: Move, products: Mapping[str, str]) -> LotName:
    if move.lot_key == UNKNOWN_LOT:
        return NO_LOT
    return move.product or products.get(move.lot_key, ""), move.lot_key


def _ends(expires: Mapping[LotName, str], products: Mapping[str, str]) -> dict[LotName, str]:
    found: dict[LotName, str] = {}
    for (product, lot), end in expires.items():
        name = (product or products.get(lot, ""), lot)
        found[name] = min(end, found.get(name, NEVER))
    return found


def _in_order(moves: Sequence[Move]) -> list[list[Move]]:
    """Events in ledger order: instant, the device's own sequence, kind, key; a moved variance belongs to its count."""
    def key(move: Move) -> tuple[str, str]:
        return move.occurred, move.event_id

    events = [list(group) for _, group in groupby(sorted(moves, key=lambda one: (*key(one), one.kind)), key=key)]

    def place(event: list[Move]) -> tuple[str, int, int, str, str]:
        own = next((move for move in event if move.kind in _RANK), None)
        rank = _RANK[own.kind if own else EventKind.COUNT.value]
        return event[0].occurred, max(move.sequence for move in event), rank, own.cause if own else "", event[0].event_id

    return sorted(events, key=place)


class _Reader:
    """Reads events in order; keeps what the ledger holds by lot, to know what a count said."""

    def __init__(self, lots: Mapping[Move, Lot], isolating: frozenset[str]) -> None:
        self._lots = lots
        self._isolating = isolating
        self._held: defaultdict[str, defaultdict[Lot, int]] = defaultdict(lambda: defaultdict(int))
        self.acts: list[Act] = []
        self.keys: dict[Move, str] = {}
        self.whose: dict[str, tuple[str | None, str | None]] = {}
        self.orders: dict[str, str | None] = {}
        self._counting: dict[str, dict[Lot, Move]] = {}
        self._last: dict[str, tuple[Move, int]] = {}
        """The last move of a told lot out of each place, and its act; none where anything else happened there since."""

    def finish(self) -> None:
        """The last counts are over."""
        for place in list(self._counting):
            self._counted_all(place)

    def _counted_all(self, place: str) -> None:
        """Nothing more is counted of a place lot by lot: what no count changed is as booked, or not there."""
        listed = self._counting.pop(place, {})
        if listed:
            booked = {lot: quantity for lot, quantity in self._held[place].items() if quantity > 0}
            self._say(next(iter(listed.values())), What.COUNTED_REST, place, None, listed=frozenset(listed), booked=booked)

    def read(self, event: list[Move]) -> None:
        """One event."""
        if len(event) > 1 or VARIANCE in (event[0].source, event[0].target):
            self._forget_last(event)
        counts_a_lot = all(move.kind in (EventKind.COUNT, "variance") for move in event)
        for account in sorted({account for move in event for account in (move.source, move.target)}):
            place = _stock(account)
            before = next(iter(self._counting.get(place or "", {}).values()), None)
            if place and before and not (counts_a_lot and later(before.occurred, COUNT_ROUND) >= event[0].occurred):
                self._counted_all(place)
        counts = [move for move in event if VARIANCE in (move.source, move.target)]
        others = [move for move in event if VARIANCE not in (move.source, move.target)]
        if any(move.kind == EventKind.UNLOAD for move in event):
            self._move(others)
            self._count(counts)
            for place in sorted({_stock(move.source) for move in others} - {None}):  # type: ignore[type-var]
                self._say(event[0], What.EMPTIED, place, None)
            return
        self._count(counts)
        for move in others:
            if move.kind == EventKind.LOAD and _stock(move.target):
                self._say(move, What.EMPTIED, _stock(move.target), None)
                break
        self._move(others)

    def _say(self, move: Move, what: What, source: str | None, target: str | None, **more: object) -> str:
        key = f"{move.event_id}#{len(self.acts)}"
        self.acts.append(Act(key, what, move.occurred, source, target, **more))  # type: ignore[arg-type]
        return key

    def _count(self, counts: list[Move]) -> None:
        """What a count said: its entries are by how much it changed what the ledger held."""
        by_place: dict[str, list[Move]] = {}
        for move in counts:
            place = _stock(move.source) or _stock(move.target)
            if place is None:
                continue
            by_place.setdefault(place, []).append(move)
            self._held[place][self._lots[move]] += move.quantity if _stock(move.target) else -move.quantity
        for place, here in by_place.items():
            held, lots = self._held[place], {self._lots[move] for move in here}
            total = sum(held.values())
            named = lots - {UNNAMED}
            counting = here[0].kind in (EventKind.COUNT, "variance")
            # A count of one lot writes it, and what moved without lot; one that writes several is of the whole place, lot by lot.
            if not named or (total <= 0 and (lots != named or len(named) > 1)) or (len(named) > 1 and not counting):
                if total > 0:
                    self._say(here[0], What.COUNTED, place, None, quantity=total)
                else:
                    self._say(here[0], What.EMPTIED, place, None)
                continue
            for lot in sorted(named):
                if counting:
                    self._counting.setdefault(place, {})[lot] = here[0]
                self._say(here[0], What.COUNTED_LOT, place, None, lot=lot, quantity=max(0, held[lot]))

    def _move(self, moves: list[Move]) -> None:
        for move in moves:
            source, target, lot = _stock(move.source), _stock(move.target), self._lots[move]
            if source is not None:
                self._held[source][lot] -= move.quantity
            if target is not None:
                self._held[target][lot] += move.quantity
            if source is None and target is None:
                continue
            purpose = Purpose.USE
            if move.kind == EventKind.UNLOAD:
                purpose = Purpose.ALL
            elif move.kind == EventKind.EXPIRE or target in self._isolating:
                purpose = Purpose.EXPIRED
            stated = None if lot == UNNAMED else lot
            if source is not None and stated is not None and self._goes_on(move):
                before = self._last[source][1]
                self.acts[before] = replace(self.acts[before], ran_out=True)
            key = self._say(move, What.MOVED, source, target, quantity=move.quantity, lot=stated, purpose=purpose)
            self.keys[move] = key
            self._forget_last([move])
            if source is not None and stated is not None:
                self._last[source] = (move, len(self.acts) - 1)
            if source is None and move.source != PATIENT:
                self.orders[key] = move.order_id
            if PATIENT in (move.source, move.target):
                self.whose[key] = (move.patient, move.order_id)

    def _goes_on(self, move: Move) -> bool:
        """Whether a move of a told lot is the rest of the removal before it, of which another lot was told."""
        before = self._last.get(_stock(move.source) or "", (None, 0))[0]
        if before is None or self._lots[before] == self._lots[move]:
            return False
        alike = all(getattr(before, name) == getattr(move, name) for name in ("kind", "target", "patient", "order_id"))
        return alike and later(before.occurred, ONE_REMOVAL) >= move.occurred

    def _forget_last(self, moves: list[Move]) -> None:
        """Something else happened at these places."""
        for move in moves:
            for account in (move.source, move.target):
                self._last.pop(_stock(account) or "", None)


def _with_labels(acts: list[Act], orders: Mapping[str, str | None], patients: Collection[str]) -> list[Act]:
    """What came from outside without lot, with the lots it may be of.

    `orders` are the acts by which goods came, with their order; `patients` those between a place and a patient.
    """
    came = {number: orders[act.key] for number, act in enumerate(acts) if act.key in orders}
    named = [(number, act.lot) for number, act in enumerate(acts) if act.lot]
    given = [(number, act.lot, act.quantity) for number, act in enumerate(acts) if act.lot and act.source and act.key in patients]
    found = list(acts)
    for number, lots in goods_may_be(came, named).items():
        found[number] = replace(acts[number], may_be=lots)
    for number, act in enumerate(acts):
        if act.key in patients and act.source is None and act.lot is None and act.brings_back is None:
            found[number] = replace(act, may_be=return_may_be(number, given, named))
    return found


def _with_returns(acts: list[Act], whose: Mapping[str, tuple[str | None, str | None]]) -> list[Act]:
    """Returns matched to removals of the same patient and order at one place: the newest of which enough is still out."""
    out: dict[tuple[str, str | None, str | None], list[list[int]]] = {}
    brought: dict[int, tuple[int, bool]] = {}
    returns: dict[int, list[int]] = {}
    for number, act in enumerate(acts):
        person = whose.get(act.key)
        if person is None or person == (None, None):
            continue
        if act.source is not None:
            out.setdefault((act.source, *person), []).append([number, act.quantity])
        elif act.target is not None:
            open_ones = [one for one in out.get((act.target, *person), []) if one[1] >= act.quantity]
            if open_ones:
                open_ones[-1][1] -= act.quantity
                returns.setdefault(open_ones[-1][0], []).append(number)
    found = list(acts)
    for removal, numbers in returns.items():
        if acts[removal].lot is not None and all(acts[number].lot is not None for number in numbers):
            continue  # everything is told
        found[removal] = replace(acts[removal], back=True)
        for number in numbers:
            brought[number] = (removal, number == numbers[-1])
    for number, (removal, last) in brought.items():
        found[number] = replace(acts[number], brings_back=acts[removal].key, last=last)
    return found


def _stock(account: str) -> str | None:
    return account.removeprefix(STOCK) if account.startswith(STOCK) else None
