"""The running balance adds up to the ledger, whatever came late, twice or in another order."""

from __future__ import annotations

from datetime import date
from itertools import pairwise, permutations
from typing import Any

import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events import StockEvent
from sinks.controlled.balance import CATEGORIES, DOSE_WASTES
from sinks.sql.controlled import balance
from sinks.sql.tables import BALANCES
from tests.support.facts import BY_PRODUCT, minutes, reversal, told
from tests.support.hub import SiteHub
from tests.support.world import OTHER_POCKET, POCKET, SITE, STORE
from tests.unit.controlled.support import done, hub, tables

DAY = date(2026, 3, 2)


def asked(made: SiteHub, **question: Any) -> list[dict[str, Any]]:
    with tables(made) as connection:
        return balance(connection, **question)


def day() -> list[StockEvent]:
    """A day's entries of every category, each stated by hand."""
    return [
        told("receive", 50, place=STORE, unit="vial", at=minutes(0), lot="L1", codes=BY_PRODUCT, key="receive"),
        done("refill", 20, at=minutes(10), key="refill"),
        done("vend", 2, at=minutes(20), patient="A", witness="nurse-2", key="vend"),
        done("return", 1, at=minutes(30), patient="A", key="return"),
        done("waste", 100, at=minutes(35), patient="A", witness="nurse-2", key="waste"),
        done("vend", 3, at=minutes(40), patient="B", key="wrong"),
        reversal("wrong", at=minutes(45)),
        told("discard", 1, place=POCKET, unit="vial", at=minutes(50), witness="nurse-2", key="discard"),
        done("count", 17, at=minutes(60), witness="nurse-2", key="count"),
    ]


def test_every_category_of_a_day_is_told_apart_and_adds_up() -> None:
    """Site: 50 received; 2 removed, 1 returned, 1 destroyed, and the count finds 17 where 20 − 2 + 1 − 1 = 18 should be."""
    made = hub()
    made.hear(*day())
    [row] = asked(made)
    assert {name: row[name] for name in (*CATEGORIES, DOSE_WASTES)} == {
        "receipts": 50, "removals": -2, "returns": 1, "wastes": -1, "transfers": 0, "adjustments": -1, "dose_wastes": 1,
    }  # fmt: skip
    assert (row["opening"], row["closing"], row["schedule"]) == (0, 47, "II")
    assert row["as_of"] == "2026-03-02T13:00:00Z"


def test_a_place_has_its_own_balance_and_transfers() -> None:
    made = hub()
    made.hear(*day())
    rows = {row["location"]: row for row in asked(made, by_place=True)}
    assert {place: (row["transfers"], row["closing"]) for place, row in rows.items()} == {STORE: (-20, 30), POCKET: (20, 17)}
    [below] = asked(made, location="icu/cab1")
    assert (below["transfers"], below["removals"], below["closing"]) == (20, -2, 17)


def test_each_entry_names_time_user_witness_patient_and_source_and_runs_on() -> None:
    made = hub()
    made.hear(*day())
    lines = asked(made, location=POCKET, lines=True)
    assert [line["line"] for line in lines] == ["opening", *["entry"] * (len(lines) - 2), "closing"]
    vend = next(line for line in lines if line["kind"] == "vend" and line["change"] == -2)
    assert (vend["at"], vend["user"], vend["witness"], vend["patient"]) == ("2026-03-02T12:20:00Z", "nurse-1", "nurse-2", "A")
    assert vend["source"].startswith("0/")
    assert vend["event_id"]
    running = 0
    for line in lines[1:-1]:
        running += line["change"]
        assert line["balance"] == running
    assert lines[-1]["balance"] == running == 17


