"""Commands: approval by role, answers of ERPs, proposals of the network, each revision once."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from schemas.codes import Code
from schemas.events import Proposal
from schemas.kinds import CommandKind
from schemas.records import COMMAND, POSITION
from schemas.reference import ApprovalRule, Role, SiteItem
from schemas.topics import COMMANDS, NETWORK_LOG, OUTCOMES, POSITIONS
from streams.site import network_feed
from streams.site.desk import Desk
from tests.support.facts import START, answer, decision, minutes, told
from tests.support.hub import SiteHub
from tests.support.world import ITEM, POCKET, SITE, STORE, item, policy, purchase_policy

CONTROLLED = ApprovalRule(id="controlled", role="pharmacist", kinds=(CommandKind.RESTOCK,), controlled=True)
VALUE = ApprovalRule(id="value", role="buyer", kinds=(CommandKind.PURCHASE,), value_from=Decimal(100))
PEOPLE = (
    Role(person="pat", role="pharmacist", sites=(SITE,)),
    Role(person="far", role="pharmacist", sites=("south",)),
    Role(person="any", role="pharmacist"),
    Role(person="bea", role="buyer"),
)


def restock(*more: Any) -> SiteHub:
    hub = SiteHub(policy(critical=4), *PEOPLE, *more)
    hub.tick(START)
    hub.tell(told("count", 3, place=POCKET, lot="L1"))
    return hub


def purchase(*more: Any) -> SiteHub:
    hub = SiteHub(purchase_policy(critical=50), *PEOPLE, *more)
    hub.tick(START)
    hub.tell(told("count", 40, place=STORE, lot="L1"))
    return hub


def only(hub: SiteHub) -> Any:
    [command] = hub.latest(COMMANDS)
    return command


def proposed(hub: SiteHub, supplier: str | None = "mck", **offer: Any) -> None:
    option = {"kind": "purchase", "supplier": "mck", "price": "0.50", "pack": 100, **offer}
    command = only(hub)
    hub.say(
        Proposal(
            site=SITE, command_id=command.command_id, location=STORE, item=ITEM, supplier=supplier, options=(option,), at=START
        )
    )


# ---- approval --------------------------------------------------------------------------------------------------------


def test_a_command_without_a_rule_is_issued_at_once() -> None:
    assert only(restock()).state == "issued"


@pytest.mark.parametrize(
    ("rule", "changes", "waits"),
    [
        (CONTROLLED, {"schedule": 2}, True),
        (CONTROLLED, {}, False),
        (ApprovalRule(id="nf", role="pharmacist", kinds=(CommandKind.RESTOCK,), non_formulary=True), {"formulary": False}, True),
        (ApprovalRule(id="nf", role="pharmacist", kinds=(CommandKind.RESTOCK,), non_formulary=True), {}, False),
        (ApprovalRule(id="p", role="buyer", kinds=(CommandKind.PURCHASE,), controlled=True), {"schedule": 2}, False),
    ],
)
def test_a_rule_makes_commands_of_its_kinds_wait_for_its_role(rule: ApprovalRule, changes: dict[str, Any], waits: bool) -> None:
    command = only(restock(rule, item(**changes)))
    assert command.state == ("awaiting_approval" if waits else "issued")
    assert command.approval_role == (rule.role if waits else None)


@pytest.mark.parametrize(
    ("own", "items", "waits"), [(False, True, True), (True, False, False), (None, False, True), (None, True, False)]
)
def test_whether_an_item_is_on_the_formulary_is_the_sites_own_word_first(own: bool | None, items: bool, waits: bool) -> None:
    rule = ApprovalRule(id="nf", role="pharmacist", kinds=(CommandKind.RESTOCK,), non_formulary=True)
    command = only(restock(rule, item(formulary=items), SiteItem(site=SITE, item=ITEM, formulary=own)))
    assert command.state == ("awaiting_approval" if waits else "issued")


@pytest.mark.parametrize(
    ("actor", "action", "state", "code"),
    [
        ("pat", "approve", "issued", "approve"),
        ("any", "approve", "issued", "approve"),
        ("pat", "reject", "rejected", "reject"),
        ("far", "approve", "awaiting_approval", "not_authorised"),
        ("bea", "approve", "awaiting_approval", "not_authorised"),
        ("nobody", "reject", "awaiting_approval", "not_authorised"),
    ],
)
def test_a_person_of_the_role_at_the_site_decides_and_nobody_else(actor: str, action: str, state: str, code: str) -> None:
    hub = restock(CONTROLLED, item(schedule=2))
    hub.say(decision(only(hub).command_id, action, actor, minutes(5)))
    command = only(hub)
    assert (command.state, hub.outcomes()[-1]) == (state, code)
    assert [one.actor for one in command.approvals] == ([] if code == "not_authorised" else [actor])
    assert hub.all(OUTCOMES)[-1].kinds == ("Decision",)


def test_a_decision_that_comes_again_is_refused_with_its_reason_and_adds_no_revision() -> None:
    hub = restock(CONTROLLED, item(schedule=2))
    said = decision(only(hub).command_id, "approve", "pat")
    hub.say(said)
    revision = only(hub).revision
    hub.say(said)
    assert only(hub).revision == revision
    assert only(hub).state == "issued"


def test_a_cancelled_command_stays_cancelled_and_the_need_waits_for_supply() -> None:
    hub = restock()
    hub.say(decision(only(hub).command_id, "cancel", "pat", minutes(5), reason="pocket is closed"))
    hub.tell(told("vend", 1, place=POCKET, at=minutes(10), lot="L1"))
    assert (only(hub).state, only(hub).closed_at, only(hub).reason) == ("cancelled", minutes(5), "pocket is closed")
    hub.say(decision(only(hub).command_id, "approve", "pat"))
    assert hub.outcomes()[-1] == "already_closed"


def test_a_satisfied_need_needs_no_answer() -> None:
    hub = restock(CONTROLLED, item(schedule=2))
    hub.tell(told("refill", 20, place=POCKET, at=minutes(5), lot="L1"))
    assert (only(hub).state, only(hub).closed_at) == ("satisfied", minutes(5))


# ---- answers ---------------------------------------------------------------------------------------------------------


def test_an_acknowledged_quantity_is_due() -> None:
    hub = restock()
    hub.say(answer(only(hub).command_id, "acknowledged", minutes(5), quantity=Decimal(10), document="PO-1"))
    assert (only(hub).state, only(hub).document) == ("acknowledged", "PO-1")
    hub.tell(told("vend", 1, place=POCKET, at=minutes(6), lot="L1"))
    position = next(one for one in hub.latest(POSITIONS) if one.location == POCKET)
    assert (position.usable, position.due) == (2, 10)


def test_a_rejected_command_says_why_and_nothing_is_due() -> None:
    hub = restock()
    hub.say(answer(only(hub).command_id, "rejected", reason="no stock"))
    assert (only(hub).state, only(hub).reason) == ("rejected", "no stock")


def test_an_answer_that_comes_again_is_a_duplicate() -> None:
    hub = restock()
    said = answer(only(hub).command_id, "acknowledged")
    hub.say(said)
    hub.say(said)
    assert hub.outcomes()[-2:] == ["acknowledged", "duplicate"]
    assert hub.all(OUTCOMES)[-1].outcome == "duplicate"
    assert only(hub).revision == 2


@pytest.mark.parametrize("status", ["acknowledged", "shipped", "rejected"])
def test_an_answer_to_a_closed_command_is_noted_and_leaves_it_closed(status: str) -> None:
    hub = restock()
    hub.tell(told("refill", 20, place=POCKET, at=minutes(5), lot="L1"))
    hub.say(answer(only(hub).command_id, status))
    assert (only(hub).state, hub.outcomes()[-1]) == ("satisfied", "noted")
    assert only(hub).proof["answers"][0]["status"] == status


def test_an_answer_to_no_command_is_told() -> None:
    hub = SiteHub()
    hub.say(answer("nothing", "shipped"))
    assert hub.outcomes() == ["unknown_command"]


# ---- purchases -------------------------------------------------------------------------------------------------------


def test_a_purchase_need_asks_the_network_and_waits() -> None:
    hub = purchase()
    assert only(hub).state == "awaiting_supplier"
    asked = [one for one in hub.outputs if one.topic == NETWORK_LOG and one.type == "Command"]
    assert [COMMAND.decode(one.value or b"").command_id for one in asked] == [only(hub).command_id]
    assert asked[0].partition == 0


@pytest.mark.parametrize(("pack", "quantity"), [(1, 160), (100, 200), (160, 160), (500, 500)])
def test_a_proposal_is_issued_in_whole_packs(pack: int, quantity: int) -> None:
    hub = purchase()
    proposed(hub, pack=pack)
    command = only(hub)
    assert (command.state, command.supplier, command.quantity, command.revision) == ("issued", "mck", quantity, 2)
    assert command.proof["options"][0]["pack"] == pack


@pytest.mark.parametrize(("price", "state"), [("0.49", "issued"), ("0.50", "awaiting_approval"), ("2", "awaiting_approval")])
def test_the_value_of_what_is_bought_decides_at_the_threshold(price: str, state: str) -> None:
    """200 tablets: 98.00 is below 100, 100.00 is not."""
    hub = purchase(VALUE)
    proposed(hub, price=price)
    assert only(hub).state == state


def test_a_proposal_without_a_supplier_leaves_the_command_waiting_and_says_so() -> None:
    hub = purchase()
    proposed(hub, supplier=None)
    assert only(hub).state == "awaiting_supplier"
    assert "no supplier" in only(hub).reason
    proposed(hub)
    assert only(hub).state == "issued"


def test_a_proposal_that_comes_again_changes_nothing() -> None:
    hub = purchase()
    proposed(hub)
    proposed(hub)
    assert only(hub).revision == 2


def test_changed_store_positions_go_to_the_network_with_the_next_tick() -> None:
    hub = purchase()
    before = len(hub.outputs)
    hub.tick(START + timedelta(hours=1))
    sent = [one for one in hub.outputs[before:] if one.topic == NETWORK_LOG]
    assert [(POSITION.decode(one.value or b"").usable, one.partition) for one in sent] == [(40, 0)]
    hub.tick(START + timedelta(hours=2))
    assert len([one for one in hub.outputs if one.topic == NETWORK_LOG and one.type == "Position"]) == 1


def test_a_position_that_was_not_sent_before_a_restart_is_sent_after_it() -> None:
    hub = purchase()
    hub.restart()
    assert [one.type for one in hub.tick(START + timedelta(hours=1)) if one.topic == NETWORK_LOG] == ["Position"]


def test_a_position_whose_change_was_taken_back_is_not_sent() -> None:
    hub = purchase()
    hub.tick(START + timedelta(hours=1))
    desk = Desk(hub.state)
    desk.may_be_changed = {(SITE, STORE, ITEM)}
    network_feed.send_changed(desk)
    assert desk.out == []


# ---- substitutes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "item_says", "shown"),
    [
        ((), ("ibu",), ["ibu"]),
        (("para",), ("ibu",), ["para", "ibu"]),  # the site's own first
        ((), (), []),
    ],
)
def test_when_the_store_can_not_cover_a_need_usable_substitutes_are_shown_and_nothing_is_done_with_them(
    own: tuple[str, ...], item_says: tuple[str, ...], shown: list[str]
) -> None:
    sound = SiteHub(policy(critical=4, source=STORE), *PEOPLE, item("ibu"), item("para"), item("none"),
                    item(substitutes=(*item_says, "none") if item_says else ()), SiteItem(site=SITE, item=ITEM, substitutes=own))  # fmt: skip
    sound.tick(START)
    for number, name in enumerate(("ibu", "para")):
        sound.tell(told("count", 7 + number, place=STORE, lot="X", codes=(Code(system="local", value=f"{name}-1"),)))
    sound.tell(told("count", 3, place=POCKET, lot="L1"))
    command = only(sound)
    assert [(one["item"], one["usable"], one["location"]) for one in command.proof.get("substitutes", ())] == [
        (name, {"ibu": 7, "para": 8}[name], STORE) for name in shown
    ]


def test_a_need_that_the_store_covers_shows_no_substitutes() -> None:
    hub = SiteHub(policy(critical=4, source=STORE), *PEOPLE, item("ibu"), item(substitutes=("ibu",)))
    hub.tick(START)
    hub.tell(told("count", 7, place=STORE, lot="X", codes=(Code(system="local", value="ibu-1"),)))
    hub.tell(told("count", 100, place=STORE, lot="L1"))
    hub.tell(told("count", 3, place=POCKET, lot="L1"))
    assert "substitutes" not in only(hub).proof
