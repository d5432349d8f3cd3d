"""One business key posts once (`domain` §3.11): duplicates, conflicts, what is too old."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from schemas.raw import RawRef
from schemas.topics import OUTCOMES, QUARANTINE
from streams.site.memory import HORIZON_DAYS
from tests.support.facts import START, day, decision, minutes, told
from tests.support.hub import SiteHub
from tests.support.world import OTHER_POCKET, POCKET

FIRST = told("vend", 2, place=POCKET, key="k", lot="L1", control_id="MSG1", transaction_id="T1")


@pytest.mark.parametrize(
    "again",
    [
        {},
        {"control_id": "MSG2"},
        {"received_at": minutes(500)},
        {"raw": RawRef(partition=3, offset=77)},
        {"quantity": Decimal("2.000")},
        {"actor": "nurse-9"},
        {"order_id": "O9", "patient": "hash"},
    ],
    ids=lambda changes: ",".join(changes) or "the same bytes",
)
def test_the_same_fact_resent_is_a_duplicate(again: dict[str, Any]) -> None:
    hub = SiteHub()
    hub.hear(FIRST, replace(FIRST, **again))
    assert hub.on_hand(POCKET) == -2
    assert hub.outcomes() == ["posted", "duplicate"]
    assert FIRST.event_id in hub.all(OUTCOMES)[1].reason


@pytest.mark.parametrize(
    "other",
    [
        {"quantity": Decimal(3)}, {"lot": "L2"}, {"pocket": "p9"}, {"location_codes": (OTHER_POCKET,)}, {"unit": "mg"},
        {"occurred": minutes(1)}, {"expiry": day(9)}, {"serial": "S1"}, {"container": "c1"}, {"codes": ()},
    ],
    ids=lambda changes: next(iter(changes)),
)  # fmt: skip
def test_the_same_key_with_other_stock_bearing_fields_is_a_case_and_posts_nothing(other: dict[str, Any]) -> None:
    hub = SiteHub()
    second = replace(FIRST, raw=RawRef(partition=3, offset=77), **other)
    hub.hear(FIRST, second)
    assert hub.on_hand(POCKET) == -2
    assert hub.outcomes() == ["posted", "conflicting_duplicate"]
    [case] = hub.open_cases("conflicting_duplicate")
    assert case.facts == {"first_raw": [0, FIRST.raw.offset, 0], "second_raw": [3, 77, 0]}


def test_a_conflict_that_is_resent_is_one_case() -> None:
    hub = SiteHub()
    second = replace(FIRST, quantity=Decimal(3))
    hub.hear(FIRST, second, second)
    assert len(hub.open_cases("conflicting_duplicate")) == 1
    assert [one.kind for one in hub.all("cases")] == ["negative_stock", "conflicting_duplicate"]


UNNUMBERED = told("vend", 2, place=POCKET, key="u", control_id="MSG1")


def test_two_facts_that_nothing_tells_apart_count_once_and_ask_a_person() -> None:
    """Two real vends in one minute without a transaction id, or a queue replayed with new ids: nobody can know."""
    hub = SiteHub()
    hub.hear(UNNUMBERED, replace(UNNUMBERED, control_id="MSG2"), replace(UNNUMBERED, control_id="MSG3"))
    assert hub.on_hand(POCKET) == -2
    assert hub.outcomes() == ["posted", "duplicate", "duplicate"]
    [case] = hub.open_cases("ambiguous_duplicate")
    assert "MSG1 and MSG2" in case.text


@pytest.mark.parametrize(
    "told_apart",
    [{"transaction_id": "T1"}, {"order_id": "O1"}, {"serial": "S1"}, {"device_sequence": 7}, {"begin_count": Decimal(9)}],
    ids=lambda changes: next(iter(changes)),
)
def test_a_numbered_or_counted_fact_that_comes_again_is_a_plain_duplicate(told_apart: dict[str, Any]) -> None:
    hub = SiteHub()
    first = replace(UNNUMBERED, **told_apart)
    hub.hear(first, replace(first, control_id="MSG2"))
    assert hub.open_cases("ambiguous_duplicate") == []


def test_a_resend_under_its_own_control_id_is_a_plain_duplicate() -> None:
    hub = SiteHub()
    hub.hear(UNNUMBERED, UNNUMBERED, replace(UNNUMBERED, control_id=None))
    assert hub.outcomes() == ["posted", "duplicate", "duplicate"]
    assert hub.open_cases("ambiguous_duplicate") == []


def test_a_reused_control_id_with_another_key_is_another_fact() -> None:
    hub = SiteHub()
    hub.hear(FIRST, replace(FIRST, event_key="k2", event_id="e2"))
    assert hub.on_hand(POCKET) == -4


def test_the_same_key_at_another_site_is_another_fact() -> None:
    from tests.support.world import places, site

    hub = SiteHub(site(id="south", facility_codes=()), *[replace(one, site="south") for one in places()])
    hub.hear(FIRST, replace(FIRST, site="south", event_id="e2"))
    assert hub.outcomes() == ["posted", "posted"]


@pytest.mark.parametrize(("age", "code"), [(timedelta(0), "posted"), (timedelta(microseconds=1), "too_old")])
def test_what_is_older_than_the_horizon_is_quarantined_whole(age: timedelta, code: str) -> None:
    hub = SiteHub()
    event = told("vend", 2, place=POCKET, at=START - age, received_at=START + timedelta(days=HORIZON_DAYS))
    hub.tell(event)
    assert hub.outcomes() == [code]
    if code == "too_old":
        [kept] = hub.all(QUARANTINE)
        assert b'"vend"' in base64.b64decode(kept.body_base64)
        assert hub.on_hand(POCKET) == 0


def test_an_order_is_never_too_old() -> None:
    hub = SiteHub()
    hub.tell(told("order", 2, place=POCKET, received_at=START + timedelta(days=2_000)))
    assert hub.outcomes() == ["no_movement"]


def test_test_traffic_never_posts() -> None:
    hub = SiteHub()
    hub.tell(replace(FIRST, test=True))
    assert hub.outcomes() == ["test_traffic"]
    assert hub.on_hand(POCKET) == 0


def test_an_outcome_declares_how_many_items_the_message_held() -> None:
    hub = SiteHub()
    hub.tell(FIRST, items=7)
    assert hub.all(OUTCOMES)[0].items == 7


def test_a_case_is_closed_by_a_person_and_an_unknown_target_is_told() -> None:
    hub = SiteHub()
    hub.hear(FIRST)
    [case] = hub.open_cases("negative_stock")
    hub.say(decision(case.case_id, "close", "ph-1"))
    hub.say(decision("nothing", "close", "ph-1"))
    assert hub.open_cases() == []
    assert hub.latest("cases")[0].closed_by == "ph-1"
    assert hub.outcomes()[-2:] == ["closed", "unknown_target"]


def test_every_outcome_of_a_scan_says_which_scan_it_was() -> None:
    """Posted, duplicate, conflicting, held, too old; the outcomes of other feeds say nothing."""
    scan = told("receive", 2, place=POCKET, key="scan|s|1")
    held = told("receive", 2, place="nowhere", key="scan|s|2")
    old = told("receive", 2, place=POCKET, key="scan|s|3", received_at=START + timedelta(days=HORIZON_DAYS + 1))
    hub = SiteHub()
    hub.hear(scan, scan, replace(scan, quantity=Decimal(3)), held, old, FIRST)
    told_of = [(one.code, one.event_key) for one in hub.all(OUTCOMES)]
    assert told_of == [
        ("posted", "scan|s|1"), ("duplicate", "scan|s|1"), ("conflicting_duplicate", "scan|s|1"),
        ("unknown_location", "scan|s|2"), ("too_old", "scan|s|3"), ("posted", None),
    ]  # fmt: skip
