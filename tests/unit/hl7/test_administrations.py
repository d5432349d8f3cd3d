"""RAS: one administration per RXA (HL7 v2.8.2 §4A.4.7), its identity and its corrections."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from schemas.codec import encode
from schemas.codes import Code
from schemas.events import QUANTITY_MAX, STOCK_EVENT, StockEvent
from schemas.ids import derived_id
from schemas.kinds import EventKind, Feed
from schemas.mapping import Refused
from schemas.raw import RawRef
from tests.unit.hl7.support import ORC, PID, PV1, RECEIVED, body, events, header, mapped, ras, rxa

KEY = "ras|MAR|NORTH|F1001^RX|0|1|20260601101000|00409-4888-11"


def one(data: bytes, site: str | None = None) -> StockEvent:
    (event,) = events(data, site)
    return event


def refused(data: bytes) -> Refused:
    (result,) = mapped(data)
    assert isinstance(result, Refused), result
    return result


def test_an_administration_says_who_what_when_where_and_how_much() -> None:
    assert one(ras(rxa())) == StockEvent(
        event_id=derived_id("event", "north", KEY),
        event_key=KEY,
        kind=EventKind.ADMINISTER,
        feed=Feed.ADMINISTRATION,
        site="north",
        source="feed",
        raw=RawRef(partition=3, offset=77, index=0),
        occurred=datetime(2026, 6, 1, 14, 10, tzinfo=UTC),
        received_at=RECEIVED,
        codes=(
            Code(system="ndc", value="00409-4888-11", text="Propofol 10 mg/mL"),
            Code(system="local", value="4711", text="PROPOFOL"),
        ),
        quantity=Decimal(200),
        unit="mg",
        quantity_is_dose=True,
        location_codes=("ICU^12^A", "ICU^12", "ICU"),
        lot="LOT1",
        expiry=date(2027, 6, 30),
        control_id="C1",
        order_id="F1001",
        patient="hash(MRN1001,NORTH)",
        actor="N123",
        zone_assumed=True,
        facility="NORTH",
        facility_matched=True,
    )


def test_an_event_passes_its_contract_and_survives_encoding() -> None:
    event = one(ras(rxa()))
    assert STOCK_EVENT.validate_json(encode(event)) == STOCK_EVENT.decode(encode(event)) == event


def test_two_rxa_are_two_events_numbered_in_order() -> None:
    first, second = events(ras(rxa(), rxa(f5="222^Two^NDC", f6="5")))
    assert (first.raw.index, second.raw.index) == (0, 1)
    assert first.event_key != second.event_key
    assert second.codes == (Code(system="ndc", value="222", text="Two"),)


def test_each_rxa_belongs_to_the_order_before_it() -> None:
    data = body(header("RAS^O17"), "ORC|RE|P1|F1", rxa(), "RXR|IV", "ORC|RE|P2", rxa(f2="2"), rxa(f2="3"))
    assert [event.order_id for event in events(data)] == ["F1", "P2", "P2"]


# ---- identity ------------------------------------------------------------------------------------------------------


def test_a_resend_with_another_control_id_and_time_has_the_same_key() -> None:
    first, again = one(ras(rxa())), one(ras(rxa(), control="C999", sent="20260602080000"))
    assert first.event_key == again.event_key
    assert first.event_id == again.event_id


@pytest.mark.parametrize("change", [{"f1": "1"}, {"f2": "2"}, {"f3": "20260601101001"}, {"f5": "00409-4888-12^Propofol^NDC"}])
def test_another_administration_has_another_key(change: dict[str, str]) -> None:
    assert one(ras(rxa(**change))).event_key != KEY


def test_another_sender_or_order_has_another_key() -> None:
    assert one(ras(rxa(), orc=ORC.replace("F1001", "F1002"))).event_key != KEY
    assert one(ras(rxa(), facility="EAST")).event_key != KEY


def test_the_placers_number_identifies_where_the_filler_gave_none() -> None:
    event = one(ras(rxa(), orc="ORC|RE|P1001^EHR|^RX"))
    assert event.event_key == KEY.replace("F1001^RX", "P1001^EHR")
    assert event.order_id == "P1001"


def test_trailing_empty_components_of_the_order_number_do_not_change_the_key() -> None:
    assert one(ras(rxa(), orc="ORC|RE|P1001|F1001^RX^^")).event_key == KEY


def test_without_an_order_number_patient_and_content_identify() -> None:
    key = one(ras(rxa(), orc="")).event_key
    assert key == one(ras(rxa(), orc="", control="C2", sent="20260603")).event_key
    assert key != one(ras(rxa(f6="100"), orc="")).event_key
    assert key != one(ras(rxa(), orc="").replace(b"MRN1001", b"MRN1002")).event_key
    assert "hash(MRN1001,NORTH)" in key


def test_one_dose_drawn_from_two_lots_is_two_facts() -> None:
    """Two RXA with one sub-id, time and code but different lots would share a key; the second gets a number of its own."""
    first, second = events(ras(rxa(f6="120"), rxa(f6="80", f15="LOT2")))
    assert (first.event_key, second.event_key) == (KEY, f"{KEY}|#2")
    assert [event.event_key for event in events(ras(rxa(f6="120"), rxa(f6="80", f15="LOT2"), control="C7"))] == [KEY, f"{KEY}|#2"]


def test_the_same_rxa_twice_in_one_message_is_one_fact() -> None:
    first, second = events(ras(rxa(), rxa()))
    assert first.event_key == second.event_key


def test_a_separator_inside_a_part_can_not_make_two_facts_one() -> None:
    """With `$` between fields a part may hold `|`: (`a|b`, ``) and (`a`, `b|`) must stay different keys."""
    template = "MSH$^~\\&$MAR$NORTH$$$20260601$$RAS^O17$C1$P$2.5\rORC$RE$$F1\rRXA${}${}$20260601$$1^X^L$1$mg\r"
    keys = {one(template.format(*pair).encode()).event_key for pair in (("a|b", "c"), ("a", "b|c"), ("a\\", "b"))}
    assert len(keys) == 3


# ---- RXA-20 and RXA-21 -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["", "CP", "PA", "cp"])
def test_complete_partial_and_unstated_administrations_move_stock(status: str) -> None:
    assert one(ras(rxa(f20=status))).no_effect is None


@pytest.mark.parametrize("status", ["RE", "NA"])
def test_refused_and_not_administered_doses_move_nothing(status: str) -> None:
    event = one(ras(rxa(f20=status)))
    assert event.kind is EventKind.ADMINISTER
    assert event.no_effect is not None
    assert event.no_effect.startswith(f"RXA-20 is {status}")


def test_an_unusable_amount_of_a_dose_not_given_does_no_harm() -> None:
    assert one(ras(rxa(f20="RE", f6="n/a"))).quantity is None


def test_an_unknown_completion_status_is_refused_not_guessed() -> None:
    result = refused(ras(rxa(f20="20260505201000")))
    assert result.code == "unknown_completion_status"
    assert "RXA-20" in result.reason


def test_an_update_replaces_the_original_under_a_key_of_its_content() -> None:
    event = one(ras(rxa(f6="100", f21="U")))
    assert event.replaces == KEY
    assert event.event_key.startswith(f"{KEY}|U|")
    assert event.event_id == derived_id("event", "north", event.event_key)
    assert event.kind is EventKind.ADMINISTER
    again = one(ras(rxa(f6="100", f21="U"), control="C5"))
    assert again.event_key == event.event_key
    assert one(ras(rxa(f6="50", f21="U"))).event_key != event.event_key


def test_a_delete_reverses_the_original() -> None:
    event = one(ras(rxa(f21="D")))
    assert event.kind is EventKind.REVERSAL
    assert event.reverses == KEY
    assert event.event_key == f"rev|{KEY}"
    assert event.event_id == derived_id("event", "north", f"rev|{KEY}")


def test_no_change_moves_nothing_and_does_not_take_the_originals_place() -> None:
    event = one(ras(rxa(f21="X")))
    assert event.no_effect is not None
    assert event.event_key == f"{KEY}|X"


def test_an_add_and_its_delete_in_one_message_name_the_same_original() -> None:
    added, deleted = events(ras(rxa(), rxa(f21="D")))
    assert deleted.reverses == added.event_key


def test_an_unknown_action_is_refused() -> None:
    assert refused(ras(rxa(f21="Q"))).code == "unknown_action_code"


# ---- amounts, codes, lots, places, times ------------------------------------------------------------------------------


@pytest.mark.parametrize("amount", ["999", "", '""'])
def test_an_unknown_or_unstated_dose_has_no_quantity(amount: str) -> None:
    event = one(ras(rxa(f6=amount)))
    assert event.quantity is None
    assert event.no_effect is None


@pytest.mark.parametrize(
    ("amount", "expected"), [("0.5", "0.5"), (".25", "0.25"), ("+2", "2"), ("1.", "1"), ("10.00", "10.00"), ("0", "0")]
)
def test_a_number_is_read_exactly(amount: str, expected: str) -> None:
    assert one(ras(rxa(f6=amount))).quantity == Decimal(expected)


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        ("500 MG", "bad_quantity"),
        ("1,000", "bad_quantity"),
        ("1E5", "bad_quantity"),
        ("NaN", "bad_quantity"),
        ("Infinity", "bad_quantity"),
        ("١", "bad_quantity"),
        ("9" * 40, "bad_quantity"),
        ("-1", "negative_quantity"),
        (str(QUANTITY_MAX + 1), "absurd_quantity"),
    ],
)
def test_an_unusable_amount_is_refused_by_name(amount: str, code: str) -> None:
    result = refused(ras(rxa(f6=amount)))
    assert result.code == code
    assert "RXA-6" in result.reason


def test_a_bad_item_does_not_spoil_the_good_ones() -> None:
    bad, good = mapped(ras(rxa(f6="lots"), rxa(f2="2")))
    assert isinstance(bad, Refused)
    assert isinstance(good, StockEvent)
    assert good.raw.index == 1


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("1^A^RxNorm", [("rxnorm", "1")]),
        ("1^A^RXN", [("rxnorm", "1")]),
        ("1^A^2.16.840.1.113883.6.88", [("rxnorm", "1")]),
        ("00304094713021^A^GTIN", [("gtin", "00304094713021")]),
        ("1^A^L", [("local", "1")]),
        ("1^A^99XY1", [("local", "1")]),
        ("1^A^HOT9", [("local", "1")]),
        ("1", [("local", "1")]),
        ("1^A^NDC^2^B^L", [("ndc", "1"), ("local", "2")]),
        ("^^^2^B^NDC", [("ndc", "2")]),
        ("1^A^L^1^B^99ZZ", [("local", "1")]),
        ("^heparin", [("local", "heparin")]),
        ("", []),
        ("A\\T\\B^x^L", [("local", "A&B")]),
    ],
)
def test_every_code_of_the_field_is_kept_with_its_system(field: str, expected: list[tuple[str, str]]) -> None:
    assert [(code.system, code.value) for code in one(ras(rxa(f5=field))).codes] == expected


@pytest.mark.parametrize(("field", "unit"), [(" MG ^milligram", "MG"), ("^tablet", "tablet"), ("", None), ('""', None)])
def test_a_unit_is_kept_as_sent_and_trimmed(field: str, unit: str | None) -> None:
    assert one(ras(rxa(f7=field))).unit == unit


@pytest.mark.parametrize(
    ("lots", "expiries", "lot", "expiry"),
    [
        ("A", "20270630", "A", date(2027, 6, 30)),
        ("A~A", "20270630~20270630", "A", date(2027, 6, 30)),
        ("A~B", "20270630~20270731", None, None),
        ("A~B", "20270630", None, date(2027, 6, 30)),
        ("", "", None, None),
    ],
)
def test_several_lots_for_one_quantity_are_no_lot(lots: str, expiries: str, lot: str | None, expiry: date | None) -> None:
    event = one(ras(rxa(f15=lots, f16=expiries)))
    assert (event.lot, event.expiry) == (lot, expiry)


def test_an_impossible_expiry_is_refused() -> None:
    assert refused(ras(rxa(f16="20270631"))).code == "bad_expiry"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"f11": "ICU^12^A^NORTH"}, ("ICU^12^A", "ICU^12", "ICU")),
        ({"f11": ""}, ("ICU^12^A", "ICU^12", "ICU")),
        ({"f11": "OR^^7"}, ("OR^^7", "OR", "ICU^12^A", "ICU^12", "ICU")),
        ({"f11": "ED", "f27": "ED^B2"}, ("ED^B2", "ED", "ICU^12^A", "ICU^12", "ICU")),
        ({"f11": "^^^NORTH"}, ("ICU^12^A", "ICU^12", "ICU")),
    ],
)
def test_places_are_the_most_specific_first_without_repeats(changes: dict[str, str], expected: tuple[str, ...]) -> None:
    assert one(ras(rxa(**changes))).location_codes == expected


def test_the_time_is_the_items_own_else_the_orders_the_events_the_messages_the_receipts() -> None:
    at = datetime(2026, 6, 1, tzinfo=UTC)
    assert one(ras(rxa(f3=""))).occurred == at.replace(hour=14, minute=14)
    evn = "EVN|O17|20260601101600"
    assert one(body(header("RAS^O17"), evn, PID, rxa(f3=""))).occurred == at.replace(hour=14, minute=16)
    assert one(body(header("RAS^O17"), PID, PV1, rxa(f3=""))).occurred == at.replace(hour=14, minute=15)
    event = one(body(header("RAS^O17", sent=""), PID, rxa(f3="")))
    assert event.occurred == RECEIVED
    assert not event.zone_assumed


@pytest.mark.parametrize("stamp", ["99991231235959+0000", "00010102000000+0000", "19691231235959+0000", "22000101000000+0000"])
def test_a_time_that_no_calendar_of_the_hub_reaches_is_refused_by_name(stamp: str) -> None:
    """Outside 1970 to 2199: at the calendar's ends a UTC instant has no local time, and no site could say of what day it is."""
    result = refused(ras(rxa(f3=stamp)))
    assert (result.code, stamp in result.reason) == ("absurd_time", True)


