"""The truth's own ledger: balances, first-expiry-first-out, needs with hysteresis, and expiries between events."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.simulator.catalogue import load_catalogue
from connectors.simulator.clock import utc_text
from connectors.simulator.truth import PATIENT, SUPPLIER, WASTE, Lot, Truth, TruthError
from schemas.reference import ParPolicy

BOX = load_catalogue()[0].boxes[0]
NEVER = 10**12
PLACE = ("p", BOX.item)


def lot(number: str, expires_at: int = NEVER) -> Lot:
    return Lot(number, BOX, "2027-01-31", expires_at)


def truth(minimum: int = 3, par: int = 10, satisfied_at: int | None = None) -> tuple[Truth, list[dict]]:
    policy = ParPolicy(
        site="s", location="p", item=BOX.item, minimum=minimum, par=par, maximum=par * 2, satisfied_at=satisfied_at
    )
    lines: list[dict] = []
    return Truth("s", {PLACE: policy}, lambda line: lines.append(json.loads(line))), lines


def needs(lines: list[dict]) -> list[tuple[str, str | None]]:
    return [(line["opened_at"], line["closed_at"]) for line in lines if line["type"] == "need"]


def test_a_movement_between_two_places_is_one_line_at_each_with_opposite_signs() -> None:
    ledger, lines = truth()
    store, pocket, one = ledger.card("main", BOX.item), ledger.card(*PLACE), lot("A")
    ledger.move("receive", 100, one, 20, SUPPLIER, store)
    ledger.move("refill", 101, one, 8, store, pocket)
    posted = [(line["location"], line["quantity"], line["counterpart"]) for line in lines if line["type"] == "movement"]
    assert posted == [("main", 20, "supplier"), ("main", -8, "p"), ("p", 8, "main")]
    assert lines[0]["product"] == BOX.id
    assert lines[0]["occurred"] == "1970-01-01T00:01:40Z"
    assert [(row["location"], row["quantity"]) for row in ledger.balances()] == [("main", 12), ("p", 8)]


def test_a_balance_of_zero_is_left_out() -> None:
    ledger, _ = truth()
    one = lot("A")
    ledger.move("receive", 1, one, 2, SUPPLIER, ledger.card(*PLACE))
    ledger.move("vend", 2, one, 2, ledger.card(*PLACE), PATIENT)
    assert ledger.balances() == []


def test_taking_more_than_is_there_is_a_fault_of_the_simulator() -> None:
    ledger, _ = truth()
    one = lot("A")
    ledger.move("receive", 1, one, 2, SUPPLIER, ledger.card(*PLACE))
    with pytest.raises(TruthError, match="would hold -1"):
        ledger.move("vend", 2, one, 3, ledger.card(*PLACE), PATIENT)


@pytest.mark.parametrize("t", [9, 10])
def test_two_facts_of_one_card_never_share_a_second_or_go_back(t) -> None:
    ledger, _ = truth()
    ledger.move("receive", 10, lot("A"), 2, SUPPLIER, ledger.card(*PLACE))
    with pytest.raises(TruthError, match="not after"):
        ledger.move("receive", t, lot("B"), 2, SUPPLIER, ledger.card(*PLACE))


def test_a_quantity_of_zero_or_less_is_no_movement() -> None:
    ledger, _ = truth()
    with pytest.raises(TruthError, match="not positive"):
        ledger.move("receive", 1, lot("A"), 0, SUPPLIER, ledger.card(*PLACE))


def test_stock_is_taken_by_first_expiry_across_lots_and_expired_lots_are_passed_over() -> None:
    ledger, _ = truth()
    card = ledger.card(*PLACE)
    late, soon, gone = lot("LATE", 900), lot("SOON", 500), lot("GONE", 50)
    for t, one in enumerate((late, soon, gone), start=1):
        ledger.move("receive", t, one, 4, SUPPLIER, card)
    assert card.take(6, 100) == [(soon, 4), (late, 2)]
    assert card.usable(100) == 8
    assert card.expired(100) == [gone]
    assert card.take(99, 100) == [(soon, 4), (late, 4)], "never more than there is"


def test_a_lot_is_usable_until_its_expiry_instant_and_not_at_it() -> None:
    ledger, _ = truth()
    card = ledger.card(*PLACE)
    ledger.move("receive", 1, lot("A", 500), 4, SUPPLIER, card)
    assert (card.usable(499), card.usable(500)) == (4, 0)


def test_a_need_opens_at_the_minimum_and_closes_halfway_to_par() -> None:
    """minimum 3, par 10: satisfied at 3 + ceil(7 / 2) = 7. At 6 it is still open, at 7 it is met."""
    ledger, lines = truth()
    card, one = ledger.card(*PLACE), lot("A")
    ledger.move("receive", 10, one, 5, SUPPLIER, card)
    ledger.move("vend", 20, one, 2, card, PATIENT)
    ledger.move("vend", 30, one, 1, card, PATIENT)
    ledger.move("refill", 40, one, 4, SUPPLIER, card)
    assert needs(lines) == []
    ledger.move("refill", 50, one, 1, SUPPLIER, card)
    assert needs(lines) == [(utc_text(20), utc_text(50))]


def test_a_stated_satisfied_level_takes_the_place_of_the_default() -> None:
    ledger, lines = truth(satisfied_at=4)
    card, one = ledger.card(*PLACE), lot("A")
    ledger.move("receive", 10, one, 3, SUPPLIER, card)
    ledger.move("receive", 20, one, 1, SUPPLIER, card)
    assert needs(lines) == [(utc_text(10), utc_text(20))]


def test_between_minimum_and_satisfied_nothing_opens() -> None:
    ledger, lines = truth()
    ledger.move("receive", 10, lot("A"), 5, SUPPLIER, ledger.card(*PLACE))
    ledger.close(1000)
    assert needs(lines) == []


def test_an_expiry_between_two_events_opens_a_need_at_the_expiry_instant() -> None:
    ledger, lines = truth()
    card = ledger.card(*PLACE)
    ledger.move("receive", 10, lot("OLD", 500), 6, SUPPLIER, card)
    ledger.move("receive", 20, lot("NEW"), 2, SUPPLIER, card)
    ledger.move("receive", 900, lot("NEXT"), 10, SUPPLIER, card)
    assert needs(lines) == [(utc_text(500), utc_text(900))]


def test_an_expiry_after_the_last_event_counts_until_somebody_last_looks() -> None:
    for until, wanted in ((499, []), (500, [(utc_text(500), None)])):
        ledger, lines = truth()
        ledger.move("receive", 10, lot("OLD", 500), 8, SUPPLIER, ledger.card(*PLACE))
        ledger.close(until)
        assert needs(lines) == wanted


def test_removing_expired_stock_changes_no_need() -> None:
    ledger, lines = truth()
    card, old = ledger.card(*PLACE), lot("OLD", 500)
    ledger.move("receive", 10, old, 8, SUPPLIER, card)
    ledger.move("expire", 600, old, 8, card, WASTE)
    ledger.close(1000)
    assert needs(lines) == [(utc_text(500), None)]


def test_a_place_without_policy_and_a_policy_without_events_have_no_need() -> None:
    ledger, lines = truth()
    other = ledger.card("elsewhere", BOX.item)
    one = lot("A")
    ledger.move("receive", 1, one, 1, SUPPLIER, other)
    ledger.move("vend", 2, one, 1, other, PATIENT)
    ledger.card(*PLACE)
    ledger.close(1000)
    assert needs(lines) == []


@given(st.lists(st.tuples(st.integers(-6, 8), st.integers(1, 40), st.one_of(st.none(), st.integers(1, 60))), max_size=40))
def test_needs_equal_those_of_judging_every_single_second(steps) -> None:
    """Compare with brute force: after every second of the run, apply the rule to the usable quantity of that second."""
    ledger, lines = truth()
    card = ledger.card(*PLACE)
    t = 0
    changes: dict[int, list[tuple[int, int]]] = {}
    for number, (change, gap, life) in enumerate(steps):
        t += gap
        if change > 0:
            expires = NEVER if life is None else t + life
            ledger.move("receive", t, lot(f"L{number}", expires), change, SUPPLIER, card)
            changes[t] = [(change, expires)]
        elif change < 0:
            parts = card.take(-change, t)[:1]
            for one, quantity in parts:
                ledger.move("vend", t, one, quantity, card, PATIENT)
                changes[t] = [(-quantity, one.expires_at)]
    end = t + 100
    ledger.close(end)
    wanted: list[tuple[str, str | None]] = []
    opened: int | None = None
    held: list[tuple[int, int]] = []
    for second in range(1, end + 1):
        held += changes.get(second, [])
        usable = sum(quantity for quantity, expires in held if expires > second)
        if not held:
            continue
        if usable >= 7:
            if opened is not None:
                wanted.append((utc_text(opened), utc_text(second)))
            opened = None
        elif usable <= 3 and opened is None:
            opened = second
    if opened is not None:
        wanted.append((utc_text(opened), None))
    assert needs(lines) == wanted
