"""Which lots stock may be of that came from outside without a lot. Pure.

For goods it uses hindsight: a lot that is first named on a shelf must have come before; goods of an order of which other
packages were scanned are likely of the same lot. What comes back from nobody named is of a lot that was given. A lot that
nobody ever names is possible each time. What is scanned and counted afterwards weighs them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from sinks.lots.drawing import UNNAMED, Lot

Weights = tuple[tuple[Lot, int], ...]
SAME_ORDER: Final = 4
"""How much likelier a lot is that was scanned of the same order."""


def goods_may_be(came: Mapping[int, str | None], named: Iterable[tuple[int, Lot]]) -> dict[int, Weights]:
    """For each act by which goods came without a lot: lots with weights. `came`: acts by number, with the order if one is stated.

    `named` are the acts that name a lot, in order.
    """
    first: dict[Lot, int] = {}
    of_order: dict[str, dict[Lot, None]] = {}
    told: dict[int, Lot] = {}
    for number, lot in named:
        first.setdefault(lot, number)
        if number in came:
            told[number] = lot
            order = came[number]
            if order is not None:
                of_order.setdefault(order, {})[lot] = None
    arrived = set(told.values())
    found = {}
    for number, order in came.items():
        if number not in told:
            weights = {lot: 1 for lot, at in first.items() if lot not in arrived and at > number}
            weights |= dict.fromkeys(of_order.get(order or "", ()), SAME_ORDER)
            found[number] = tuple(sorted({UNNAMED: 1, **weights}.items()))
    return found


def return_may_be(number: int, given: Iterable[tuple[int, Lot, int]], named: Iterable[tuple[int, Lot]]) -> Weights:
    """Lots of what came back of nobody named: those given by then, by their units, and each that was named at all."""
    weights = {UNNAMED: 1, **{lot: 1 for at, lot in named if at < number}}
    for at, lot, quantity in given:
        if at < number:
            weights[lot] = weights.get(lot, 0) + quantity
    return tuple(sorted(weights.items()))
