"""Demand: net consumption, smoothed a day at a time with α = 1/8, integers only."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from msgspec.structs import replace

from streams.ledger.book import CARDS
from streams.ledger.model import Demand
from streams.site.demand import ALPHA_INVERSE, IDLE_DAYS_MAX, advance, days_left
from streams.site.tables import DEMAND
from tests.support.facts import START, told
from tests.support.hub import SiteHub
from tests.support.world import ITEM, POCKET, SITE, STORE


def daily(*days: list[tuple[str, int]]) -> Decimal:
    """The forecast after days of facts, seen at the first fact of the day after."""
    hub = SiteHub()
    for number, facts in enumerate([*days, [("vend", 1)]]):
        for kind, quantity in facts:
            hub.tell(told(kind, quantity, place=POCKET, at=START + timedelta(days=number), lot="L1"))
    return next(one.daily_demand for one in hub.latest("stock.positions") if one.location == POCKET)


def test_the_first_day_is_the_level() -> None:
    assert daily([("vend", 8)]) == Decimal("8.000")


def test_a_return_is_not_consumed() -> None:
    assert daily([("vend", 8), ("return", 3)]) == Decimal("5.000")


def test_refills_and_counts_are_no_demand() -> None:
    assert daily([("vend", 8), ("refill", 100), ("count", 50)]) == Decimal("8.000")


def test_domain_3_1_what_a_store_hands_on_is_its_consumption_and_what_comes_back_is_not() -> None:
    """The cabinet is filled from the store: 30 a day go, 10 come back; the cabinet's own consumption is what is vended."""
    hub = SiteHub()
    for number in (0, 1):
        at = START + timedelta(days=number)
        hub.hear(told("refill", 30, place=POCKET, at=at, lot="L1"), told("unload", 10, place=POCKET, at=at, lot="L1"))
    found = {one.location: one.daily_demand for one in hub.latest("stock.positions")}
    assert found == {STORE: Decimal("20.000"), POCKET: Decimal(0)}


def test_demand_in_a_table_of_its_own_as_folders_of_before_have_it_goes_on() -> None:
    """8 + (16 − 8)/8 = 9, wherever the 8 was written."""
    hub = SiteHub()
    hub.tell(told("vend", 8, place=POCKET, at=START, lot="L1"))
    cards, key = hub.state.table(CARDS), (SITE, POCKET, ITEM)
    hub.state.table(DEMAND).put(key, cards.get(key).demand)
    cards.put(key, replace(cards.get(key), demand=None))
    for days, quantity in ((1, 16), (2, 1)):
        hub.tell(told("vend", quantity, place=POCKET, at=START + timedelta(days=days), lot="L1"))
    assert next(one.daily_demand for one in hub.latest("stock.positions") if one.location == POCKET) == Decimal("9.000")


def test_the_second_day_moves_the_level_by_an_eighth_of_the_difference() -> None:
    """8 + (16 − 8)/8 = 9."""
    assert daily([("vend", 8)], [("vend", 16)]) == Decimal("9.000")


def test_a_day_without_demand_counts_as_none() -> None:
    """8 · 7/8 = 7."""
    assert daily([("vend", 8)], []) == Decimal("7.000")


def test_a_day_of_more_returns_than_vends_is_no_demand() -> None:
    assert daily([("return", 3)]) == Decimal(0)


def test_the_catch_up_after_a_long_silence_is_bounded() -> None:
    held = advance(Demand(1, 8, 0, 0), 1_000_000)
    assert held.day == 1_000_000
    assert held.days == IDLE_DAYS_MAX
    assert held.level < 8_000 // ALPHA_INVERSE


def test_days_to_stock_out_are_usable_over_demand() -> None:
    assert days_left(10, Decimal(3)) == Decimal("3.3")
    assert days_left(-5, Decimal(3)) == Decimal("0.0")
    assert days_left(10, Decimal(0)) is None
