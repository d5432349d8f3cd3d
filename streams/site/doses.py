"""Matching removals with what became of them: the pure rule of the closure of controlled substances."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

Amount = Fraction | int
"""An exact amount: an integer where it is whole, which nearly all are and which costs a tenth to add."""
Amounts = Sequence[tuple[int, Amount]]
"""When (µs), in order, and how much."""


@lru_cache(maxsize=65_536)
def exact(amount: str | int | Decimal) -> Amount:
    """An amount as it is kept, exactly: the same few come again and again, and reading one costs more than matching it."""
    found = Fraction(amount)
    return found.numerator if found.denominator == 1 else found


def matched(removals: Amounts, ends: Amounts, window_us: int) -> tuple[list[Amount], list[Amount]]:
    """What is left open of each removal, and of each end (a dose given, wasted or returned).

    Ends take from the earliest removal that has something left, and never from one later than `window_us` behind them: clocks of
    two systems differ, and a nurse may document before the drawer is closed. What was removed = what ended + what is open.
    """
    open_removals: list[Amount] = [amount for _, amount in removals]
    open_ends: list[Amount] = []
    first = 0
    for at, amount in ends:
        left = amount
        while first < len(removals) and not open_removals[first]:
            first += 1
        for number in range(first, len(removals)):
            if not left or removals[number][0] > at + window_us:
                break
            taken = min(left, open_removals[number])
            open_removals[number] -= taken
            left -= taken
        open_ends.append(left)
    return open_removals, open_ends
