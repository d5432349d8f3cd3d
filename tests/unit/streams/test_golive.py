"""Site modes: a site that is not live is folded as any other, and nothing it says can be executed; what is open goes with the mode.

Rules: design.md §5 (commands are executable only when they are meant to be), docs/golive.md.
"""

from __future__ import annotations

import itertools
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from schemas.codec import encode
from schemas.events import PROPOSAL, Proposal, StockEvent
from schemas.golive import GoLive, SiteMode
from schemas.kinds import CommandKind
from schemas.records import COMMAND, Position
from schemas.reference import ApprovalRule, Role, Supplier, SupplierItem
from schemas.topics import ALERTS, CASES, COMMANDS, NETWORK_LOG, OUTCOMES, POSITIONS, SHADOW_COMMANDS, SITE_LOG
from streams.network.processor import NetworkProcessor
from tests.support.facts import START, answer, decision, minutes, told
from tests.support.hub import Hub, SiteHub
from tests.support.world import ITEM, POCKET, SITE, STORE, item, policy, purchase_policy

PHARMACIST = Role(person="pia", role="pharmacist")


def mode(name: str) -> GoLive:
    """The record of a mode; its decisions do not matter to the processor."""
    return GoLive(site=SITE, mode=SiteMode(name), changes=())


def raw(hub: SiteHub, topic: str) -> list[Any]:
    """Commands of a topic, every revision."""
    return [COMMAND.decode(one.value) for one in hub.outputs if one.topic == topic and one.value is not None]


def said(hub: SiteHub, topic: str = COMMANDS) -> list[tuple[int, str]]:
    """Revision and state of every record of a topic of commands."""
    return [(one.revision, str(one.state)) for one in raw(hub, topic)]


def executable(hub: SiteHub) -> list[str]:
    """What a consumer that upserts by id and keeps the highest revision would execute."""
    newest: dict[str, Any] = {}
    for one in raw(hub, COMMANDS):
        if one.command_id not in newest or newest[one.command_id].revision < one.revision:
            newest[one.command_id] = one
    return [str(one.state) for one in newest.values() if one.state not in ("cancelled", "satisfied")]


def short(*more: Any, first: str | None = "shadow") -> SiteHub:
    """A pocket with 3 of a minimum of 4: a need that is critical, and opens at once."""
    hub = SiteHub(policy(critical=4), PHARMACIST, *([mode(first)] if first else []), *more)
    hub.tick(START)
    hub.tell(told("count", 3, place=POCKET, lot="L1"))
    return hub


def test_a_site_without_a_record_is_live_as_ever() -> None:
    hub = short(first=None)
    assert (said(hub), said(hub, SHADOW_COMMANDS)) == ([(1, "issued")], [])
    assert not any(one.shadow for topic in (POSITIONS, ALERTS, CASES, COMMANDS) for one in hub.all(topic))


@pytest.mark.parametrize("quiet", ["preparing", "shadow"])
def test_a_site_that_is_not_live_computes_its_needs_and_publishes_no_command(quiet: str) -> None:
    hub = short(first=quiet)
    hub.tell(told("vend", 4, place=POCKET, lot="L1", at=minutes(5)))
    assert said(hub) == []
    assert said(hub, SHADOW_COMMANDS) == [(1, "issued"), (2, "issued")], "the second is a stock-out"
    assert hub.on_hand(POCKET) == -1
    for topic in (ALERTS, CASES, POSITIONS):
        assert {one.shadow for one in hub.all(topic)} == {True}


def test_what_is_open_at_cut_over_becomes_open_then_and_once() -> None:
    hub = short()
    hub.tell(told("vend", 1, place=POCKET, lot="L1", at=minutes(30)))
    hub.learn(mode("live"))
    assert said(hub) == [(2, "issued")]
    [command] = hub.all(COMMANDS)
    assert (command.quantity, command.shadow, command.opened_at) == (18, False, START), "par 20 - usable 2, since the count"
    assert command.proof["cut_over"]["quantity_in_shadow"] == 17, "par 20 - usable 3"
    hub.tick(minutes(600))
    hub.learn(mode("live"))
    assert said(hub) == [(2, "issued")]
    assert not hub.latest(POSITIONS)[0].shadow
    hub.tell(told("refill", 18, place=POCKET, lot="L2", at=minutes(700)))
    assert said(hub) == [(2, "issued"), (3, "satisfied")]


def test_a_need_that_was_met_in_shadow_is_never_published() -> None:
    hub = short()
    hub.tell(told("refill", 20, place=POCKET, lot="L2", at=minutes(30)))
    hub.learn(mode("live"))
    hub.tick(minutes(600))
    assert said(hub) == []


