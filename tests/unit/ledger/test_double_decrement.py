"""One physical removal is one decrement: the truth table of a cabinet item, two tablets (`domain` §4)."""

from __future__ import annotations

import itertools

import pytest

from schemas.events import StockEvent
from schemas.kinds import EventKind, Feed
from tests.support.facts import minutes, reversal, told
from tests.support.hub import SiteHub
from tests.support.world import POCKET

BEGIN = told("count", 10, place=POCKET, at=minutes(0), key="begin", lot="L1")
ORDERED = told(EventKind.ORDER, 2, place=POCKET, at=minutes(1), key="rde", feed=Feed.ORDER)
VENDED = told("vend", 2, place=POCKET, at=minutes(2), key="zpm", lot="L1")
CHARGED = told("dispense", 2, place=POCKET, at=minutes(2), key="dft", feed=Feed.CHARGE)
DISPENSED = told("dispense", 2, place=POCKET, at=minutes(3), key="rds", feed=Feed.DISPENSE)
GIVEN = told("administer", 2, place=POCKET, at=minutes(5), key="ras", lot="L1")
PARTLY = told("administer", 1, place=POCKET, at=minutes(5), key="ras-pa", lot="L1")
REFUSED = told("administer", 2, place=POCKET, at=minutes(5), key="ras-re", no_effect="RXA-20 is RE: the patient refused")
RETURNED = told("return", 2, place=POCKET, at=minutes(6), key="zpm-r", lot="L1")
WASTED = told("waste", 1, place=POCKET, at=minutes(6), key="zpm-w", lot="L1", witness="nurse-2")
CORRECTED = told("administer", 1, place=POCKET, at=minutes(5), key="ras-u", lot="L1", replaces="ras")
CHARGE_CREDITED = reversal("dft", at=minutes(7))


def change(*stream: StockEvent) -> int:
    hub = SiteHub()
    hub.hear(BEGIN, *stream)
    assert hub.accounts_total() == 0
    return hub.on_hand(POCKET) - 10


@pytest.mark.parametrize(
    ("story", "moved"),
    [
        ([ORDERED], 0),
        ([ORDERED, VENDED], -2),
        ([ORDERED, VENDED, CHARGED], -2),
        ([ORDERED, VENDED, CHARGED, DISPENSED], -2),
        ([ORDERED, VENDED, CHARGED, DISPENSED, GIVEN], -2),
        ([ORDERED, VENDED, CHARGED, DISPENSED, REFUSED, RETURNED], 0),
        ([ORDERED, VENDED, CHARGED, PARTLY, WASTED], -2),
        ([ORDERED, VENDED, GIVEN, CORRECTED], -2),
        ([VENDED, GIVEN], -2),
        ([VENDED, CHARGED, CHARGE_CREDITED], -2),
    ],
    ids=[
        "ordered", "vended", "charged", "dispensed", "given", "refused and returned", "part given, part wasted",
        "dose corrected", "override pull", "charge credited",
    ],
)  # fmt: skip
def test_every_message_about_one_removal_together_moves_what_left_the_pocket(story: list[StockEvent], moved: int) -> None:
    assert change(*story) == moved
    assert change(*story, *story) == moved, "the whole day replayed"


def test_an_interface_that_was_down_delivers_its_backlog_in_any_order() -> None:
    story = [ORDERED, VENDED, CHARGED, DISPENSED, REFUSED, RETURNED]
    results = {change(*arrival) for arrival in itertools.islice(itertools.permutations(story), 0, 720, 17)}
    assert results == {0}


def test_the_count_itself_may_arrive_last() -> None:
    hub = SiteHub()
    hub.hear(VENDED, GIVEN, CHARGED, BEGIN)
    assert hub.on_hand(POCKET) == 8
    assert hub.open_cases("negative_stock") == []


def test_an_enriching_message_says_why_it_moves_nothing() -> None:
    hub = SiteHub()
    hub.tell(GIVEN)
    [outcome] = hub.all("outcomes")
    assert (outcome.outcome, outcome.code) == ("accepted", "not_authority")
    assert "cabinet" in outcome.reason
