"""Allocation: which lots of a store open restocks take, each unit for one command (`domain` §3.4, FEFO; §3.8)."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest

from schemas.kinds import CommandKind
from schemas.records import Command
from schemas.reference import ApprovalRule, RecallNotice, Role
from schemas.topics import COMMANDS, POSITIONS
from tests.support.facts import START, answer, day, decision, minutes, reversal, told
from tests.support.hub import SiteHub
from tests.support.world import ITEM, OTHER_POCKET, POCKET, SITE, STORE, WARD, location, policy, purchase_policy

LATER = minutes(200)


def store(*lots: tuple[str, int, Any], more: tuple[Any, ...] = ()) -> SiteHub:
    """The store holds lots (number, quantity, expiry), and two pockets are filled from it to 20 when they fall to 4."""
    hub = SiteHub(policy(source=STORE), policy(OTHER_POCKET, source=STORE), *more)
    hub.tick(START)
    for number, (lot, quantity, expiry) in enumerate(lots):
        hub.tell(told("receive", quantity, place=STORE, at=minutes(number), lot=lot, expiry=expiry))
    return hub


def empty(hub: SiteHub, place: str = POCKET, left: int = 0, at: int = 60) -> Command:
    """A pocket is counted and its need opens at once (stock-out) or after the lateness; its command."""
    hub.tell(told("count", left, place=place, at=minutes(at)))
    hub.tick(LATER)
    return of(hub, place)


def of(hub: SiteHub, place: str = POCKET) -> Command:
    return next(one for one in hub.latest(COMMANDS) if one.location == place)


def taken(command: Command) -> list[tuple[str, int]]:
    return [(one.lot, one.quantity) for one in command.lots]


def allocated(hub: SiteHub) -> tuple[int, int]:
    """Usable and allocated of the store, as published last."""
    position = next(one for one in hub.latest(POSITIONS) if (one.location, one.item) == (STORE, ITEM))
    return position.usable, position.allocated


def test_domain_3_4_fefo_order_is_expiry_then_receipt_then_lot_and_lots_without_expiry_last() -> None:
    hub = store(("Z", 4, day(30)), ("B", 4, day(30)), ("A", 3, None), ("C", 4, day(10)), ("D", 40, day(90)))
    assert taken(empty(hub)) == [("C", 4), ("Z", 4), ("B", 4), ("D", 8)]


def test_domain_3_4_fefo_goes_by_lot_when_expiry_and_receipt_are_the_same() -> None:
    hub = SiteHub(policy(source=STORE))
    for lot in ("L2", "L1", "L3"):
        hub.tell(told("receive", 8, place=STORE, lot=lot, expiry=day(30)))
    assert taken(empty(hub)) == [("L1", 8), ("L2", 8), ("L3", 4)]


def test_domain_3_4_fefo_skips_expired_recalled_quarantined_and_allocated_lots() -> None:
    """Stock in a quarantine place lies at another place than the store. The second pocket is left what the first does not take."""
    hub = store(("OLD", 9, day(-1)), ("BAD", 9, day(5)), ("A", 22, day(10)), ("B", 30, day(20)))
    hub.learn(RecallNotice(id="R1", classification="II", products=("amox-hospira",), lots=("BAD",)))
    first = empty(hub)
    second = empty(hub, OTHER_POCKET, at=61)
    assert (taken(first), taken(second)) == ([("A", 20)], [("A", 2), ("B", 18)])
    assert second.proof["allocation"]["passed_over"] == [
        f"OLD ({day(-1)}) has expired", f"BAD ({day(5)}) is recalled or in quarantine",
    ]  # fmt: skip


def test_a_lot_that_another_command_takes_whole_is_named_as_allocated() -> None:
    hub = store(("A", 20, day(10)), ("B", 30, day(20)))
    empty(hub)
    second = empty(hub, OTHER_POCKET, at=61)
    assert (taken(second), second.proof["allocation"]["passed_over"]) == ([("B", 20)], [f"A ({day(10)}) is allocated"])


@pytest.mark.parametrize(("days", "lot"), [(29, "B"), (30, "A"), (31, "A")])
def test_domain_3_4_fefo_skips_lots_with_too_short_a_life_for_the_destination(days: int, lot: str) -> None:
    """The cabinet wants 30 days left: a lot with 30 is taken, one with 29 is not. In the site's calendar."""
    cabinet = location("icu/cab1", kind="cabinet", codes=("ICU-CAB1",), refill_from=STORE, minimum_life_days=30)
    hub = store(("A", 20, day(days)), ("B", 20, day(90)), more=(cabinet,))
    assert taken(empty(hub)) == [(lot, 20)]


