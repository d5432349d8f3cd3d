"""Clocks that run ahead, and removals on override: counted as stated, and said (`domain` §3.11, clock rules)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from schemas.topics import ALERTS, MOVEMENTS
from tests.support.facts import START, minutes, told
from tests.support.world import ITEM, POCKET
from tests.unit.verify.logs import RecordedHub
from topology.verify.run import verify


def vend(minute: float, ahead: float = 0, device: str = "ICU-CAB1", **more: Any) -> Any:
    at = minutes(minute)
    return told("vend", 1, place=device, pocket="d1/p1", at=at, received_at=at - timedelta(minutes=ahead), **more)


@pytest.mark.parametrize(("ahead", "cases"), [(0, 0), (5, 0), (5.1, 1), (90, 1), (-600, 0)])
def test_an_event_ahead_of_its_receipt_keeps_its_time_and_is_a_case_of_its_device(ahead: float, cases: int) -> None:
    site = RecordedHub()
    site.hear(vend(60, ahead))
    assert [one.occurred for one in site.all(MOVEMENTS)] == [minutes(60)]
    found = site.open_cases("clock_ahead")
    assert len(found) == cases
    assert all("the clock of ICU-CAB1 (feed feed-1) is ahead by" in one.text for one in found)
    assert verify(site.logs()).differences == []


def test_it_is_one_case_that_closes_when_the_clock_is_right_and_opens_again() -> None:
    site = RecordedHub()
    site.hear(vend(60, 30), vend(70, 30), told("vend", 1, place=POCKET, at=START))
    assert len(site.open_cases("clock_ahead")) == 1, "another name of the place, another device"
    site.hear(vend(80))
    assert site.open_cases("clock_ahead") == []
    site.hear(vend(90, 30))
    assert len(site.open_cases("clock_ahead")) == 1


def test_a_removal_on_override_counts_and_is_said_once() -> None:
    site = RecordedHub()
    taken = vend(5, override=True, key="v1")
    site.hear(taken, taken, vend(6))
    (alert,) = site.all(ALERTS)
    assert (alert.kind, alert.item, alert.text) == (
        "override",
        ITEM,
        "amox 250 mg tablet was taken at icu/cab1/d1/p1 on override by nurse-1, with no order: verify it",
    )
    assert site.on_hand(POCKET) == -2
