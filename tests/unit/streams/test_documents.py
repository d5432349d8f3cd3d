"""Controlled purchases, transfers and returns are not executable before their document is named (design §5; 21 CFR 1305.03)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from schemas.controlled import ControlledPolicy
from schemas.kinds import CommandKind
from schemas.records import Command
from schemas.reference import ApprovalRule
from schemas.topics import COMMANDS
from tests.support.facts import answer, decision, minutes, told
from tests.support.hub import SiteHub
from tests.support.world import ITEM, SITE, STORE, item
from tests.unit.streams.test_orders import only, proposed, purchase, restock

VALUE = ApprovalRule(id="value", role="pharmacist", kinds=(CommandKind.PURCHASE,), controlled=True)
CSOS = "26XAB12C3"


def bought(*more: Any, schedule: int | None = 2) -> SiteHub:
    hub = purchase(item(schedule=schedule), *more)
    proposed(hub)
    return hub


def decide(hub: SiteHub, action: str, actor: str = "pat", **more: Any) -> str:
    hub.say(decision(only(hub).command_id, action, actor, minutes(5), **more))
    return hub.outcomes()[-1]


@pytest.mark.parametrize(("schedule", "state"), [(1, "awaiting_document"), (2, "awaiting_document"), (3, "issued"), (None, "issued")])
def test_a_purchase_of_schedule_one_and_two_waits_for_its_document(schedule: int | None, state: str) -> None:
    hub = bought(schedule=schedule)
    assert only(hub).state == state
    published: list[Command] = hub.all(COMMANDS)
    assert ("issued" in {one.state for one in published}) == (state == "issued")


@pytest.mark.parametrize(("schedules", "state"), [((2, 3), "awaiting_document"), ((), "issued")])
def test_the_sites_policy_says_which_schedules_need_one(schedules: tuple[int, ...], state: str) -> None:
    assert only(bought(ControlledPolicy(site=SITE, document_schedules=schedules), schedule=3)).state == state


@pytest.mark.parametrize(("reference", "kind"), [(CSOS, "csos"), ("222-0001234", "dea_222")])
def test_the_document_issues_the_command_and_stands_in_its_proof(reference: str, kind: str) -> None:
    hub = bought()
    assert decide(hub, "document", document=f" {reference} ") == "document"
    command = only(hub)
    named = command.proof["document"]
    assert (command.state, named["reference"], named["kind"], named["by"]) == ("issued", reference, kind, "pat")


@pytest.mark.parametrize(
    ("actor", "document", "code"),
    [("nobody", CSOS, "not_authorised"), ("far", CSOS, "not_authorised"), ("pat", None, "no_document"), ("pat", "  ", "no_document"),
     ("pat", "x" * 61, "no_document"), ("pat", "22\n2", "no_document")],
)  # fmt: skip
def test_a_document_without_authority_or_number_is_refused(actor: str, document: str | None, code: str) -> None:
    hub = bought()
    revision = only(hub).revision
    assert decide(hub, "document", actor, document=document) == code
    assert (only(hub).state, only(hub).revision) == ("awaiting_document", revision)


def test_approval_by_role_still_applies_document_first() -> None:
    hub = bought(VALUE)
    assert only(hub).state == "awaiting_approval"
    assert decide(hub, "document", "bea", document=CSOS) == "document_noted"
    assert only(hub).state == "awaiting_approval"
    assert decide(hub, "approve", "bea") == "not_authorised"
    assert decide(hub, "approve", "pat") == "approve"
    assert only(hub).state == "issued"


def test_approval_by_role_still_applies_approval_first() -> None:
    hub = bought(VALUE)
    assert decide(hub, "approve") == "approve"
    assert only(hub).state == "awaiting_document"
    assert decide(hub, "approve") == "not_awaiting_approval"
    assert decide(hub, "document", document=CSOS) == "document"
    assert only(hub).state == "issued"
    assert [one.action for one in only(hub).approvals] == ["approve"]


def test_an_erp_can_not_move_a_command_that_waits_for_its_document() -> None:
    hub = bought()
    hub.say(answer(only(hub).command_id, "acknowledged", minutes(6)))
    assert (only(hub).state, hub.outcomes()[-1]) == ("awaiting_document", "noted")


def test_a_rejected_command_stays_rejected_and_a_second_document_is_refused() -> None:
    hub = bought(VALUE)
    decide(hub, "reject")
    assert decide(hub, "document", document=CSOS) == "document_noted"
    assert only(hub).state == "rejected"
    other = bought()
    decide(other, "document", document=CSOS)
    assert decide(other, "document", document="222-9") == "already_documented"
    assert only(other).proof["document"]["reference"] == CSOS


def test_a_restock_inside_the_registration_needs_no_document() -> None:
    """From the store to a cabinet of the same registrant nothing is distributed (21 CFR 1305.03 speaks of distributions)."""
    hub = restock(item(schedule=2))
    assert only(hub).state == "issued"
    assert decide(hub, "document", document=CSOS) == "no_document_needed"


def test_supply_satisfies_the_need_whatever_the_document() -> None:
    hub = bought()
    hub.tell(told("receive", 300, place=STORE, lot="L2", at=minutes(30), actor="t"))
    assert only(hub).state == "satisfied"


def test_a_need_that_opens_again_waits_again_until_its_document_is_there() -> None:
    hub = bought()
    hub.tell(told("receive", 300, place=STORE, lot="L2", at=minutes(30), key="came", actor="t"))
    hub.tell(told("reversal", place=None, at=minutes(40), reverses="came", codes=(), unit=None))
    assert (only(hub).state, only(hub).item) == ("awaiting_document", ITEM)
    assert decide(hub, "document", document=CSOS) == "document"
    assert Decimal(only(hub).quantity) > 0