def test_a_roll_back_withdraws_what_is_open_and_then_nothing_comes() -> None:
    hub = short(first=None)
    hub.learn(mode("shadow"))
    assert said(hub) == [(1, "issued"), (2, "cancelled")]
    assert hub.all(COMMANDS)[-1].reason.startswith("withdrawn: the site went back")
    hub.tell(told("vend", 3, place=POCKET, lot="L1", at=minutes(5)))
    assert (executable(hub), len(said(hub))) == ([], 2)
    assert said(hub, SHADOW_COMMANDS) == [(3, "issued"), (4, "issued")]


def test_a_second_cut_over_opens_the_withdrawn_command_again() -> None:
    hub = short(first=None)
    hub.learn(mode("shadow"))
    hub.learn(mode("live"))
    assert said(hub) == [(1, "issued"), (2, "cancelled"), (4, "issued")]
    assert executable(hub) == ["issued"]
    newest = hub.all(COMMANDS)[-1]
    assert (newest.closed_at, newest.reason) == (None, None)


def test_an_order_that_the_erp_had_confirmed_is_withdrawn_and_asked_for_anew() -> None:
    hub = short(first=None)
    [command] = hub.all(COMMANDS)
    hub.say(answer(command.command_id, "acknowledged", quantity=Decimal(17)))
    hub.learn(mode("shadow"))
    assert said(hub) == [(1, "issued"), (2, "acknowledged"), (3, "cancelled")]
    hub.learn(mode("live"))
    newest = hub.all(COMMANDS)[-1]
    assert (str(newest.state), "confirmed" in newest.proof, len(newest.proof["answers"])) == ("issued", False, 1)


def test_a_command_that_changes_before_its_turn_in_a_roll_back_is_withdrawn_first() -> None:
    """The sweep is cut into steps: whatever touches a command in between withdraws it itself."""
    hub = short(first=None)
    change = hub.change_of(mode("shadow"))
    desk_time_stands = hub.record("ReferenceChange", encode(change))
    hub.processor._handlers["ReferenceChange"] = (  # type: ignore[attr-defined]
        hub.processor._handlers["ReferenceChange"][0],  # type: ignore[attr-defined]
        lambda desk, one: desk.catalog.apply(one),
    )
    hub.feed(desk_time_stands)  # the mode is known, the sweep has not begun
    hub.tell(told("vend", 3, place=POCKET, lot="L1", at=minutes(5)))
    assert said(hub) == [(1, "issued"), (2, "cancelled")]
    assert said(hub, SHADOW_COMMANDS) == [(3, "issued")]


def test_many_open_commands_are_released_in_steps_and_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.site.golive.ROWS_PER_STEP", 2)
    pockets = [f"icu/cab1/d1/p{number}" for number in range(7)]
    hub = SiteHub(*(policy(place, critical=4) for place in pockets), mode("shadow"))
    hub.tick(START)
    for number, place in enumerate(pockets):
        hub.tell(told("count", 1, place=place, lot=f"L{number}", at=minutes(number)))
    hub.learn(mode("live"))
    assert 0 < len(said(hub)) < 7
    for minute in range(20):
        hub.tick(minutes(30 + minute))
    assert len(said(hub)) == 7 == len(executable(hub))
    assert not any(one.shadow for one in hub.latest(POSITIONS))


def test_a_shadow_command_is_not_approved_and_an_approval_is_asked_for_when_it_counts() -> None:
    rule = ApprovalRule(id="r", role="pharmacist", kinds=(CommandKind.RESTOCK,), non_formulary=True)
    hub = short(rule, item(formulary=False))
    [command] = raw(hub, SHADOW_COMMANDS)
    hub.say(decision(command.command_id, "approve", "pia"))
    assert hub.all(OUTCOMES)[-1].code == "site_not_live"
    hub.learn(mode("live"))
    assert said(hub) == [(2, "awaiting_approval")]
    hub.say(decision(command.command_id, "approve", "pia"))
    assert executable(hub) == ["issued"]


def test_the_network_is_not_asked_in_shadow_and_asked_at_cut_over() -> None:
    hub = SiteHub(purchase_policy(critical=50), mode("shadow"))
    hub.tick(START)
    hub.tell(told("count", 40, place=STORE, lot="L1"))
    asked = [one for one in hub.outputs if one.topic == NETWORK_LOG and one.type == "Command"]
    assert (asked, said(hub, SHADOW_COMMANDS)) == ([], [(1, "awaiting_supplier")])
    hub.learn(mode("live"))
    assert len([one for one in hub.outputs if one.topic == NETWORK_LOG and one.type == "Command"]) == 1
    [command] = hub.all(COMMANDS)
    hub.learn(mode("shadow"))
    option = {"kind": "purchase", "supplier": "mck", "price": "0.50", "pack": 100}
    hub.say(Proposal(site=SITE, command_id=command.command_id, location=STORE, item=ITEM, supplier="mck", options=(option,), at=START))
    assert executable(hub) == [], "the answer to the question of before comes too late"


