"""The reference ledger itself, on examples worked by hand: a model that is wrong proves nothing."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from tests.support.facts import START, minutes
from tests.support.reference_ledger import Fact, Levels, Need, ReferenceLedger

LEVELS = Levels(minimum=4, satisfied_at=12)


def ledger(*facts: Fact) -> ReferenceLedger:
    return ReferenceLedger("America/New_York", facts)


def fact(kind: str, quantity: int, minute: int, lot: str | None = "A", **changes: object) -> Fact:
    return Fact(f"{kind}|{minute}", kind, minutes(minute), "p", quantity, lot, **changes)  # type: ignore[arg-type]


def test_facts_add_up_in_the_order_they_happened_not_in_the_order_they_came() -> None:
    told = [fact("vend", 2, 30), fact("count", 7, 20), fact("return", 5, 10)]
    assert ledger(*told).lots("p") == ledger(*reversed(told)).lots("p") == {"A": 5}


def test_a_fact_twice_is_one_fact_and_one_taken_back_is_none() -> None:
    vend = fact("vend", 2, 10)
    undo = Fact("undo", "reversal", minutes(20), undoes=vend.key)
    assert ledger(vend, vend).on_hand("p") == -2
    assert ledger(undo, vend).on_hand("p") == 0


def test_a_load_is_the_new_total_and_comes_from_its_source() -> None:
    held = ledger(fact("return", 3, 1, "A"), fact("load", 20, 2, "B", other="store"))
    assert (held.lots("p"), held.lots("store")) == ({"B": 20}, {"B": -20})


def test_an_unload_gives_back_what_it_states_and_leaves_nothing() -> None:
    held = ledger(fact("return", 9, 1, "A"), fact("unload", 5, 2, "A", other="store"))
    assert (held.lots("p"), held.lots("store")) == ({}, {"A": 5})


def test_a_count_without_a_lot_puts_the_difference_on_the_unknown_lot() -> None:
    assert ledger(fact("return", 9, 1), fact("count", 7, 2, None)).lots("p") == {"A": 9, "unknown": -2}
    assert ledger(fact("return", 9, 1), fact("count", 0, 2, None)).lots("p") == {}


def test_stock_is_usable_until_the_sites_midnight() -> None:
    held = ledger(fact("return", 9, 1, expiry=date(2026, 3, 2)))
    midnight = datetime(2026, 3, 3, 5, tzinfo=UTC)
    assert [held.usable("p", at) for at in (START, midnight - timedelta(seconds=1), midnight)] == [0, 9, 0]


def test_needs_open_at_the_minimum_and_close_at_the_satisfied_level() -> None:
    held = ledger(*[fact("count", counted, minute) for minute, counted in enumerate([10, 4, 11, 12, 5, 4])])
    assert held.needs("p", LEVELS, minutes(60)) == [Need(minutes(1), minutes(3)), Need(minutes(5), None)]


def test_an_expiry_opens_a_need_at_its_instant() -> None:
    held = ledger(fact("return", 20, 1, expiry=date(2026, 3, 2)))
    assert held.needs("p", LEVELS, minutes(10_000)) == [Need(datetime(2026, 3, 3, 5, tzinfo=UTC), None)]
