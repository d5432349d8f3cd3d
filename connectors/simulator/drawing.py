"""Which lots a hand takes: the rule of the hospital, and how often somebody doesn't keep to it.

Owns the choice alone; who takes what and when is in `patients`, `logistics` and `clinic`. Its random numbers are its own, and
none is drawn while everybody keeps to first expiry first: then nothing changes.
"""

from __future__ import annotations

from random import Random
from typing import Final

from connectors.simulator.truth import Card, Lot

FEFO: Final = "fefo"
FIFO: Final = "fifo"
RANDOM: Final = "random"
DRAWINGS: Final = (FEFO, FIFO, RANDOM)
Parts = list[tuple[Lot, int]]


class Drawing:
    """The hands of one site. `rule` is one of `DRAWINGS`; `careless` the share of removals that take what comes to hand."""

    def __init__(self, rule: str, careless: float, rng: Random) -> None:
        """Keeps the rule and its stream of chance."""
        self._rule = rule
        self._careless = 1.0 if rule == RANDOM else careless
        self._rng = rng

    def take(self, card: Card, quantity: int, t: int) -> Parts:
        """Which lots give up to `quantity`. Takes nothing yet; fewer when less of it is usable.

        By the rule only usable lots are taken. Who takes what comes to hand takes from a lot by its share of all that lies there,
        expired or not, and from a next one when the lot runs out.
        """
        parts = card.take(quantity, t)
        amount = sum(part for _, part in parts)
        if amount and self._careless and self._rng.random() < self._careless:
            return self._at_hand(card, amount)
        return _in_turn(card, amount, t) if self._rule == FIFO else parts

    def _at_hand(self, card: Card, quantity: int) -> Parts:
        left = dict(card.lots)
        parts: Parts = []
        while quantity:
            lot = self._rng.choices(list(left), weights=list(left.values()))[0]
            amount = min(quantity, left.pop(lot))
            parts.append((lot, amount))
            quantity -= amount
        return parts


def _in_turn(card: Card, quantity: int, t: int) -> Parts:
    """First come, first out: a card's lots stand in the order in which they came to it."""
    parts: Parts = []
    for lot, held in card.lots.items():
        if quantity and lot.expires_at > t:
            amount = min(quantity, held)
            parts.append((lot, amount))
            quantity -= amount
    return parts
