"""A class I recall blocks every place whose stock could be of the recalled lot, until a person has inspected it."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from schemas.raw import RawRef
from schemas.reference import RecallNotice, Role
from schemas.topics import BALANCES, CASES, COMMANDS, OUTCOMES
from tests.support.facts import START, decision, minutes, told
from tests.support.world import OTHER_POCKET, POCKET, STORE, item, policy, product
from tests.unit.verify.logs import RecordedHub
from topology.verify.run import verify


def notice(**changes: Any) -> RecallNotice:
    fields = {"id": "R1", "classification": "I", "products": ("amox-hospira",), "lots": ("BAD",), "reason": "glass"}
    return RecallNotice(**{**fields, **changes})


def hub() -> RecordedHub:
    """Ten tablets of no stated lot in a pocket, five of a stated lot in another, and levels."""
    made = RecordedHub(policy(), policy(OTHER_POCKET))
    made.tick(minutes(0))
    made.hear(told("refill", 30, place=POCKET, at=minutes(1)), told("refill", 20, place=OTHER_POCKET, lot="GOOD", at=minutes(1)))
    made.tick(minutes(100))
    return made


def agrees(site: RecordedHub) -> bool:
    return verify(site.logs()).differences == [] and site.accounts_total() == 0


def inspections(site: RecordedHub) -> list[Any]:
    return site.open_cases("recall_inspect")


def test_stock_of_an_unknown_lot_may_not_be_given_and_a_stated_lot_may() -> None:
    site = hub()
    site.learn(notice())
    assert (site.usable(POCKET), site.on_hand(POCKET), site.usable(OTHER_POCKET)) == (0, 30, 20)
    assert {one.lot: one.status for one in site.latest(BALANCES) if one.location == POCKET} == {"unknown": "recalled"}
    assert [case.location for case in inspections(site)] == [POCKET]
    assert [command.urgency for command in site.open_commands()] == ["stock_out"]
    assert agrees(site)


@pytest.mark.parametrize("other", [{"classification": "II"}, {"products": ("another",)}])
def test_other_classes_and_other_products_only_ask(other: dict[str, Any]) -> None:
    site = hub()
    site.learn(notice(**other))
    assert site.usable(POCKET) == 30
    assert len(inspections(site)) == (1 if "classification" in other else 0)
    assert agrees(site)


def test_open_commands_name_no_lot_that_is_recalled() -> None:
    """Domain §3.8: allocations and picks of the lot are stopped, and the proof says by which notice."""
    site = RecordedHub(policy(source=STORE))
    site.hear(
        told("receive", 20, place=STORE, lot="BAD"), told("receive", 20, place=STORE), told("receive", 9, place=STORE, lot="GOOD")
    )
    site.hear(told("count", 2, place=POCKET, at=minutes(1)))
    site.tick(minutes(200))
    [before] = site.open_commands()
    assert {lot.lot for lot in before.lots} == {"BAD"}
    site.learn(notice())
    [after] = [command for command in site.open_commands() if command.location == POCKET]
    assert ({lot.lot for lot in after.lots}, after.proof["recalls"]) == ({"GOOD"}, {"R1": ["BAD"]})
    assert after.revision > before.revision
    site.learn(notice())
    assert [command.revision for command in site.open_commands() if command.location == POCKET] == [after.revision]
    assert agrees(site)


def test_a_place_that_was_inspected_is_usable_again_and_the_others_are_not() -> None:
    site = hub()
    site.hear(told("refill", 7, place=STORE, at=minutes(2)))
    site.learn(notice())
    [mine] = [case for case in inspections(site) if case.location == POCKET]
    site.tick(minutes(200))
    site.say(decision(mine.case_id, "close", "north-pharm1", at=minutes(200)))
    assert site.usable(POCKET) == 30
    assert site.usable(STORE) <= 0
    assert POCKET not in {case.location for case in inspections(site)}
    assert agrees(site)


def test_what_comes_in_later_without_a_lot_is_suspected_again() -> None:
    site = hub()
    site.learn(notice())
    [case] = [case for case in inspections(site) if case.location == POCKET]
    site.tick(minutes(200))
    site.say(decision(case.case_id, "close", "north-pharm1", at=minutes(200)))
    site.hear(told("refill", 5, place=POCKET, lot="GOOD", at=minutes(210)))
    assert site.usable(POCKET) == 35
    site.hear(told("refill", 5, place=POCKET, at=minutes(150)))
    assert site.usable(POCKET) == 40, "it had come before the place was inspected"
    site.hear(told("refill", 5, place=POCKET, at=minutes(220)))
    site.tick(minutes(230))
    assert site.usable(POCKET) == 5
    [again] = [case for case in inspections(site) if case.location == POCKET]
    assert again.case_id == case.case_id
    assert agrees(site)
    site.tick(minutes(300))
    site.say(decision(again.case_id, "close", "north-pharm1", at=minutes(300)))
    assert site.usable(POCKET) == 45
    assert agrees(site)


def test_a_place_that_gets_its_first_unknown_stock_after_the_notice_is_blocked_too() -> None:
    site = hub()
    site.learn(notice())
    site.hear(told("refill", 5, place=OTHER_POCKET, at=minutes(120)))
    assert site.usable(OTHER_POCKET) == 20
    assert {case.location for case in inspections(site)} == {POCKET, OTHER_POCKET}
    site.hear(told("count", 50, place=OTHER_POCKET, at=minutes(130)))
    assert (site.usable(OTHER_POCKET), site.on_hand(OTHER_POCKET)) == (20, 50), "what a count finds is of no stated lot"
    assert agrees(site)


def test_what_a_count_finds_without_a_lot_can_be_inspected_and_cleared() -> None:
    site = hub()
    site.learn(notice())
    site.hear(told("count", 25, place=OTHER_POCKET, at=minutes(130)))
    [case] = [case for case in inspections(site) if case.location == OTHER_POCKET]
    site.tick(minutes(140))
    site.say(decision(case.case_id, "close", "north-pharm1", at=minutes(140)))
    assert site.usable(OTHER_POCKET) == 25
    assert agrees(site)


def test_a_count_by_lot_says_which_lot_it_is() -> None:
    site = hub()
    site.learn(notice())
    site.hear(told("count", 0, place=POCKET, at=minutes(130)), told("count", 30, place=POCKET, lot="GOOD", at=minutes(131)))
    assert site.usable(POCKET) == 30
    assert agrees(site)


def test_a_release_and_a_lower_class_end_it() -> None:
    for ended in ({"released": "recall coordinator"}, {"classification": "II"}, {"products": ()}):
        site = hub()
        site.learn(notice())
        site.tick(minutes(150))
        site.learn(notice(**ended))
        assert site.usable(POCKET) == 30
        site.hear(told("vend", 1, place=POCKET, at=minutes(160)))
        assert site.usable(POCKET) == 29
        assert agrees(site)


def test_reading_the_notice_again_changes_nothing() -> None:
    site = hub()
    site.learn(notice())
    before = len(site.all(COMMANDS)), len(site.all(BALANCES))
    site.tick(minutes(110))
    site.learn(notice())
    assert (len(site.all(COMMANDS)), len(site.all(BALANCES))) == before


@pytest.mark.parametrize("seed", range(60))
def test_verify_agrees_on_any_history(seed: int) -> None:
    """Late and early events, counts, inspections, notices that come, change and go; the program that checks shares no code."""
    random = Random(seed)
    site = RecordedHub(policy(), policy(OTHER_POCKET))
    now = 0
    for _ in range(50):
        now += random.randint(1, 40)
        place = random.choice([POCKET, OTHER_POCKET, STORE])
        at = minutes(now - random.choice([0, 0, 5, 60, 200]))
        lot = random.choice([None, None, "BAD", "GOOD"])
        match random.randint(0, 7):
            case 0:
                classes, lots = random.choice("IIA"), random.choice([("BAD",), ("GOOD",)])
                released = random.choice([None, None, "coordinator"])
                one = notice(
                    id=random.choice(["R1", "R2"]), classification="II" if classes == "A" else "I", lots=lots, released=released
                )
                site.learn(one)
            case 1:
                open_ones = inspections(site)
                if open_ones:
                    site.say(decision(random.choice(open_ones).case_id, "close", "north-pharm1", at=minutes(now)))
            case 2:
                site.hear(told("count", random.randint(0, 20), place=place, lot=lot, at=at))
            case 3:
                site.tick(minutes(now))
            case 4:
                site.hear(told("vend" if place != STORE else "dispense", random.randint(1, 4), place=place, lot=lot, at=at))
            case _:
                kind = "refill" if place != STORE else "receive"
                site.hear(told(kind, random.randint(1, 20), place=place, lot=lot, at=at))
    site.tick(minutes(now + 500))
    site.tick(minutes(now + 501))
    assert verify(site.logs()).differences == []
    assert site.accounts_total() == 0


def test_what_is_missing_of_a_blocked_lot_is_missing_of_what_may_be_given() -> None:
    """Twenty of a stated lot came, five left without a lot: fifteen lie there, whatever a notice says of unknown lots."""
    site = hub()
    site.hear(told("vend", 5, place=OTHER_POCKET, at=minutes(90)))
    assert (site.usable(OTHER_POCKET), site.on_hand(OTHER_POCKET)) == (15, 15)
    site.learn(notice())
    site.tick(minutes(110))
    assert site.usable(OTHER_POCKET) == 15
    site.hear(told("vend", 2, place=OTHER_POCKET, at=minutes(111)))
    assert site.usable(OTHER_POCKET) == 13
    site.hear(told("refill", 10, place=OTHER_POCKET, at=minutes(112)))
    assert (site.usable(OTHER_POCKET), site.on_hand(OTHER_POCKET)) == (20, 23), "of the ten, seven filled the gap"
    assert agrees(site)


def test_a_lot_below_zero_that_expires_sets_nothing_free() -> None:
    """Design §1: usable is part of what is on hand."""
    site = RecordedHub(policy())
    site.tick(minutes(0))
    expiry = START.date()
    site.hear(
        told("refill", 20, place=POCKET, lot="GOOD", at=minutes(1)), told("vend", 4, place=POCKET, lot="OLD", expiry=expiry, at=minutes(2))
    )  # fmt: skip
    for at in (minutes(10), START + timedelta(days=2)):
        site.tick(at)
        assert (site.usable(POCKET), site.on_hand(POCKET)) == (16, 16)
    site.hear(told("vend", 1, place=POCKET, lot="OLD", at=START + timedelta(days=2)))
    assert site.usable(POCKET) == 15
    assert agrees(site)


@pytest.mark.parametrize("schedule", [None, 2])
@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"released": "FDA"}, "recall R1 was released by FDA"),
        ({"classification": "II"}, "recall R1 is of class II now and blocks no unknown lots"),
        ({"products": ("other-1",)}, "recall R1 names no product of amox any more"),
    ],
)
def test_an_inspection_whose_recall_is_over_ends_with_the_reason_in_any_order(
    changes: dict[str, Any], why: str, schedule: int | None
) -> None:
    """An inspection is a task: it ends with its cause, of a controlled substance too. What came before or after the end is the same."""
    late = told("refill", 5, place=OTHER_POCKET, at=minutes(120))
    for first in (True, False):
        site = RecordedHub(policy(), policy(OTHER_POCKET), item(schedule=schedule), item("other"), product("other-1", item="other"))
        site.tick(minutes(0))
        site.hear(told("refill", 30, place=POCKET, at=minutes(1)))
        site.learn(notice())
        site.tick(minutes(130))
        if first:
            site.hear(late)
        site.learn(notice(**changes))
        if not first:
            site.hear(late)
        site.tick(minutes(300))
        assert inspections(site) == []
        ended = [case for case in site.latest(CASES) if case.kind == "recall_inspect"]
        assert {case.location for case in ended} == ({POCKET, OTHER_POCKET} if first else {POCKET})
        assert {(case.closed_by, case.text.endswith(f". Ended: {why}")) for case in ended} == {("recall", True)}
        assert (site.usable(POCKET), site.usable(OTHER_POCKET)) == (30, 5)
        assert agrees(site)


def test_a_recall_that_comes_back_asks_again_and_one_of_another_class_asks_as_before() -> None:
    site = hub()
    site.learn(notice(classification="II"))
    site.learn(notice(classification="III"))
    assert len(inspections(site)) == 1, "neither blocked unknown lots"
    site.learn(notice(released="FDA"))
    assert inspections(site) == []
    site.learn(notice())
    [again] = inspections(site)
    assert "Ended" not in again.text
    assert site.usable(POCKET) == 0


def test_a_recall_of_another_class_than_i_that_comes_back_asks_again_too() -> None:
    site = hub()
    for changes, asked in (({}, 1), ({"released": "FDA"}, 0), ({}, 1), ({"products": ()}, 0), ({}, 1)):
        site.learn(notice(**{"classification": "II", **changes}))
        assert len(inspections(site)) == asked, changes


def test_an_inspection_for_one_recall_ends_alone() -> None:
    site = hub()
    site.learn(notice())
    site.learn(notice(id="R2"))
    site.learn(notice(released="FDA"))
    [left] = inspections(site)
    assert "recall R2" in left.text
    assert site.usable(POCKET) == 0


def test_only_a_pharmacist_of_the_site_lets_suspect_stock_go() -> None:
    """A decision counts once: the same one again does not close what has opened since."""
    site = RecordedHub(
        policy(), Role(person="tim", role="technician", sites=("north",)), Role(person="sue", role="pharmacist", sites=("south",)),
        Role(person="pia", role="pharmacist", sites=("north",)),
    )  # fmt: skip
    site.tick(minutes(0))
    site.hear(told("refill", 30, place=POCKET, at=minutes(1)))
    site.learn(notice())
    [case] = inspections(site)
    for person, why in (
        ("tim", "tim does not hold the role pharmacist at north (tim is technician there)"),
        ("sue", "sue does not hold the role pharmacist at north: have one who does decide"), ("nobody", "the line nobody,pharmacist,north"),
    ):  # fmt: skip
        site.tick(minutes(10))
        site.say(decision(case.case_id, "close", person, at=minutes(10)))
        said = site.all(OUTCOMES)[-1]
        assert (said.code, why in said.reason) == ("not_authorised", True), said.reason
        assert (inspections(site), site.usable(POCKET)) == ([case], 0)
    assert agrees(site)
    closing = decision(case.case_id, "close", "pia", at=minutes(11))
    site.say(closing)
    assert (inspections(site), site.usable(POCKET)) == ([], 30)
    site.hear(told("refill", 5, place=POCKET, at=minutes(20)))
    site.tick(minutes(30))
    site.say(dataclasses.replace(closing, raw=RawRef(partition=0, offset=10_000)))
    assert (len(inspections(site)), site.usable(POCKET)) == (1, 0)
    assert agrees(site)
