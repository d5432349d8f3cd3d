"""How old a fact may be, and how long its key is remembered (design §3, identity: 400 days; controlled substances three years)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from schemas.codes import Code
from schemas.raw import RawRef
from schemas.topics import OUTCOMES, QUARANTINE
from streams.site import memory
from streams.site.tables import DOSES, SEEN
from tests.support.facts import START, minutes, reversal, told
from tests.support.hub import SiteHub
from tests.support.world import ITEM, POCKET, SITE, item
from tests.unit.verify.logs import RecordedHub
from topology.verify.run import verify

DAY = timedelta(days=1)
YEARS = 3 * 365 * DAY
INSTANT = timedelta(microseconds=1)
FIRST_LOOK = timedelta(days=430)
"""After the first tick; then every 30 days."""


def knows(hub: SiteHub, key: str) -> bool:
    return hub.state.table(SEEN).get((SITE, key)) is not None


def again(event: Any, offset: int = 9_000) -> Any:
    """The same message once more: as a capture brings it, received when it was received first."""
    return replace(event, raw=RawRef(partition=0, offset=offset))


def agrees(hub: RecordedHub) -> bool:
    return verify(hub.logs()).differences == [] and hub.accounts_total() == 0


@pytest.mark.parametrize(
    ("schedule", "age", "code"),
    [
        (None, 400 * DAY, "posted"), (None, 400 * DAY + INSTANT, "too_old"),
        (2, 400 * DAY + INSTANT, "posted"), (2, YEARS, "posted"), (2, YEARS + INSTANT, "too_old"),
    ],
)  # fmt: skip
def test_a_fact_may_be_400_days_old_and_one_of_a_controlled_substance_three_years(
    schedule: int | None, age: timedelta, code: str
) -> None:
    hub = RecordedHub(item(schedule=schedule))
    hub.tell(told("count", 5, place=POCKET, at=START - age, received_at=START))
    assert (hub.outcomes(), hub.on_hand(POCKET)) == ([code], 5 if code == "posted" else 0)
    if code == "too_old":
        [kept] = hub.all(QUARANTINE)
        assert f"more than {400 if schedule is None else 1095} days before it was received" in kept.reason
    assert agrees(hub)


def test_an_old_fact_of_an_item_that_nobody_knows_is_too_old() -> None:
    """It can't be told to be controlled, so the shorter horizon is its own."""
    hub = RecordedHub(item(schedule=2))
    unknown = (Code(system="local", value="new"),)
    hub.tell(told("count", 5, place=POCKET, at=START - 401 * DAY, received_at=START, codes=unknown))
    assert hub.outcomes() == ["too_old"]
    assert agrees(hub)


@pytest.mark.parametrize("schedule", [None, 2])
@pytest.mark.parametrize("age", [400 * DAY, 500 * DAY, YEARS])
def test_an_old_fact_and_its_reversal_end_the_same_in_any_order(schedule: int | None, age: timedelta) -> None:
    """A reversal names no item: its horizon is the longer one, so that it does not matter which came first."""
    counted = told("count", 9, place=POCKET, at=START - DAY, received_at=START, key="c")
    facts = [
        told("vend", 2, place=POCKET, at=START - age, received_at=START, key="v", patient="p"),
        reversal("v", at=START - age, received_at=START), counted,
    ]  # fmt: skip
    ends = set()
    for order in permutations(facts):
        hub = RecordedHub(item(schedule=schedule))
        hub.hear(*order)
        ends.add((hub.on_hand(POCKET), hub.accounts_total()))
        assert agrees(hub)
    assert ends == {(9, 0)}


def test_a_reversal_is_too_old_after_three_years() -> None:
    for age, code in ((YEARS, "reversal_first"), (YEARS + INSTANT, "too_old")):
        hub = RecordedHub()
        hub.tell(reversal("v", at=START - age, received_at=START))
        assert hub.outcomes() == [code]
        assert agrees(hub)


@pytest.mark.parametrize(("schedule", "horizon"), [(None, 400 * DAY), (2, YEARS)])
@pytest.mark.parametrize("early", [timedelta(0), INSTANT])
def test_a_key_is_forgotten_with_its_horizon_and_counts_once_all_the_same(
    schedule: int | None, horizon: timedelta, early: timedelta
) -> None:
    """Looked through on day 430 and every 30 days: what is exactly its horizon old then goes, what is a moment younger stays."""
    look = FIRST_LOOK if schedule is None else FIRST_LOOK + 690 * DAY
    hub = RecordedHub(item(schedule=schedule))
    hub.tick(START)
    event = told("count", 5, place=POCKET, at=START + look - horizon + early, received_at=START + look - horizon + early, key="c")
    hub.tell(event)
    hub.tick(START + look - INSTANT)
    assert knows(hub, "c")
    hub.tick(START + look)
    assert knows(hub, "c") is bool(early)
    hub.tell(again(event))
    assert hub.outcomes()[-1] == ("duplicate" if early else "too_old")
    assert hub.on_hand(POCKET) == 5
    assert agrees(hub)


