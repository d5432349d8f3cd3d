"""Expired stock: segregated, proposed to be destroyed, destroyed by two people (`domain` §3.4; design §5)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from schemas.kinds import CommandKind, LocationKind
from schemas.reference import ApprovalRule, RecallNotice, Role
from schemas.topics import BALANCES, CASES, COMMANDS, MOVEMENTS
from tests.support.facts import START, day, decision, minutes, reversal, told
from tests.support.hub import SiteHub
from tests.support.world import POCKET, STORE, item, location, policy, product, site
from tests.unit.streams.test_expiry import local

BIN = "quarantine"
DUE = local(2026, 3, 13)
"""The lot's last day is 5 March; seven days after it, 12 March is over."""


def hub(*more: Any, days: int | None = 7) -> SiteHub:
    """Ten tablets of a lot whose last day is 5 March lie in the store; a quarantine place is there."""
    made = SiteHub(site(destroy_after_days=days), location(BIN, LocationKind.QUARANTINE, codes=("BIN",)), *more)
    made.tick(START)
    made.tell(told("receive", 10, place=STORE, lot="L2", expiry=day(3), key="r"))
    return made


def destroys(site_hub: SiteHub) -> list[Any]:
    return [one for one in site_hub.latest(COMMANDS) if one.kind is CommandKind.DESTROY]


def only(site_hub: SiteHub) -> Any:
    [command] = destroys(site_hub)
    return command


def discard(quantity: int, place: str = STORE, **changes: Any) -> Any:
    fields = {"lot": "L2", "actor": "amy", "witness": "wim", "at": DUE + timedelta(hours=1), **changes}
    return told("discard", quantity, place=place, **fields)


def test_expired_stock_that_lies_longer_than_the_site_allows_is_proposed_to_be_destroyed() -> None:
    made = hub()
    made.tick(DUE - timedelta(microseconds=1))
    assert destroys(made) == []
    made.tick(DUE)
    command = only(made)
    assert (command.location, command.quantity, command.state, command.opened_at) == (STORE, 10, "issued", DUE)
    assert [(one.lot, one.quantity, one.expiry) for one in command.lots] == [("L2", 10, day(3))]
    assert "expired on 2026-03-05" in command.proof["trigger"]


def test_a_site_that_sets_no_days_is_proposed_nothing() -> None:
    made = hub(days=None)
    made.tick(DUE + timedelta(days=400))
    assert destroys(made) == []


def test_domain_3_4_expired_stock_is_on_hand_until_it_is_destroyed() -> None:
    made = hub(policy(STORE))
    made.tick(DUE)
    assert (made.on_hand(STORE), made.usable(STORE)) == (10, 0)
    made.tell(discard(10))
    assert (made.on_hand(STORE), only(made).state) == (0, "satisfied")
    assert [(one.kind, one.quantity, one.to_account, one.witness) for one in made.all(MOVEMENTS)][-1] == ("discard", 10, "waste", "wim")


def test_expired_only_stock_is_a_stock_out_of_the_place() -> None:
    made = hub(policy(STORE))
    made.tick(local(2026, 3, 6))
    [need] = made.open_commands()
    assert (need.urgency, need.proof["position"]["on_hand"]) == ("stock_out", 10)


def test_segregated_stock_is_proposed_at_the_place_where_it_lies() -> None:
    made = hub()
    made.tick(local(2026, 3, 6))
    made.tell(told("put_away", 10, place=STORE, to=BIN, at=local(2026, 3, 6, 8), lot="L2"))
    assert [(one.location, one.status) for one in made.latest(BALANCES)] == [(BIN, "quarantined")]
    made.tick(DUE)
    assert only(made).location == BIN


def test_what_is_segregated_after_it_was_proposed_is_proposed_anew_where_it_lies_now() -> None:
    made = hub()
    made.tick(DUE)
    made.tell(told("put_away", 10, place=STORE, to=BIN, at=DUE + timedelta(hours=1), lot="L2"))
    states = {one.location: one.state for one in destroys(made)}
    assert states == {STORE: "cancelled", BIN: "issued"}
    made.tell(discard(10, BIN, at=DUE + timedelta(hours=2)))
    assert {one.location: one.state for one in destroys(made)} == {STORE: "cancelled", BIN: "satisfied"}


def test_the_command_follows_what_lies_there() -> None:
    made = hub()
    made.tick(DUE)
    made.tell(discard(4))
    assert (only(made).quantity, only(made).lots[0].quantity, only(made).state) == (6, 6, "issued")
    made.tell(told("return", 3, place=STORE, at=DUE + timedelta(hours=2), lot="L2"))
    assert only(made).quantity == 9


def test_expired_stock_that_comes_back_after_it_was_destroyed_is_proposed_again() -> None:
    made = hub()
    made.tick(DUE)
    made.tell(discard(10))
    made.tell(told("return", 2, place=STORE, at=DUE + timedelta(hours=2), lot="L2"))
    assert (only(made).state, only(made).quantity, only(made).closed_at) == ("issued", 2, None)
    assert [one.revision for one in made.all(COMMANDS)] == [1, 2, 3]


