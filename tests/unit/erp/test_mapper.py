"""Answers and decisions become the events of the same name, with instants in UTC and the site by its id."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from connectors.erp.mapper import ANSWERS_MAX, DECISIONS_MAX, map_decision, map_erp_answer
from schemas.codec import encode
from schemas.events import DECISION, ORDER_ANSWER, Decision, OrderAnswer
from schemas.mapping import Refused
from schemas.raw import RawRef
from tests.unit.cabinet.lending import REF, TwoSites, message

ANSWER = {
    "answer_id": "A1",
    "site": "mercy",
    "command_id": "c-1",
    "status": "shipped",
    "at": "2026-05-31T14:05:00-05:00",
    "quantity": 40,
    "expected_at": "2026-06-02T08:00:00",
    "document": "DN-9",
}
DECISION_JSON = {
    "decision_id": "D1",
    "site": "mercy",
    "target": "c-1",
    "action": "approve",
    "actor": "pharm1",
    "at": "2026-05-31T14:05:00Z",
    "reason": "urgent",
}
BOTH = pytest.mark.parametrize(
    ("map_one", "sample", "limit"), [(map_erp_answer, ANSWER, ANSWERS_MAX), (map_decision, DECISION_JSON, DECISIONS_MAX)]
)


def run(map_one, value):
    return map_one(message(json.dumps(value).encode(), site=None), REF, TwoSites())


def test_an_answer_arrives_whole():
    assert run(map_erp_answer, ANSWER) == [
        OrderAnswer(
            answer_id="A1",
            site="mercy",
            command_id="c-1",
            status="shipped",
            at=datetime(2026, 5, 31, 19, 5, tzinfo=UTC),
            quantity=Decimal(40),
            expected_at=datetime(2026, 6, 2, 13, 0, tzinfo=UTC),  # Chicago in summer is UTC−5
            document="DN-9",
            raw=RawRef(partition=3, offset=41, index=0),
        )
    ]


def test_a_decision_arrives_whole():
    assert run(map_decision, DECISION_JSON) == [
        Decision(
            decision_id="D1",
            site="mercy",
            target="c-1",
            action="approve",
            actor="pharm1",
            at=datetime(2026, 5, 31, 14, 5, tzinfo=UTC),
            reason="urgent",
            raw=RawRef(partition=3, offset=41, index=0),
        )
    ]


def test_both_survive_encoding():
    answer, decision = run(map_erp_answer, ANSWER)[0], run(map_decision, DECISION_JSON)[0]
    assert ORDER_ANSWER.decode(encode(answer)) == answer
    assert DECISION.decode(encode(decision)) == decision


@BOTH
def test_a_site_may_be_named_by_a_facility_code_but_its_id_comes_first(map_one, sample, limit):
    assert run(map_one, {**sample, "site": "CH"})[0].site == "charite"
    assert run(map_one, {**sample, "site": "mercy"})[0].site == "mercy"  # also a facility code of charite


@BOTH
def test_an_unknown_site_is_refused(map_one, sample, limit):
    assert run(map_one, {**sample, "site": "atlantis"}) == [
        Refused(code="unknown_site", reason="site: 'atlantis' is no site of this network; use the site id of the command.")
    ]


@BOTH
def test_bad_ones_are_refused_one_by_one(map_one, sample, limit):
    results = run(map_one, [sample, {**sample, "at": "yesterday"}, 7, sample])
    assert [getattr(result, "code", "") for result in results] == ["", "invalid_fields", "not_an_object", ""]
    assert results[3].raw.index == 3


@BOTH
def test_lists_have_a_limit(map_one, sample, limit):
    assert len(run(map_one, [sample] * limit)) == limit
    assert [result.code for result in run(map_one, [sample] * (limit + 1))] == ["too_many_items"]


def test_vocabularies_are_closed():
    assert run(map_erp_answer, {**ANSWER, "status": "lost"})[0].reason == (
        "status: 'lost' is not one of 'acknowledged', 'shipped', 'rejected', 'credited'."
    )
    assert run(map_decision, {**DECISION_JSON, "action": "shrug"})[0].code == "invalid_fields"


def test_a_decision_needs_an_actor():
    assert run(map_decision, {**DECISION_JSON, "actor": ""})[0].code == "invalid_fields"


@BOTH
@pytest.mark.parametrize("body", [b"", b"\xff", b"{", b"[" * 50_000])
def test_what_is_not_json_is_one_refusal(map_one, sample, limit, body):
    assert [result.code for result in map_one(message(body), REF, TwoSites())] == ["not_json"]


def test_a_credit_says_how_much_and_a_decision_may_name_a_site_or_a_supplier():
    [credit] = run(map_erp_answer, {**ANSWER, "status": "credited", "amount": "120.50"})
    assert (credit.status, credit.amount) == ("credited", Decimal("120.50"))
    [refused] = run(map_erp_answer, {**ANSWER, "status": "credited"})
    assert refused.code == "no_amount"
    [asked] = run(map_decision, {**DECISION_JSON, "action": "transfer", "option": "north"})
    assert (asked.action, asked.option) == ("transfer", "north")
