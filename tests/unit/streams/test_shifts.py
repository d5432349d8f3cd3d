"""End-of-shift counts of controlled stock: due by event time, two people, closed by the counts in any order of arrival."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from schemas.controlled import ShiftCount
from schemas.events import StockEvent
from schemas.topics import ALERTS
from tests.support.facts import decision, minutes, reversal, told
from tests.support.hub import SiteHub
from tests.support.world import OTHER_POCKET, POCKET, SITE, WARD, item, site
from tests.unit.verify.logs import RecordedHub
from topology.verify.run import verify

END = datetime(2026, 3, 2, 19, 0, tzinfo=UTC) + timedelta(hours=5)
"""19:00 of the first day at the site (New York, UTC-5)."""
NEXT_END = END + timedelta(hours=12)
JUDGED = END + timedelta(minutes=30 + 60)
"""The grace of this rule, and the site's time for late events."""
RULE = ShiftCount(site=SITE, location="icu/cab1", ends=("07:00", "19:00"), before_minutes=45, grace_minutes=30)
KIND = "shift_count_missing"


def hub(*more: Any, made: type[SiteHub] = SiteHub) -> SiteHub:
    """A schedule II item with 10 in a pocket of the watched cabinet since before the shift."""
    found = made(site(lateness_minutes=60), item(schedule=2), RULE, *more)
    found.tick(minutes(0))
    found.tell(told("count", 10, place=POCKET, at=minutes(1), witness="nurse-2"))
    return found


def counted(minute: float, quantity: int = 10, **changes: Any) -> StockEvent:
    """A count so many minutes from the shift's end."""
    at = END + timedelta(minutes=minute)
    return told("count", quantity, **{"place": POCKET, "at": at, "witness": "nurse-2", **changes})


def test_a_count_that_is_missing_after_the_grace_is_an_alert_and_a_case() -> None:
    found = hub()
    found.tick(JUDGED - timedelta(seconds=1))
    assert found.open_cases(KIND) == []
    found.tick(JUDGED)
    [case] = found.open_cases(KIND)
    assert (case.location, case.facts["shift_end"]) == ("icu/cab1", END.isoformat())
    assert case.facts["missing"] == [f"amox 250 mg tablet at {POCKET}"]
    assert "end of shift 2026-03-02 19:00 at icu/cab1" in case.text
    assert [one.kind for one in found.all(ALERTS)] == [KIND]


@pytest.mark.parametrize(("minute", "is_counted"), [(-46, False), (-45, True), (0, True), (30, True), (31, False)])
def test_counts_from_shortly_before_until_shortly_after_count(minute: float, is_counted: bool) -> None:
    found = hub()
    found.tell(counted(minute))
    found.tick(JUDGED)
    assert (found.open_cases(KIND) == []) == is_counted


@pytest.mark.parametrize("people", [{"witness": None}, {"witness": "nurse-1"}, {"actor": None}])
def test_one_person_alone_does_not_count_a_shift(people: dict[str, Any]) -> None:
    """Two distinct people: who counted and who witnessed."""
    found = hub()
    found.tell(counted(0, **people))
    found.tick(JUDGED)
    [case] = found.open_cases(KIND)
    assert case.facts["missing"] == []
    assert len(case.facts["unwitnessed"]) == 1
    assert "counted without a second person" in case.text


def test_a_late_count_closes_it_and_taking_the_count_back_opens_it_again() -> None:
    found = hub(made=RecordedHub)
    found.tick(JUDGED)
    assert len(found.open_cases(KIND)) == 1
    found.tell(counted(5, key="c1"))
    assert found.open_cases(KIND) == []
    found.tell(reversal("c1", at=END + timedelta(minutes=100)))
    assert len(found.open_cases(KIND)) == 1
    found.tell(counted(6, key="c2"))
    assert found.open_cases(KIND) == []
    assert verify(found.logs()).differences == []


def test_what_a_person_closed_stays_closed() -> None:
    found = hub()
    found.tick(JUDGED)
    [case] = found.open_cases(KIND)
    found.say(decision(case.case_id, "close", "pia", JUDGED))
    found.tell(told("vend", 1, place=POCKET, at=END - timedelta(minutes=90)))
    assert found.open_cases(KIND) == []


