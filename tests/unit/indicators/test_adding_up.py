"""Any history: places, classes and periods add up to the site; the order of the records changes nothing."""

from __future__ import annotations

import random
from collections import defaultdict
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.indicators.model import History, Reversal, Stuck
from sinks.indicators.periods import PERIODS
from sinks.indicators.report import Question, figures
from tests.unit.indicators.handmade import REFERENCE, SITE, at, count, day, entry, history, need

PLACES = ("main", "main/quarantine", "icu/cab1/p1", "icu/cab1/p2", "transit", "ward4")
KINDS = {
    "receive": ("supplier", None), "vend": (None, "patient"), "return": ("patient", None), "expire": (None, "waste"),
    "discard": (None, "waste"), "count": ("variance", None), "put_away": (None, None), "pick": (None, None),
    "refill": (None, None), "adjust_in": ("suspense", None),
}  # fmt: skip
HOURS = st.integers(0, 24 * 45)


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Up to 25 entries, some taken back, with counts, needs and stuck items, over 45 days of winter and summer time."""
    entries = []
    for number in range(draw(st.integers(0, 25))):
        kind = draw(st.sampled_from(sorted(KINDS)))
        source, target = (side or draw(st.sampled_from(PLACES)) for side in KINDS[kind])
        more = {
            "item": draw(st.sampled_from(["amox", "cefa", "free"])), "lot": draw(st.sampled_from(["L1", "L2"])),
            "expiry": draw(st.sampled_from([None, day(3), day(20)])),
        }  # fmt: skip
        entries.append(entry(f"e{number}", kind, draw(st.integers(1, 9)), source, target, draw(HOURS), **more))
    undone = draw(st.lists(st.sampled_from(entries), max_size=2, unique_by=lambda one: one.event_id)) if entries else []
    for one in undone:
        back = (one.to_account.removeprefix("stock:"), one.from_account.removeprefix("stock:"))
        hours = (one.occurred - at(0)).total_seconds() / 3600
        entries.append(entry(f"undo-{one.event_id}", "reversal", one.quantity, *back, hours, item=one.item, corrects=one.event_id))
    counts = [count(f"c{n}", draw(HOURS), location=draw(st.sampled_from(PLACES))) for n in range(draw(st.integers(0, 4)))]
    needs = []
    for number in range(draw(st.integers(0, 5))):
        opened = draw(HOURS)
        closed = draw(st.none() | st.integers(opened, 24 * 50))
        kind, supplier = draw(st.sampled_from([("restock", None), ("purchase", "acme")]))
        where = draw(st.sampled_from(PLACES))
        needs.append(need(f"n{number}", opened, closed, kind=kind, supplier=supplier, location=where))
    return history(
        entries, until=24 * 50, counts=tuple(counts), needs=tuple(needs), stuck=(Stuck(SITE, at(30)),),
        reversals=tuple(Reversal(f"key|{one.event_id}", one.occurred) for one in undone),
    )  # fmt: skip


def sums(told: History, question: Question) -> dict[str, tuple[Fraction, Fraction]]:
    """Numerators and denominators added up over all rows, by indicator."""
    found: dict[str, tuple[Fraction, Fraction]] = defaultdict(lambda: (Fraction(0), Fraction(0)))
    for one in figures(told, question):
        over, under = found[one.indicator.name]
        found[one.indicator.name] = (over + one.numerator, under + one.denominator)
    return {name: pair for name, pair in found.items() if any(pair)}


@given(histories())
def test_places_classes_and_periods_add_up_to_the_site(told: History) -> None:
    whole = sums(told, Question())
    assert sums(told, Question(by=("location",))) == whole
    assert sums(told, Question(by=("item_class",))) == whole
    for period in PERIODS:
        assert sums(told, Question(period=period)) == whole
        assert sums(told, Question(period=period, by=("location", "item_class"))) == whole


@given(histories(), st.integers(0, 60))
def test_dates_cut_a_history_in_two_without_loss(told: History, number: int) -> None:
    """What lies before a day and what lies from it on add up to all."""
    before, after = sums(told, Question(last=day(number - 1))), sums(told, Question(first=day(number)))
    both = {
        name: tuple(before.get(name, (0, 0))[side] + after.get(name, (0, 0))[side] for side in (0, 1))
        for name in {*before, *after}
    }
    assert {name: pair for name, pair in both.items() if any(pair)} == sums(told, Question())


@given(histories(), st.randoms(use_true_random=False))
def test_the_order_of_the_records_changes_no_figure(told: History, chance: random.Random) -> None:
    parts = {name: list(getattr(told, name)) for name in ("entries", "counts", "needs", "reversals")}
    for rows in parts.values():
        chance.shuffle(rows)
    again = History(
        **{name: tuple(rows) for name, rows in parts.items()}, site=told.site, as_of=told.as_of, stuck=told.stuck, reference=REFERENCE
    )
    question = Question(period="day", by=("location", "item_class"))
    assert figures(again, question) == figures(told, question)


def test_a_filter_takes_whole_segments_of_a_place_and_one_class() -> None:
    told = history(counts=tuple(count(name, 1, location=name) for name in ("icu/cab1/p1", "icu/cab10/p1", "icu")))
    assert sums(told, Question(location="icu/cab1")) == {
        "inventory_accuracy": (1, 1), "standard_workflow_share": (1, 1)
    }  # fmt: skip
    assert sums(told, Question(location="icu"))["inventory_accuracy"] == (3, 3)
    assert sums(told, Question(item_class="A")) == {}


@pytest.mark.parametrize(
    ("period", "names"),
    [("day", ["2026-03-08", "2026-03-09"]), ("week", ["2026-W10", "2026-W11"]), ("month", ["2026-03"])],
)
def test_periods_are_of_the_sites_calendar(period: str, names: list[str]) -> None:
    """The clocks of New York went forward on Sunday 8 March 2026, 23 hours long: its last hour is 03:00 UTC, hour 166 here.

    ISO 8601 week 11 begins with Monday 9 March.
    """
    told = history(counts=(count("a", 166), count("b", 167)))
    found = [one.period for one in figures(told, Question(period=period)) if one.indicator.name == "inventory_accuracy"]
    assert found == names


def test_average_inventory_of_a_short_day_is_over_the_hours_it_had() -> None:
    """10 units at 2 lie all of 8 March (23 hours): 20 × 23/24 value-days over 23/24 days: 20 on average."""
    told = history([entry("r", "receive", 10, "supplier", "main", 0)], until=400)
    (found,) = figures(told, Question(period="day", first=day(6), last=day(6)))
    assert (found.denominator, found.days) == (Fraction(20 * 23, 24), Fraction(23, 24))
