"""The hour that comes twice (New York, 2026-11-01, 01:00 to 02:00): a count in it asks a person, a movement does not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from schemas.topics import CASES
from streams.times import came_twice
from tests.support.facts import told
from tests.support.hub import SiteHub
from tests.support.world import POCKET, ZONE

IN_FIRST = datetime(2026, 11, 1, 5, 30, tzinfo=UTC)  # 01:30 EDT
IN_SECOND = datetime(2026, 11, 1, 6, 30, tzinfo=UTC)  # 01:30 EST
BEFORE = datetime(2026, 11, 1, 4, 30, tzinfo=UTC)
AFTER = datetime(2026, 11, 1, 7, 30, tzinfo=UTC)
SPRING = datetime(2026, 3, 8, 7, 30, tzinfo=UTC)  # 03:30 EDT, right after the hour that never was


@pytest.mark.parametrize(
    ("at", "twice"), [(IN_FIRST, True), (IN_SECOND, True), (BEFORE, False), (AFTER, False), (SPRING, False)]
)
def test_which_times_came_twice(at: datetime, twice: bool) -> None:
    assert came_twice(at, ZONE) is twice


def cases(kind: str, at: datetime, *, assumed: bool = True, sequence: int = 0) -> list[str]:
    hub = SiteHub()
    hub.tell(told(kind, 5, place=POCKET, at=at, received_at=AFTER, zone_assumed=assumed, device_sequence=sequence))
    return [case.text for case in hub.latest(CASES) if case.kind == "ambiguous_time"]


def test_a_count_in_the_hour_asks_a_person() -> None:
    (text,) = cases("count", IN_FIRST)
    assert "counted at 01:30 on 2026-11-01, a time that came twice that night" in text
    assert "the device numbered it 7" in cases("count", IN_FIRST, sequence=7)[0]


@pytest.mark.parametrize(("kind", "at", "assumed"), [("vend", IN_FIRST, True), ("count", BEFORE, True), ("count", IN_FIRST, False)])
def test_nobody_is_asked_where_it_makes_no_difference(kind: str, at: datetime, assumed: bool) -> None:
    assert not cases(kind, at, assumed=assumed)
