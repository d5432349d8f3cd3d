"""The figures of a real site processor's outputs: exact counts, late events, any order of arrival."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events import StockEvent, Watermark
from schemas.kinds import EventKind, Feed
from sinks.indicators.catalogue import FILL_LINES, FILL_UNITS, RESPONSE
from sinks.indicators.periods import local_day
from sinks.indicators.report import Question
from sinks.sql.indicators import indicators
from sinks.sql.mining import watermark
from tests.support.facts import BY_PRODUCT, START, minutes, reversal, told
from tests.support.hub import SiteHub
from tests.support.world import ITEM, POCKET, SITE, STORE, ZONE, location, policy, product
from tests.unit.indicators.mined import daily, mined, projected
from tests.unit.ledger.histories import POLICIES, event_of, histories

COMMANDS = (RESPONSE, FILL_UNITS, FILL_LINES)
"""Made of commands, whose opening depends on what was known when."""


def hub(*more: object) -> SiteHub:
    return SiteHub(product(unit_cost=Decimal(2)), *more)


def row(site: SiteHub, name: str) -> dict[str, object]:
    return next(one for one in indicators(projected(site).engine, Question()) if one["kpi"] == name)


def test_a_count_that_finds_nothing_wrong_moves_nothing_and_counts() -> None:
    """5 in the pocket. Counted 5: exact. Counted 4: not. A count of an unknown place waits: it is not taken in."""
    site = hub()
    site.hear(
        told(EventKind.REFILL, 5, place=POCKET),
        told(EventKind.COUNT, 5, place=POCKET, at=minutes(10)),
        told(EventKind.COUNT, 4, place=POCKET, at=minutes(20)),
        told(EventKind.COUNT, 4, place="nowhere", at=minutes(30)),
    )
    found = row(site, "inventory_accuracy")
    assert (found["numerator"], found["denominator"], found["value"], found["as_of"]) == (1, 2, "50.00", "2026-03-02T12:20:00Z")
    assert {(one.location, one.item) for one in mined(site).counts} == {(POCKET, ITEM)}


def test_a_count_told_by_cabinet_and_pocket_or_by_product_is_resolved_to_place_and_item() -> None:
    site = hub()
    site.hear(
        told(EventKind.REFILL, 5, place=POCKET),
        told(EventKind.COUNT, 5, place="ICU-CAB1", pocket="d1/p1", at=minutes(10), codes=BY_PRODUCT),
    )
    assert [(one.location, one.item) for one in mined(site).counts] == [(POCKET, ITEM)]


def test_a_verified_begin_count_is_a_count_and_an_expected_one_is_not() -> None:
    """As in the counters that sites publish (`streams.site.countback`)."""
    site = hub()
    site.hear(
        told(EventKind.REFILL, 5, place=POCKET),
        told(EventKind.VEND, 1, place=POCKET, at=minutes(1), begin_count=Decimal(5), begin_count_verified=True),
        told(EventKind.VEND, 1, place=POCKET, at=minutes(2), begin_count=Decimal(9)),
    )
    found = row(site, "inventory_accuracy")
    assert (found["numerator"], found["denominator"]) == (1, 1)


@pytest.mark.parametrize("first", [True, False])
def test_a_count_that_is_taken_back_is_no_count_whichever_arrives_first(first: bool) -> None:
    site = hub()
    events = [told(EventKind.COUNT, 0, place=POCKET, key="c"), reversal("c", at=minutes(5))]
    site.hear(told(EventKind.REFILL, 5, place=POCKET, at=minutes(-5)), *(events if first else events[::-1]))
    assert row(site, "inventory_accuracy")["denominator"] == 0


def test_a_resend_and_test_traffic_count_once_and_never() -> None:
    site = hub()
    once, again = (told(EventKind.COUNT, 0, place=POCKET, key="c") for _ in range(2))
    site.hear(once, again, told(EventKind.COUNT, 0, place=POCKET, key="t", test=True))
    assert row(site, "inventory_accuracy")["denominator"] == 1


def test_a_removal_on_override_is_no_standard_transaction() -> None:
    """Refill, vend, and a vend on override: 2 of 3. The item that waits makes it 2 of 4."""
    site = hub()
    site.hear(
        told(EventKind.REFILL, 5, place=POCKET), told(EventKind.VEND, 1, place=POCKET, at=minutes(1)),
        told(EventKind.VEND, 1, place=POCKET, at=minutes(2), override=True),
    )  # fmt: skip
    assert row(site, "standard_workflow_share")["value"] == "66.67"
    site.hear(told(EventKind.VEND, 1, place="nowhere", at=minutes(3)))
    assert row(site, "standard_workflow_share")["value"] == "50.00"


def test_a_need_waits_from_its_opening_to_the_refill() -> None:
    """Usable 2 is at or below minimum 4 at minute 0; refilled at minute 90. The stock-out at minute 30 is one in two lines."""
    site = hub(policy())
    site.hear(told(EventKind.REFILL, 12, place=POCKET, at=minutes(-60)), told(EventKind.VEND, 10, place=POCKET))
    site.tick(minutes(61))
    site.hear(told(EventKind.VEND, 2, place=POCKET, at=minutes(30)), told(EventKind.REFILL, 20, place=POCKET, at=minutes(90)))
    answered = row(site, "shortage_response_time")
    assert (answered["value"], answered["denominator"]) == ("90.0", 1)
    assert row(site, "stock_out_frequency")["value"] == "50.00"


def test_goods_wait_in_quarantine_until_they_are_put_away() -> None:
    site = hub(location("main/q", "quarantine"))
    site.hear(
        told(EventKind.RECEIVE, 10, place="main/q", lot="L1", codes=BY_PRODUCT),
        told(EventKind.PUT_AWAY, 4, place="main/q", to=STORE, lot="l-1", at=minutes(45), codes=BY_PRODUCT),
    )
    found = row(site, "receiving_to_available_time")
    assert (found["value"], found["numerator"], found["denominator"]) == ("45.0", 180, 4)


def test_the_watermark_is_that_of_the_source_that_is_farthest_behind() -> None:
    site = hub()
    site.hear(told(EventKind.REFILL, 5, place=POCKET))
    for source, at in (("a", 30), ("b", 10), ("a", 60)):
        site.say(Watermark(source=source, site=SITE, complete_to=minutes(at)))
    assert row(site, "inventory_accuracy")["watermark"] == "2026-03-02T12:10:00Z"


def test_without_watermarks_the_newest_tick_that_was_published_stands_for_it() -> None:
    site = hub()
    site.hear(told(EventKind.REFILL, 5, place=POCKET))
    site.tick(minutes(120))
    with projected(site).engine.connect() as connection:
        assert watermark(connection, SITE) == "2026-03-02T14:00:00.000000Z"


def test_a_clock_that_is_far_ahead_does_not_become_the_as_of_time() -> None:
    site = hub()
    site.say(Watermark(source="feed-1", site=SITE, complete_to=minutes(30)))
    site.hear(told(EventKind.REFILL, 5, place=POCKET, at=minutes(20)), told(EventKind.VEND, 1, place=POCKET, at=minutes(60 * 24 * 9)))
    assert row(site, "stock_out_frequency")["as_of"] == "2026-03-02T12:20:00Z"


@settings(max_examples=25, deadline=None)
@given(histories(), st.randoms(use_true_random=False))
def test_any_order_of_arrival_gives_the_same_figures(history: list[object], chance: random.Random) -> None:
    """All but those made of commands; facts, reversals and counts in the order drawn and in another."""
    events = [event_of(fact) for fact in history]
    shuffled = events.copy()
    chance.shuffle(shuffled)
    found = []
    for order in (events, shuffled):
        site = hub(*POLICIES)
        site.hear(*order)
        found.append(daily(mined(site), *COMMANDS))
    assert found[0] == found[1]


@st.composite
def pocket_days(draw: st.DrawFn) -> list[StockEvent]:
    """Two weeks of one pocket, with some counts of the whole pocket."""
    kinds = [EventKind.VEND, EventKind.VEND, EventKind.REFILL, EventKind.RETURN, EventKind.DISCARD, EventKind.COUNT]
    return [
        told(
            draw(st.sampled_from(kinds)), draw(st.integers(1, 6)), place=POCKET, at=START + timedelta(hours=draw(st.integers(0, 336))),
            key=f"k{number}", feed=Feed.CABINET,
        )
        for number in range(draw(st.integers(1, 20)))
    ]  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(pocket_days(), st.integers(1, 335), st.integers(1, 5))
def test_a_late_event_changes_its_own_day_and_those_up_to_the_next_count(events: list[StockEvent], hour: int, quantity: int) -> None:
    """No day before it; none after that of the next count, which absorbs it. `domain` §3.11, rule 2."""
    when = START + timedelta(hours=hour, minutes=30)
    late = told(EventKind.VEND, quantity, place=POCKET, at=when, key="late")
    last = told(EventKind.VEND, 1, place="ward4", at=START + timedelta(days=15), key="last", feed=Feed.ADMINISTRATION)
    site = hub(policy())
    site.hear(told(EventKind.REFILL, 1, place=POCKET, key="zero", at=START), *events, last)
    before = daily(mined(site), *COMMANDS)
    site.hear(late)
    after = daily(mined(site), *COMMANDS)
    counts = [event.occurred for event in events if event.kind is EventKind.COUNT and event.occurred > when]
    touched = {key[2] for key in {*before, *after} if before.get(key) != after.get(key)}
    assert _day(when) in touched
    assert all(_day(when) <= day <= (_day(min(counts)) if counts else "9999") for day in touched)


def _day(at: datetime) -> str:
    return local_day(at, ZONE).isoformat()
