"""Recalls are effective per site, from when its partition has read them: a record says so, once (`domain` §3.8)."""

from __future__ import annotations

from typing import Any

from schemas.partition import partition_of
from schemas.records import RECALL_READING, RecallReading
from schemas.reference import RecallNotice
from schemas.topics import RECALLS
from tests.support.facts import START, minutes
from tests.support.hub import SiteHub
from tests.support.world import SITE, hospital, site

OTHER = next(name for name in (f"clinic{number}" for number in range(100)) if partition_of(name) == partition_of(SITE))
"""A second site of the same partition."""
ELSEWHERE = next(name for name in (f"south{number}" for number in range(100)) if partition_of(name) != partition_of(SITE))


def notice(**changes: Any) -> RecallNotice:
    return RecallNotice(**{"id": "R1", "classification": "II", "products": ("amox-hospira",), "lots": ("L1",), **changes})


def read(hub: SiteHub) -> list[RecallReading]:
    return [RECALL_READING.decode(one.value or b"") for one in hub.outputs if one.topic == RECALLS]


def test_each_site_of_the_partition_says_which_notice_it_acts_on_and_since_when() -> None:
    hub = SiteHub(site(id=OTHER, facility_codes=()), site(id=ELSEWHERE, facility_codes=()))
    hub.tick(START)
    hub.learn(notice())
    assert [(one.site, one.notice, one.revision, one.in_force, one.at) for one in read(hub)] == sorted(
        (name, "R1", 1, True, START) for name in (SITE, OTHER)
    )


def test_reading_the_same_words_again_says_nothing_new() -> None:
    hub = SiteHub()
    hub.tick(START)
    hub.learn(notice())
    hub.tick(minutes(60))
    hub.learn(notice())
    hub.tick(minutes(120))
    assert len(read(hub)) == 1


def test_other_words_and_a_release_are_said() -> None:
    hub = SiteHub()
    hub.learn(notice())
    hub.learn(notice(lots=("L1", "L2")))
    hub.learn(notice(lots=("L1", "L2"), released="FDA"))
    assert [(one.revision, one.in_force) for one in read(hub)] == [(1, True), (2, True), (3, False)]
    assert len({one.content for one in read(hub)}) == 3


def test_a_site_that_is_loaded_after_a_notice_says_that_it_acts_on_it() -> None:
    hub = SiteHub(reference=())
    hub.learn(notice())
    assert read(hub) == []
    for record in hospital():
        hub.learn(record)
    assert [(one.site, one.at) for one in read(hub)] == [(SITE, None)]
