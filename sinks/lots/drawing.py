"""How a hand draws from a place that holds several lots: every possible draw with its probability. Pure.

`fefo`: the lot that expires first, of those that have not expired; `fifo`: the lot that came first, likewise; `random`: a lot by
its share of all that lies there, and a next one when it runs out. A `compliance` c is a mixture: with c the rule, else random.

What is taken as expired, or to empty a place, tells by its quantity what was there. What a place can't give by what is known
(more than there is, an unload of less than all) is not impossible, only `SLIP` likely: something was not reported.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from enum import Enum
from fractions import Fraction
from typing import Final

Lot = int
"""Number of a lot of the item; `UNNAMED` is stock of which no feed ever told the lot."""
Lots = tuple[tuple[Lot, int], ...]
"""Lots with their quantities (at least 1): sorted, or under `fifo` in the order in which they came."""
Number = float | Fraction
UNNAMED: Final[Lot] = 0
NEVER: Final = "9999"
"""After every instant: when a lot expires of which nobody told a date."""
SLIP: Final = Fraction(1, 1000)
"""How likely it is that something went unreported where what is reported doesn't fit."""
COUNTED_ALONE: Final = Fraction(1, 20)
"""Share of counts of a lot that leave other lots of the place uncounted."""
WENT_ON: Final = Fraction(1, 20)
"""Share of removals that go on with another lot while some of the one before is left."""
LEFT_LYING: Final = Fraction(1, 20)
"""Share of what expired that still lies there after it should have been taken away."""
RANDOM_LOTS_MAX: Final = 3
"""Lots that one removal takes at random; where it needs more, the others are taken by the rule, else the ways were too many."""


class Purpose(Enum):
    """What stock is taken for."""

    USE = "use"
    EXPIRED = "expired"
    ALL = "all"


