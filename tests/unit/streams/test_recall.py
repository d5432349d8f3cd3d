"""Recalls: matching, blocking wherever the lot lies, release, and reading a notice again (`domain` §3.8)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from schemas.codes import Code
from schemas.reference import RecallNotice
from schemas.topics import ALERTS, BALANCES, CASES, COMMANDS, RECALLS
from tests.support.facts import BY_ITEM, BY_PRODUCT, START, minutes, told
from tests.support.hub import SiteHub
from tests.support.world import POCKET, STORE, item, policy, product

TEVA = Code(system="local", value="TEVA")


def notice(**changes: Any) -> RecallNotice:
    fields = {"id": "R1", "classification": "II", "products": ("amox-hospira",), "lots": ("ab-0123 ",), "reason": "glass"}
    return RecallNotice(**{**fields, **changes})


def stocked(lot: str = "AB0123", **changes: Any) -> SiteHub:
    hub = SiteHub(item("ibu"), product("ibu-teva", item="ibu", ndc="0093-1234-01", gtin=None))
    hub.tick(START)
    hub.tell(told("receive", 10, place=STORE, lot=lot, **changes))
    return hub


@pytest.mark.parametrize(
    ("lot", "recalled", "covered"),
    [
        ("AB0123", "ab-0123 ", True), ("ab 0123", "AB0123", True), ("0123", "123", False), ("123", "0123", False),
        ("AB0123", "AB012", False), ("AB012", "AB0123", False),
    ],
)  # fmt: skip
def test_lot_numbers_match_without_case_blanks_and_hyphens_but_with_leading_zeros(lot: str, recalled: str, covered: bool) -> None:
    hub = stocked(lot)
    hub.learn(notice(lots=(recalled,)))
    assert hub.usable(STORE) == (0 if covered else 10)
    assert hub.on_hand(STORE) == 10


def test_all_lots_of_a_product_may_be_recalled_and_other_products_are_not() -> None:
    hub = stocked("X")
    hub.tell(told("receive", 4, place=STORE, lot="X", codes=item("ibu").codes))
    hub.learn(notice(lots=(), all_lots=True))
    assert hub.usable(STORE) == 0
    assert hub.usable(STORE, "ibu") == 4


def test_a_lot_whose_product_is_not_stated_is_covered_when_it_could_be_the_products() -> None:
    hub = SiteHub(product("amox-teva", ndc="0093-1234-01", gtin=None))
    hub.tick(START)
    hub.tell(told("receive", 10, place=STORE, lot="AB0123", codes=BY_ITEM))
    hub.learn(notice())
    assert hub.usable(STORE) == 0


def test_a_recall_reaches_the_lot_wherever_it_lies_and_says_so() -> None:
    hub = stocked()
    hub.tell(told("refill", 3, place=POCKET, at=minutes(1), lot="AB0123"))
    hub.tick(minutes(10))
    hub.learn(notice())
    assert (hub.usable(STORE), hub.usable(POCKET)) == (0, 0)
    assert {one.status for one in hub.latest(BALANCES)} == {"recalled"}
    assert [one.kind for one in hub.all(ALERTS)] == ["recall"]
    assert "class II" in hub.all(ALERTS)[0].text
    assert [one.kind for one in hub.open_cases()] == ["recall"]


def test_a_recalled_lot_may_open_a_need() -> None:
    hub = stocked()
    hub.tick(minutes(5))
    hub.learn(policy(STORE))
    hub.tick(minutes(10))
    hub.learn(notice())
    assert [(one.urgency, one.opened_at) for one in hub.open_commands()] == [("stock_out", minutes(10))]


def test_reading_the_same_notice_again_changes_nothing() -> None:
    hub = stocked()
    hub.learn(notice())
    before = hub.on_hand(STORE), len(hub.all(ALERTS)), len(hub.all(CASES)), len(hub.all(COMMANDS))
    hub.tick(minutes(10))
    hub.learn(notice())
    assert (hub.on_hand(STORE), len(hub.all(ALERTS)), len(hub.all(CASES)), len(hub.all(COMMANDS))) == before


def test_a_release_by_an_authority_makes_the_lot_usable_from_then_on() -> None:
    hub = stocked()
    hub.learn(notice())
    hub.tick(minutes(60))
    hub.learn(notice(released="recall coordinator"))
    assert hub.usable(STORE) == 10
    assert hub.latest(BALANCES)[0].status == "available"
    hub.tell(told("dispense", 1, place=STORE, at=minutes(30), lot="AB0123"))
    assert len(hub.open_cases("unusable_given")) == 1, "given while it was recalled"
    hub.tell(told("dispense", 1, place=STORE, at=minutes(61), lot="AB0123"))
    assert len(hub.open_cases("unusable_given")) == 1


def test_a_release_of_what_was_never_blocked_changes_nothing() -> None:
    hub = stocked()
    before = len(hub.outputs)
    hub.learn(notice(released="recall coordinator"))
    assert {one.topic for one in hub.outputs[before:]} == {RECALLS}, "that it was read, and nothing else"


def test_a_lot_that_arrives_after_its_recall_is_not_usable() -> None:
    hub = SiteHub()
    hub.tick(START)
    hub.learn(notice())
    hub.tell(told("receive", 10, place=STORE, at=minutes(5), lot="ab0123"))
    assert (hub.usable(STORE), hub.on_hand(STORE)) == (0, 10)


def test_a_lot_that_is_first_heard_of_after_its_recall_is_said_as_one_that_lay_here_is() -> None:
    hub = SiteHub()
    hub.tick(START)
    hub.learn(notice())
    assert hub.open_cases() == []
    for minute in (5, 6):
        hub.tell(told("receive", 10, place=STORE, at=minutes(minute), lot="ab0123"))
    assert [one.text for one in hub.all(ALERTS)] == ["lot ab0123 of amox is recalled (class II): glass"]
    assert [one.kind for one in hub.open_cases()] == ["recall"]


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 2, 0), (2, 0, 1)])
def test_a_lot_that_could_have_been_a_recalled_product_is_let_go_when_it_is_known_to_be_another(order: tuple[int, ...]) -> None:
    """10 told by the item's code, 1 by the code of the product that was not recalled: all 11 are of that product."""
    hub = SiteHub(product("amox-teva", ndc="0093-1234-01", gtin=None, codes=(TEVA,)))
    hub.tick(START)
    steps = [
        lambda: hub.tell(told("receive", 10, place=STORE, lot="AB0123", codes=BY_ITEM)),
        lambda: hub.learn(notice()),
        lambda: hub.tell(told("receive", 1, place=STORE, at=minutes(1), lot="AB0123", codes=(TEVA,))),
    ]
    for number in order:
        steps[number]()
    hub.tick(minutes(60))
    assert (hub.on_hand(STORE), hub.usable(STORE)) == (11, 11)
    assert {one.status for one in hub.latest(BALANCES)} == {"available"}


