"""The formulas of consumption, by the numbers their sources publish (domain §3.1)."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.consumption.formulas import average, closing, msh_average, msupply, openlmis, qat_unmet

DAYS = st.fractions(0, 30)


def test_domain_3_1_stock_balance() -> None:
    """OpenLMIS: 100 + 50 - 5 - 60 = 85."""
    assert closing(opening=100, received=50, adjusted=-5, consumed=60) == 85


def test_domain_3_1_adjusted_consumption_of_openlmis() -> None:
    """C = 100, one month, 10 days out: 100 · 30 / 20 = 150. No day out: C."""
    assert (openlmis(100, Fraction(10)), openlmis(100, Fraction(0))) == (150, 100)


def test_domain_3_1_adjusted_consumption_of_open_msupply() -> None:
    """100 in 30 days, 10 without stock: 150; without stock throughout: 100. 500 in 10 of 30 days: 1500 (mSupply's worked example)."""
    assert (msupply(100, Fraction(10)), msupply(100, Fraction(30)), msupply(500, Fraction(20))) == (150, 100, 1500)


def test_domain_3_1_average_consumption() -> None:
    """(150 + 120 + 95) / 3 = 121.67, rounded up."""
    assert average([Fraction(150), Fraction(120), Fraction(95)]) == 122
    assert average([]) is None


def test_domain_3_1_average_monthly_consumption_of_msh() -> None:
    """600 in 6 months with 61 days out of stock: 600 / (6 - 61 / 30.5) = 150."""
    assert msh_average(600, 6, Fraction(61)) == 150
    assert msh_average(0, 1, Fraction(61, 2)) is None


def test_domain_3_1_unmet_demand_of_qat() -> None:
    """90 with 10 of 30 days out: 90 · 10 / 20 = 45 more would have been used."""
    assert qat_unmet(90, Fraction(10)) == 45


@pytest.mark.parametrize("method", [openlmis, msupply])
@given(consumed=st.integers(-50, 5_000), out=DAYS)
def test_a_correction_never_lowers_what_was_used_and_changes_nothing_without_days_out(
    method: object, consumed: int, out: Fraction
) -> None:
    assert callable(method)
    assert method(consumed, Fraction(0)) == consumed
    if consumed >= 0:
        assert method(consumed, out) >= consumed
