"""The messages alone tell the whole truth: an independent reader of the wire adds up to the same balances and needs."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.simulator.runs import HOSPITALS, SMALL, run
from tests.unit.simulator.wire_reader import Reader


def balances(made) -> dict:
    return {(row["site"], row["location"], row["item"], row["lot"]): row["quantity"] for row in made.balances}


@pytest.mark.parametrize(
    "knobs",
    [
        SMALL,
        HOSPITALS,
        replace(SMALL, seed=6, duplicates=0.2, reorder_minutes=120, outages=3),
        replace(SMALL, seed=7, sites=1, days=21),
        replace(SMALL, seed=8, sites=4, beds=3, days=3),
    ],
    ids=["small", "hospitals", "disturbed", "three weeks", "tiny"],
)
def test_adding_up_the_distinct_facts_of_the_messages_gives_the_true_balances(knobs) -> None:
    """The reader also checks on its way that counts are exact, loads are totals, nothing goes below zero, and no two different
    facts share an identity."""
    made = run(knobs)
    assert Reader(made).balances() == balances(made)


def test_every_true_movement_is_told_by_a_message_of_the_same_second() -> None:
    """Instants, sites and quantities of what leaves or enters a place, compared as a multiset."""
    made = run(SMALL)
    told = Counter()
    for occurred, site, kind, what in Reader(made).facts().values():
        if kind in {"null", "nothing", "waste", "count", "scan count"}:
            continue
        place, other, item, lot, quantity = what
        sign = 1 if kind in {"return", "refill", "load", "scan return", "scan receive"} else -1
        told[(site, place, item, lot, sign * quantity, occurred.timestamp())] += 1
        if kind in {"refill", "load", "unload", "scan put_away", "scan pick"}:
            told[(site, other, item, lot, -sign * quantity, occurred.timestamp())] += 1
    from datetime import datetime

    true = Counter(
        (
            line["site"],
            line["location"],
            line["item"],
            line["lot"],
            line["quantity"],
            datetime.fromisoformat(line["occurred"]).timestamp(),
        )
        for line in made.movements
    )
    assert told == true


def there(line: dict[str, Any]) -> dict[str, Any]:
    """A line of the truth without what a counter wrote down."""
    return {**line, "quantity": line["was"]} if line["type"] == "count" else line


def test_miscounts_change_counts_and_nothing_else() -> None:
    faulty, plain = run(replace(SMALL, miscounts=0.5)), run(SMALL)
    assert [there(line) for line in faulty.truth] == [there(line) for line in plain.truth], "the truth is what stands on the shelf"
    told, exact = Reader(faulty).facts(), Reader(plain).facts()
    changed = [key for key in exact if told[key] != exact[key]]
    assert changed
    assert {exact[key][2] for key in changed} == {"count", "scan count"}
    assert all(0 < abs(told[key][3][4] - exact[key][3][4]) <= 2 for key in changed)
    counts = sum(fact[2] in {"count", "scan count"} for fact in exact.values())
    assert 0.4 < len(changed) / counts < 0.6


def test_wrong_codes_are_codes_that_nothing_has() -> None:
    faulty = run(replace(SMALL, wrong_codes=0.1))
    assert faulty.truth == run(SMALL).truth
    bodies = [message.body.decode() for message in faulty.messages]
    wrong = [body for body in bodies if "99999-9999-99" in body or "OLD-MED" in body or "00399999999991" in body]
    assert 0.05 < len(wrong) / len(bodies) < 0.12
    assert {message.source.split("-")[1] for message in faulty.messages if message.body.decode() in set(wrong)} >= {
        "emar",
        "rds",
        "cabinets",
        "scans",
        "fhir",
    }


def test_unreported_lots_leave_lot_and_expiry_out_together() -> None:
    faulty = run(replace(SMALL, unreported_lots=1.0))
    assert faulty.truth == run(SMALL).truth
    lots = {line["lot"] for line in faulty.movements}
    assert not [message for message in faulty.messages for lot in lots if lot.encode() in message.body]
    assert not [message for message in faulty.messages if b'"expiry"' in message.body or b"expirationDate" in message.body]
