"""Arranged transfers: a person asks, the network passes it on, the sender reserves or refuses, the command closes by what came."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from schemas.kinds import CommandKind
from schemas.records import Command
from schemas.reference import ApprovalRule, Role, Supplier, SupplierItem
from schemas.topics import COMMANDS, OUTCOMES
from tests.support.facts import BY_PRODUCT, decision, minutes, told
from tests.support.sites import A, B, Sites, town
from tests.support.world import ITEM, policy
from topology.verify.run import verify

BUYER = Role(person="bea", role="buyer")
LEVELS = {"minimum": 50, "par": 100, "maximum": 400, "kind": CommandKind.PURCHASE, "critical": 50}


def start(*more: Any, stock: int = 300, sold: bool = True) -> Sites:
    """Birch has 40 of a minimum of 50 and needs 60; alder has `stock` over a par of 100."""
    seller = (Supplier(id="mck", name="M"), SupplierItem(supplier="mck", item=ITEM, price=Decimal(1))) if sold else ()
    levels = [policy("main", site=site, **LEVELS) for site in (A, B)]
    sites = Sites(*town(*levels, *seller, BUYER, Role(person="tec", role="technician"), *more))
    sites.hear(count(A, stock))
    sites.tick(minutes(1))
    sites.deliver()
    sites.hear(count(B, 40))
    sites.deliver()
    return sites


def count(site: str, quantity: int) -> Any:
    return told("count", quantity, place="main", site=site, codes=BY_PRODUCT, lot="L1", key=f"count {site}")


def command(sites: Sites, site: str, kind: str) -> Command:
    [found] = [one for one in sites.latest(COMMANDS, site) if one.kind == kind]
    assert isinstance(found, Command)
    return found


def asked(sites: Sites, who: str = "bea", option: str | None = A) -> Sites:
    need = command(sites, B, "purchase")
    sites.hear(decision(need.command_id, "transfer", who, minutes(10), site=B, option=option))
    sites.deliver()
    return sites


def moved(kind: str, quantity: int, site: str, other: str, shipment: str, minute: int, key: str) -> Any:
    return told(
        kind, quantity, place="main", site=site, partner=other, shipment=shipment, at=minutes(minute), key=key, lot="L1",
        codes=BY_PRODUCT,
    )  # fmt: skip


def test_the_whole_way_from_the_need_to_the_stock() -> None:
    sites = start()
    need = command(sites, B, "purchase")
    assert (need.state, need.supplier, need.quantity) == ("issued", "mck", 60)
    asked(sites)
    order = command(sites, A, "transfer")
    assert (order.state, order.quantity, order.location, order.proof["to_site"]) == ("issued", 60, "main", B)
    assert [(lot.lot, lot.quantity) for lot in order.lots] == [("L1", 60)]
    need = command(sites, B, "purchase")
    assert (need.state, need.supplier, need.document, need.proof["confirmed"]) == ("acknowledged", None, order.command_id, 60)
    sites.hear(moved("transfer_out", 60, A, B, order.command_id, 20, "send"))
    sites.deliver()
    assert command(sites, A, "transfer").state == "in_transit"
    sites.hear(moved("transfer_in", 60, B, A, order.command_id, 60, "arrive"))
    sites.deliver()
    order = command(sites, A, "transfer")
    done = {name: order.proof[name] for name in ("sent", "received", "under_way", "lost")}
    assert (order.state, done) == ("satisfied", {"sent": 60, "received": 60, "under_way": 0, "lost": 0})
    assert command(sites, B, "purchase").state == "satisfied"
    assert [one.text for one in verify(sites.logs()).differences] == []


def test_it_stays_open_for_the_rest_and_closes_with_what_was_lost() -> None:
    sites = asked(start())
    order = command(sites, A, "transfer")
    sites.hear(moved("transfer_out", 40, A, B, order.command_id, 20, "one"))
    sites.hear(moved("transfer_in", 40, B, A, order.command_id, 60, "came"))
    sites.deliver()
    assert command(sites, A, "transfer").state == "in_transit"
    sites.hear(moved("transfer_out", 20, A, B, order.command_id, 70, "two"))
    sites.deliver()
    sites.tick(minutes(70 + 48 * 60))
    sites.hear(decision(sites.open_cases(A)["transfer_overdue"], "write_off", "pat", minutes(70 + 48 * 60), site=A))
    order = command(sites, A, "transfer")
    assert (order.state, order.proof["received"], order.proof["lost"]) == ("satisfied", 40, 20)


@pytest.mark.parametrize(("stock", "agreed"), [(160, True), (159, False)])
def test_the_sender_keeps_its_par_level(stock: int, agreed: bool) -> None:
    """Par 100, asked 60: 160 can spare it, 159 can't. The network offers only what it believes is there."""
    sites = start(stock=200)
    sites.hear(told("discard", 200 - stock, place="main", site=A, codes=BY_PRODUCT, lot="L1", at=minutes(5)))
    asked(sites)
    need = command(sites, B, "purchase")
    if agreed:
        assert (need.state, command(sites, A, "transfer").state) == ("acknowledged", "issued")
        return
    assert [one for one in sites.latest(COMMANDS, A) if one.kind == "transfer"] == []
    assert need.proof["transfer"]["state"] == "refused"
    assert "par 100 at main leaves 59 tablet, asked 60" in need.proof["transfer"]["why"]
    assert (need.state, need.supplier) == ("issued", "mck"), "the supplier is taken after all"


