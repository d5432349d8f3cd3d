"""RDS: one dispense per RXD (HL7 v2.8.2 §4A.4.6), its identity and its reversal."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from schemas.codes import Code
from schemas.events import StockEvent
from schemas.ids import derived_id
from schemas.kinds import EventKind, Feed
from schemas.mapping import Refused
from schemas.raw import RawRef
from tests.unit.hl7.support import ORC, RECEIVED, events, mapped, rds, rxa, rxd

KEY = "rds|MAR|NORTH|F1001^RX|RX100842|1|20260601101000|00093-0058-01"


def one(data: bytes) -> StockEvent:
    (event,) = events(data)
    return event


def test_a_dispense_says_what_left_for_where() -> None:
    assert one(rds(rxd())) == StockEvent(
        event_id=derived_id("event", "north", KEY),
        event_key=KEY,
        kind=EventKind.DISPENSE,
        feed=Feed.DISPENSE,
        site="north",
        source="feed",
        raw=RawRef(partition=3, offset=77, index=0),
        occurred=datetime(2026, 6, 1, 14, 10, tzinfo=UTC),
        received_at=RECEIVED,
        codes=(Code(system="ndc", value="00093-0058-01", text="Amoxicillin 500 mg"),),
        quantity=Decimal(30),
        unit="CAP",
        quantity_is_dose=False,
        location_codes=(),
        to_location_codes=("5SOUTH^5102^01", "5SOUTH^5102", "5SOUTH"),
        lot="LOT78321",
        expiry=date(2027, 10, 31),
        control_id="C1",
        order_id="F1001",
        patient="hash(MRN1001,NORTH)",
        actor="PH7",
        zone_assumed=True,
        facility="NORTH",
        facility_matched=True,
    )


def test_two_rxd_are_two_events() -> None:
    first, second = events(rds(rxd(), rxd(f1="2", f2="222^Two^NDC")))
    assert (first.raw.index, second.raw.index) == (0, 1)
    assert first.event_key != second.event_key


@pytest.mark.parametrize("kind", ["RDS^O13^RDS_O13", "RDS^O13", "RDS^O01", "RDS", "RDS_O13", "rds^o13"])
def test_every_spelling_of_the_message_type_is_the_same_dispense(kind: str) -> None:
    assert one(rds(rxd(), kind=kind)).event_key == KEY


def test_a_resend_has_the_same_key_and_a_refill_another() -> None:
    assert one(rds(rxd(), control="C2", sent="20260609")).event_key == KEY
    assert one(rds(rxd(f3="20260701101000"))).event_key != KEY
    assert one(rds(rxd(f7="RX2"))).event_key != KEY


def test_the_place_is_the_initiating_then_the_packaging_location() -> None:
    event = one(rds(rxd(f26="CENTRAL^Central Pharmacy^L", f27="ROBOT1")))
    assert event.location_codes == ("CENTRAL^Central Pharmacy^L", "CENTRAL^Central Pharmacy", "CENTRAL", "ROBOT1")


def test_the_prescription_number_identifies_where_no_order_does() -> None:
    event = one(rds(rxd(), orc=""))
    assert event.event_key == KEY.replace("F1001^RX", "")
    assert event.order_id == "RX100842"


def test_without_order_and_prescription_patient_and_content_identify() -> None:
    key = one(rds(rxd(f7=""), orc="")).event_key
    assert key == one(rds(rxd(f7=""), orc="", control="C2")).event_key
    assert key != one(rds(rxd(f7="", f4="31"), orc="")).event_key


@pytest.mark.parametrize("control", ["CA", "OC", "DC", "CR", "ca"])
def test_a_cancelled_dispense_is_taken_back(control: str) -> None:
    event = one(rds(rxd(), orc=ORC.replace("ORC|RE", f"ORC|{control}").replace("20260601101400", "20260601110000")))
    assert event.kind is EventKind.REVERSAL
    assert event.reverses == KEY
    assert event.event_key == f"rev|{KEY}"


@pytest.mark.parametrize("control", ["RE", "NW", "XO", ""])
def test_every_other_order_control_is_a_dispense(control: str) -> None:
    assert one(rds(rxd(), orc=ORC.replace("ORC|RE", f"ORC|{control}"))).kind is EventKind.DISPENSE


def test_one_package_line_from_two_lots_keeps_the_quantity_and_names_no_lot() -> None:
    event = one(rds(rxd(f18="A~B", f19="20270101~20270201")))
    assert (event.quantity, event.lot, event.expiry) == (Decimal(30), None, None)


def test_the_same_counter_with_another_lot_is_another_fact() -> None:
    first, second = events(rds(rxd(f4="10"), rxd(f4="20", f18="B")))
    assert (first.event_key, second.event_key) == (KEY, f"{KEY}|#2")


@pytest.mark.parametrize(
    ("amount", "code"), [("thirty", "bad_quantity"), ("-30", "negative_quantity"), ("99999999", "absurd_quantity")]
)
def test_an_unusable_amount_is_refused(amount: str, code: str) -> None:
    (result,) = mapped(rds(rxd(f4=amount)))
    assert isinstance(result, Refused)
    assert result.code == code


def test_a_dispense_that_names_nothing_is_refused() -> None:
    (result,) = mapped(rds())
    assert isinstance(result, Refused)
    assert result.code == "missing_segment"


def test_a_movement_segment_of_another_message_type_is_not_passed_over() -> None:
    dispense, stray = mapped(rds(rxd(), rxa()))
    assert isinstance(dispense, StockEvent)
    assert isinstance(stray, Refused)
    assert stray.code == "unexpected_segment"
    assert "RXA" in stray.reason
