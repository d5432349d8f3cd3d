"""How much of a lot will not be used before it expires (`domain` §3.4; BHIMA's lot indicators), and the buckets of days left."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.fefo import Batch
from sinks.expiry.risk import Risk, bucket, days_left, risks

TODAY = date(2026, 3, 2)


def lot(name: str, quantity: int, days: int | None) -> Batch[str]:
    return Batch(name, quantity, None if days is None else (TODAY + timedelta(days=days)).isoformat())


def test_domain_3_4_bhima_50_of_a_lot_that_lasts_10_days_at_3_a_day_lose_20_and_40_that_last_40_days_none() -> None:
    assert risks([lot("B", 40, 40), lot("A", 50, 10)], TODAY, Decimal(3)) == {"A": Risk(30, 20), "B": Risk(40, 0)}


def test_a_lot_is_used_only_after_those_that_expire_before_it() -> None:
    """BHIMA takes the days that earlier lots last from the life of a lot: B has 15 days, of which A takes 10."""
    assert risks([lot("A", 50, 10), lot("B", 60, 15)], TODAY, Decimal(3)) == {"A": Risk(30, 20), "B": Risk(15, 45)}


@pytest.mark.parametrize(("quantity", "risk"), [(30, 0), (32, 0), (33, 3), (34, 4)])
def test_domain_3_4_less_than_a_days_use_is_no_risk(quantity: int, risk: int) -> None:
    assert risks([lot("A", quantity, 10)], TODAY, Decimal(3))["A"].risk == risk


def test_domain_3_4_the_risk_is_rounded_to_whole_units() -> None:
    """0.25 a day for 10 days: 2.5 of 10 are used, 7.5 are not: 8."""
    assert risks([lot("A", 10, 10)], TODAY, Decimal("0.25"))["A"].risk == 8


def test_without_consumption_everything_with_a_date_is_at_risk() -> None:
    assert risks([lot("A", 10, 500), lot("B", 10, None)], TODAY, Decimal(0)) == {"A": Risk(0, 10), "B": Risk(10, 0)}


def test_what_has_expired_is_lost_and_takes_no_days_from_the_lots_after_it() -> None:
    assert risks([lot("X", 99, -1), lot("A", 30, 10)], TODAY, Decimal(3)) == {"X": Risk(0, 99), "A": Risk(30, 0)}


def test_domain_3_4_qat_stock_of_unknown_lots_that_left_is_taken_from_the_lots_that_expire_first() -> None:
    assert risks([lot("A", 50, 10), Batch("unknown", -15)], TODAY, Decimal(3))["A"] == Risk(30, 5)


@given(
    st.lists(st.tuples(st.integers(1, 200), st.integers(-5, 200)), max_size=6),
    st.decimals("0", "50", places=3),
)
def test_what_is_used_and_what_is_lost_never_pass_what_is_there(rows: list[tuple[int, int]], daily: Decimal) -> None:
    """Used over all lots is at most the consumption of the days up to the last expiry."""
    batches = [lot(f"L{number}", *row) for number, row in enumerate(rows)]
    found = risks(batches, TODAY, daily)
    for one in batches:
        assert 0 <= found[one.lot].risk <= one.quantity
        assert 0 <= found[one.lot].usable <= one.quantity
    last = max((days for _, days in rows), default=0)
    assert sum(one.usable for one in found.values()) <= max(last, 0) * daily + len(rows)


# ---- buckets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "name"),
    [
        (-1, "expired"), (0, "last_day"), (1, "30"), (30, "30"), (31, "60"), (60, "60"), (61, "90"), (90, "90"), (91, "180"),
        (180, "180"), (181, "365"), (365, "365"), (366, "later"), (None, "none"),
    ],
)  # fmt: skip
def test_domain_3_4_buckets_at_their_boundaries(days: int | None, name: str) -> None:
    """OpenBoxes calls day 0 expired; a product dated today is usable all day at the site, so that it is a bucket of its own."""
    assert bucket(days) == name


def test_days_left_are_counted_in_days_of_the_calendar() -> None:
    assert days_left(date(2026, 3, 1), date(2026, 2, 28)) == 1
    assert days_left(date(2028, 3, 1), date(2028, 2, 28)) == 2