def test_the_minimum_life_of_an_item_at_a_place_is_before_that_of_the_place() -> None:
    cabinet = location("icu/cab1", kind="cabinet", codes=("ICU-CAB1",), refill_from=STORE, minimum_life_days=30)
    hub = SiteHub(policy(source=STORE, minimum_life_days=0), cabinet)
    hub.tell(told("receive", 20, place=STORE, lot="A", expiry=day(10)))
    assert taken(empty(hub)) == [("A", 20)]


def test_a_lot_whose_life_becomes_too_short_while_the_command_is_open_is_given_up() -> None:
    hub = store(("A", 20, day(32)), ("B", 20, day(90)), more=(location("icu/cab1", kind="cabinet", minimum_life_days=30),))
    assert taken(empty(hub)) == [("A", 20)]
    hub.tick(START + timedelta(days=2, hours=12))
    assert taken(of(hub)) == [("A", 20)]
    hub.tick(START + timedelta(days=3))
    assert (taken(of(hub)), of(hub).revision) == ([("B", 20)], 2)


def test_a_minimum_life_that_is_set_while_the_command_is_open_holds_for_it() -> None:
    hub = store(("A", 20, day(10)), ("B", 20, day(90)))
    assert taken(empty(hub)) == [("A", 20)]
    hub.learn(policy(source=STORE, minimum_life_days=30))
    assert taken(of(hub)) == [("B", 20)]


def test_design_1_usable_excludes_allocated_while_the_command_is_open() -> None:
    hub = store(("A", 50, day(90)))
    command = empty(hub)
    assert allocated(hub) == (30, 20)
    assert command.proof["allocation"] == {"allocated": 20}
    hub.hear(told("refill", 20, place=POCKET, at=minutes(210), lot="A"))
    assert (of(hub).state, of(hub).proof["allocation"]["released"], allocated(hub)) == ("satisfied", "satisfied", (30, 0))


def test_what_was_brought_already_is_allocated_no_more() -> None:
    """Satisfied at 12 (halfway to par): 8 of 20 came, 12 are lacking."""
    hub = store(("A", 50, day(90)))
    empty(hub)
    hub.hear(told("refill", 8, place=POCKET, at=minutes(210), lot="A", key="r"))
    assert (taken(of(hub)), allocated(hub)) == ([("A", 12)], (30, 12))
    hub.hear(reversal("r", at=minutes(211)))
    assert (taken(of(hub)), allocated(hub)) == ([("A", 20)], (30, 20))


def test_a_pick_that_names_the_command_is_allocated_no_more_while_it_is_on_its_way() -> None:
    """Picked into transit and refilled from there: 20 leave the store, and the 20 are set aside there no longer."""
    hub = store(("A", 50, day(90)))
    command = empty(hub)
    pick = told("pick", 20, place=STORE, to=WARD, at=minutes(210), lot="A", order_id=command.command_id, key="p")
    hub.hear(pick)
    assert (of(hub).state, of(hub).proof["allocation"], allocated(hub)) == ("issued", {"allocated": 0, "supplied": 20}, (30, 0))
    hub.hear(reversal("p", at=minutes(211)))
    assert allocated(hub) == (30, 20)


def test_what_came_from_another_place_is_lacking_no_more_either() -> None:
    hub = store(("A", 50, day(90)))
    empty(hub)
    hub.hear(told("put_away", 6, place=WARD, to=POCKET, at=minutes(210), lot="X"))
    assert (taken(of(hub)), allocated(hub)) == ([("A", 14)], (36, 14))


