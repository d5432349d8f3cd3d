"""A feed that falls silent: said once, its places stale, ended by itself when it speaks again; a replay says the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from schemas.codec import encode
from schemas.partition import PARTITIONS, partition_of
from schemas.reference import FeedWatch
from schemas.topics import ALERTS, CASES
from tests.support.facts import START, told
from tests.support.hub import SiteHub
from tests.support.world import POCKET, SITE

WATCH = FeedWatch(site=SITE, source="feed-1", silent_after_minutes=60, locations=("icu/cab1",))


def hub(*more: object) -> SiteHub:
    one = SiteHub(*more)
    one.tick(START)
    one.learn(WATCH)
    return one


def minutes(count: int) -> datetime:
    return START + timedelta(minutes=count)


def vend(one: SiteHub, at: datetime, source: str = "feed-1") -> None:
    one.tell(told("vend", 1, place=POCKET, at=at, received_at=at, source=source))


def said(one: SiteHub) -> list[str]:
    return [alert.kind for alert in one.all(ALERTS) if alert.kind.startswith("feed_")]


def open_case(one: SiteHub) -> list[str]:
    return [case.text for case in one.latest(CASES) if case.kind == "feed_silent" and case.state == "open"]


def test_silence_is_said_once_and_ends_by_itself() -> None:
    one = hub()
    vend(one, minutes(5))
    one.tick(minutes(64))
    assert said(one) == []
    for late in (65, 70, 300):
        one.tick(minutes(late))
    assert said(one) == ["feed_silent"]
    (text,) = open_case(one)
    assert "feed-1 has said nothing for 60 minutes" in text
    assert "balances of icu/cab1 are stale" in text
    vend(one, minutes(301))
    assert said(one) == ["feed_silent", "feed_resumed"]
    assert open_case(one) == []
    one.tick(minutes(362))
    assert said(one) == ["feed_silent", "feed_resumed", "feed_silent"]
    assert len(open_case(one)) == 1


def test_a_feed_that_speaks_is_never_called_silent() -> None:
    one = hub()
    for minute in range(0, 600, 30):
        vend(one, minutes(minute))
        one.tick(minutes(minute + 29))
    assert said(one) == []


def test_a_feed_that_never_spoke_is_silent_too() -> None:
    one = hub()
    one.tick(minutes(60))
    assert said(one) == ["feed_silent"]


def test_a_watch_that_was_loaded_before_the_first_tick_begins_with_it() -> None:
    one = SiteHub()
    one.learn(WATCH)
    one.tick(START)
    assert said(one) == []
    one.tick(minutes(59))
    assert said(one) == []
    one.tick(minutes(61))
    assert said(one) == ["feed_silent"]


def test_others_do_not_speak_for_it() -> None:
    one = hub()
    vend(one, minutes(30), source="another")
    one.tick(minutes(60))
    assert said(one) == ["feed_silent"]


def test_a_longer_patience_and_no_watch_at_all() -> None:
    one = hub()
    one.learn(FeedWatch(site=SITE, source="feed-1", silent_after_minutes=120))
    one.tick(minutes(100))
    assert said(one) == []
    one.tick(minutes(120))
    assert said(one) == ["feed_silent"]
    change = one.change_of(WATCH)
    one.feed(one.record("ReferenceChange", encode(replace(change, record=None))))
    assert open_case(one) == []
    one.tick(minutes(900))
    assert said(one) == ["feed_silent"]


@pytest.mark.parametrize("flush", [0, 1])
def test_a_restart_forgets_nothing(flush: int) -> None:
    one = SiteHub(flush_every=flush)
    one.tick(START)
    one.learn(WATCH)
    vend(one, minutes(5))
    one.restart()
    one.tick(minutes(66))
    assert said(one) == ["feed_silent"]


def test_a_partition_says_nothing_of_the_feeds_of_other_sites() -> None:
    """Every partition reads all reference data; the feeds of a site come to one."""
    other = hub()
    assert other.partition == partition_of(SITE)
    elsewhere = SiteHub()
    elsewhere.partition = (partition_of(SITE) + 1) % PARTITIONS
    elsewhere.tick(START)
    elsewhere.learn(WATCH)
    for one in (other, elsewhere):
        one.tick(minutes(300))
    assert said(other) == ["feed_silent"]
    assert said(elsewhere) == open_case(elsewhere) == []