def test_the_network_neither_serves_a_shadow_site_nor_offers_its_stock() -> None:
    hub = SiteHub(purchase_policy(critical=50))
    hub.tick(START)
    hub.tell(told("count", 40, place=STORE, lot="L1"))
    [need] = [one for one in hub.outputs if one.topic == NETWORK_LOG and one.type == "Command"]
    network = Hub(NetworkProcessor())
    other = Position(
        site="south", location="main", item=ITEM, on_hand=900, usable=900, due=0, unit="tablet", as_of=START, par=100
    )  # fmt: skip
    for record in (Supplier(id="mck", name="McK"), SupplierItem(supplier="mck", item=ITEM, price=Decimal(1))):
        network.feed(network.record("ReferenceChange", encode(SiteHub().change_of(record))))
    network.feed(network.record("Position", encode(other)))

    def options(*modes: GoLive) -> list[Any]:
        revisions = SiteHub()
        for one in modes:
            revisions.revisions["go_live", one.site] += len(network.log)
            network.feed(network.record("ReferenceChange", encode(revisions.change_of(one))))
        out = network.feed(network.record("Command", need.value or b""))
        return [list(PROPOSAL.decode(one.value or b"").options) for one in out if one.topic == SITE_LOG]

    kinds = lambda found: [[one["kind"] for one in each] for each in found]  # noqa: E731  # short
    assert kinds(options()) == [["purchase", "transfer"]]
    assert kinds(options(GoLive(site="south", mode=SiteMode.SHADOW, changes=()))) == [["purchase"]]
    assert options(mode("shadow")) == []


def test_a_case_that_is_open_goes_with_the_mode_and_a_closed_one_stays() -> None:
    hub = SiteHub(mode("shadow"))
    hub.tick(START)
    hub.tell(told("vend", 2, place=POCKET, lot="L1"))
    hub.tell(told("vend", 2, place="icu/cab1/d1/p2", lot="L1"))
    hub.tell(told("refill", 5, place="icu/cab1/d1/p2", lot="L1", at=minutes(1)))
    hub.learn(mode("live"))
    hub.learn(mode("live"))
    marks = sorted((one.state, one.shadow) for one in hub.latest(CASES))
    assert ("open", False) in marks
    assert ("closed", True) in marks
    assert ("open", True) not in marks


FACTS = (
    told("count", 3, place=POCKET, lot="L1", key="a"), told("vend", 1, place=POCKET, lot="L1", at=minutes(3), key="b"),
    told("refill", 15, place=POCKET, lot="L2", at=minutes(9), key="c"), told("vend", 14, place=POCKET, lot="L2", at=minutes(20), key="d"),
)  # fmt: skip


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_whatever_arrived_in_shadow_in_whichever_order_the_same_is_open_after_cut_over(order: tuple[int, ...]) -> None:
    """Stock stands at 17 - 14 = 3, at or below the minimum of 4: one need, asked for once, for 20 - 3 = 17."""

    def run(facts: list[StockEvent]) -> tuple[Any, ...]:
        hub = SiteHub(policy(critical=4), mode("shadow"))
        hub.tick(START)
        hub.hear(*facts, facts[0])
        hub.tick(START + timedelta(hours=3))
        assert said(hub) == []
        hub.learn(mode("live"))
        hub.tick(START + timedelta(hours=4))
        return hub.lots(POCKET), [(one.quantity, str(one.state), one.opened_at) for one in hub.open_commands()]

    assert run([FACTS[number] for number in order]) == ({"L1": 2, "L2": 1}, [(17, "issued", minutes(20))])


def test_a_restart_at_any_point_changes_nothing() -> None:
    def run(*, crash: bool) -> list[tuple[str, bytes | None]]:
        hub = SiteHub(policy(critical=4), mode("shadow"))
        steps = [
            lambda: hub.tick(START), lambda: hub.hear(*FACTS), lambda: hub.learn(mode("live")), lambda: hub.tick(minutes(60)),
            lambda: hub.learn(mode("shadow")), lambda: hub.tick(minutes(90)), lambda: hub.learn(mode("live")),
        ]  # fmt: skip
        for one in steps:
            one()
            if crash:
                hub.restart()
        return [(one.topic, one.value) for one in hub.outputs]

    assert run(crash=True) == run(crash=False)
