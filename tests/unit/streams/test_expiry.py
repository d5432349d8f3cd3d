"""Expiry: a lot dated D is usable all of day D in the site's zone, then stays on hand and is not usable (`domain` §3.4)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from schemas.topics import ALERTS, BALANCES
from streams.times import end_of_day_us, from_us, local_date, start_of_day_us, to_us
from tests.support.facts import START, minutes, reversal, told
from tests.support.hub import SiteHub
from tests.support.world import POCKET, STORE, ZONE, ZONE_INFO, policy, site


def local(year: int, month: int, day: int, *time: int) -> datetime:
    return datetime(year, month, day, *time, tzinfo=ZONE_INFO).astimezone(UTC)


def stocked(expiry: date, *more: object) -> SiteHub:
    hub = SiteHub(*more)
    hub.tell(told("receive", 10, place=STORE, at=START, lot="L2", expiry=expiry))
    return hub


@pytest.mark.parametrize(
    ("day", "midnight"),
    [
        (date(2026, 5, 31), datetime(2026, 6, 1, 4, tzinfo=UTC)),  # summer: UTC−4
        (date(2026, 12, 31), datetime(2027, 1, 1, 5, tzinfo=UTC)),  # winter: UTC−5
        (date(2026, 3, 8), datetime(2026, 3, 9, 4, tzinfo=UTC)),  # the 23 hour day
        (date(2026, 11, 1), datetime(2026, 11, 2, 5, tzinfo=UTC)),  # the 25 hour day
        (date(2028, 2, 29), datetime(2028, 3, 1, 5, tzinfo=UTC)),
    ],
)
def test_a_day_ends_at_the_sites_midnight(day: date, midnight: datetime) -> None:
    assert from_us(end_of_day_us(day, ZONE)) == midnight
    assert start_of_day_us(day + timedelta(days=1), ZONE) == to_us(midnight)
    assert local_date(to_us(midnight), ZONE) == day + timedelta(days=1)
    assert local_date(to_us(midnight) - 1, ZONE) == day


@pytest.mark.parametrize(
    ("at", "usable"),
    [
        (local(2026, 5, 31, 0, 0), 10),
        (local(2026, 5, 31, 23, 59, 59), 10),
        (local(2026, 6, 1, 0, 0) - timedelta(microseconds=1), 10),
        (local(2026, 6, 1, 0, 0), 0),
        (local(2026, 6, 1, 12, 0), 0),
    ],
)
def test_a_lot_dated_the_31st_is_usable_all_that_day_at_the_site(at: datetime, usable: int) -> None:
    hub = stocked(date(2026, 5, 31))
    hub.tick(at)
    assert (hub.usable(STORE), hub.on_hand(STORE)) == (usable, 10)
    assert hub.latest(BALANCES)[0].status == ("available" if usable else "expired")


def test_another_zone_has_another_midnight() -> None:
    hub = stocked(date(2026, 5, 31), site(zone="Pacific/Auckland"))
    hub.tick(datetime(2026, 5, 31, 12, 0, tzinfo=UTC))
    assert hub.usable(STORE) == 0


def test_an_expired_lot_that_is_received_stands_on_hand_and_not_in_usable() -> None:
    hub = SiteHub()
    hub.tick(START)
    hub.tell(told("receive", 10, place=STORE, lot="L2", expiry=date(2026, 3, 1)))
    assert (hub.usable(STORE), hub.on_hand(STORE)) == (0, 10)


def test_lots_without_expiry_never_expire() -> None:
    hub = SiteHub()
    hub.tell(told("receive", 10, place=STORE, lot="L1"))
    hub.tick(START + timedelta(days=20_000))
    assert hub.usable(STORE) == 10


def test_expired_stock_only_is_a_stock_out_at_the_midnight_it_expired() -> None:
    hub = SiteHub(policy(STORE))
    hub.tell(told("receive", 20, place=STORE, lot="L2", expiry=date(2026, 3, 5)))
    hub.tick(local(2026, 3, 6, 0, 0))
    [command] = hub.open_commands()
    assert (command.urgency, command.opened_at) == ("stock_out", local(2026, 3, 6, 0, 0))


def test_taking_expired_stock_away_changes_on_hand_and_not_usable() -> None:
    hub = stocked(date(2026, 3, 5))
    hub.tell(told("receive", 5, place=STORE, lot="L1"))
    hub.tick(local(2026, 3, 6, 0, 0))
    hub.tell(told("expire", 10, place=STORE, at=local(2026, 3, 6, 8, 0), lot="L2"))
    assert (hub.usable(STORE), hub.on_hand(STORE)) == (5, 5)


def test_an_expiry_date_learned_late_holds_for_what_was_told_before() -> None:
    hub = SiteHub()
    hub.tell(told("receive", 10, place=STORE, lot="L2"))
    hub.tick(local(2026, 3, 10))
    assert hub.usable(STORE) == 10
    hub.tell(told("return", 1, place=POCKET, lot="L2", expiry=date(2026, 3, 5)))
    assert (hub.usable(STORE), hub.usable(POCKET)) == (0, 0)


def test_a_fact_told_late_from_before_the_expiry_is_usable_at_its_time_and_not_now() -> None:
    hub = stocked(date(2026, 3, 5))
    hub.tick(local(2026, 3, 10))
    hub.tell(told("dispense", 4, place=STORE, at=START + timedelta(hours=1), lot="L2"))
    assert (hub.usable(STORE), hub.on_hand(STORE)) == (0, 6)
    assert hub.open_cases("unusable_given") == []


@pytest.mark.parametrize(
    ("days_before", "said"),
    [(181, []), (180, ["180"]), (91, ["180"]), (90, ["180", "90"]), (31, ["180", "90"]), (30, ["180", "90", "30"]), (0, ["180", "90", "30", "0"])],
)
def test_a_lot_is_spoken_of_once_as_it_enters_each_window(days_before: int, said: list[str]) -> None:
    """No clock change lies between: a site in a zone without one."""
    expiry = date(2026, 12, 1)
    hub = SiteHub(site(zone="America/Phoenix"))
    hub.tell(told("receive", 10, place=STORE, lot="L2", expiry=expiry))
    for days in range(200, days_before - 1, -1):
        hub.tick(from_us(start_of_day_us(expiry - timedelta(days=days), "America/Phoenix")))
    texts = [one.text for one in hub.all(ALERTS) if one.kind in {"expiring", "expired"}]
    assert len(texts) == len(said)
    for text, window in zip(texts, said, strict=True):
        assert (f"within {window} days" if window != "0" else "last day") in text


def test_a_lot_that_arrives_inside_several_windows_is_spoken_of_once() -> None:
    hub = SiteHub()
    hub.tick(START)
    hub.tell(told("receive", 10, place=STORE, lot="L2", expiry=date(2026, 3, 20)))
    assert [one.kind for one in hub.all(ALERTS)] == ["expiring"]
    assert "within 30 days" in hub.all(ALERTS)[0].text


def test_a_lot_that_is_used_up_is_not_spoken_of() -> None:
    hub = stocked(date(2026, 6, 20))
    hub.tell(told("dispense", 10, place=STORE, lot="L2"))
    hub.tick(local(2026, 6, 19))
    assert hub.all(ALERTS) == [] or {one.kind for one in hub.all(ALERTS)} == {"expiring"}
    assert "within 30 days" not in " ".join(one.text for one in hub.all(ALERTS))


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 1, 0), (1, 2, 0)])
def test_the_expiry_of_a_fact_that_was_taken_back_holds_whichever_came_first(order: tuple[int, ...]) -> None:
    """The date was read off a box. That nobody put it there does not make the box younger (ADR 5)."""
    stream = [
        told("receive", 5, place=STORE, key="f", lot="L2", expiry=date(2026, 3, 1)), reversal("f", at=minutes(1)),
        told("receive", 3, place=STORE, at=minutes(2), lot="L2"),
    ]  # fmt: skip
    hub = SiteHub()
    hub.tick(START)
    hub.hear(*[stream[number] for number in order])
    assert (hub.on_hand(STORE), hub.usable(STORE)) == (3, 0)
    assert [one.status for one in hub.latest(BALANCES)] == ["expired"]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_expiry_in_an_older_version_holds_whichever_came_first(order: tuple[int, ...]) -> None:
    versions = [
        told("receive", 5, place=STORE, key="v1", replaces="v", version=1, lot="L2", expiry=date(2026, 3, 1)),
        told("receive", 3, place=STORE, key="v2", replaces="v", version=2, lot="L2"),
    ]
    hub = SiteHub()
    hub.tick(START)
    hub.hear(*[versions[number] for number in order])
    assert (hub.on_hand(STORE), hub.usable(STORE)) == (3, 0)


@pytest.mark.parametrize(
    "why", [{"no_effect": "cancelled at the cabinet"}, {"location_codes": ("NOWHERE",)}, {"kind": "dispense", "place": POCKET}]
)
def test_what_would_not_have_posted_says_nothing_of_its_lot(why: dict[str, Any]) -> None:
    """A fact without effect, at a place nobody knows, or of a feed without authority was never read: nor is it when taken back."""
    fields = {"kind": "receive", "place": STORE, "key": "f", "lot": "L2", "expiry": date(2026, 3, 1), **why}
    hub = SiteHub()
    hub.tick(START)
    hub.hear(reversal("f"), told(fields.pop("kind"), 5, **fields), told("receive", 3, place=STORE, lot="L2"))
    assert hub.usable(STORE) == 3