def test_a_pick_of_another_lot_than_was_told_leaves_the_told_one_to_the_others() -> None:
    hub = store(("A", 20, day(10)), ("B", 20, day(20)))
    empty(hub)
    second = empty(hub, OTHER_POCKET, at=61)
    assert taken(second) == [("B", 20)]
    hub.hear(told("refill", 20, place=POCKET, at=minutes(210), lot="B"))
    assert taken(of(hub, OTHER_POCKET)) == [("A", 20)]


def test_a_command_that_nobody_can_serve_whole_says_what_is_lacking() -> None:
    hub = store(("A", 8, day(90)))
    assert empty(hub).proof["allocation"] == {"allocated": 8, "short": 12}
    hub.hear(told("receive", 30, place=STORE, at=minutes(210), lot="B", expiry=day(30)))
    assert taken(of(hub)) == [("B", 20)]


@pytest.mark.parametrize("action", ["cancel", "reject"])
def test_a_command_that_a_person_ends_lets_its_lots_go(action: str) -> None:
    rule = ApprovalRule(id="all", role="pharmacist", kinds=(CommandKind.RESTOCK,), value_from=0)
    hub = store(("A", 50, day(90)), more=(rule, Role(person="pat", role="pharmacist")))
    command = empty(hub)
    assert (command.state, allocated(hub)) == ("awaiting_approval", (30, 20))
    hub.say(decision(command.command_id, action, "pat"))
    assert allocated(hub) == (50, 0)


def test_an_order_that_was_rejected_and_is_taken_after_all_takes_its_lots_again() -> None:
    hub = store(("A", 50, day(90)))
    command = empty(hub)
    hub.say(answer(command.command_id, "rejected", minutes(201)))
    assert allocated(hub) == (50, 0)
    hub.say(answer(command.command_id, "acknowledged", minutes(202)))
    assert (taken(of(hub)), allocated(hub)) == ([("A", 20)], (30, 20))


def test_domain_3_8_a_recall_stops_the_allocation_of_the_lot_and_the_proof_names_the_notice() -> None:
    hub = store(("A", 20, day(10)), ("B", 30, day(20)))
    empty(hub)
    hub.learn(RecallNotice(id="R1", classification="II", products=("amox-hospira",), lots=("A",)))
    assert (taken(of(hub)), of(hub).proof["recalls"], allocated(hub)) == ([("B", 20)], {"R1": ["A"]}, (10, 20))
    revision = of(hub).revision
    hub.learn(RecallNotice(id="R1", classification="II", products=("amox-hospira",), lots=("A",)))
    assert of(hub).revision == revision


def test_a_lot_that_expires_while_the_command_is_open_is_given_up() -> None:
    hub = store(("A", 20, day(1)), ("B", 30, day(20)))
    assert taken(empty(hub)) == [("A", 20)]
    hub.tick(START + timedelta(days=2))
    assert (taken(of(hub)), allocated(hub)) == ([("B", 20)], (10, 20))


def test_domain_3_4_qat_consumption_of_unknown_lots_is_drawn_from_the_lots_that_expire_first() -> None:
    """15 were dispensed without a lot: 5 of A are left by that rule, whatever the balances of the lots say."""
    hub = store(("A", 20, day(10)), ("B", 30, day(20)))
    hub.hear(told("dispense", 15, place=STORE, at=minutes(30)))
    assert (taken(empty(hub)), allocated(hub)) == ([("A", 5), ("B", 15)], (15, 20))


def test_domain_3_2_the_order_of_a_store_counts_what_is_allocated_as_gone() -> None:
    """Inventory position is on hand usable + on order - allocated: par 200 - (40 - 20) = 180."""
    hub = SiteHub(policy(source=STORE), purchase_policy())
    hub.tell(told("receive", 60, place=STORE, lot="A", expiry=day(90)))
    empty(hub)
    hub.hear(told("dispense", 20, place=STORE, at=minutes(120), lot="A"))
    hub.tick(minutes(300))
    assert of(hub, STORE).quantity == 180
    assert of(hub, STORE).proof["position"] == {"on_hand": 40, "usable": 40, "due": 0, "allocated": 20}