class Drawing:
    """The rule of one place. `expires` is the instant (text that sorts) at which each lot stops being usable."""

    def __init__(
        self, rule: str, compliance: Number, expires: Sequence[str], *, expired_hours: int | None = None, exact: bool = False
    ) -> None:
        """`expired_hours` after a lot's end it has been taken away. `exact` computes in fractions: for tests, it is slow."""
        self._taken_away = [later(end, timedelta(hours=expired_hours)) for end in expires] if expired_hours is not None else []
        self.in_turn = rule == "fifo"
        self._number = Fraction if exact else float
        self._compliance = self._number(0 if rule == "random" else compliance)
        self._slip = self._number(SLIP)
        self._expires = expires
        self._known: dict[tuple[Lots, int, Purpose, frozenset[Lot]], list[tuple[Number, Lots]]] = {}

    @property
    def one(self) -> Number:
        """Certainty."""
        return self._number(1)

    @property
    def slip(self) -> Number:
        """`SLIP` as this rule computes."""
        return self._slip

    @property
    def alone(self) -> Number:
        """`COUNTED_ALONE` as this rule computes."""
        return self._number(COUNTED_ALONE)

    @property
    def went_on(self) -> Number:
        """`WENT_ON` as this rule computes."""
        return self._number(WENT_ON)

    @property
    def left_lying(self) -> Number:
        """`LEFT_LYING` as this rule computes."""
        return self._number(LEFT_LYING)

    def taken_away(self, at: str) -> frozenset[Lot]:
        """Lots that expired so long before an instant that they should have been taken away."""
        return frozenset(lot for lot, end in enumerate(self._taken_away) if end <= at)

    def expired(self, at: str) -> frozenset[Lot]:
        """Lots that may not be used any more at an instant."""
        return frozenset(lot for lot, end in enumerate(self._expires) if end <= at)

    def draws(self, held: Lots, quantity: int, purpose: Purpose, gone: frozenset[Lot]) -> list[tuple[Number, Lots]]:
        """What a hand that takes `quantity` may take, lots in order, with probabilities. `gone` are the lots that have expired.

        They add up to how likely it is that so many are taken at all, given what is there.
        """
        key = (held, quantity, purpose, gone)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._draws(held, quantity, purpose, gone)
        return found

    def _draws(self, held: Lots, quantity: int, purpose: Purpose, gone: frozenset[Lot]) -> list[tuple[Number, Lots]]:
        total = sum(amount for _, amount in held)
        if quantity > total:
            return [(self._slip, plus(_sorted(held), ((UNNAMED, quantity - total),)))]
        if purpose is Purpose.ALL:
            return [(self.one if quantity == total else self._slip, _first(self._order(held, gone), quantity))]
        if purpose is Purpose.EXPIRED:
            return self._of_expired(held, quantity, gone)
        drawn: dict[Lots, Number] = {}
        if self._compliance:
            drawn[_first(self._order(held, gone), quantity)] = self._compliance
        if self._compliance != 1:
            for chance, taken in self.at_hand(held, quantity, gone):
                drawn[taken] = drawn.get(taken, 0) + (1 - self._compliance) * chance
        return [(chance, taken) for taken, chance in drawn.items()]

    def at_hand(self, held: Lots, quantity: int, gone: frozenset[Lot] = frozenset()) -> list[tuple[Number, Lots]]:
        """What is taken of several lots by nobody's rule: each by its share, the next when it runs out."""
        total = sum(amount for _, amount in held)
        if quantity > total:
            return [(self._slip, plus(_sorted(held), ((UNNAMED, quantity - total),)))]
        drawn: dict[Lots, Number] = {}
        for chance, taken in self._at_hand(held, quantity, gone, RANDOM_LOTS_MAX):
            drawn[taken] = drawn.get(taken, 0) + chance
        return [(chance, taken) for taken, chance in drawn.items()]

    def _order(self, held: Lots, gone: frozenset[Lot]) -> Lots:
        """Usable lots first, by the rule; what has expired comes last."""
        if self.in_turn:
            return tuple(sorted(held, key=lambda one: one[0] in gone))
        return tuple(sorted(held, key=lambda one: (one[0] in gone, self._expires[one[0]], one[0])))

    def _of_expired(self, held: Lots, quantity: int, gone: frozenset[Lot]) -> list[tuple[Number, Lots]]:
        """Who takes expired stock away takes all of it, or all of a lot."""
        over = tuple(one for one in held if one[0] in gone)
        wholes = {(one,) for one in over if one[1] == quantity}
        if sum(amount for _, amount in over) == quantity:
            wholes.add(_sorted(over))
        if wholes:
            return [(self.one / len(wholes), whole) for whole in sorted(wholes)]
        order = sorted(held, key=lambda one: (one[0] not in gone, self._expires[one[0]], one[0]))
        return [(self._slip, _first(tuple(order), quantity))]

    def _at_hand(self, held: Lots, quantity: int, gone: frozenset[Lot], lots_left: int) -> Iterator[tuple[Number, Lots]]:
        if not lots_left:
            yield self.one, _first(self._order(held, gone), quantity)
            return
        total = sum(amount for _, amount in held)
        for one in held:
            lot, amount = one
            chance = self._number(amount) / total
            if amount >= quantity:
                yield chance, ((lot, quantity),)
                continue
            others = tuple(other for other in held if other is not one)
            for further, taken in self._at_hand(others, quantity - amount, gone, lots_left - 1):
                yield chance * further, plus(taken, (one,))


def later(instant: str, by: timedelta) -> str:
    """An instant so much after another; of one after every instant the same."""
    if instant >= NEVER:
        return instant
    return (datetime.fromisoformat(instant) + by).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _sorted(lots: Lots) -> Lots:
    return tuple(sorted(lots))


def _first(order: Lots, quantity: int) -> Lots:
    taken = []
    for lot, amount in order:
        if quantity:
            part = min(amount, quantity)
            taken.append((lot, part))
            quantity -= part
    return _sorted(tuple(taken))


def quantity_of(lots: Lots, lot: Lot) -> int:
    """How much of a lot there is."""
    return next((amount for one, amount in lots if one == lot), 0)


def plus(held: Lots, more: Lots, *, in_turn: bool = False) -> Lots:
    """More in a place: sorted, or what was not there before behind what was."""
    found = dict(held)
    for lot, amount in more:
        found[lot] = found.get(lot, 0) + amount
    return tuple(found.items()) if in_turn else tuple(sorted(found.items()))


def minus(held: Lots, taken: Lots) -> Lots:
    """What is left; of what was not there nothing is missing afterwards."""
    gone = dict(taken)
    left = ((lot, amount - gone.get(lot, 0)) for lot, amount in held)
    return tuple(one for one in left if one[1] > 0)
