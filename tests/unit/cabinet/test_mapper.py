"""Cabinet transactions become stock events that say exactly what the cabinet said."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.cabinet.mapper import map_cabinet, transaction_key
from schemas.cabinet import TRANSACTIONS_MAX
from schemas.codec import encode
from schemas.codes import Code
from schemas.events import STOCK_EVENT, StockEvent
from schemas.ids import derived_id
from schemas.kinds import EventKind, Feed
from schemas.mapping import NoEffect, Refused
from schemas.raw import RawRef
from tests.unit.cabinet.lending import DATA, RECEIVED_AT, REF, TwoSites, message

VEND = json.loads((DATA / "cabinet" / "one_vend.json").read_bytes())


def mapped(site: str | None = "mercy", **changes):
    """The one result of the sample vend with some fields changed; None removes a field."""
    body = {name: value for name, value in {**VEND, **changes}.items() if value is not None}
    results = map_cabinet(message(json.dumps(body).encode(), site), REF, TwoSites())
    assert len(results) == 1
    return results[0]


def event(site: str | None = "mercy", **changes) -> StockEvent:
    result = mapped(site, **changes)
    assert isinstance(result, StockEvent), result
    return result


def refusal(**changes) -> Refused:
    result = mapped(**changes)
    assert isinstance(result, Refused), result
    return result


def test_every_field_of_a_vend_arrives_in_the_event():
    assert event() == StockEvent(
        event_id=derived_id("event", "mercy", "cab|MERCY|ICU-CAB1|880017"),
        event_key="cab|MERCY|ICU-CAB1|880017",
        kind=EventKind.VEND,
        feed=Feed.CABINET,
        site="mercy",
        source="feed-1",
        raw=RawRef(partition=3, offset=41, index=0),
        occurred=datetime(2026, 5, 31, 19, 5, tzinfo=UTC),
        received_at=RECEIVED_AT,
        codes=(Code(system="ndc", value="0409-4713-02"),),
        quantity=Decimal(2),
        unit="vial",
        location_codes=("ICU-CAB1",),
        pocket="d3/p07",
        lot="AB-0123",
        expiry=date(2027, 2, 28),
        serial="S1",
        device_sequence=4711,
        transaction_id="880017",
        order_id="ORD-1",
        patient="hash(12,MERCY-MRN)",
        actor="rn17",
        witness="rn18",
        begin_count=Decimal(10),
        begin_count_verified=True,
        facility="MERCY",
        facility_matched=True,
    )


def test_an_event_survives_encoding():
    assert STOCK_EVENT.decode(encode(event())) == event()


@pytest.mark.parametrize("action", ["vend", "return", "waste", "refill", "load", "unload", "count", "expire"])
def test_each_action_is_the_event_kind_of_the_same_name(action):
    result = event(action=action)
    assert (result.kind, result.no_effect) == (EventKind(action), None)


def test_a_null_transaction_is_an_event_without_effect():
    result = event(action="null")
    assert result.kind is EventKind.NULL
    assert result.no_effect == "The cabinet marked the transaction as null."


@pytest.mark.parametrize("action", ["vend", "return", "waste", "refill", "expire"])
def test_an_amount_of_zero_moves_nothing_and_says_so(action):
    assert event(action=action, quantity=0).no_effect == f"The cabinet reported a {action} of 0."


@pytest.mark.parametrize("action", ["load", "unload", "count"])
def test_a_total_of_zero_is_a_statement_about_the_pocket(action):
    assert event(action=action, quantity=0).no_effect is None


def test_a_cancelling_transaction_reverses_the_one_it_names_on_the_same_device():
    result = event(transaction_id="880018", reverses="880017")
    assert result.kind is EventKind.REVERSAL
    assert result.event_key == "cab|MERCY|ICU-CAB1|880018"
    assert result.reverses == "cab|MERCY|ICU-CAB1|880017"


def test_cancelling_a_null_or_empty_transaction_still_takes_back_the_other():
    assert event(action="null", reverses="1").no_effect is None
    assert event(quantity=0, reverses="1").kind is EventKind.REVERSAL


def test_a_transaction_can_not_cancel_itself():
    assert refusal(reverses="880017").code == "reverses_itself"


def test_the_same_fact_has_the_same_id_whatever_message_brings_it():
    alone = event()
    results = map_cabinet(message(json.dumps([VEND, VEND]).encode()), RawRef(partition=1, offset=9), TwoSites())
    assert [result.event_id for result in results] == [alone.event_id] * 2
    assert [result.raw.index for result in results] == [0, 1]


def test_keys_differ_when_any_part_differs_even_with_bars_inside():
    assert transaction_key(None, "a|b", "c") != transaction_key(None, "a", "b|c")
    assert transaction_key(None, "a%7Cb", "c") != transaction_key(None, "a|b", "c")
    assert transaction_key(None, "ICU-CAB1", "880017") == "cab||ICU-CAB1|880017"


def test_without_an_offset_the_time_is_in_the_zone_of_the_site():
    result = event(occurred="2026-05-31T14:05:00")
    assert result.zone_assumed
    assert result.occurred == datetime(2026, 5, 31, 19, 5, tzinfo=UTC)  # Chicago in summer is UTC−5


def test_in_the_hour_that_happens_twice_the_first_one_is_taken():
    # 2026-11-01 01:30 in Chicago is 06:30 UTC (daylight time) and again 07:30 UTC
    assert event(occurred="2026-11-01T01:30:00").occurred == datetime(2026, 11, 1, 6, 30, tzinfo=UTC)


def test_an_offset_in_the_text_wins_over_the_zone_of_the_site():
    result = event(occurred="2026-05-31T14:05:00Z")
    assert (result.occurred, result.zone_assumed) == (datetime(2026, 5, 31, 14, 5, tzinfo=UTC), False)


def test_the_facility_decides_the_site_before_the_default_of_the_feed():
    result = event(facility="CH")
    assert (result.site, result.facility, result.facility_matched) == ("charite", "CH", True)


def test_an_unknown_facility_leaves_the_default_and_is_marked():
    result = event(facility="ELSEWHERE")
    assert (result.site, result.facility, result.facility_matched) == ("mercy", "ELSEWHERE", False)
    assert result.event_key == "cab|ELSEWHERE|ICU-CAB1|880017"


def test_without_facility_and_default_the_site_stays_empty():
    result = event(site=None, facility=None)
    assert (result.site, result.facility, result.facility_matched) == ("", None, False)


def test_a_site_whose_zone_is_unknown_is_named():
    result = mapped(site="nowhere", facility=None, occurred="2026-05-31T14:05:00")
    assert result == Refused(
        code="unknown_zone", reason="Site nowhere has the unknown time zone 'Mars/Base'; correct the site's record."
    )


def test_test_traffic_is_marked():
    assert event(test=True).test


def test_a_patient_is_known_by_hash_only():
    assert b"MRN-99887766" not in encode(event())
    assert event(patient_authority=None).patient == "hash(12,)"
    assert event(patient_id=None).patient is None


def test_the_default_code_system_is_local():
    assert event(code_system=None, product_code="LIDO1").codes == (Code(system="local", value="LIDO1"),)


def test_a_bad_transaction_never_spoils_the_others():
    results = map_cabinet(message((DATA / "cabinet" / "shift.json").read_bytes()), REF, TwoSites())
    assert [type(result) for result in results] == [StockEvent, Refused, StockEvent]
    assert results[1] == Refused(code="invalid_fields", reason="quantity: -1 is less than 0.")
    assert results[2].raw == RawRef(partition=3, offset=41, index=2)
    assert results[0].zone_assumed


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"action": "borrow"},
            "action: 'borrow' is not one of 'vend', 'return', 'waste', 'refill', 'load', 'unload', 'count', 'expire', 'null'.",
        ),
        ({"device": None}, "device: is missing."),
        ({"device": ""}, "device: '' is empty."),
        ({"transaction_id": 17}, "transaction_id: 17 is not text."),
        ({"quantity": "two"}, "quantity: 'two' is not a number."),
        ({"quantity": 10_000_001}, "quantity: 10000001 is more than 10000000."),
        ({"device_sequence": 1.5}, "device_sequence: 1.5 is not a whole number."),
        ({"lot": {"MRN": "99887766"}}, "lot: the object given is not text."),
        ({"begin_count_verified": "perhaps"}, "begin_count_verified: 'perhaps' is not true or false."),
        ({"expiry": "2027-02-30"}, "expiry: '2027-02-30' is not a date that exists."),
        ({"expiry": "1798675200"}, "expiry: '1798675200' is not a date like 2026-05-31."),
        ({"occurred": "2026-05-31T25:00:00"}, "occurred: '2026-05-31T25:00:00' is not a date and time that exists."),
        ({"occurred": 1780250700}, "occurred: 1780250700 is not a date and time like 2026-05-31T14:05:00-05:00."),
        ({"occurred": "2026-05-31"}, "occurred: '2026-05-31' is not a date and time like 2026-05-31T14:05:00-05:00."),
    ],
)
def test_a_refusal_names_the_field_and_what_is_wrong_with_it(changes, reason):
    assert refusal(**changes) == Refused(code="invalid_fields", reason=reason)


def test_all_wrong_fields_are_named_at_once_up_to_a_limit():
    reason = refusal(device="", pocket="", unit="", product_code="", quantity=-1, device_sequence=-1).reason
    assert reason.count(": ") == 5
    assert reason.endswith("; and 1 more.")


@pytest.mark.parametrize("field", ["patient_id", "patient_authority", "user", "witness"])
def test_a_reason_never_repeats_what_may_name_a_person(field):
    reason = refusal(**{field: ["99887766"], "lot": 5}).reason
    assert "99887766" not in reason
    assert f"{field}: the list given is not text" in reason


@pytest.mark.parametrize("changes", [{"lot": 5}, {"occurred": "now"}, {"quantity": {}}, {"action": "x"}])
def test_a_reason_speaks_the_language_of_the_schema_not_of_the_library(changes):
    reason = refusal(**changes).reason
    for jargon in ("pydantic", "http", "Input should", "type=", "ctx", "errors.", "validation error"):
        assert jargon not in reason


@pytest.mark.parametrize("quantity", ["1E-999999", "0.0000001"])
def test_a_quantity_too_fine_to_be_one_is_refused(quantity):
    assert refusal(quantity=quantity).code == "absurd_quantity"


def test_a_begin_count_has_the_same_limits():
    assert refusal(begin_count="1E+30").code == "absurd_quantity"


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("expiry", "9999-12-31", "absurd_expiry"),
        ("occurred", "0001-01-01T00:00:00+14:00", "absurd_time"),
        ("occurred", "9999-12-31T23:59:59-12:00", "absurd_time"),
    ],
)
def test_sentinel_dates_are_refused_with_what_to_do(field, value, code):
    assert refusal(**{field: value}).code == code


def test_fractions_keep_their_exact_value():
    body = json.dumps(VEND).replace('"quantity": 2', '"quantity": 0.1').encode()
    assert map_cabinet(message(body), REF, TwoSites())[0].quantity == Decimal("0.1")


@pytest.mark.parametrize(
    "body",
    [b"", b"\x00", b"{", b"MSH|^~\\&|", b"\xff\xfe", b"[" * 100_000, b'{"quantity": NaN}', b"1" * 5_000, b'{"a":1}{"b":2}'],
)
def test_what_is_not_json_is_one_refusal(body):
    results = map_cabinet(message(body), REF, TwoSites())
    assert [result.code for result in results] == ["not_json"]


@pytest.mark.parametrize(
    ("body", "shown"), [(b"7", "number"), (b"null", "null"), (b'"x"', "text"), (b"[[]]", "list"), (b"[true]", "boolean")]
)
def test_json_that_is_no_object_is_named(body, shown):
    assert map_cabinet(message(body), REF, TwoSites()) == [
        Refused(code="not_an_object", reason=f"A transaction must be a JSON object, not {shown}.")
    ]


def test_an_empty_list_is_accepted_without_movement():
    assert map_cabinet(message(b"[]"), REF, TwoSites()) == [NoEffect(code="empty_list", reason="The list holds no transaction.")]


def test_a_list_over_the_limit_is_one_refusal_and_at_the_limit_is_mapped():
    at_limit = map_cabinet(message(json.dumps([VEND] * TRANSACTIONS_MAX).encode()), REF, TwoSites())
    assert len(at_limit) == TRANSACTIONS_MAX
    over = map_cabinet(message(json.dumps([VEND] * (TRANSACTIONS_MAX + 1)).encode()), REF, TwoSites())
    assert [result.code for result in over] == ["too_many_items"]


def test_a_body_with_byte_order_mark_is_read():
    assert isinstance(map_cabinet(message(b"\xef\xbb\xbf" + json.dumps(VEND).encode()), REF, TwoSites())[0], StockEvent)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=150, deadline=None)
@given(field=st.sampled_from(sorted(VEND)), value=_JSON)
def test_no_value_of_any_field_makes_the_mapper_raise(field, value):
    results = map_cabinet(message(json.dumps([{**VEND, field: value}, VEND]).encode()), REF, TwoSites())
    assert len(results) == 2
    assert isinstance(results[1], StockEvent)
    assert isinstance(results[0], StockEvent | Refused)
    encode(results)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_make_the_mapper_raise(body):
    assert map_cabinet(message(body), REF, TwoSites())


# ---- a whole pocket, lot by lot --------------------------------------------------------------------------------------------


def test_a_count_may_name_every_lot_of_the_pocket():
    other = "0093-1111-01"
    lots = [{"lot": "L1", "quantity": 2, "expiry": "2027-01-31"}, {"quantity": 1, "product_code": other}]
    found = event(action="count", quantity=3, lot=None, expiry=None, lots=lots)
    own, second = (Code(system=VEND["code_system"], value=value) for value in (VEND["product_code"], other))
    assert (found.kind, found.quantity, found.lot, found.codes) == (EventKind.COUNT, Decimal(3), None, (own, second))
    assert [(one.codes, one.quantity, one.lot, one.expiry) for one in found.found] == [
        ((own,), Decimal(2), "L1", date(2027, 1, 31)), ((second,), Decimal(1), None, None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"action": "count", "quantity": 4, "lot": None}, "lots: add up to 3, but quantity is 4"),
        ({"action": "vend", "quantity": 3, "lot": None}, "lots: only a count"),
        ({"action": "count", "quantity": 3, "lot": "L1"}, "lots: only a count"),
    ],
)
def test_lots_that_say_something_else_than_the_count_are_refused(changes, said):
    result = refusal(expiry=None, lots=[{"lot": "L1", "quantity": 3}], **changes)
    assert result.code == "invalid_fields"
    assert said in result.reason