def test_the_trigger_of_a_store_goes_by_its_ledger_and_not_by_what_is_allocated() -> None:
    """ADR 20: what an open command sets aside is a decision. It must not decide when another need arose."""
    hub = SiteHub(policy(source=STORE), purchase_policy())
    hub.tell(told("receive", 60, place=STORE, lot="A", expiry=day(90)))
    empty(hub)
    assert (allocated(hub), [one.location for one in hub.open_commands()]) == ((40, 20), [POCKET])


def test_what_open_commands_take_does_not_depend_on_the_order_in_which_their_facts_arrived() -> None:
    """Needs open with the ticks, so that every command was made of the same facts; lots and allocations must be the same."""
    stream = [
        told("receive", 12, place=STORE, at=minutes(1), lot="A", expiry=day(40)),
        told("receive", 12, place=STORE, at=minutes(2), lot="B", expiry=day(20), key="b"),
        told("receive", 12, place=STORE, at=minutes(3), lot="C", expiry=day(20)),
        told("receive", 30, place=STORE, at=minutes(4), lot="D", expiry=day(60)),
        told("count", 4, place=POCKET, at=minutes(5)), told("count", 3, place=OTHER_POCKET, at=minutes(6)),
        told("refill", 5, place=POCKET, at=minutes(8), lot="B"), told("dispense", 3, place=STORE, at=minutes(9)),
        reversal("b", at=minutes(10)),
    ]  # fmt: skip
    found = set()
    for seed in range(40):
        hub = SiteHub(policy(source=STORE), policy(OTHER_POCKET, source=STORE))
        hub.hear(*random.Random(seed).sample(stream, len(stream)))
        hub.tick(LATER)
        hub.tick(LATER + timedelta(days=1))
        found.add((allocated(hub), *(str((one.location, taken(one))) for one in sorted(hub.open_commands(), key=lambda one: one.location))))
    assert len(found) == 1


def test_no_unit_is_promised_twice_and_none_that_may_not_be_given() -> None:
    """A random fortnight: after each event Σ allocated of a lot is at most what is there and may be given."""
    for seed in range(15):
        rng = random.Random(seed)
        hub = store(more=(purchase_policy(),))
        for number in range(60):
            at = START + timedelta(hours=6 * number)
            lot, place = rng.choice("ABCDE"), rng.choice([POCKET, OTHER_POCKET])
            hub.tick(at)
            kind = rng.choice(["receive", "vend", "refill", "dispense", "count", "recall", "release"])
            if kind == "receive":
                hub.tell(told(kind, rng.randint(1, 30), place=STORE, at=at, lot=lot, expiry=day("ABCDE".index(lot) * 4)))
            elif kind in ("recall", "release"):
                released = None if kind == "recall" else "FDA"
                hub.learn(RecallNotice(id="R1", classification="II", products=("amox-hospira",), lots=(lot,), released=released))
            elif kind == "dispense":
                hub.tell(told(kind, rng.randint(1, 9), place=STORE, at=at, lot=rng.choice([lot, None])))
            else:
                hub.tell(told(kind, rng.randint(0, 9), place=place, at=at, lot=None if kind == "count" else lot))
            _check(hub)


def _check(hub: SiteHub) -> None:
    from schemas.topics import BALANCES

    there = [one for one in hub.latest(BALANCES) if one.location == STORE]
    usable = {one.lot: one.quantity for one in there if one.status == "available"}
    missing = sum(min(0, one.quantity) for one in there if one.status != "available")
    taking = [one for one in hub.open_commands() if one.state != "rejected" and one.kind is CommandKind.RESTOCK]
    promised: dict[str, int] = {}
    for one in taking:
        assert sum(lot.quantity for lot in one.lots) <= one.quantity
        for lot in one.lots:
            promised[lot.lot] = promised.get(lot.lot, 0) + lot.quantity
    assert all(quantity <= usable.get(lot, 0) for lot, quantity in promised.items())
    found = [one for one in hub.latest(POSITIONS) if (one.site, one.location, one.item) == (SITE, STORE, ITEM)]
    for position in found:
        assert position.allocated == sum(promised.values())
        assert position.usable == max(0, sum(usable.values()) + missing - position.allocated)
        assert position.allocated <= max(0, sum(usable.values()) + missing)