def test_what_is_reserved_can_not_be_reserved_again() -> None:
    sites = asked(start(stock=200))
    first = command(sites, A, "transfer")
    sites.hear(decision(first.command_id, "cancel", "pat", minutes(12), site=A, reason="needed here"))
    sites.deliver()
    need = command(sites, B, "purchase")
    assert (need.proof["transfer"]["state"], need.state) == ("refused", "issued")
    assert "needed here" in need.proof["transfer"]["why"]
    sites.hear(decision(need.command_id, "transfer", "bea", minutes(13), site=B, option=A))
    sites.deliver()
    states = sorted(one.state for one in sites.latest(COMMANDS, A) if one.kind == "transfer")
    assert states == ["cancelled", "issued"], "cancelled, it is free again, and asked for under another command"


def test_a_rule_for_transfers_makes_the_senders_command_wait() -> None:
    rule = ApprovalRule(id="t", role="pharmacist", kinds=(CommandKind.TRANSFER,), value_from=Decimal(0))
    sites = asked(start(rule))
    order = command(sites, A, "transfer")
    assert (order.state, order.approval_role) == ("awaiting_approval", "pharmacist")
    sites.hear(decision(order.command_id, "approve", "pat", minutes(11), site=A))
    assert command(sites, A, "transfer").state == "issued"


@pytest.mark.parametrize("decided", [None, "reject", "cancel"])
def test_what_is_sent_without_leave_posts_and_is_a_case(decided: str | None) -> None:
    rule = ApprovalRule(id="t", role="pharmacist", kinds=(CommandKind.TRANSFER,), value_from=Decimal(0))
    sites = asked(start(rule))
    order = command(sites, A, "transfer")
    if decided:
        sites.hear(decision(order.command_id, decided, "pat", minutes(11), site=A))
    sites.hear(moved("transfer_out", 60, A, B, order.command_id, 20, "send"))
    assert "transfer_unapproved" in sites.open_cases(A)
    assert sites.lots(A, f"transit/{B}/{order.command_id}") == {"L1": 60}


@pytest.mark.parametrize(
    ("who", "option", "code"),
    [("tec", A, "not_authorised"), ("bea", "nowhere", "unknown_option"), ("bea", None, "unknown_option"), ("bea", A, "asked")],
)
def test_who_may_ask_and_for_what(who: str, option: str | None, code: str) -> None:
    sites = asked(start(), who, option)
    assert [one.code for one in sites.all(OUTCOMES, B) if one.kinds == ("Decision",)] == [code]


def test_what_was_ordered_from_a_supplier_is_not_transferred() -> None:
    sites = asked(start())
    asked(sites)
    assert sites.all(OUTCOMES, B)[-1].code == "not_transferable"
    sites.hear(decision("nothing", "transfer", "bea", minutes(11), site=B, option=A))
    assert sites.all(OUTCOMES, B)[-1].code == "unknown_target"


def test_a_request_that_comes_twice_is_one_command() -> None:
    sites = start()
    need = command(sites, B, "purchase")
    sites.hear(decision(need.command_id, "transfer", "bea", minutes(10), site=B, option=A))
    sites.network.inbox.extend(list(sites.network.inbox))
    sites.deliver()
    assert command(sites, A, "transfer").revision == 1
    assert command(sites, B, "purchase").proof["transfer"]["state"] == "agreed"