def test_a_lot_that_is_known_to_be_of_the_recalled_product_stays_blocked() -> None:
    hub = SiteHub(product("amox-teva", ndc="0093-1234-01", gtin=None, codes=(TEVA,)))
    hub.tick(START)
    hub.tell(told("receive", 10, place=STORE, lot="AB0123", codes=BY_ITEM))
    hub.learn(notice())
    hub.tell(told("receive", 1, place=STORE, at=minutes(1), lot="AB0123", codes=BY_PRODUCT))
    hub.tick(minutes(60))
    assert hub.usable(STORE) == 0


def test_a_lot_that_arrives_after_the_release_is_usable() -> None:
    hub = SiteHub()
    hub.tick(START)
    hub.learn(notice())
    hub.learn(notice(released="recall coordinator"))
    hub.tell(told("receive", 10, place=STORE, at=minutes(5), lot="ab0123"))
    assert hub.usable(STORE) == 10


def test_a_recalled_lot_that_was_given_posts_and_is_a_case() -> None:
    hub = stocked()
    hub.learn(notice())
    hub.tell(told("dispense", 2, place=STORE, at=minutes(1), lot="AB0123"))
    assert hub.on_hand(STORE) == 8
    assert len(hub.open_cases("unusable_given")) == 1


def test_a_dispense_before_the_notice_that_is_told_late_was_no_fault() -> None:
    hub = stocked()
    hub.tick(START + timedelta(days=1))
    hub.learn(notice())
    hub.tell(told("dispense", 2, place=STORE, at=minutes(1), lot="AB0123", patient="hash"))
    assert hub.open_cases("unusable_given") == []
    assert [one.patient for one in hub.all("stock.movements") if one.lot == "AB0123"][-1] == "hash"
