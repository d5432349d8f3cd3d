"""Expiry windows by item class and site: a lot is spoken of once when it enters one, whenever that became known (`domain` §3.4)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from schemas.reference import ExpiryWindow
from schemas.topics import ALERTS
from tests.support.facts import START, day, minutes, reversal, told
from tests.support.hub import SiteHub
from tests.support.world import POCKET, SITE, STORE, item, site


def said(hub: SiteHub) -> list[str]:
    """The windows that were spoken of, in the order said: days, or the last day."""
    texts = [one.text for one in hub.all(ALERTS) if one.kind == "expiring"]
    return [text.split("within ")[1].split()[0] if "within" in text else "0" for text in texts]


def stocked(expiry: date | None, *more: Any, lot: str = "L2") -> SiteHub:
    hub = SiteHub(*more)
    hub.tick(START)
    hub.tell(told("receive", 10, place=STORE, lot=lot, expiry=expiry, key="r"))
    return hub


def pass_days(hub: SiteHub, *numbers: int) -> SiteHub:
    for number in numbers:
        hub.tick(START + timedelta(days=number))
    return hub


@pytest.mark.parametrize(
    ("changes", "windows"),
    [
        ({"item_class": "biologic"}, ["60", "10"]),
        ({"schedule": 2}, ["45"]),
        ({"storage": "fridge"}, ["20"]),
        ({"item_class": "biologic", "schedule": 2, "storage": "fridge"}, ["60", "10"]),
        ({"item_class": "other", "storage": "fridge"}, ["20"]),
        ({}, ["90", "30", "0"]),
    ],
)
def test_the_windows_of_the_items_class_stand_in_for_those_of_the_site(changes: dict[str, Any], windows: list[str]) -> None:
    """An item's own class first, then controlled, then how it is stored; else the site's 90, 30 and 0 (180 is over at once)."""
    classes = [
        ExpiryWindow(site=SITE, item_class="biologic", days=(60, 10)), ExpiryWindow(site=SITE, item_class="controlled", days=(45,)),
        ExpiryWindow(site=SITE, item_class="fridge", days=(20,)), ExpiryWindow(site="south", item_class="room", days=(70,)),
    ]  # fmt: skip
    hub = stocked(day(100), item(**changes), *classes, site(expiry_windows_days=(90, 30, 0)))
    assert said(pass_days(hub, *range(1, 102))) == windows


def test_a_class_with_no_windows_is_never_spoken_of() -> None:
    hub = stocked(day(10), ExpiryWindow(site=SITE, item_class="room", days=()))
    assert said(pass_days(hub, *range(1, 12))) == []


def test_a_window_is_said_once_however_often_the_expiry_is_stated() -> None:
    """The date is corrected to an earlier one inside the same window: what was due for the later date says nothing again."""
    hub = stocked(day(33))
    pass_days(hub, 1)
    hub.tell(told("receive", 1, place=STORE, at=minutes(9), lot="L2", expiry=day(32)))
    assert said(pass_days(hub, *range(2, 20))) == ["90", "90", "30"]
    assert len({one.alert_id for one in hub.all(ALERTS)}) == 3


def test_an_expiry_that_becomes_known_late_is_said_then() -> None:
    hub = pass_days(stocked(None), 5)
    assert said(hub) == []
    hub.tell(told("return", 1, place=POCKET, at=START + timedelta(days=5), lot="L2", expiry=day(20)))
    assert said(hub) == ["30"]


def test_windows_that_change_are_said_where_a_lot_is_inside_and_not_again_where_it_was_said() -> None:
    hub = stocked(day(50))
    assert said(hub) == ["90"]
    hub.learn(site(expiry_windows_days=(90, 60, 30)))
    hub.learn(site(expiry_windows_days=(90, 60)))
    hub.learn(site(expiry_windows_days=(90, 60, 30)))
    assert said(hub) == ["90", "60"]
    assert said(pass_days(hub, 20)) == ["90", "60", "30"]


def test_a_window_that_is_taken_away_before_a_lot_enters_it_is_not_said() -> None:
    hub = stocked(day(50))
    hub.learn(site(expiry_windows_days=(90,)))
    assert said(pass_days(hub, *range(1, 52))) == ["90"]


def test_windows_of_a_class_hold_for_lots_that_are_there_already() -> None:
    hub = stocked(day(50), item(item_class="biologic"))
    hub.learn(ExpiryWindow(site=SITE, item_class="biologic", days=(55,)))
    hub.withdraw("expiry_window", f"{SITE}|biologic")
    assert said(hub) == ["90", "55"]


def test_an_item_that_gets_another_class_goes_by_its_windows() -> None:
    hub = stocked(day(50), ExpiryWindow(site=SITE, item_class="biologic", days=(55,)))
    hub.learn(item(item_class="biologic"))
    assert said(hub) == ["90", "55"]


def test_a_lot_that_is_gone_when_it_enters_a_window_is_not_spoken_of() -> None:
    hub = stocked(day(50))
    hub.tell(told("dispense", 10, place=STORE, at=minutes(5), lot="L2"))
    assert said(pass_days(hub, *range(1, 52))) == ["90"]


def test_a_lot_that_was_gone_and_comes_back_inside_a_window_is_spoken_of_then() -> None:
    hub = stocked(day(50))
    hub.tell(told("dispense", 10, place=STORE, at=minutes(5), lot="L2"))
    pass_days(hub, 25)
    hub.tell(told("return", 2, place=POCKET, at=START + timedelta(days=25), lot="L2"))
    assert said(hub) == ["90", "30"]
    assert "2 tablet of lot L2" in hub.all(ALERTS)[-1].text
    hub.tell(told("return", 1, place=POCKET, at=START + timedelta(days=26), lot="L2"))
    assert said(hub) == ["90", "30"]


def test_a_receipt_that_was_taken_back_is_not_spoken_of() -> None:
    hub = stocked(day(50))
    hub.tell(reversal("r", at=minutes(1)))
    assert said(pass_days(hub, 25)) == ["90"]
