"""What is due is done a bounded number at a time, and nothing due is forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from schemas.events import Watermark
from schemas.keys import encode_key
from streams.site.tables import SOURCES, TIMERS
from streams.site.timers import TIMERS_PER_EVENT
from streams.state import MemoryBackend
from streams.times import to_us
from tests.support.facts import START, day, minutes, told
from tests.support.hub import SiteHub
from tests.support.world import SITE, STORE, site

AFTER = START + timedelta(days=5)


def stocked(lots: int) -> SiteHub:
    """That many lots of one tablet, all expiring at one midnight, at a site that announces nothing."""
    hub = SiteHub(site(expiry_windows_days=()))
    for number in range(lots):
        hub.tell(told("receive", 1, place=STORE, lot=f"L{number:04}", expiry=day(1)))
    return hub


def test_one_event_does_at_most_its_share_and_the_next_events_do_the_rest() -> None:
    hub = stocked(2 * TIMERS_PER_EVENT + 1)
    left = []
    for minute in range(3):
        hub.tick(AFTER + timedelta(minutes=minute))
        left.append(hub.usable(STORE))
    assert left == [TIMERS_PER_EVENT + 1, 1, 0]


def test_any_event_does_the_rest_not_only_a_tick() -> None:
    hub = stocked(TIMERS_PER_EVENT + 1)
    hub.tick(AFTER)
    assert hub.usable(STORE) == 1
    hub.tell(told("order", 1, place=STORE, at=AFTER))
    assert hub.usable(STORE) == 0


def test_exactly_one_share_is_done_in_one_event() -> None:
    hub = stocked(TIMERS_PER_EVENT)
    hub.tick(AFTER)
    assert hub.usable(STORE) == 0
    assert list(hub.state.table(TIMERS).scan(())) == []


def test_what_is_due_is_looked_for_where_the_first_of_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store walks over everything that was deleted before its next row: from the beginning that is every timer that ever fired."""
    hub = stocked(1)
    [(due, *_)] = [key for key, _ in hub.state.table(TIMERS).scan(())]
    hub.flush()
    asked: list[bytes] = []
    scan = MemoryBackend.scan

    def noted(backend: MemoryBackend, start: bytes, end: bytes, **way: bool) -> Iterator[tuple[bytes, bytes]]:
        if backend is hub.backends[TIMERS.name]:
            asked.append(start)
        return scan(backend, start, end, **way)

    monkeypatch.setattr(MemoryBackend, "scan", noted)
    hub.tick(AFTER)
    assert asked == [encode_key((due,))]


def test_an_older_tick_does_nothing() -> None:
    hub = stocked(1)
    hub.tick(AFTER)
    before = hub.image()
    assert hub.tick(START) == []
    assert hub.image() == before


def test_the_same_tick_again_does_nothing() -> None:
    hub = stocked(1)
    hub.tick(AFTER)
    assert hub.tick(AFTER) == []


def test_a_watermark_only_rises() -> None:
    hub = SiteHub()
    for at in (minutes(5), minutes(9), minutes(2)):
        hub.say(Watermark(source="feed-1", site=SITE, complete_to=at))
    assert hub.state.table(SOURCES).get((SITE, "feed-1")).complete_to_us == to_us(minutes(9))
