"""Corners of the line of stages: holds, decisions, answers, failures."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from schemas.codec import encode
from schemas.codes import Code
from schemas.kinds import CommandKind, LocationKind
from schemas.log import LogRecord
from schemas.records import KPI, Case
from schemas.reference import ApprovalRule, Role
from streams.contract import fold
from streams.site.tables import CASES_TABLE
from streams.state import State
from tests.support import world
from tests.support.facts import START, answer, decision, minutes, reversal, told
from tests.support.hub import SiteHub
from tests.support.world import POCKET, STORE, policy

END = START + timedelta(days=40)


def test_a_failing_decision_without_a_raw_message_is_kept_like_any_other() -> None:
    class Boom:
        name = "x"
        input_topic = "site.log"
        tables = ()

        def handle(self, r, s):
            raise ValueError("x")

        def forget(self):
            pass

    d = decision("c", "approve", "p", raw=None)
    rec = LogRecord("site.log", 0, 1, b"", encode(d), (("ce_type", "Decision"),))
    _folded, faults = fold(Boom(), [rec], State((), lambda _: None))
    assert len(faults) == 1


def test_a_held_item_that_is_taken_back_ends() -> None:
    hub = SiteHub()
    hub.hear(told("vend", 1, place=POCKET, key="v", codes=(Code(system="local", value="nope"),)), reversal("v", at=minutes(1)))
    last = {}
    for o in hub.all("outcomes"):
        last[o.raw.offset] = o.outcome
    assert "held" not in last.values()


def test_how_long_an_event_waits_survives_a_retry() -> None:
    hub = SiteHub()
    hub.tick(START)
    hub.hear(told("vend", 1, place=POCKET, key="v", unit="blob", codes=(Code(system="local", value="nope"),)))
    hub.tick(START + timedelta(hours=5))
    hub.learn(world.item("other", codes=(Code(system="local", value="nope"),)))
    assert [x.since for x in hub.latest("holds")] == [START]


def test_a_path_below_a_cabinet_waits_for_the_cabinets_record() -> None:
    hub = SiteHub()
    hub.hear(told("count", 3, place="or/cab9/d1", lot="L1"))
    assert len(hub.latest("holds")) == 1
    hub.learn(world.location("or/cab9", LocationKind.CABINET))
    assert hub.on_hand("or/cab9/d1") == 3


def test_an_answer_before_approval_approves_nothing() -> None:
    hub = SiteHub(
        policy(critical=4),
        ApprovalRule(id="r", role="pharmacist", kinds=(CommandKind.RESTOCK,), controlled=True),
        world.item(schedule=2),
        Role(person="ph", role="pharmacist"),
    )
    hub.tick(START)
    hub.hear(told("count", 3, place=POCKET, lot="L1"))
    [c] = hub.open_commands()
    assert c.state == "awaiting_approval"
    hub.say(answer(c.command_id, "acknowledged"))
    assert hub.open_commands()[0].state == "awaiting_approval"


def test_answers_in_any_order_give_the_same_command() -> None:
    states = set()
    for flip in (0, 1):
        hub = SiteHub(policy(critical=4))
        hub.tick(START)
        hub.hear(told("count", 3, place=POCKET, lot="L1", key="c"))
        [c] = hub.open_commands()
        a = [
            answer(c.command_id, "rejected", minutes(1), answer_id="a1"),
            answer(c.command_id, "acknowledged", minutes(2), answer_id="a2", quantity=Decimal(10)),
        ]
        for one in reversed(a) if flip else a:
            hub.say(one)
        states.add(hub.open_commands()[0].state)
    assert len(states) == 1, states


def test_cancelling_needs_a_role() -> None:
    hub = SiteHub(policy(critical=4))
    hub.tick(START)
    hub.hear(told("count", 3, place=POCKET, lot="L1"))
    [c] = hub.open_commands()
    hub.say(decision(c.command_id, "cancel", "nobody"))
    assert hub.open_commands() != []


def test_a_decision_to_close_that_comes_again_does_not_close_the_case_that_opened_since() -> None:
    hub = SiteHub(world.item(schedule=2))
    hub.hear(told("vend", 1, place=POCKET, lot="L1"))
    [case] = hub.open_cases("negative_stock")
    d = decision(case.case_id, "close", "ph")
    hub.say(d)
    assert hub.open_cases() == []
    hub.hear(told("return", 1, place=POCKET, lot="L1", at=minutes(1)), told("vend", 3, place=POCKET, lot="L1", at=minutes(2)))
    assert len(hub.open_cases("negative_stock")) == 1
    hub.say(d)
    assert len(hub.open_cases("negative_stock")) == 1
    assert hub.outcomes()[-1] == "duplicate"


def test_a_conflict_resent_does_not_open_the_case_a_person_closed() -> None:
    hub = SiteHub()
    hub.hear(told("vend", 1, place=POCKET, key="v", lot="L1"))
    bad = told("vend", 2, place=POCKET, key="v", lot="L1")
    hub.hear(bad)
    [case] = hub.open_cases("conflicting_duplicate")
    hub.say(decision(case.case_id, "close", "ph"))
    hub.hear(bad)
    assert hub.open_cases("conflicting_duplicate") == []


def test_an_items_own_id_is_a_code_in_any_case() -> None:
    hub = SiteHub()
    hub.hear(told("count", 3, place=POCKET, lot="L1", codes=(Code(system="item", value="amox"),)))
    assert hub.on_hand(POCKET) == 3


def test_a_failure_declares_how_many_items_its_message_held() -> None:
    hub = SiteHub()
    hub.may_fail = True
    hub.tell(told("receive", 5, place=STORE, lot="L1", expiry=date(9999, 12, 31)), items=3)
    assert [o.items for o in hub.all("outcomes")] == [3]


def test_counts_are_counted() -> None:
    hub = SiteHub()
    hub.hear(told("count", 5, place=POCKET, lot="L1"), told("count", 5, place=POCKET, lot="L1", at=minutes(3)))
    hub.tick(START + timedelta(days=1))
    k = [KPI.decode(o.value) for o in hub.outputs if o.topic == "kpis"]
    assert [x.denominator for x in k if x.kpi == "inventory_accuracy"] == [2]


def test_a_code_of_two_places_names_neither() -> None:
    hub = SiteHub(world.location("x", codes=("SAME",)), world.location("y", codes=("SAME",)))
    hub.hear(told("count", 3, place="SAME", lot="L1"))
    assert len(hub.latest("holds")) == 1


def test_a_held_event_that_fails_does_not_take_the_reference_record_with_it() -> None:
    hub = SiteHub()
    hub.may_fail = True
    hub.hear(
        told("receive", 5, place=STORE, lot="L1", expiry=date(9999, 12, 31), codes=(Code(system="local", value="nope"),)),
        told("receive", 5, place=STORE, lot="L1", codes=(Code(system="local", value="nope"),)),
    )
    hub.learn(world.item("other", codes=(Code(system="local", value="nope"),)))
    assert hub.on_hand(STORE, "other") >= 5


CLOSERS = (
    Role(person="pia", role="pharmacist"), Role(person="bea", role="buyer", sites=(world.SITE,)), Role(person="eve", role="engineer"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "schedule", "who"),
    [
        ("receipt_over", None, {"pia", "bea"}), ("receipt_over", 2, {"pia"}), ("handler_fault", None, {"pia", "eve"}),
        ("negative_stock", None, {"pia"}), ("conflicting_duplicate", None, {"pia"}),
    ],
)  # fmt: skip
def test_a_case_is_closed_by_a_pharmacist_or_by_who_works_such_cases(kind: str, schedule: int | None, who: set[str]) -> None:
    """Design §4: an illegal request is refused with a reason. Of controlled substances a pharmacist decides alone."""
    closed = set()
    for person in ("pia", "bea", "eve", "nobody"):
        case = Case(
            case_id="c1", site=world.SITE, kind=kind, state="open", text="look", opened_at=START, updated_at=START,
            item=None if kind == "handler_fault" else world.ITEM,
        )  # fmt: skip
        hub = SiteHub(world.item(schedule=schedule), *CLOSERS)
        hub.state.table(CASES_TABLE).put((world.SITE, "c1"), case)
        hub.say(decision("c1", "close", person))
        closed |= {person} if hub.state.table(CASES_TABLE).get((world.SITE, "c1")).state == "closed" else set()
    assert closed == who


def test_where_the_hub_knows_no_role_anybody_closes_a_case() -> None:
    hub = SiteHub()
    hub.hear(told("vend", 1, place=POCKET, lot="L1"))
    [case] = hub.open_cases("negative_stock")
    hub.say(decision(case.case_id, "close", "anybody"))
    assert hub.open_cases() == []
