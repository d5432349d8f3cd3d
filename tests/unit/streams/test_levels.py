"""Par levels: when a need opens, when it has had enough, how much is asked for (`domain` §3.2)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.kinds import Urgency
from schemas.topics import COMMANDS
from streams.site import levels
from tests.support.facts import START, minutes, told
from tests.support.hub import SiteHub
from tests.support.world import POCKET, STORE, policy

LATER = START + timedelta(days=1)


@pytest.mark.parametrize(
    ("minimum", "par", "maximum", "multiple", "usable", "due", "asked"),
    [
        (10, 30, 100, 1, 10, 0, 20),  # order up to par
        (10, 10, 1_000, 1, -80, 0, 10),  # stock below zero was not reported: nothing usable, and nothing owed
        (10, 50, 1_000, 12, 9, 0, 48),  # 41 missing, multiples of 12, rounded up
        (200, 400, 400, 1, 150, 0, 250),  # AMC 100, min 2, max 4 months
        (200, 400, 400, 1, 400, 0, 0),
        (0, 360, 360, 1, 200, 0, 160),
        (300, 600, 600, 1, 200, 0, 400),
        (10, 50, 100, 1, 10, 40, 0),  # an order of 40 is due: nothing more
        (4, 20, 24, 10, 3, 0, 20),  # 17 missing → 20, and 23 is below the maximum
        (4, 20, 20, 10, 3, 0, 10),  # 20 would pass the maximum: rounded down
        (4, 20, 20, 50, 3, 0, 50),  # one multiple at least: less can't be ordered
        (4, 20, 30, 1, 25, 0, 0),  # never below nothing
    ],
)
def test_the_order_quantity_is_up_to_par_in_whole_multiples(
    minimum: int, par: int, maximum: int, multiple: int, usable: int, due: int, asked: int
) -> None:
    held = policy(minimum=minimum, par=par, maximum=maximum, multiple=multiple)
    assert levels.order_quantity(held, usable, due) == asked


@settings(max_examples=200, derandomize=True, deadline=None, database=None)
@given(st.integers(0, 50), st.integers(1, 50), st.integers(0, 50), st.integers(1, 30), st.integers(-20, 120), st.integers(0, 60))
def test_an_order_is_a_whole_multiple_and_passes_the_maximum_only_by_its_first(
    minimum: int, above: int, room: int, multiple: int, usable: int, due: int
) -> None:
    held = policy(minimum=minimum, par=minimum + above, maximum=minimum + above + room, multiple=multiple)
    asked = levels.order_quantity(held, usable, due)
    usable = max(usable, 0)
    assert asked % multiple == 0
    assert (asked == 0) == (usable + due >= held.par)
    assert asked <= multiple or usable + due + asked <= held.maximum or asked <= held.par - usable - due
    assert usable + due + asked > held.par - multiple


@pytest.mark.parametrize(("minimum", "par", "stated", "at"), [(4, 20, None, 12), (4, 21, None, 13), (0, 1, None, 1), (4, 20, 7, 7)])
def test_a_need_is_satisfied_halfway_to_par_rounded_up_or_where_the_policy_says(
    minimum: int, par: int, stated: int | None, at: int
) -> None:
    assert levels.satisfied_at(policy(minimum=minimum, par=par, satisfied_at=stated)) == at


@pytest.mark.parametrize(
    ("usable", "urgency"),
    [(-1, Urgency.STOCK_OUT), (0, Urgency.STOCK_OUT), (1, Urgency.CRITICAL), (2, Urgency.CRITICAL), (3, Urgency.ROUTINE)],
)
def test_urgency_looks_at_usable_stock_alone(usable: int, urgency: Urgency) -> None:
    assert levels.urgency_of(policy(critical=2), usable) is urgency


@pytest.mark.parametrize(("left", "opens"), [(5, False), (4, True), (3, True)])
def test_a_need_opens_at_the_minimum_and_below_it(left: int, opens: bool) -> None:
    hub = SiteHub(policy(minimum=4))
    hub.tell(told("count", left, place=POCKET, lot="L1"))
    hub.tick(LATER)
    assert bool(hub.open_commands()) is opens


def test_between_minimum_and_satisfied_nothing_changes() -> None:
    """Hysteresis: 4 opens, 11 does not close, 12 does, 5 does not open again, 4 does."""
    hub = SiteHub(policy())
    seen = []
    for step, counted in enumerate([10, 4, 11, 12, 5, 4]):
        at = START + timedelta(hours=3 * step)
        hub.tell(told("count", counted, place=POCKET, at=at, lot="L1"))
        hub.tick(at + timedelta(hours=2))
        seen.append(len(hub.open_commands()))
    assert seen == [0, 1, 1, 0, 0, 1]
    assert len({one.command_id for one in hub.all(COMMANDS)}) == 2


def test_a_second_evaluation_of_an_open_need_says_nothing_more() -> None:
    hub = SiteHub(policy())
    hub.tell(told("count", 4, place=POCKET, lot="L1"))
    hub.tick(LATER)
    hub.tell(told("vend", 1, place=POCKET, at=LATER, lot="L1"))
    hub.tick(LATER + timedelta(days=1))
    assert [(one.revision, one.quantity) for one in hub.all(COMMANDS)] == [(1, 16)]


def test_a_routine_need_waits_for_the_lateness_to_the_microsecond() -> None:
    hub = SiteHub(policy(lateness_minutes=30))
    hub.tell(told("count", 4, place=POCKET, lot="L1"))
    hub.tick(minutes(30) - timedelta(microseconds=1))
    assert hub.open_commands() == []
    hub.tick(minutes(30))
    [command] = hub.open_commands()
    assert command.opened_at == START
    assert (command.quantity, command.urgency, command.source_location) == (16, Urgency.ROUTINE, None)


def test_the_sites_lateness_holds_where_the_policy_states_none() -> None:
    hub = SiteHub(policy())
    hub.tell(told("count", 4, place=POCKET, lot="L1"))
    hub.tick(minutes(59))
    assert hub.open_commands() == []
    hub.tick(minutes(60))
    assert len(hub.open_commands()) == 1


def test_a_late_refill_within_the_lateness_keeps_the_need_from_opening() -> None:
    hub = SiteHub(policy())
    hub.tell(told("count", 4, place=POCKET, lot="L1"))
    hub.tick(minutes(50))
    hub.tell(told("refill", 16, place=POCKET, at=minutes(1), lot="L1"))
    hub.tick(LATER)
    assert hub.all(COMMANDS) == []


@pytest.mark.parametrize(("left", "urgency"), [(2, Urgency.CRITICAL), (0, Urgency.STOCK_OUT)])
def test_a_critical_need_opens_at_once(left: int, urgency: Urgency) -> None:
    hub = SiteHub(policy(critical=2))
    hub.tell(told("count", left, place=POCKET, lot="L1"))
    [command] = hub.open_commands()
    assert command.urgency is urgency
    assert ("stock_out" in [one.kind for one in hub.all("alerts")]) is (urgency is Urgency.STOCK_OUT)


def test_urgency_rises_with_the_open_need_and_never_falls() -> None:
    hub = SiteHub(policy(critical=2))
    for step, counted in enumerate([4, 2, 0, 3]):
        hub.tell(told("count", counted, place=POCKET, at=START + timedelta(hours=2 * step), lot="L1"))
        hub.tick(START + timedelta(hours=2 * step + 1))
    assert [one.urgency for one in hub.all(COMMANDS)] == [Urgency.ROUTINE, Urgency.CRITICAL, Urgency.STOCK_OUT]


def test_a_need_is_closed_by_the_supply_that_satisfies_it_at_its_event_time() -> None:
    hub = SiteHub(policy())
    hub.tell(told("count", 4, place=POCKET, lot="L1"))
    hub.tick(LATER)
    hub.tell(told("refill", 8, place=POCKET, at=LATER + timedelta(minutes=7), lot="L1"))
    command = hub.latest(COMMANDS)[0]
    assert (command.state, command.revision, command.closed_at) == ("satisfied", 2, LATER + timedelta(minutes=7))


def test_a_restock_suggests_lots_of_its_source_first_expiring_first() -> None:
    """FEFO: earliest expiry first, no expiry last, expired and recalled never; what is missing is left open."""
    from tests.support.facts import day

    hub = SiteHub(policy(source=STORE, par=30, maximum=40))
    lots = [("D", 9, None), ("B", 5, day(20)), ("A", 6, day(10)), ("X", 50, day(-1)), ("C", 5, day(20)), ("N", 0, day(5))]
    for lot, quantity, expiry in lots:
        hub.tell(told("receive", quantity, place=STORE, lot=lot, expiry=expiry))
    hub.tick(START)
    hub.tell(told("count", 2, place=POCKET, lot="A", expiry=day(10)))
    hub.tick(LATER)
    [command] = hub.open_commands()
    assert [(one.lot, one.quantity) for one in command.lots] == [("A", 6), ("B", 5), ("C", 5), ("D", 9)]
    assert command.quantity == 28


def test_a_place_with_levels_and_no_fact_yet_needs_nothing() -> None:
    hub = SiteHub(policy())
    hub.tick(LATER)
    assert hub.open_commands() == []


def test_levels_that_arrive_after_the_stock_hold_from_then_on() -> None:
    hub = SiteHub()
    hub.tell(told("count", 4, place=POCKET, lot="L1"))
    hub.tick(LATER)
    hub.learn(policy())
    hub.tick(LATER + timedelta(hours=1))
    [command] = hub.open_commands()
    assert command.opened_at == LATER


def test_levels_taken_away_close_the_need() -> None:
    from schemas.events import ReferenceChange

    hub = SiteHub(policy())
    hub.tell(told("count", 4, place=POCKET, lot="L1"))
    hub.tick(LATER)
    hub.say(ReferenceChange(revision=2, kind="par_policy", id=f"north|{POCKET}|amox"))
    assert hub.open_commands() == []


def test_a_command_carries_its_proof() -> None:
    hub = SiteHub(policy(multiple=5))
    hub.tell(told("count", 3, place=POCKET, key="k", lot="L1"))
    hub.tick(LATER)
    proof = hub.open_commands()[0].proof
    assert proof["position"] == {"on_hand": 3, "usable": 3, "due": 0}
    assert proof["policy"]["minimum"] == 4
    assert proof["policy"]["revision"] == 1
    assert "k" in proof["armed_by"]
    assert proof["arithmetic"].endswith("= 20")
