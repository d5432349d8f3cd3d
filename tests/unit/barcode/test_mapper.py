"""Scan events become stock events: what the barcode says, where, doing what."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.barcode.mapper import map_scan
from schemas.codes import Code
from schemas.events import StockEvent
from schemas.ids import derived_id
from schemas.kinds import EventKind, Feed
from schemas.mapping import NoEffect, Refused
from schemas.raw import RawRef
from schemas.scan import PACKAGE_UNIT, SCANS_MAX
from tests.unit.cabinet.lending import DATA, RECEIVED_AT, REF, TwoSites, message

RECEIPT = json.loads((DATA / "scan" / "receipt.json").read_bytes())
PLAIN = {
    "session": "s1",
    "event_id": "7",
    "activity": "pick",
    "occurred": "2026-05-31T09:00:00-05:00",
    "barcode": "00304094713021",
    "location": "main/shelf3",
    "user": "tech4",
}


def mapped(**changes):
    """The one result of a plain pick with some fields changed."""
    results = map_scan(message(json.dumps({**PLAIN, **changes}).encode()), REF, TwoSites())
    assert len(results) == 1
    return results[0]


def event(**changes) -> StockEvent:
    result = mapped(**changes)
    assert isinstance(result, StockEvent), result
    return result


def refusal(**changes) -> Refused:
    result = mapped(**changes)
    assert isinstance(result, Refused), result
    return result


def test_a_receipt_arrives_with_everything_the_label_and_the_person_said():
    results = map_scan(message(json.dumps(RECEIPT).encode()), REF, TwoSites())
    assert results[0] == StockEvent(
        event_id=derived_id("event", "mercy", "scan|dock-7|1"),
        event_key="scan|dock-7|1",
        kind=EventKind.RECEIVE,
        feed=Feed.SCAN,
        site="mercy",
        source="feed-1",
        raw=RawRef(partition=3, offset=41, index=0),
        occurred=datetime(2026, 5, 31, 13, 0, tzinfo=UTC),
        received_at=RECEIVED_AT,
        codes=(Code(system="gtin", value="00304094713021"),),
        quantity=Decimal(25),
        unit=PACKAGE_UNIT,
        location_codes=("main/dock",),
        lot="21072911",
        expiry=date(2027, 4, 30),
        serial="SN0001",
        transaction_id="1",
        order_id="PO-77",
        actor="tech4",
        facility="MERCY",
        facility_matched=True,
    )
    assert results[1].raw.index == 1
    assert (results[1].kind, results[1].to_location_codes) == (EventKind.PUT_AWAY, ("main/shelf3",))
    assert (results[1].lot, results[1].expiry) == ("21072911", date(2027, 4, 30))


@pytest.mark.parametrize(
    ("activity", "kind"),
    [
        ("receive", EventKind.RECEIVE),
        ("put_away", EventKind.PUT_AWAY),
        ("pick", EventKind.PICK),
        ("count", EventKind.COUNT),
        ("waste", EventKind.DISCARD),
        ("return", EventKind.RETURN),
    ],
)
def test_each_activity_has_its_kind(activity, kind):
    assert event(activity=activity, to_location="icu").kind is kind


def test_without_a_quantity_it_is_one_package():
    assert (event().quantity, event().unit) == (Decimal(1), PACKAGE_UNIT)


def test_a_quantity_without_unit_counts_packages():
    assert (event(quantity=3).quantity, event(quantity=3).unit) == (Decimal(3), PACKAGE_UNIT)
    assert event(quantity=3, unit="vial").unit == "vial"


def test_a_unit_without_quantity_is_refused():
    assert refusal(unit="vial").code == "no_quantity"


@pytest.mark.parametrize("barcode", ["]d20100304094713021" + "3024", "]C1020030409471302137" + "24"])
def test_the_count_in_the_barcode_is_the_quantity_unless_one_is_typed(barcode):
    assert (event(barcode=barcode).quantity, event(barcode=barcode).unit) == (Decimal(24), PACKAGE_UNIT)
    assert event(barcode=barcode, quantity=2).quantity == Decimal(2)


def test_a_hyphenated_ndc_is_a_code_too():
    assert event(barcode="0409-4713-02").codes == (Code(system="ndc", value="0409-4713-02"),)


def test_typed_lot_and_expiry_stand_in_for_a_barcode_without_them():
    result = event(lot="ab-0123", expiry="2027-02-28")
    assert (result.lot, result.expiry) == ("ab-0123", date(2027, 2, 28))


def test_the_same_lot_typed_differently_is_no_contradiction():
    assert event(barcode="(01)00304094713021(10)AB0123", lot="ab-0123 ").lot == "AB0123"


def test_a_typed_lot_that_contradicts_the_barcode_is_refused():
    result = refusal(barcode="(01)00304094713021(10)0123", lot="123")
    assert result == Refused(
        code="lot_mismatch",
        reason="lot: '123' was typed, but the barcode says '0123'; leave the typed lot out.",
        event_key="scan|s1|7",
    )


@pytest.mark.parametrize(
    ("changes", "event_key"),
    [
        ({"barcode": "hello"}, "scan|s1|7"),
        ({"quantity": "many"}, "scan|s1|7"),
        ({"session": "a|b", "event_id": "50%", "user": ""}, "scan|a%7Cb|50%25"),
        ({"session": 5}, None),
        ({"event_id": ""}, None),
        ({"session": "s" * 101}, None),
    ],
)
def test_a_refused_scan_keeps_its_identity_where_it_has_one(changes, event_key):
    """The person who scanned asks by session how it ended, also when nothing else of the scan can be read."""
    assert refusal(**changes).event_key == event_key


def test_a_typed_expiry_that_contradicts_the_barcode_is_refused():
    assert refusal(barcode="(01)00304094713021(17)270430", expiry="2027-05-30").code == "expiry_mismatch"
    assert event(barcode="(01)00304094713021(17)270400", expiry="2027-04-30").expiry == date(2027, 4, 30)


def test_an_unreadable_barcode_is_refused_with_what_to_do():
    result = refusal(barcode="]d20100304094713022")
    assert result.code == "unreadable_barcode"
    assert result.reason == (
        "The barcode ']d20100304094713022' can't be read (wrong_check_digit): the number 00304094713022 of AI (01) ends with "
        "check digit 2, expected 1; scan it again, or check that the scanner sends FNC1 as \\x1d or <GS>."
    )


def test_a_barcode_without_product_is_refused():
    assert "names no product" in refusal(barcode="]C1" + "00106141411234567897").reason


def test_a_shipping_container_is_received_as_a_whole_and_nothing_else_is_done_with_it():
    found = event(barcode="]C1" + "00106141411234567897", activity="receive")
    assert (found.codes, found.quantity, found.unit) == ((Code(system="sscc", value="106141411234567897"),), Decimal(1), PACKAGE_UNIT)
    for more in ({"quantity": 2}, {"lot": "L1"}, {"expiry": "2027-01-01"}):
        refused = refusal(barcode="]C1" + "00106141411234567897", activity="receive", **more)
        assert (refused.code, "leave quantity, lot and expiry out" in refused.reason) == ("container_whole", True)


def test_a_logistic_label_that_names_its_product_is_that_many_packages():
    found = event(barcode="]C1" + "00106141411234567897" + "0200304094713021" + "3712", activity="receive")
    assert (found.codes, found.quantity) == ((Code(system="gtin", value="00304094713021"),), Decimal(12))


def test_control_characters_of_a_barcode_are_shown_not_printed():
    assert "\\u001d" in refusal(barcode="]d210A\x1d17210431").reason


def test_a_put_away_needs_a_destination():
    assert refusal(activity="put_away").code == "no_destination"


def test_a_pick_without_destination_has_none():
    assert event().to_location_codes == ()


def test_places_may_be_scanned_as_gln_barcodes():
    result = event(location="]C14141234567890128254SHELF3", to_location="(414)1234567890128")
    assert (result.location_codes, result.to_location_codes) == (("1234567890128.SHELF3",), ("1234567890128",))
    assert event(location="(not a gln)").location_codes == ("(not a gln)",)


def test_two_identical_vials_scanned_one_after_the_other_are_two_events():
    assert event(event_id="7").event_id != event(event_id="8").event_id
    assert event(session="a|b", event_id="c").event_key != event(session="a", event_id="b|c").event_key


def test_the_century_of_an_expiry_comes_from_the_message_not_from_the_clock():
    assert event(barcode="(01)00304094713021(17)760131").expiry == date(2076, 1, 31)
    assert event(barcode="(01)00304094713021(17)770131").expiry == date(1977, 1, 31)


def test_time_without_offset_is_in_the_zone_of_the_site():
    result = event(occurred="2026-05-31T09:00:00", facility="CH")
    assert (result.site, result.zone_assumed) == ("charite", True)
    assert result.occurred == datetime(2026, 5, 31, 7, 0, tzinfo=UTC)


def test_test_traffic_is_marked():
    assert event(test=True).test


def test_a_bad_scan_never_spoils_the_others():
    body = json.dumps([PLAIN, {**PLAIN, "barcode": "?"}, {**PLAIN, "activity": "steal"}, PLAIN]).encode()
    results = map_scan(message(body), REF, TwoSites())
    assert [type(result) for result in results] == [StockEvent, Refused, Refused, StockEvent]
    assert results[3].raw.index == 3


def test_lists_have_a_limit_and_may_be_empty():
    assert map_scan(message(b"[]"), REF, TwoSites()) == [NoEffect(code="empty_list", reason="The list holds no scan.")]
    over = map_scan(message(json.dumps([PLAIN] * (SCANS_MAX + 1)).encode()), REF, TwoSites())
    assert [result.code for result in over] == ["too_many_items"]


def test_what_is_not_json_is_one_refusal():
    assert [result.code for result in map_scan(message(b"304094713021"), REF, TwoSites())] == ["not_an_object"]
    assert [result.code for result in map_scan(message(b"]d201"), REF, TwoSites())] == ["not_json"]


@settings(max_examples=150, deadline=None)
@given(st.text(min_size=1, max_size=80), st.sampled_from(["barcode", "location", "to_location", "lot", "session"]))
def test_no_text_in_any_field_makes_the_mapper_raise(text, field):
    assert isinstance(mapped(**{field: text}), StockEvent | Refused)


@pytest.mark.parametrize(
    ("activity", "kind"), [("send", EventKind.TRANSFER_OUT), ("arrive", EventKind.TRANSFER_IN)]
)
def test_a_transfer_names_the_other_site_by_its_id(activity, kind):
    found = event(activity=activity, partner="elsewhere", shipment="T-7", document="222-1")
    assert (found.kind, found.partner, found.shipment, found.document) == (kind, "elsewhere", "T-7", "222-1")


@pytest.mark.parametrize(
    ("activity", "kind"),
    [("return_supplier", EventKind.RETURN_SUPPLIER), ("return_distributor", EventKind.RETURN_DISTRIBUTOR)],
)
def test_a_return_may_say_to_whom_and_which_credit_is_expected(activity, kind):
    found = event(activity=activity, partner="Inmar", shipment="RA-1", amount="12.50")
    assert (found.kind, found.partner, found.shipment, found.amount) == (kind, "Inmar", "RA-1", Decimal("12.50"))
    assert event(activity=activity).partner is None
