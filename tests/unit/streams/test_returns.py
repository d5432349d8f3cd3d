"""Returns: against policy a case, to supplier or reverse distributor with the credit that is expected and received."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from schemas.kinds import CommandKind, LocationKind
from schemas.reference import ApprovalRule, RecallNotice, Role
from schemas.topics import COMMANDS, MOVEMENTS
from tests.support.facts import answer, day, decision, minutes, reversal, told
from tests.support.hub import SiteHub
from tests.support.world import BIN, POCKET, STORE, hospital, location, site

BUYER = Role(person="bea", role="buyer")
TECHNICIAN = Role(person="tec", role="technician")


# ---- into a pocket -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at_site", "at_place", "place", "cases"),
    [
        ("any", None, POCKET, 0),
        ("return_bin", None, POCKET, 1),
        ("return_bin", "any", POCKET, 0),
        ("any", "return_bin", POCKET, 1),
        ("return_bin", None, BIN, 0),
    ],
)
def test_domain_3_12_a_return_outside_a_return_bin_posts_and_is_a_case_where_the_policy_says_so(
    at_site: str, at_place: str | None, place: str, cases: int
) -> None:
    cabinet = location("icu/cab1", LocationKind.CABINET, codes=("ICU-CAB1",), return_policy=at_place)
    hub = SiteHub(reference=(*hospital(), site(return_policy=at_site), cabinet))
    hub.tell(told("return", 2, place=place, lot="L1"))
    assert hub.on_hand(place) == 2
    assert len(hub.open_cases("return_policy")) == cases


# ---- to a supplier -----------------------------------------------------------------------------------------------------


def out(kind: str = "return_distributor", quantity: int = 8, **changes: Any) -> Any:
    fields = {"key": "out", "partner": "inmar", "shipment": "R1", "amount": Decimal("40.00"), "at": minutes(5), "lot": "L1"}
    return told(kind, quantity, place=STORE, **{**fields, **changes})


def credit(amount: str, **changes: Any) -> Any:
    return answer("R1", "credited", minutes(60), amount=Decimal(amount), **changes)


@pytest.mark.parametrize(
    ("kind", "account"), [("return_supplier", "supplier"), ("return_distributor", "reverse_distributor")]
)
def test_what_goes_back_leaves_stock_for_an_account_of_its_own(kind: str, account: str) -> None:
    hub = SiteHub()
    hub.hear(told("receive", 10, place=STORE, lot="L1"), out(kind))
    assert (hub.on_hand(STORE), hub.all(MOVEMENTS)[-1].to_account) == (2, account)
    assert hub.accounts_total() == 0


def test_a_credit_that_is_short_is_a_case_until_the_rest_comes() -> None:
    hub = SiteHub()
    hub.hear(told("receive", 10, place=STORE, lot="L1"), out())
    hub.say(credit("25.50"))
    [case] = hub.open_cases("credit_short")
    assert case.facts == {"expected": "40", "received": "25.5"}
    assert "14.5" in case.text
    again = credit("14.50")
    hub.say(again)
    hub.say(again)
    assert hub.open_cases("credit_short") == []
    assert hub.outcomes()[-3:] == ["credited", "credited", "duplicate"]


def test_a_credit_may_come_before_the_return_is_known() -> None:
    hub = SiteHub()
    hub.say(credit("10"))
    assert hub.open_cases("credit_short") == []
    hub.hear(told("receive", 10, place=STORE, lot="L1"), out())
    assert len(hub.open_cases("credit_short")) == 1


def test_of_a_return_that_is_taken_back_no_credit_is_expected() -> None:
    hub = SiteHub()
    hub.hear(told("receive", 10, place=STORE, lot="L1"), out())
    hub.say(credit("10"))
    hub.tell(reversal("out", at=minutes(70)))
    assert hub.open_cases("credit_short") == []
    assert hub.on_hand(STORE) == 10


# ---- commands ----------------------------------------------------------------------------------------------------------


def damaged(*more: Any) -> tuple[SiteHub, str]:
    """Ten arrived damaged and stand at the quarantine place, with a case."""
    hub = SiteHub(location("main/aside", LocationKind.QUARANTINE), BUYER, TECHNICIAN, *more)
    hub.tell(told("receive", 10, place=STORE, lot="L1", expiry=day(400), condition="damaged"))
    [case] = hub.open_cases("receipt_unfit")
    return hub, case.case_id


def test_a_case_is_turned_into_a_return_that_closes_when_everything_went_out() -> None:
    hub, case = damaged()
    hub.say(decision(case, "return", "bea", minutes(2), option="mck"))
    [command] = hub.latest(COMMANDS)
    assert (command.kind, command.state, command.quantity, command.supplier) == ("return", "issued", 10, "mck")
    assert [(lot.lot, lot.quantity, lot.expiry) for lot in command.lots] == [("L1", 10, day(400))]
    back = {"kind": "return_supplier", "partner": "mck", "shipment": command.command_id, "location_codes": ("main/aside",)}
    hub.tell(out(quantity=4, key="one", **back))
    assert hub.latest(COMMANDS)[0].state == "issued"
    hub.tell(out(quantity=6, key="two", **back))
    [command] = hub.latest(COMMANDS)
    assert (command.state, command.proof["returned"], command.proof["credit_expected"]) == ("satisfied", 10, "80")
    hub.say(answer(command.command_id, "credited", minutes(90), amount=Decimal(80)))
    [command] = hub.latest(COMMANDS)
    assert (command.state, command.proof["credit_received"]) == ("satisfied", "80")
    hub.tell(reversal("two", at=minutes(100)))
    assert hub.latest(COMMANDS)[0].state == "issued"


def test_a_recalled_lot_may_be_returned() -> None:
    """Open commands that would give a recalled lot name others; a return of it stays as it is."""
    hub, case = damaged()
    hub.say(decision(case, "return", "bea", minutes(2), option="mck"))
    hub.learn(RecallNotice(id="R1", classification="I", products=("amox-hospira",), all_lots=True))
    [command] = hub.latest(COMMANDS)
    assert [(lot.lot, lot.quantity) for lot in command.lots] == [("L1", 10)]


def test_a_rule_for_returns_makes_them_wait() -> None:
    hub, case = damaged(ApprovalRule(id="r", role="pharmacist", kinds=(CommandKind.RETURN,), value_from=Decimal(0)))
    hub.say(decision(case, "return", "bea", minutes(2), option="mck"))
    assert hub.latest(COMMANDS)[0].state == "awaiting_approval"


@pytest.mark.parametrize(
    ("who", "option", "code"),
    [("tec", "mck", "not_authorised"), ("bea", None, "unknown_option"), ("bea", "mck", "return_opened")],
)
def test_who_may_open_a_return(who: str, option: str | None, code: str) -> None:
    hub, case = damaged()
    hub.say(decision(case, "return", who, minutes(2), option=option))
    assert hub.outcomes()[-1] == code


def test_nothing_can_be_returned_of_a_case_that_is_none_or_where_nothing_is() -> None:
    hub, case = damaged()
    hub.say(decision("nothing", "return", "bea", minutes(2), option="mck"))
    hub.tell(told("discard", 10, place="main/aside", lot="L1", at=minutes(3)))
    hub.say(decision(case, "return", "bea", minutes(4), option="mck"))
    assert hub.outcomes()[-3] == "unknown_target"
    assert hub.outcomes()[-1] == "nothing_there"
