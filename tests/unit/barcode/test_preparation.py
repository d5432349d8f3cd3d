"""Openings, transforms and undone scans as JSON at the edge of scans: what they become, and how each mistake is told."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.barcode.mapper import map_scan
from connectors.files.detect import detect
from schemas.codec import encode
from schemas.codes import Code
from schemas.events import StockEvent
from schemas.kinds import EventKind, Feed
from schemas.mapping import Refused
from schemas.preparation import TRANSFORM_SCAN, UNDO_SCAN
from schemas.raw import SCAN_JSON
from schemas.scan import PACKAGE_UNIT, SCAN_EVENT
from tests.unit.cabinet.lending import REF, TwoSites, message
from tests.unit.schemas.samples import sample_of

WHO = {"session": "s1", "event_id": "7", "occurred": "2026-05-31T09:00:00-05:00", "user": "pia", "facility": "MERCY"}
OPEN = {**WHO, "activity": "puncture", "barcode": "(01)00304094713021(10)L1(21)SN1", "location": "main", "container": "V-1"}
TRANSFORM = {
    **WHO, "activity": "transform", "location": "main/clean", "recipe": "bag-2", "witness": "tom",
    "inputs": [
        {"barcode": "(01)00304094713021(17)270430(10)L1", "quantity": 3, "unit": "vial", "location": "main"},
        {"code": "bag-empty", "quantity": "1", "unit": "bag", "lot": "E9", "container": "box 2"},
    ],
    "outputs": [{"code": "MED-1", "code_system": "Local", "quantity": 1, "unit": "bag", "lot": "B-1", "beyond_use": "2026-06-01T08:30:00-05:00"}],
}  # fmt: skip
UNDO = {**WHO, "activity": "undo", "event_id": "8", "undoes": "7"}


def mapped(item: dict[str, Any]) -> Any:
    results = map_scan(message(json.dumps(item).encode()), REF, TwoSites())
    assert len(results) == 1
    return results[0]


def event(item: dict[str, Any], **changes: Any) -> StockEvent:
    result = mapped({**item, **changes})
    assert isinstance(result, StockEvent), result
    return result


def refusal(item: dict[str, Any], **changes: Any) -> tuple[str, str]:
    result = mapped({**item, **changes})
    assert isinstance(result, Refused), result
    assert result.event_key is not None, "the person who scanned asks by it"
    return result.code, result.reason


# ---- openings ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("activity", ["open", "puncture", "thaw", "out_of_fridge"])
def test_an_opening_names_its_container_and_starts_its_clock_when_it_happened(activity: str) -> None:
    found = event(OPEN, activity=activity)
    assert (found.kind, found.container, found.lot) == (EventKind(activity), "V-1", "L1")
    assert (found.quantity, found.unit) == (1, PACKAGE_UNIT)
    assert found.occurred == datetime(2026, 5, 31, 14, 0, tzinfo=UTC)
    assert found.beyond_use is None
    assert found.site == "mercy"


def test_an_opening_without_a_label_is_named_by_the_serial_number_and_without_either_refused() -> None:
    assert event(OPEN, container=None).container == "SN1"
    code, reason = refusal(OPEN, container=None, barcode="(01)00304094713021(10)L1")
    assert (code, reason.partition(":")[0]) == ("no_container", "container")


def test_a_label_may_say_until_when_in_the_sites_zone() -> None:
    """14:00 without an offset is 19:00 UTC at Mercy in summer (UTC−5)."""
    assert event(OPEN, beyond_use="2026-06-14T14:00:00").beyond_use == datetime(2026, 6, 14, 19, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"beyond_use": "2026-05-01T00:00:00Z"}, "invalid_fields", "beyond_use: is before occurred"),
        ({"beyond_use": 1780000000}, "invalid_fields", "beyond_use:"),
        ({"activity": "pick", "beyond_use": "2026-06-14T14:00:00Z"}, "invalid_fields", "pick opens nothing"),
        ({"container": "x" * 101}, "invalid_fields", "container:"),
        ({"activity": "defrost"}, "invalid_fields", "activity:"),
    ],
)
def test_what_an_opening_must_not_say(changes: dict[str, Any], code: str, said: str) -> None:
    found, reason = refusal(OPEN, **changes)
    assert (found, said in reason) == (code, True), reason


def test_any_scan_may_name_the_container_it_is_about() -> None:
    assert event(OPEN, activity="waste").container == "V-1"
    assert event(OPEN, activity="waste", container=None).container is None


# ---- transforms ----------------------------------------------------------------------------------------------------------


def test_a_transform_states_all_of_its_lines_in_one_event() -> None:
    found = event(TRANSFORM)
    assert (found.kind, found.feed, found.event_key, found.recipe) == (EventKind.TRANSFORM, Feed.SCAN, "scan|s1|7", "bag-2")
    assert (found.actor, found.witness, found.location_codes) == ("pia", "tom", ("main/clean",))
    first, second, made = found.parts
    assert (first.made, first.codes, first.lot, first.expiry) == (False, (Code(system="gtin", value="00304094713021"),), "L1", date(2027, 4, 30))
    assert (first.quantity, first.unit, first.location_codes) == (Decimal(3), "vial", ("main",))
    assert (second.codes, second.lot, second.container) == ((Code(system="item", value="bag-empty"),), "E9", "box 2")
    assert (made.made, made.codes, made.lot, made.location_codes) == (True, (Code(system="local", value="MED-1"),), "B-1", ())
    assert made.beyond_use == datetime(2026, 6, 1, 13, 30, tzinfo=UTC)


def lines(name: str, **changes: Any) -> dict[str, Any]:
    return {name: [{**TRANSFORM[name][0], **changes}]}


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"inputs": []}, "invalid_fields", "inputs"),
        ({"outputs": []}, "invalid_fields", "outputs"),
        ({"inputs": None}, "invalid_fields", "inputs"),
        ({"inputs": [7]}, "invalid_fields", "inputs[0]: is not an object"),
        ({"inputs": "L1"}, "invalid_fields", "inputs"),
        (lines("inputs", barcode=None), "invalid_fields", "inputs[0]: give either the barcode that was scanned or a code"),
        (lines("inputs", code="x"), "invalid_fields", "inputs[0]: give either"),
        (lines("inputs", barcode="(01)0030409471302"), "unreadable_barcode", "inputs[0]: The barcode"),
        (lines("inputs", lot="L2"), "lot_mismatch", "inputs[0]: lot"),
        (lines("inputs", expiry="2027-05-31"), "expiry_mismatch", "inputs[0]: expiry"),
        (lines("inputs", expiry=20270430), "invalid_fields", "inputs[0].expiry"),
        (lines("inputs", quantity=0), "invalid_fields", "inputs[0].quantity"),
        (lines("inputs", quantity="1.0000001"), "absurd_quantity", "inputs[0]: quantity"),
        (lines("inputs", beyond_use="2026-06-01T00:00:00Z"), "invalid_fields", "inputs[0].beyond_use"),
        (lines("outputs", lot=None), "invalid_fields", "outputs[0].lot"),
        (lines("outputs", beyond_use="2026-05-30T00:00:00Z"), "invalid_fields", "outputs[0]: beyond_use is before it was made"),
        (lines("outputs", expiry="2999-12-31"), "absurd_expiry", "outputs[0]: expiry"),
        (lines("outputs", lot="\ud800"), "bad_text", "lot"),
        ({"barcode": "x"}, "invalid_fields", "barcode"),
        ({"occurred": "yesterday"}, "invalid_fields", "occurred"),
        ({"inputs": [TRANSFORM["inputs"][1]] * 101}, "invalid_fields", "inputs"),
    ],
)
def test_what_is_wrong_with_a_line_is_told_by_its_place(changes: dict[str, Any], code: str, said: str) -> None:
    found, reason = refusal(TRANSFORM, **changes)
    assert (found, said in reason) == (code, True), reason


def test_one_bad_transform_spoils_no_other_scan() -> None:
    body = json.dumps([{**TRANSFORM, "inputs": []}, {**OPEN, "event_id": "9"}]).encode()
    first, second = map_scan(message(body), REF, TwoSites())
    assert (type(first), type(second)) == (Refused, StockEvent)


# ---- taking back ---------------------------------------------------------------------------------------------------------


def test_an_undo_takes_back_a_scan_of_its_session_or_of_another() -> None:
    found = event(UNDO)
    assert (found.kind, found.reverses, found.event_key) == (EventKind.REVERSAL, "scan|s1|7", "scan|s1|8")
    assert event(UNDO, undoes_session="s|2").reverses == "scan|s%7C2|7"
    assert refusal(UNDO, undoes="8")[0] == "reverses_itself"
    assert refusal(UNDO, undoes=None)[0] == "invalid_fields"


# ---- the edge ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("item", [OPEN, TRANSFORM, UNDO])
def test_files_of_them_are_known_for_scans(item: dict[str, Any]) -> None:
    assert detect("a.json", json.dumps(item).encode()) == SCAN_JSON
    assert detect("a.json", json.dumps([item]).encode()) == SCAN_JSON


@settings(max_examples=60, deadline=None)
@given(sample_of(TRANSFORM_SCAN.type) | sample_of(UNDO_SCAN.type) | sample_of(SCAN_EVENT.type), st.booleans())
def test_whatever_has_the_right_shape_is_an_event_or_a_refusal_and_never_an_error(scan: Any, listed: bool) -> None:


    body = encode(scan)
    found = map_scan(message(b"[" + body + b"]" if listed else body), REF, TwoSites())
    assert len(found) == 1
    assert isinstance(found[0], (StockEvent, Refused))
