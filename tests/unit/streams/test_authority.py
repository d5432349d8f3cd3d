"""Who may decrement where, and what a controlled waste needs."""

from __future__ import annotations

import pytest

from schemas.kinds import EventKind, Feed
from streams.site.authority import Enriches, Moves, at_place
from tests.support.facts import told
from tests.support.hub import SiteHub
from tests.support.world import POCKET, STORE, WARD, item, location

DECREMENTS = (EventKind.VEND, EventKind.DISPENSE, EventKind.ADMINISTER)
FACTS = tuple(kind for kind in EventKind if kind not in DECREMENTS)
FEEDS = (Feed.CABINET, Feed.DISPENSE, Feed.ADMINISTRATION, Feed.CHARGE, Feed.SCAN)


@pytest.mark.parametrize("holder", FEEDS)
@pytest.mark.parametrize("feed", FEEDS)
@pytest.mark.parametrize("kind", DECREMENTS)
def test_only_the_feed_with_authority_decrements(kind: EventKind, feed: Feed, holder: Feed) -> None:
    place = location("here", authority=holder)
    assert isinstance(at_place(told(kind, 1, feed=feed), place), Moves if feed is holder else Enriches)


@pytest.mark.parametrize("holder", FEEDS)
@pytest.mark.parametrize("kind", DECREMENTS)
def test_paper_stands_in_for_the_feed_that_was_away(kind: EventKind, holder: Feed) -> None:
    assert isinstance(at_place(told(kind, 1, feed=Feed.PAPER), location("here", authority=holder)), Moves)


@pytest.mark.parametrize("feed", FEEDS)
@pytest.mark.parametrize("kind", FACTS)
def test_facts_of_the_place_itself_post_whoever_tells_them(kind: EventKind, feed: Feed) -> None:
    """A charge tells no fact of a place: it and its credit post only where charges have authority."""
    expected = Enriches if feed is Feed.CHARGE else Moves
    assert isinstance(at_place(told(kind, 1, feed=feed), location("here", authority=Feed.CABINET)), expected)
    assert isinstance(at_place(told(kind, 1, feed=feed), location("here", authority=Feed.CHARGE)), Moves)


@pytest.mark.parametrize(
    ("kind", "place", "after"),
    [
        ("vend", POCKET, -1), ("dispense", POCKET, 0), ("administer", POCKET, 0),
        ("vend", STORE, 0), ("dispense", STORE, -1), ("administer", STORE, 0),
        ("vend", WARD, 0), ("dispense", WARD, 0), ("administer", WARD, -1),
    ],
)  # fmt: skip
def test_a_pocket_inherits_the_authority_of_its_cabinet(kind: str, place: str, after: int) -> None:
    hub = SiteHub()
    hub.tell(told(kind, 1, place=place, lot="L1"))
    assert hub.on_hand(place) == after


@pytest.mark.parametrize("kind", ["order", "schedule", "census", "null"])
def test_orders_schedules_and_census_never_move_stock(kind: str) -> None:
    hub = SiteHub()
    hub.tell(told(kind, 5, place="nowhere", codes=()))
    assert hub.outcomes() == ["no_movement"]


@pytest.mark.parametrize(
    ("schedule", "kind", "witness", "text"),
    [
        (2, "waste", None, "no witness"), (2, "waste", "nurse-1", "the same person"), (2, "waste", "nurse-2", None),
        (5, "discard", None, "no witness"), (None, "waste", None, None), (2, "vend", None, None),
    ],
)  # fmt: skip
def test_a_controlled_waste_needs_a_second_person_and_posts_without(
    schedule: int | None, kind: str, witness: str | None, text: str | None
) -> None:
    hub = SiteHub(item(schedule=schedule))
    hub.tell(told("count", 5, place=POCKET, lot="L1"))
    hub.tell(told(kind, 1, place=POCKET, lot="L1", witness=witness))
    assert hub.outcomes() == ["posted", "posted"]
    cases = hub.open_cases("unwitnessed_waste")
    assert [text in one.text for one in cases] == ([True] if text else [])
