"""The words of the tower: what a person reads is right to the boundary."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.tower import words

NOW = datetime(2026, 3, 10, 14, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("minutes", "text"),
    [
        (0, "0 min"),
        (59, "59 min"),
        (60, "1 h 00 min"),
        (130, "2 h 10 min"),
        (1_439, "23 h 59 min"),
        (1_440, "1 d 0 h"),
        (1_560, "1 d 2 h"),
    ],
)
def test_an_age_is_told_in_the_largest_unit_that_keeps_it_readable(minutes: int, text: str) -> None:
    assert words.age(minutes) == text


def test_an_age_counts_whole_minutes_and_never_below_zero() -> None:
    assert words.minutes_between("2026-03-10T14:03:01Z", NOW) == 1
    assert words.minutes_between("2026-03-10T15:00:00Z", NOW) == 0
    assert words.minutes_between("2026-03-10T14:03:01Z", None) == 0


@pytest.mark.parametrize(
    ("days", "label", "badge"),
    [
        (-1, "■ Expired 1 d ago", words.STOP),
        (0, "▲ Last day today", words.WARN),
        (1, "▲ 1 d left", words.WARN),
        (30, "▲ 30 d left", words.WARN),
        (31, "● 31 d left", words.INFO),
        (90, "● 90 d left", words.INFO),
        (91, "● 91 d left", words.MUTED),
    ],
)
def test_a_lot_dated_today_is_usable_and_one_dated_yesterday_is_not(days: int, label: str, badge: str) -> None:
    assert words.days_left(days) == (label, badge)


def test_every_urgency_says_in_words_and_shape_what_its_colour_means() -> None:
    labels = [words.urgency_badge(name) for name in ("stock_out", "critical", "routine")]
    assert labels == [("■ Stock-out", "stop"), ("▲ Critical", "warn"), ("● Routine", "info")]
    assert words.urgency_badge(None) == ("", "muted")
    assert words.urgency_badge("very_soon") == ("Very soon", "muted")


def test_states_of_a_command_that_wait_for_a_person_stand_out() -> None:
    assert words.state_badge("awaiting_approval") == ("Awaiting approval", words.WARN)
    assert words.state_badge("rejected") == ("Rejected", words.STOP)
    assert words.state_badge("a_new_one") == ("A new one", words.MUTED)


@pytest.mark.parametrize(
    ("name", "text"),
    [("stock:icu/cab1/d3/p07", "icu/cab1/d3/p07"), ("patient", "Patient"), ("opening", "Opening balance"), ("other", "Other")],
)
def test_a_ledger_account_reads_as_a_place_or_a_party(name: str, text: str) -> None:
    assert words.account(name) == text


def test_an_instant_is_shown_on_the_wall_clock_of_the_site() -> None:
    """New York is 4 hours behind UTC from 2026-03-08 on (daylight saving time), 5 before."""
    assert words.local_time("2026-03-10T14:05:00Z", "America/New_York") == "2026-03-10 10:05"
    assert words.local_time("2026-03-07T14:05:00Z", "America/New_York") == "2026-03-07 09:05"
    assert words.local_time("2026-03-10T14:05:00Z", "No/Such_Zone") == "2026-03-10 14:05"


def test_a_noun_follows_its_number() -> None:
    assert words.counted(1, "repeat") == "1 repeat"
    assert words.counted(0, "repeat") == "0 repeats"
    assert words.counted(1_204, "entry", "entries") == "1,204 entries"


def test_a_proof_reads_trigger_first_and_one_line_an_option() -> None:
    proof = {
        "options": [{"source": "main", "taken": True}, {"source": "stluke", "taken": False}],
        "position": {"on_hand": 0, "usable": 0},
        "quantiles": [1, 2],
        "trigger": "usable 0 ≤ critical 2",
        "weights": {},
        "supplier": None,
    }
    assert words.fact_lines(proof) == [
        "Trigger: usable 0 ≤ critical 2",
        "Position: on hand 0, usable 0",
        "Options 1: source main, taken yes",
        "Options 2: source stluke, taken no",
        "Quantiles: 1, 2",
        "Weights: none",
        "Supplier: none",
    ]


def test_deeper_facts_name_the_way_to_them() -> None:
    assert words.fact_lines({"policy": {"levels": {"minimum": 10}, "kind": "restock"}}) == [
        "Policy › levels: minimum 10",
        "Policy › kind: restock",
    ]


def test_a_proof_longer_than_the_limit_is_cut_and_says_by_how_much() -> None:
    lines = words.fact_lines({f"f{number:03d}": number for number in range(words.PROOF_LINES_MAX + 3)})
    assert len(lines) == words.PROOF_LINES_MAX + 1
    assert lines[-1] == "… and 3 more lines"


_PLAIN = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
_FACTS = st.recursive(_PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3))


@given(st.dictionaries(st.text(max_size=5), _FACTS, max_size=5))
def test_any_facts_become_a_bounded_number_of_lines(facts: dict[str, object]) -> None:
    """A proof is free-form JSON: whatever it holds, the page gets lines of text and never an error."""
    lines = words.fact_lines(facts)
    assert len(lines) <= words.PROOF_LINES_MAX + 1
    assert all(isinstance(line, str) for line in lines)
    assert bool(lines) == bool(facts)
