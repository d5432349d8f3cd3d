"""RDE, OMP, ORM, RGV and ADT: accepted, told apart, and never a movement."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from schemas.codes import Code
from schemas.events import PatientMerge, StockEvent
from schemas.kinds import STOCK_KINDS, EventKind, Feed
from schemas.mapping import NoEffect, Refused
from schemas.profile import PROFILE
from tests.unit.hl7.support import ORC, PID, PV1, Hub, body, events, header, mapped, ras, rxa, segment

RXE = segment("RXE", {2: "1049630^Acetaminophen^RXN", 3: "2", 5: "TAB^tablet", 10: "20", 11: "TAB^tablet"})


def rde(*rxes: str, kind: str = "RDE^O11^RDE_O11", **head: str) -> bytes:
    return body(header(kind, **head), PID, PV1, ORC, *rxes)


@pytest.mark.parametrize("kind", ["RDE^O11^RDE_O11", "RDE^O25^RDE_O25", "RDE^O01"])
def test_an_encoded_order_is_an_order(kind: str) -> None:
    (event,) = events(rde(RXE, kind=kind))
    assert (event.kind, event.feed) == (EventKind.ORDER, Feed.ORDER)
    assert event.kind not in STOCK_KINDS
    assert event.codes == (Code(system="rxnorm", value="1049630", text="Acetaminophen"),)
    assert (event.quantity, event.unit, event.quantity_is_dose) == (Decimal(20), "TAB", False)
    assert event.order_id == "F1001"
    assert event.occurred == datetime(2026, 6, 1, 14, 14, tzinfo=UTC)
    assert event.location_codes == ("ICU^12^A", "ICU^12", "ICU")


@pytest.mark.parametrize(
    ("rxe", "expected"),
    [
        ({2: "1^A^L", 3: "2", 5: "mg"}, (Decimal(2), "mg", True)),
        ({2: "1^A^L", 3: '""', 5: '""'}, (None, None, False)),
        ({2: "1^A^L", 3: "two", 10: "many"}, (None, None, False)),
        ({2: "1^A^L", 10: "7"}, (Decimal(7), None, False)),
    ],
)
def test_amounts_of_an_order_are_kept_where_they_can_be_used(rxe: dict[int, str], expected: tuple[object, ...]) -> None:
    (event,) = events(rde(segment("RXE", rxe)))
    assert (event.quantity, event.unit, event.quantity_is_dose) == expected


def test_two_rxe_are_two_orders() -> None:
    first, second = events(rde(RXE, ORC.replace("F1001", "F1002"), RXE))
    assert first.event_key != second.event_key
    assert (first.order_id, second.order_id) == ("F1001", "F1002")


def test_an_order_resent_whole_is_the_same_and_a_reused_control_id_is_not() -> None:
    (first,) = events(rde(RXE))
    (again,) = events(rde(RXE, sent="20260603"))
    (other,) = events(rde(RXE.replace("20", "30")))
    (later,) = events(rde(RXE, control="C2"))
    assert first.event_key == again.event_key
    assert len({first.event_key, other.event_key, later.event_key}) == 3


def test_an_order_message_without_a_pharmacy_order_touches_no_stock() -> None:
    (result,) = mapped(rde())
    assert isinstance(result, NoEffect)
    assert result.code == "no_pharmacy_order"


def test_an_impossible_order_time_is_refused() -> None:
    (result,) = mapped(body(header("RDE^O11"), segment("ORC", {1: "NW", 2: "1", 9: "yesterday"}), RXE))
    assert isinstance(result, Refused)
    assert result.code == "bad_time"


@pytest.mark.parametrize("kind", ["OMP^O09^OMP_O09", "ORM^O01"])
def test_a_pharmacy_order_request_is_an_order_per_rxo(kind: str) -> None:
    rxo = segment("RXO", {1: "00047040230^Ampicillin^NDC", 2: "2", 4: "caps^capsule", 11: "10", 12: "caps^capsule"})
    first, second = events(body(header(kind), PID, ORC, rxo, RXE, ORC, rxo))
    assert first.kind is second.kind is EventKind.ORDER
    assert (first.quantity, first.unit) == (Decimal(10), "caps")
    assert first.codes[0].system == "ndc"


def test_an_order_for_something_else_touches_no_stock() -> None:
    (result,) = mapped(body(header("ORM^O01"), PID, ORC, "OBR|1|1||84295^SODIUM"))
    assert isinstance(result, NoEffect)


def test_a_give_is_a_schedule() -> None:
    rxg = segment("RXG", {1: "1", 4: "0002-7714-17^insulin^NDC", 5: "8", 7: "unit"})
    (event,) = events(body(header("RGV^O15"), PID, ORC, rxg))
    assert (event.kind, event.quantity, event.unit, event.quantity_is_dose) == (EventKind.SCHEDULE, Decimal(8), "unit", True)


def test_an_administration_inside_a_give_message_is_not_passed_over() -> None:
    rxg = segment("RXG", {1: "1", 4: "1^A^L", 5: "8", 7: "unit"})
    give, stray = mapped(body(header("RGV^O15"), ORC, rxg, rxa()))
    assert isinstance(give, StockEvent)
    assert isinstance(stray, Refused)
    assert stray.code == "unexpected_segment"
    (only,) = mapped(body(header("RGV^O15"), ORC, rxa()))
    assert isinstance(only, Refused)


@pytest.mark.parametrize("trigger", ["A01", "A02", "A03", "A08", "A11", "A12", "A13", "A40", "A60"])
def test_a_census_message_is_one_event_whatever_it_holds(trigger: str) -> None:
    data = body(header(f"ADT^{trigger}"), f"EVN|{trigger}|20260601101500", PID, "MRG|OLD", PID, "MRG|OLDER", PV1)
    (event,) = events(data)
    assert (event.kind, event.feed) == (EventKind.CENSUS, Feed.CENSUS)
    assert event.kind not in STOCK_KINDS
    assert event.patient == "hash(MRN1001,NORTH)"
    assert event.location_codes == ("ICU^12^A", "ICU^12", "ICU")
    assert event.occurred == datetime(2026, 6, 1, 14, 15, tzinfo=UTC)


def test_a_census_key_tells_messages_apart() -> None:
    def key(control: str, trigger: str = "A01") -> str:
        return events(body(header(f"ADT^{trigger}", control=control), PID, PV1))[0].event_key

    assert key("C1") == key("C1")
    assert len({key("C1"), key("C2"), key("C1", "A03")}) == 3


def test_an_impossible_event_time_of_a_census_message_is_refused() -> None:
    (result,) = mapped(body(header("ADT^A01"), "EVN|A01|01/15/2026", PID))
    assert isinstance(result, Refused)
    assert result.code == "bad_time"


# ---- merges ------------------------------------------------------------------------------------------------------


def merge(merged: str, into: str) -> PatientMerge:
    return PatientMerge(merged=f"hash({merged},NORTH)", into=f"hash({into},NORTH)")


@pytest.mark.parametrize("trigger", ["A18", "A34", "A40", "A43", "A47"])
def test_a_merge_names_both_patients(trigger: str) -> None:
    (event,) = events(body(header(f"ADT^{trigger}"), "EVN||20260601", PID, "MRG|MRN900^^^NORTH^MR"))
    assert (event.kind, event.patient, event.merges) == ("census", "hash(MRN1001,NORTH)", (merge("MRN900", "MRN1001"),))


def test_several_merges_of_one_message_keep_their_own_patients() -> None:
    second = PID.replace("MRN1001", "MRN2002")
    (event,) = events(body(header("ADT^A40"), "EVN||20260601", PID, "MRG|M1^^^NORTH", second, "MRG|M2^^^NORTH"))
    assert event.merges == (merge("M1", "MRN1001"), merge("M2", "MRN2002"))


def test_an_admission_merges_nobody() -> None:
    (event,) = events(body(header("ADT^A01"), "EVN||20260601", PID))
    assert event.merges == ()


# ---- whom a message is meant for ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("receivers", "posts"),
    [(["WARDSTOCK"], True), (["wardstock|hub"], True), (["PHARMACY"], False), (["WARDSTOCK|OTHER"], False), ([], True)],
)
def test_messages_to_another_receiver_never_post(receivers: list[str], posts: bool) -> None:
    """The message says MSH-5 WARDSTOCK, MSH-6 HUB."""
    hub = Hub(PROFILE.validate({"profile": "mine", "title": "Mine", "base": "standard", "receivers": receivers}))
    (event,) = events(ras(rxa()), profile="mine", hub=hub)
    assert (event.no_effect is None) is posts
    assert posts or "addressed to WARDSTOCK (MSH-5)" in (event.no_effect or "")


@pytest.mark.parametrize(("code", "test"), [("P", False), ("", False), ("T", True), ("D", True), ("X", True)])
def test_only_production_traffic_posts(code: str, test: bool) -> None:
    (event,) = events(ras(rxa(), processing=code))
    assert event.test is test


def test_a_profile_may_call_another_code_production() -> None:
    hub = Hub(PROFILE.validate({"profile": "mine", "title": "Mine", "base": "standard", "production": ["P", "D"]}))
    assert not events(ras(rxa(), processing="D"), profile="mine", hub=hub)[0].test
    assert events(ras(rxa(), processing="T"), profile="mine", hub=hub)[0].test
