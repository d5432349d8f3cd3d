"""What is wrong with a transfer: a pure rule of what was sent, received and is open by lot (ADR 22)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.ledger.postings import is_on_its_way, way_to
from streams.site.shipments import LOTS, OVER, OVERDUE, UNMATCHED, judge


@pytest.mark.parametrize(
    ("sent", "received", "lots", "overdue", "found"),
    [
        (10, 10, {}, True, None),
        (10, 4, {"L1": 6}, False, None),
        (10, 4, {"L1": 6}, True, OVERDUE),
        (10, 12, {"L1": -2}, False, OVER),
        (0, 12, {"L1": -12}, False, UNMATCHED),
        (10, 10, {"L1": 10, "L2": -10}, False, LOTS),
        (10, 4, {"L1": 10, "L2": -4}, True, LOTS),
        (10, 10, {"L1": 10, "unknown": -10}, True, None),
        (10, 10, {"unknown": 10, "L1": -10}, False, None),
        (10, 10, {"unknown": 4, "L1": 6, "L2": -10}, False, LOTS),
        (10, 0, {"L1": 10}, False, None),
        (0, 0, {}, True, None),
    ],
)
def test_what_is_wrong(sent: int, received: int, lots: dict[str, int], overdue: bool, found: str | None) -> None:
    assert judge(sent, received, lots, overdue=overdue) == found


@given(st.dictionaries(st.sampled_from(["L1", "L2", "unknown"]), st.integers(-20, 20)), st.booleans())
def test_more_came_than_was_sent_is_never_silent(lots: dict[str, int], overdue: bool) -> None:
    total = sum(lots.values())
    found = judge(5, 5, lots, overdue=overdue)
    assert (found == OVER) == (total < 0)
    assert found != OVERDUE or total > 0


@given(st.text(min_size=1, max_size=8), st.text(min_size=1, max_size=8), st.text(min_size=1, max_size=8))
def test_two_ways_are_the_same_only_when_site_and_number_are(site: str, number: str, other: str) -> None:
    way = way_to(site, number)
    assert is_on_its_way(way)
    assert len(way.split("/")) == 3
    assert (way == way_to(site, other)) == (number == other)
    assert (way == way_to(other, number)) == (site == other)
