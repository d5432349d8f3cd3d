"""Consumption by month from entries: what counts, where, and in which month."""

from __future__ import annotations

from datetime import UTC, date, datetime
from fractions import Fraction
from itertools import pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from sinks.consumption.report import Consumption, Question, consumption
from sinks.indicators.model import Entry
from tests.unit.indicators.handmade import START, entry, history

POCKET = "icu/cab1/p1"


def hours(year: int, month: int, day: int, hour: int = 12) -> float:
    """From the start of the handmade site's history to an instant."""
    return (datetime(year, month, day, hour, tzinfo=UTC) - START).total_seconds() / 3600


def rows(entries: list[Entry], until: float, **asked: object) -> list[Consumption]:
    return consumption(history(entries, until=until), Question(**asked))  # type: ignore[arg-type]


def months(entries: list[Entry], until: float, **asked: object) -> dict[tuple[str, str], tuple[int, int, int, int, int]]:
    """By place and month: opening, received, consumed, adjusted, closing."""
    return {
        (one.month.location, f"{one.month.first:%Y-%m}"): (
            one.month.opening, one.month.received, one.month.consumed, one.month.adjusted, one.month.closing,
        )
        for one in rows(entries, until, **asked)
    }  # fmt: skip


APRIL = [
    entry("r", "receive", 100, "supplier", "main", hours(2026, 3, 3)),
    entry("r2", "receive", 50, "supplier", "main", hours(2026, 4, 2)),
    entry("f", "refill", 70, "main", POCKET, hours(2026, 4, 3)),
    entry("v", "vend", 62, POCKET, "patient", hours(2026, 4, 4)),
    entry("b", "return", 2, "patient", "main", hours(2026, 4, 5)),
    entry("x", "discard", 4, "main", "waste", hours(2026, 4, 6)),
    entry("c", "count", 1, POCKET, "variance", hours(2026, 4, 7)),
]
"""April of OpenLMIS's example: 100 at first, 50 received, 5 lost, 60 used in all; 85 are left."""


def test_a_site_consumes_what_patients_got_less_what_came_back() -> None:
    assert months(APRIL, hours(2026, 5, 2)) == {
        ("", "2026-03"): (0, 100, 0, 0, 100), ("", "2026-04"): (100, 50, 60, -5, 85), ("", "2026-05"): (85, 0, 0, 0, 85),
    }  # fmt: skip


def test_domain_3_1_transfers_are_consumption_of_a_warehouse_and_not_of_a_place_that_dispenses() -> None:
    """The store sends 70 on and takes 2 back: 68. Once it gives to a patient itself, what it sends on is no use of its own."""
    told = months(APRIL, hours(2026, 4, 30), by_location=True)
    assert told["main", "2026-04"] == (100, 50, 68, -4, 78)
    assert told[POCKET, "2026-04"] == (0, 70, 62, -1, 7)
    gave = entry("d", "dispense", 1, "main", "patient", hours(2026, 4, 8))
    told = months([*APRIL, gave], hours(2026, 4, 30), by_location=True)
    assert told["main", "2026-04"] == (100, 50, -1, -74, 77)


def test_days_without_stock_correct_the_month_they_are_in() -> None:
    """Stock from 13 to 19 April, 24 of 30 days out (OpenLMIS-8071): 10 used in 6 days are 50 in 30."""
    told = [
        entry("r0", "receive", 1, "supplier", POCKET, 1), entry("v0", "vend", 1, POCKET, "patient", 2),
        entry("r", "receive", 10, "supplier", POCKET, hours(2026, 4, 13)), entry("v", "vend", 10, POCKET, "patient", hours(2026, 4, 19)),
    ]  # fmt: skip
    april = next(one for one in rows(told, hours(2026, 5, 2)) if one.month.first == date(2026, 4, 1))
    assert (april.month.out, april.corrected, april.average) == (Fraction(24), 50, 50)
    april = next(one for one in rows(told, hours(2026, 5, 2), method="none") if one.month.first == date(2026, 4, 1))
    assert april.corrected == 10


def test_an_average_is_of_the_last_whole_months_only() -> None:
    """150 in April, 120 in May, 95 in June, 7 in March (begun before the history) and 3 in July (not over): 122."""
    used = {(3, 7), (4, 150), (5, 120), (6, 95), (7, 3)}
    told = [entry("r", "receive", 1_000, "supplier", POCKET, 1)]
    told += [entry(f"v{month}", "vend", amount, POCKET, "patient", hours(2026, month, 10)) for month, amount in used]
    found = {f"{one.month.first:%m}": one.average for one in rows(told, hours(2026, 7, 11))}
    assert found == {"03": None, "04": 150, "05": 135, "06": 122, "07": 122}


def test_what_a_reversal_took_back_was_not_consumed_and_a_clock_that_is_ahead_makes_no_month() -> None:
    told = [*APRIL, entry("undo", "reversal", 62, "patient", POCKET, hours(2026, 4, 9), corrects="v")]
    told.append(entry("far", "vend", 1, POCKET, "patient", hours(2080, 1, 1)))
    assert months(told, hours(2026, 5, 2))["", "2026-04"] == (100, 50, -2, -5, 147)
    assert max(one.month.first for one in rows(told, hours(2026, 5, 2))) == date(2026, 5, 1)


_OUTSIDE = ("supplier", "patient", "waste", "variance")
_PLACES = ("main", POCKET, "icu/cab1/p2")


@given(st.integers(0, 10_000))
def test_months_follow_each_other_and_places_add_up_to_the_site(seed: int) -> None:
    """Each month opens with what the last one left; in the end every place holds what its entries say, and all of them the site's."""
    random = Random(seed)
    told = []
    for number in range(random.randint(1, 25)):
        source, target = random.sample((*_PLACES, random.choice(_OUTSIDE)), 2)
        told.append(entry(f"e{number}", "put_away", random.randint(1, 9), source, target, random.uniform(0, 4_000)))
    random.shuffle(told)
    found = rows(told, 4_001, by_location=True)
    for before, after in pairwise(found):
        if before.month.location == after.month.location:
            assert after.month.opening == before.month.closing
    left = {one.month.location: one.month.closing for one in found}
    for place, closing in left.items():
        assert closing == sum(one.quantity * ((one.target == place) - (one.source == place)) for one in told)
    assert sum(left.values()) == rows(told, 4_001)[-1].month.closing