@pytest.mark.parametrize("first", ["stock", "time"])
def test_what_is_reported_late_is_proposed_as_if_it_had_been_known(first: str) -> None:
    made = SiteHub(site(destroy_after_days=7))
    receipt = told("receive", 10, place=STORE, lot="L2", expiry=day(3))
    made.tick(START)
    if first == "stock":
        made.tell(receipt)
    made.tick(DUE)
    if first == "time":
        made.tell(receipt)
    assert (only(made).quantity, only(made).opened_at) == (10, DUE)


def test_days_that_are_set_later_hold_for_what_lies_there_and_days_taken_away_end_the_proposal() -> None:
    made = hub(days=None)
    made.tick(DUE)
    made.learn(site(destroy_after_days=7))
    assert only(made).state == "issued"
    made.learn(site(destroy_after_days=30))
    assert (only(made).state, only(made).reason) == ("cancelled", "the site allows it to lie longer")


def test_recalled_stock_is_not_proposed_for_its_notice_says_what_to_do() -> None:
    made = hub()
    made.tick(DUE)
    made.learn(RecallNotice(id="R1", classification="II", products=("amox-hospira",), lots=("L2",)))
    assert only(made).state == "cancelled"
    made.learn(RecallNotice(id="R1", classification="II", products=("amox-hospira",), lots=("L2",), released="FDA"))
    assert only(made).state == "issued"


# ---- approvals -------------------------------------------------------------------------------------------------------

RULE = ApprovalRule(id="destroy", role="pharmacist", kinds=(CommandKind.DESTROY,), value_from=Decimal(1))
PAT = Role(person="pat", role="pharmacist")


def test_design_5_a_destruction_waits_for_the_approval_that_the_rules_ask_for() -> None:
    made = hub(RULE, PAT, product(unit_cost=Decimal("0.25")))
    made.tick(DUE)
    command = only(made)
    assert (command.state, command.approval_role, command.proof["estimated_value"]) == ("awaiting_approval", "pharmacist", "2.50")
    made.say(decision(command.command_id, "approve", "pat", DUE))
    assert only(made).state == "issued"


def test_who_approved_less_has_not_approved_more() -> None:
    made = hub(RULE, PAT, product(unit_cost=Decimal("0.25")))
    made.tick(DUE)
    made.say(decision(only(made).command_id, "approve", "pat", DUE))
    made.tell(discard(4))
    assert only(made).state == "issued"
    made.tell(told("return", 1, place=STORE, at=DUE + timedelta(hours=2), lot="L2"))
    assert (only(made).state, only(made).quantity) == ("awaiting_approval", 7)


def test_a_destruction_that_a_person_cancels_is_not_proposed_again_while_the_stock_lies_there() -> None:
    made = hub(PAT)
    made.tick(DUE)
    made.say(decision(only(made).command_id, "cancel", "pat", DUE))
    made.tell(told("return", 1, place=STORE, at=DUE + timedelta(hours=2), lot="L2"))
    made.tick(DUE + timedelta(days=3))
    assert only(made).state == "cancelled"


def test_a_controlled_destruction_asks_for_a_document_reference() -> None:
    made = hub(item(schedule=2))
    made.tick(DUE)
    assert ("DEA Form 41" in only(made).proof["document_required"], only(made).document) == (True, None)


# ---- two people ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("people", "opens"),
    [
        ({"actor": "amy", "witness": "wim"}, False),
        ({"actor": "amy", "witness": "amy"}, True),
        ({"actor": "amy", "witness": None}, True),
        ({"actor": None, "witness": "wim"}, True),
    ],
)
def test_expired_stock_destroyed_without_two_distinct_people_posts_and_is_a_case(people: dict[str, Any], opens: bool) -> None:
    made = hub()
    made.tick(DUE)
    made.tell(discard(10, **people))
    assert made.on_hand(STORE) == 0
    assert [one.kind for one in made.open_cases()] == (["unwitnessed_destruction"] if opens else [])


def test_stock_in_a_quarantine_place_is_destroyed_by_two_people_too() -> None:
    made = hub()
    made.hear(told("receive", 5, place=BIN, lot="L9", expiry=day(500)), discard(5, BIN, lot="L9", at=minutes(5), witness=None))
    assert [one.kind for one in made.open_cases()] == ["unwitnessed_destruction"]


def test_usable_stock_that_is_broken_needs_no_witness() -> None:
    made = hub()
    made.tell(discard(1, at=minutes(5), witness=None))
    assert made.open_cases() == []


def test_a_destruction_of_a_controlled_substance_alone_is_one_case_and_not_two() -> None:
    made = hub(item(schedule=2))
    made.tick(DUE)
    made.tell(discard(10, witness=None))
    assert [one.kind for one in made.open_cases() if "unwitnessed" in one.kind] == ["unwitnessed_waste"]


def test_a_destruction_that_is_taken_back_leaves_the_proposal_as_it_was() -> None:
    made = hub()
    made.tick(DUE)
    made.hear(discard(10, key="d"), reversal("d", at=DUE + timedelta(hours=2)))
    assert (only(made).state, only(made).quantity) == ("issued", 10)
    assert made.latest(CASES) == []
    assert made.on_hand(POCKET) == 0
