"""Paper entries become events of the deed, the place and the time that were written."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from connectors.paper.mapper import map_paper
from schemas.codes import Code
from schemas.events import StockEvent
from schemas.kinds import EventKind, Feed
from schemas.mapping import Mapped, Refused
from schemas.paper import paper_event_id
from tests.unit.cabinet.lending import REF, TwoSites, message

ENTRY = {
    "period": "d1", "form": "A7", "line": 3, "activity": "remove", "occurred": "2026-05-31T02:05:00-05:00", "location": "icu/cab1/d3",
    "code": "amox", "quantity": "2", "unit": "tablet", "user": "kim", "witness": "lee", "lot": "L1", "expiry": "2027-01-31",
}  # fmt: skip


def mapped(**changes: Any) -> Mapped:
    body = {name: value for name, value in {**ENTRY, **changes}.items() if value is not None}
    (result,) = map_paper(message(json.dumps(body).encode(), "mercy"), REF, TwoSites())
    return result


def event(**changes: Any) -> StockEvent:
    result = mapped(**changes)
    assert isinstance(result, StockEvent), result
    return result


def test_what_was_written_arrives_in_the_event() -> None:
    made = event()
    assert (made.event_key, made.kind, made.feed, made.site) == ("paper|d1|A7|3", EventKind.VEND, Feed.PAPER, "mercy")
    assert made.event_id == paper_event_id("mercy", "d1", "A7", 3)
    assert made.occurred == datetime(2026, 5, 31, 7, 5, tzinfo=UTC)
    assert (made.codes, made.quantity, made.unit) == ((Code(system="item", value="amox"),), Decimal(2), "tablet")
    assert (made.location_codes, made.lot, made.expiry) == (("icu/cab1/d3",), "L1", date(2027, 1, 31))
    assert (made.actor, made.witness, made.no_effect, made.reverses) == ("kim", "lee", None, None)


@pytest.mark.parametrize(
    ("activity", "kind"),
    [
        ("remove", "vend"), ("return", "return"), ("waste", "waste"), ("discard", "discard"), ("refill", "refill"),
        ("count", "count"), ("receive", "receive"), ("move", "put_away"),
    ],
)  # fmt: skip
def test_each_activity_is_one_kind(activity: str, kind: str) -> None:
    assert event(activity=activity, to_location="main").kind == kind


def test_a_line_is_taken_back_under_a_key_that_names_the_finding() -> None:
    made = event(takes_back=4)
    assert (made.kind, made.event_key, made.reverses) == (EventKind.REVERSAL, "paper|d1|A7|3|back|4", "paper|d1|A7|3")


def test_a_patient_leaves_as_a_hash() -> None:
    made = event(patient_id="M0000001")
    assert made.patient is not None
    assert "M0000001" not in repr(made)


def test_nothing_removed_moves_nothing_and_nothing_counted_is_a_count() -> None:
    assert event(quantity="0").no_effect == "The form says remove of 0."
    assert event(quantity="0", activity="count").no_effect is None


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"quantity": "-1"}, "invalid_fields"), ({"occurred": "today"}, "invalid_fields"), ({"form": "a|b"}, "invalid_fields"),
        ({"activity": "borrow"}, "invalid_fields"), ({"line": 0}, "invalid_fields"), ({"activity": "move"}, "no_destination"),
        ({"quantity": "99999999"}, "invalid_fields"),
    ],
)  # fmt: skip
def test_what_can_not_be_is_refused(changes: dict[str, Any], code: str) -> None:
    result = mapped(**changes)
    assert isinstance(result, Refused)
    assert result.code == code