def test_what_the_hub_received_of_a_time_it_has_forgotten_is_told_so() -> None:
    hub = RecordedHub()
    hub.tick(START)
    event = told("vend", 1, place=POCKET, key="v")
    hub.tell(event)
    hub.tick(START + FIRST_LOOK)
    hub.tell(again(event))
    assert hub.all(OUTCOMES)[-1].reason.startswith("happened 2026-03-02, and what the hub received of that time it knows for 400 days")
    fresh = SiteHub()
    fresh.tick(START + 2 * YEARS)
    fresh.tell(event)
    assert fresh.outcomes() == ["posted"], "old traffic as captures is taken where nothing of its time was forgotten"


def test_a_key_that_came_late_is_remembered_from_when_it_came() -> None:
    hub = RecordedHub()
    hub.tick(START)
    hub.tick(START + 300 * DAY)
    event = told("count", 5, place=POCKET, key="c")
    hub.tell(event)
    hub.tick(START + FIRST_LOOK)
    assert knows(hub, "c")
    hub.tell(again(event))
    assert (hub.outcomes()[-1], hub.on_hand(POCKET)) == ("duplicate", 5)
    assert agrees(hub)


def test_what_was_forgotten_before_its_item_was_scheduled_does_not_count_again() -> None:
    hub = RecordedHub()
    hub.tick(START)
    event = told("count", 5, place=POCKET, key="c")
    hub.tell(event)
    hub.tick(START + FIRST_LOOK)
    hub.learn(item(schedule=2))
    hub.tell(again(event))
    assert (hub.outcomes()[-1], hub.on_hand(POCKET)) == ("too_old", 5)
    recent = told("vend", 1, place=POCKET, at=START + FIRST_LOOK - 10 * DAY, received_at=START + FIRST_LOOK, key="v")
    hub.tell(recent)
    hub.tick(START + FIRST_LOOK + 480 * DAY)
    assert knows(hub, "v"), "it is one of a controlled substance now"
    hub.tell(again(recent, 9_001))
    assert (hub.outcomes()[-1], hub.on_hand(POCKET)) == ("duplicate", 4)
    assert agrees(hub)


def test_serial_numbers_and_requests_are_known_for_ever() -> None:
    hub = RecordedHub()
    hub.tick(START)
    package = told("receive", 1, place=POCKET, key="s", serial="S1", lot="L1")
    wish = told("request", 5, to=POCKET, key="r")
    hub.hear(package, wish, told("count", 3, place=POCKET, key="c"))
    hub.tick(START + YEARS + 100 * DAY)
    hub.tick(START + YEARS + 101 * DAY)
    assert [knows(hub, key) for key in ("s", "r", "c")] == [True, True, False]
    later = START + YEARS + 101 * DAY
    hub.tell(told("receive", 1, place=POCKET, key="s2", serial="S1", lot="L1", at=later, received_at=later))
    assert hub.outcomes()[-1] == "serial_again"


def test_many_keys_are_looked_through_a_few_with_each_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that come meanwhile stay; a whole round looks at every key."""
    monkeypatch.setattr(memory, "KEYS_PER_TICK", 3)
    hub = RecordedHub(flush_every=4)
    hub.tick(START)
    hub.hear(*(told("refill", 1, place=POCKET, key=f"k{number:02}", at=minutes(number)) for number in range(20)))
    hub.tick(START + FIRST_LOOK)
    left = []
    for number in range(20):
        hub.tell(told("refill", 1, place=POCKET, key=f"a{number}", at=START + FIRST_LOOK, received_at=START + FIRST_LOOK))
        hub.tick(START + FIRST_LOOK + timedelta(seconds=number + 1))
        left.append(sum(knows(hub, f"k{one:02}") for one in range(20)))
    assert left == sorted(left, reverse=True)
    assert (left[0] > 0, left[-1]) == (True, 0)
    assert all(knows(hub, f"a{number}") for number in range(20))
    assert hub.on_hand(POCKET) == 40
    assert agrees(hub)


def test_a_dose_that_was_taken_back_does_not_stand_again_when_its_key_is_forgotten() -> None:
    hub = RecordedHub(item(schedule=2))
    hub.tick(START)
    hub.hear(told("vend", 2, place=POCKET, key="v", patient="p"), reversal("v", at=minutes(5)))
    hub.hear(told("vend", 1, place=POCKET, key="w", patient="p", at=minutes(6)))
    hub.tick(START + YEARS + 60 * DAY)
    assert not knows(hub, "v")
    assert [key[5] for key, _ in hub.state.table(DOSES).scan((SITE, ITEM, "p"))] == ["w"]
    assert agrees(hub)