def test_an_impossible_time_is_refused_by_name() -> None:
    result = refused(ras(rxa(f3="20261301")))
    assert result.code == "bad_time"
    assert "RXA-3" in result.reason


def test_a_stated_offset_is_not_assumed() -> None:
    event = one(ras(rxa(f3="20260601101000+0000")))
    assert event.occurred == datetime(2026, 6, 1, 10, 10, tzinfo=UTC)
    assert not event.zone_assumed


# ---- sender, site, patient ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("processing", "test"), [("P", False), ("", False), ("p", False), ("T", True), ("D", True), ("P^A", False)]
)
def test_anything_but_production_is_test_traffic(processing: str, test: bool) -> None:
    assert one(ras(rxa(), processing=processing)).test is test


def test_the_site_is_the_facilitys_else_the_feeds_else_none() -> None:
    by_code = one(ras(rxa()))
    by_oid = one(ras(rxa(), facility="X^1.2.3^ISO"))
    by_feed = one(ras(rxa(), facility="X"), site="berlin")
    unknown = one(ras(rxa(), facility="X"))
    assert [(e.site, e.facility, e.facility_matched) for e in (by_code, by_oid, by_feed, unknown)] == [
        ("north", "NORTH", True),
        ("oid-site", "X", True),
        ("berlin", "X", False),
        ("", "X", False),
    ]


def test_the_clock_of_an_unknown_site_is_utc() -> None:
    assert one(ras(rxa(), facility="X")).occurred == datetime(2026, 6, 1, 10, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("field", "patient"),
    [
        ("A^^^NORTH", "hash(A,NORTH)"),
        ("A^^^&1.2&ISO", "hash(A,1.2)"),
        ("A", "hash(A,)"),
        ("^^^NORTH~B^^^EAST", "hash(B,EAST)"),
        ('""', None),
        ("", None),
    ],
)
def test_a_patient_is_the_hash_of_the_first_identifier_and_its_authority(field: str, patient: str | None) -> None:
    assert one(body(header("RAS^O17"), f"PID|1||{field}||DOE^JANE", ORC, rxa())).patient == patient


def test_no_patient_data_leaves_the_message() -> None:
    """The identifier may appear only inside the hash the hub makes; the name and birth date nowhere."""
    text = encode(one(ras(rxa(), orc=""))).decode().replace("hash(MRN1001,NORTH)", "")
    for secret in ("MRN1001", "DOE", "JANE", "19700101"):
        assert secret not in text


def test_an_administration_that_names_none_is_refused() -> None:
    assert refused(ras()).code == "missing_segment"
