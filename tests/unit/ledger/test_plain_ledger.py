"""The plain ledger itself, on examples worked by hand: a model that is wrong proves nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from schemas.kinds import Feed
from tests.support.facts import START, minutes
from tests.support.plain_ledger import Notice, Place, PlainLedger, Told

PLACES = {"p": Place(Feed.CABINET, refill_from="s"), "s": Place(Feed.DISPENSE), "q": Place(Feed.SCAN, quarantine=True)}


def ledger(*facts: Told) -> PlainLedger:
    found = PlainLedger("America/New_York", PLACES, {"i": ("x",), "j": ("y", "z")}, frozenset({"i"}))
    for fact in facts:
        found.hear(fact)
    return found


def fact(kind: str, quantity: int, minute: int, lot: str | None = "A", **changes: Any) -> Told:
    return replace(Told(f"{kind}|{minute}", kind, minutes(minute), "i", "p", quantity, lot=lot), **changes)


def lots(held: PlainLedger, place: str = "p") -> dict[str, int]:
    return {lot.number: n for (account, _, lot), n in held.accounts().items() if account == f"stock:{place}"}


def total(held: PlainLedger, account: str) -> int:
    return sum(n for (name, _, _), n in held.accounts().items() if name == account)


def test_facts_add_up_by_when_they_happened_and_every_account_together_is_nothing() -> None:
    told = [fact("vend", 2, 30), fact("count", 7, 20), fact("return", 5, 10)]
    assert ledger(*told).accounts() == ledger(*reversed(told)).accounts()
    assert (lots(ledger(*told)), total(ledger(*told), "variance"), total(ledger(*told), "patient")) == ({"A": 5}, -2, -3)
    assert sum(ledger(*told).accounts().values()) == 0


def test_the_first_version_of_a_key_stands_and_another_one_is_a_conflict() -> None:
    first = fact("return", 5, 1)
    held = ledger(first, first, replace(first, quantity=6))
    assert (lots(held), len(held.conflicts)) == ({"A": 5}, 1)


def test_a_fact_taken_back_is_none_whichever_came_first_and_reversals_stand() -> None:
    told, undo = fact("return", 5, 1), Told("undo", "reversal", minutes(2), undoes="return|1")
    again = Told("again", "reversal", minutes(3), undoes="undo")
    for order in ([told, undo, again], [again, undo, told]):
        held = ledger(*order)
        assert (lots(held), held.reversals_of_reversals()) == ({}, {"again"})


def test_the_highest_version_counts_and_none_once_the_fact_is_taken_back() -> None:
    told = [fact("return", n, 1, key=f"v{n}", replaces="v0" if n else None, version=n) for n in (2, 0, 1)]
    assert lots(ledger(*told)) == {"A": 2}
    assert lots(ledger(*told, Told("undo", "reversal", minutes(2), undoes="v0"))) == {}


def test_counts_loads_unloads_and_begin_counts() -> None:
    """5 of A and 3 of B; A counted 4; place counted 9 (2 of nobody knows what); begin count 6 (−3), 1 taken; loaded 8; unloaded 2."""
    told = [fact("return", 5, 1), fact("return", 3, 2, "B"), fact("count", 4, 3), fact("count", 9, 4, None)]
    assert lots(ledger(*told)) == {"A": 4, "B": 3, "unknown": 2}
    told.append(fact("vend", 1, 5, begin=6, begin_verified=True))
    assert lots(ledger(*told)) == {"A": 3, "B": 3, "unknown": -1}
    told.append(fact("load", 8, 6, "C"))
    assert (lots(ledger(*told)), lots(ledger(*told), "s")) == ({"C": 8}, {"C": -8})
    told.append(fact("unload", 2, 7, "C"))
    assert (lots(ledger(*told)), lots(ledger(*told), "s")) == ({}, {"C": -6})
    assert ledger(*told).differences() == {"count|3": -1, "count|4": 2, "vend|5": -3}


def test_only_the_feed_with_authority_takes_from_a_place() -> None:
    assert lots(ledger(fact("vend", 2, 1, feed=Feed.DISPENSE))) == {}


def test_a_lot_is_of_the_only_product_named_with_it() -> None:
    """Of two products nobody knows which; once one is named with the lot, all of it is of that."""
    held = ledger(fact("return", 2, 1, item="j"))
    assert {lot.product for _, _, lot in held.accounts()} == {""}
    held.hear(fact("return", 1, 2, item="j", product="z"))
    assert {lot.product for _, _, lot in held.accounts()} == {"z"}


def test_status_is_recalled_before_quarantined_before_expired() -> None:
    held = ledger(fact("return", 2, 1, expiry=date(2026, 3, 2)), fact("receive", 1, 2, place="q"))
    held.tick(START)
    assert held.balances() == {("p", "i", "A", "available"): 2, ("q", "i", "A", "quarantined"): 1}
    held.tick(START + timedelta(hours=16) - timedelta(seconds=1))
    assert ("p", "i", "A", "available") in held.balances(), "a second before midnight in New York"
    held.tick(START + timedelta(hours=17))
    assert ("p", "i", "A", "expired") in held.balances()
    held.learn(Notice("R", "II", "x", ("a",)))
    assert held.balances() == {("p", "i", "A", "recalled"): 2, ("q", "i", "A", "recalled"): 1}
    held.learn(Notice("R", "II", "x", ("a",), released=True))
    assert ("p", "i", "A", "expired") in held.balances()


def test_the_earlier_of_two_dates_holds_also_where_the_fact_was_taken_back() -> None:
    told = fact("return", 1, 1, expiry=date(2026, 3, 1))
    held = ledger(fact("return", 2, 2, expiry=date(2026, 3, 9)), Told("undo", "reversal", minutes(2), undoes=told.key), told)
    held.tick(START)
    assert held.balances() == {("p", "i", "A", "expired"): 2}
