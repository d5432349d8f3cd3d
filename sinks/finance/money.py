"""Exact money: whole numbers of 10⁻¹² of the currency, turned into cents in one place. No float, no hidden rounding.

A unit cost has at most twelve decimals (`schemas.reference.Amount`), so a quantity times a cost is exact. Rounding is half away
from zero (commercial), to 10⁻¹² where an average does not come out even, and to the cent where money is posted or shown.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

SCALE: Final = 10**12
_CENT: Final = SCALE // 100


def exact(amount: Decimal) -> int:
    """A decimal amount as a whole number of 10⁻¹². Raises `ValueError` for one with more than twelve decimals."""
    numerator, denominator = amount.as_integer_ratio()
    scaled, rest = divmod(numerator * SCALE, denominator)
    if rest:
        msg = f"{amount} has more than twelve decimals"
        raise ValueError(msg)
    return scaled


def divided(value: int, divisor: int) -> int:
    """A quotient rounded half away from zero. `divisor` is above 0."""
    quotient, rest = divmod(abs(value), divisor)
    rounded = quotient + (2 * rest >= divisor)
    return rounded if value >= 0 else -rounded


def cents(value: int) -> int:
    """Exact money in whole cents, half away from zero."""
    return divided(value, _CENT)


def money_text(amount_cents: int) -> str:
    """Cents as people write them, with two decimals: 1234 is `12.34`."""
    whole, rest = divmod(abs(amount_cents), 100)
    return f"{'-' if amount_cents < 0 else ''}{whole}.{rest:02d}"


def unit_text(value: int | None) -> str | None:
    """A cost per base unit with as many decimals as it has, two at least; None stays unknown."""
    if value is None:
        return None
    whole, rest = divmod(abs(value), SCALE)
    return f"{'-' if value < 0 else ''}{whole}.{f'{rest:012d}'.rstrip('0').ljust(2, '0')}"


def shared_out(total_cents: int, exact_parts: list[int]) -> list[int]:
    """Parts in cents that add up to the total: each rounded down, the cents left over to the largest remainders."""
    floors = [part // _CENT for part in exact_parts]
    left = total_cents - sum(floors)
    order = sorted(range(len(floors)), key=lambda at: (-(exact_parts[at] % _CENT), at))
    each, more = divmod(left, len(floors)) if floors else (0, 0)
    for place, at in enumerate(order):
        floors[at] += each + (place < more)
    return floors
