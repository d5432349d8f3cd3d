"""Counts lot by lot where some movements named no lot (ADR 24): what moved without lot is not missing, and the place adds up.

Expected numbers: 100 of each lot came; what the hub must hold of the place is what a person would find there.
"""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events import StockEvent
from streams.ledger.fold import explained
from tests.support.facts import minutes, reversal, told
from tests.support.hub import SiteHub
from tests.support.world import STORE


def receive(lot: str | None, quantity: int = 100, at: float = 0) -> StockEvent:
    return told("receive", quantity, place=STORE, lot=lot, at=minutes(at), key=f"in|{lot}|{at}")


def dispense(lot: str | None, quantity: int, at: float = 10) -> StockEvent:
    return told("dispense", quantity, place=STORE, lot=lot, at=minutes(at), key=f"out|{lot}|{quantity}|{at}")


def count(lot: str | None, quantity: int, at: float = 60) -> StockEvent:
    return told("count", quantity, place=STORE, lot=lot, at=minutes(at), key=f"count|{lot}|{at}")


def test_what_was_dispensed_without_lot_is_not_missing_when_its_lot_is_counted() -> None:
    """30 of A left without lot. Before, the count took them off a second time: 140 instead of 170."""
    site = SiteHub()
    site.hear(receive("A"), receive("B"), dispense(None, 30), count("A", 70), count("B", 100))
    assert site.lots(STORE) == {"A": 70, "B": 100}
    assert site.moved().get(("variance", "amox", "A"), 0) + site.moved().get(("variance", "amox", "unknown"), 0) == 0


def test_what_came_without_lot_is_not_found_when_its_lot_is_counted() -> None:
    site = SiteHub()
    site.hear(receive("A"), receive(None), count("A", 100), count("B", 100))
    assert site.lots(STORE) == {"A": 100, "B": 100}


def test_a_loss_beside_it_is_still_a_loss() -> None:
    """30 left without lot, 5 more are gone: 65 of A and 100 of B lie there."""
    site = SiteHub()
    site.hear(receive("A"), receive("B"), dispense(None, 30), count("A", 65), count("B", 100))
    assert site.lots(STORE) == {"A": 65, "B": 100}
    assert site.on_hand(STORE) == 165


def test_a_lot_that_more_left_of_than_came_shows_of_which_lot_the_unknown_stock_was() -> None:
    """100 came without lot and left as C; 7 of A left without lot. The unknown lot stands at 93, and none of it is A's."""
    site = SiteHub()
    site.hear(receive("A"), receive(None), dispense("C", 100), dispense(None, 7, at=11), count("A", 93))
    assert site.on_hand(STORE) == 93
    assert site.lots(STORE) == {"A": 93, "C": -100, "unknown": 100}


def test_stock_that_was_never_told_of_is_found_though_other_stock_came_without_lot() -> None:
    """All that came without lot left as C. So the 5 of D that a count finds are no part of it."""
    site = SiteHub()
    site.hear(receive(None), dispense("C", 100), count("D", 5))
    assert site.on_hand(STORE) == 5


def test_a_count_without_lot_and_one_of_the_unknown_lot_change_as_before() -> None:
    site = SiteHub()
    site.hear(receive("A"), dispense(None, 30), count(None, 60))
    assert site.lots(STORE) == {"A": 100, "unknown": -40}


STEPS = (receive("A"), receive(None, 20, at=1), dispense("B", 15), dispense(None, 30, at=11), count("A", 70), count("B", 5, at=61))


@pytest.mark.parametrize("order", list(permutations(range(len(STEPS))))[::7])
def test_the_order_of_arrival_changes_nothing(order: tuple[int, ...]) -> None:
    in_turn, mixed = SiteHub(), SiteHub()
    in_turn.hear(*STEPS)
    mixed.hear(*(STEPS[number] for number in order))
    assert mixed.lots(STORE) == in_turn.lots(STORE)


def test_a_late_dispense_before_the_count_is_explained_when_it_comes() -> None:
    """The count found 30 missing; then the message of 30 without lot arrives: nothing was missing."""
    site = SiteHub()
    site.hear(receive("A"), count("A", 70))
    assert site.moved()["variance", "amox", "A"] == 30
    site.tell(dispense(None, 30))
    assert site.lots(STORE) == {"A": 70}
    late = dispense(None, 30)
    site.tell(reversal(late.event_key, at=minutes(120)))
    assert site.lots(STORE) == {"A": 70}


@given(st.integers(-1_000, 1_000), st.integers(-1_000, 1_000))
@settings(max_examples=200)
def test_never_more_is_explained_than_is_off_or_was_moved_without_lot(off: int, unknown: int) -> None:
    found = explained(off, unknown)
    assert abs(found) <= min(abs(off), abs(unknown))
    assert found * off >= 0
    assert found * unknown >= 0
    if off * unknown > 0:
        assert abs(found) == min(abs(off), abs(unknown))