def test_an_empty_pocket_an_uncontrolled_item_and_another_place_need_no_count() -> None:
    found = SiteHub(site(lateness_minutes=60), item(schedule=2), item("other", schedule=None), RULE)
    found.tick(minutes(0))
    found.tell(told("count", 3, place=WARD, at=minutes(1), witness="b"))
    found.tell(told("count", 3, place=POCKET, at=minutes(1), witness="b"))
    found.tell(told("vend", 3, place=POCKET, at=minutes(2)))
    found.tell(told("count", 9, place=OTHER_POCKET, at=minutes(2), codes=(item("other").codes[0],)))
    found.tick(JUDGED)
    assert found.open_cases(KIND) == []


def test_a_place_of_its_own_below_is_counted_by_its_own_shifts() -> None:
    found = hub(ShiftCount(site=SITE, location=POCKET, ends=("23:00",)))
    found.tick(JUDGED)
    assert found.open_cases(KIND) == []
    found.tick(datetime(2026, 3, 3, 4, 0, tzinfo=UTC) + timedelta(minutes=60 + 60))
    assert [case.location for case in found.open_cases(KIND)] == [POCKET]


def test_every_shift_end_is_judged_when_time_jumps() -> None:
    """Ticks that are days apart (a replay): no end is left out, and none before the rule was known is asked for."""
    found = hub()
    late = END + timedelta(days=3, hours=2)
    for _ in range(10):
        found.tick(late)
        late += timedelta(seconds=1)
    ends = sorted(case.facts["shift_end"] for case in found.open_cases(KIND))
    assert ends == [(END + timedelta(hours=12 * number)).isoformat() for number in range(7)]


def test_a_count_of_every_lot_is_a_count_of_the_pocket() -> None:
    def stocked() -> SiteHub:
        found = SiteHub(site(lateness_minutes=60), item(schedule=2), RULE)
        found.tick(minutes(0))
        found.hear(*(told("refill", 5, place=POCKET, lot=lot, at=minutes(1)) for lot in ("L1", "L2")))
        return found

    found = stocked()
    found.tell(counted(0, 5, lot="L1"))
    found.tick(JUDGED)
    assert len(found.open_cases(KIND)) == 1
    found.tell(counted(1, 5, lot="L2"))
    assert found.open_cases(KIND) == []


def test_late_duplicated_and_reordered_events_leave_the_same_cases() -> None:
    """Every order of arrival of the same facts, sent twice, before and after the shift was judged, ends alike."""
    facts = (
        told("refill", 4, place=OTHER_POCKET, at=END - timedelta(hours=2), key="r"),
        counted(-10, key="c"),
        counted(5, 3, place=OTHER_POCKET, key="o", witness=None),
        reversal("c", at=END + timedelta(minutes=20)),
    )
    endings = set()
    for order in permutations(range(4)):
        for judged_after in (0, 2, 4):
            found = hub()
            for number, which in enumerate(order):
                if number == judged_after:
                    found.tick(JUDGED)
                found.hear(facts[which], facts[which])
            found.tick(JUDGED)
            [case] = found.open_cases(KIND)
            endings.add((str(case.facts["missing"]), str(case.facts["unwitnessed"]), case.text))
    assert len(endings) == 1
    missing, alone, _ = endings.pop()
    assert (POCKET in missing, OTHER_POCKET in alone) == (True, True)


def test_the_shift_ends_by_the_clock_of_the_site_when_it_changes() -> None:
    """2026-03-08 New York goes to UTC-4: 19:00 is 23:00 UTC from then on."""
    found = hub()
    for day in range(8):
        found.tell(counted(24 * 60 * day - (60 if day > 5 else 0)))
        found.tell(counted(24 * 60 * day + 12 * 60 - (60 if day > 4 else 0)))
    found.tick(END + timedelta(days=7, hours=1))
    for number in range(20):
        found.tick(END + timedelta(days=7, hours=1, seconds=number))
    assert found.open_cases(KIND) == []


def test_a_rule_that_is_withdrawn_asks_for_nothing_more() -> None:
    found = hub()
    found.withdraw("shift_count", f"{SITE}|icu/cab1")
    found.tick(NEXT_END + timedelta(days=1))
    assert found.open_cases(KIND) == []
