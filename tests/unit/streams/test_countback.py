"""Count-back: a begin count somebody verified is an absolute count right before the event; an expected one only checks."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from schemas.records import KPI
from schemas.topics import KPIS
from tests.support.facts import START, minutes, reversal, told
from tests.support.hub import SiteHub
from tests.support.world import POCKET, item

FIRST = told("count", 9, place=POCKET, at=START, lot="L1")
LATER = minutes(600)


def vend(begin: int, *, verified: bool, **changes: Any) -> Any:
    fields = {"at": minutes(10), "key": "v", "lot": "L1", "begin_count": Decimal(begin), "begin_count_verified": verified}
    return told(changes.pop("kind", "vend"), changes.pop("quantity", 1), place=POCKET, **{**fields, **changes})


def discrepancies(hub: SiteHub) -> list[tuple[str | None, int]]:
    return [(one.event_id, one.facts["difference"]) for one in hub.open_cases("discrepancy")]


def controlled(*stream: Any) -> SiteHub:
    """A controlled item whose first count the ledger already agrees with."""
    hub = SiteHub(item(schedule=2))
    hub.hear(told("return", 9, place=POCKET, at=minutes(-10), lot="L1"), FIRST, *stream)
    return hub


@pytest.mark.parametrize(("verified", "left"), [(True, 6), (False, 8)])
def test_only_a_verified_begin_count_changes_stock(verified: bool, left: int) -> None:
    """The ledger says 9, the begin count 7, one is taken."""
    hub = controlled(vend(7, verified=verified))
    assert hub.on_hand(POCKET) == left
    assert hub.accounts_total() == 0
    assert hub.moved().get(("variance", "amox", "unknown"), 0) == (2 if verified else 0), "nobody knows which lot is missing"


@pytest.mark.parametrize("verified", [True, False])
def test_a_difference_of_a_controlled_item_that_stays_is_a_case_after_the_lateness(verified: bool) -> None:
    event = vend(7, verified=verified)
    hub = controlled(event)
    hub.tick(minutes(69))
    assert discrepancies(hub) == []
    hub.tick(minutes(70))
    assert discrepancies(hub) == [(event.event_id, -2)]


@pytest.mark.parametrize("verified", [True, False])
def test_a_late_fact_that_explains_the_difference_leaves_no_case(verified: bool) -> None:
    hub = controlled(vend(7, verified=verified), told("vend", 2, place=POCKET, at=minutes(5), lot="L1"))
    hub.tick(LATER)
    assert discrepancies(hub) == []
    assert hub.on_hand(POCKET) == 6


def test_a_begin_count_that_agrees_is_no_case() -> None:
    hub = controlled(vend(9, verified=True))
    hub.tick(LATER)
    assert discrepancies(hub) == []
    assert hub.on_hand(POCKET) == 8


@pytest.mark.parametrize("kind", ["vend", "return", "refill", "unload", "expire", "waste", "discard"])
def test_an_expected_begin_count_is_compared_whatever_the_event_moves(kind: str) -> None:
    """A refill's first entry is at the store it comes from, and a waste has none at the pocket: the pocket is what was counted."""
    event = vend(7, verified=False, kind=kind, quantity=2)
    hub = controlled(event)
    hub.tick(LATER)
    assert discrepancies(hub) == [(event.event_id, -2)]


@pytest.mark.parametrize("kind", ["refill", "waste"])
def test_the_expected_begin_count_of_an_event_that_was_taken_back_is_not_compared(kind: str) -> None:
    hub = controlled(vend(7, verified=False, kind=kind), reversal("v", at=minutes(11)))
    hub.tick(LATER)
    assert discrepancies(hub) == []


@pytest.mark.parametrize("verified", [True, False])
@pytest.mark.parametrize(("begin", "found"), [(9, []), (7, [-2])])
def test_a_begin_count_beside_a_load_is_compared_and_posts_nothing(begin: int, found: list[int], verified: bool) -> None:
    """The ledger says 9. A load states what the pocket holds from now on; what was in it goes to variance either way."""
    hub = controlled(vend(begin, verified=verified, kind="load", quantity=20))
    hub.tick(LATER)
    assert [difference for _, difference in discrepancies(hub)] == found
    assert hub.lots(POCKET) == {"L1": 20}


def test_a_verified_begin_count_that_is_no_whole_number_of_units_is_no_difference() -> None:
    hub = controlled(vend(9, verified=True, begin_count=Decimal("8.5")))
    hub.tick(LATER)
    assert discrepancies(hub) == []
    assert hub.on_hand(POCKET) == 8


def test_an_item_that_is_not_controlled_has_no_case_and_follows_the_verified_count() -> None:
    hub = SiteHub()
    hub.hear(FIRST, vend(7, verified=True))
    hub.tick(LATER)
    assert hub.on_hand(POCKET) == 6
    assert discrepancies(hub) == []


def test_a_reversed_event_takes_its_begin_count_with_it() -> None:
    hub = controlled(vend(7, verified=True), reversal("v", at=minutes(11)))
    hub.tick(LATER)
    assert hub.on_hand(POCKET) == 9
    assert hub.accounts_total() == 0
    assert discrepancies(hub) == []


def test_accuracy_is_the_share_of_counts_that_found_what_the_ledger_said() -> None:
    """9 found 0, 9 found 9, 7 found 9: one of three."""
    hub = SiteHub()
    for minute, counted in ((0, 9), (20, 9), (40, 7)):
        hub.tell(told("count", counted, place=POCKET, at=minutes(minute), lot="L1"))
    hub.tick(LATER)
    hub.tick(minutes(700))
    said = [KPI.decode(one.value or b"") for one in hub.outputs if one.topic == KPIS]
    last = [one for one in said if one.kpi == "inventory_accuracy"][-1]
    assert (last.numerator, last.denominator, last.value) == (1, 3, Decimal("0.3333"))


def test_a_count_of_nothing_where_the_lots_cancel_out_is_no_discrepancy() -> None:
    """One of a lot came, one was taken under the number of another: nothing is there, as the ledger says, and no lot is left."""
    hub = SiteHub(item(schedule=2))
    hub.hear(
        told("return", 1, place=POCKET, at=minutes(-10), key="r", lot="L1"), told("vend", 1, place=POCKET, at=minutes(-5), lot="L2"),
        told("count", 0, place=POCKET, at=START, key="c", lot=None),
    )  # fmt: skip
    hub.tick(LATER)
    assert discrepancies(hub) == []
    assert hub.lots(POCKET) == {}