def test_a_late_entry_changes_the_day_it_belongs_to_and_opens_the_next_differently() -> None:
    """Two days: a vend of the first day comes on the second. The first day's closing and the second's opening move together."""
    made = hub()
    made.hear(done("refill", 20, at=minutes(0)), done("vend", 1, at=minutes(24 * 60), patient="A"))
    before = [asked(made, location=POCKET, window=(at, at))[0] for at in (DAY, date(2026, 3, 3))]
    made.tell(done("vend", 4, at=minutes(60), received_at=minutes(30 * 60), patient="B"))
    after = [asked(made, location=POCKET, window=(at, at))[0] for at in (DAY, date(2026, 3, 3))]
    assert [(row["opening"], row["closing"]) for row in before] == [(0, 20), (20, 19)]
    assert [(row["opening"], row["closing"]) for row in after] == [(0, 16), (16, 15)]


def test_a_day_is_the_sites_own() -> None:
    """23:30 on 2 March in New York is the 3rd in UTC."""
    made = hub()
    made.hear(done("refill", 5, at=minutes(16 * 60 + 30)))
    assert asked(made, location=POCKET, window=(DAY, DAY))[0]["closing"] == 5


def test_an_uncontrolled_item_and_another_schedule_are_left_out() -> None:
    made = hub()
    made.hear(*day())
    assert asked(made, schedule=3) == []
    assert len(asked(made, schedule=2)) == 1
    plain = hub(schedule=None)
    plain.hear(*day())
    assert asked(plain) == []


def held(made: SiteHub) -> dict[str, int]:
    """What the ledger's own balances say, by place."""
    with tables(made) as connection:
        statement = sa.select(BALANCES.c.location, sa.func.sum(BALANCES.c.quantity)).group_by(BALANCES.c.location)
        return {place: int(quantity) for place, quantity in connection.execute(statement) if quantity}


def adds_up(made: SiteHub) -> dict[str, int]:
    rows = asked(made, by_place=True)
    for row in rows:
        assert row["opening"] + sum(row[name] for name in CATEGORIES) == row["closing"]
    return {row["location"]: row["closing"] for row in rows if row["closing"]}


def test_totals_are_the_ledger_in_every_order_of_arrival() -> None:
    """Six of the day's entries in every order, each sent twice."""
    told_ = [one for one in day() if one.event_key in {"refill", "vend", "wrong", "reversal|wrong", "count", "discard"}]
    endings = set()
    for number, order in enumerate(permutations(told_)):
        if number % 41:
            continue
        made = hub()
        for event in order:
            made.hear(event, event)
        closing = adds_up(made)
        assert closing == held(made)
        endings.add(str(sorted(closing.items())))
    assert len(endings) == 1


KINDS = st.sampled_from(("vend", "return", "refill", "count", "discard", "load", "unload", "expire", "pick", "waste"))
FACTS = st.lists(
    st.tuples(KINDS, st.integers(0, 9), st.integers(0, 3_000), st.sampled_from((POCKET, OTHER_POCKET)), st.sampled_from(("", "L1", "L2"))),
    min_size=1, max_size=12,
)  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(FACTS, st.randoms(use_true_random=False), st.integers(0, 3))
def test_totals_add_up_to_the_ledger_exactly_whatever_happened(facts: Any, random: Any, splits: int) -> None:
    """Invariant: for every place closing = the ledger's balance; opening of a day = closing of the day before."""
    events = [
        told(
            kind, quantity, unit="vial", place=place, at=minutes(at), key=f"k{number}", patient="A", witness="nurse-2",
            to=STORE if kind == "pick" else None, lot=lot or None,
        )
        for number, (kind, quantity, at, place, lot) in enumerate(facts)
    ]  # fmt: skip
    events += [reversal(f"k{number}", at=minutes(3_001)) for number in range(min(splits, len(events)))]
    random.shuffle(events)
    made = hub()
    for event in events:
        made.hear(event, event)
    assert adds_up(made) == held(made)
    with tables(made) as connection:
        days = [
            {row["location"]: row for row in balance(connection, by_place=True, site=SITE, window=(at, at))}
            for at in (DAY, date(2026, 3, 3), date(2026, 3, 4))
        ]
    for earlier, later in pairwise(days):
        for place, row in later.items():
            assert row["opening"] == (earlier[place]["closing"] if place in earlier else 0)
