"""Formulas of consumption as supply chains for medicines state them. Exact: no float, and rounded only where the source rounds.

A month of stock-out days is a month of 30 days (OpenLMIS OLMIS-8071), whatever the calendar says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from math import ceil
from typing import Final

MONTH: Final = 30
MEAN_MONTH: Final = Fraction(61, 2)
"""30.5 days: a mean month (MSH, Managing Drug Supply)."""


def closing(opening: int, received: int, adjusted: int, consumed: int) -> int:
    """Closing balance E = A + B ± D - C (OpenLMIS requisition, `LineItemFieldsCalculator`). `adjusted` carries its sign."""
    return opening + received + adjusted - consumed


def openlmis(consumed: int, out: Fraction, months: int = 1) -> Fraction:
    """Adjusted consumption N = ceil(C · 30M / (30M - X)), X days without stock (OpenLMIS requisition).

    Out of stock throughout, nothing can be said of what would have been consumed: C stands.
    """
    span = Fraction(MONTH * months)
    return Fraction(consumed) if out <= 0 or out >= span else Fraction(ceil(consumed * span / (span - out)))


def msupply(consumed: int, out: Fraction, days: int = MONTH) -> Fraction:
    """Adjusted consumption C · P / (P - S) of a period of P days, S without stock; C where there never was any (open-mSupply)."""
    return Fraction(consumed) if out <= 0 or out >= days else consumed * Fraction(days) / (days - out)


def qat_unmet(consumed: int, out: Fraction, days: int = MONTH) -> Fraction:
    """Demand that was not met: consumption · DSO / (days - DSO) (USAID GHSC-PSM QAT, business rules)."""
    return msupply(consumed, out, days) - consumed


def msh_average(consumed: int, months: int, out: Fraction) -> Fraction | None:
    """Average monthly consumption CT / (RM - DOS / 30.5) over a review of RM months (MSH, Managing Drug Supply); None where
    there was stock on no day."""
    in_stock = months - out / MEAN_MONTH
    return Fraction(consumed) / in_stock if in_stock > 0 else None


def average(adjusted: Sequence[Fraction]) -> Fraction | None:
    """Average consumption ceil(ΣN / n) of periods (OpenLMIS requisition); None without any."""
    return Fraction(ceil(sum(adjusted, Fraction(0)) / len(adjusted))) if adjusted else None


METHODS: Final[Mapping[str, Callable[[int, Fraction], Fraction]]] = {
    "openlmis": openlmis,
    "msupply": msupply,
    "none": lambda consumed, _: Fraction(consumed),
}
"""Ways to correct the consumption of one month for the days (of 30) without stock."""
