"""Charges, requisitions, master files and robots: what the shipped profiles make of each type (`domain` §4, message → stock map)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from schemas.kinds import EventKind, Feed
from schemas.mapping import NoEffect, Refused
from tests.unit.hl7.support import ORC, PID, PV1, body, events, header, mapped, segment

FT1 = {
    1: "1", 2: "TX77", 4: "20260601100000", 6: "CG", 7: "99070^Supply^C4", 10: "2", 16: "5SOUTH", 20: "N1^Nurse",
    29: "00093-0058-01^Amoxicillin^NDC", 43: "4^TAB",
}  # fmt: skip


def ft1(**changes: str) -> str:
    return segment("FT1", {**FT1, **{int(name[1:]): text for name, text in changes.items()}})


def dft(*segments: str) -> bytes:
    return body(header("DFT^P03^DFT_P03"), PID, PV1, *segments)


def iim(**changes: str) -> str:
    stated = {1: "K1^Amoxicillin", 2: "00093-0058-01^Amoxicillin^NDC", 3: "LOT1", 4: "202712", 6: "MAIN", 11: "20260601"}
    return segment("IIM", {**stated, **{int(name[1:]): text for name, text in changes.items()}})


def mfn(*segments: str, kind: str = "MFN^M15^MFN_M15") -> bytes:
    return body(header(kind), "MFI|INV^Inventory^HL70175||UPD|20260601|20260601|NE", *segments)


# ---- DFT ---------------------------------------------------------------------------------------------------------


def test_a_charge_of_a_drug_states_what_charges_may_decrement_somewhere() -> None:
    event = events(dft(ft1()))[0]
    assert (event.kind, event.feed) == (EventKind.DISPENSE, Feed.CHARGE)
    assert (event.quantity, event.unit) == (Decimal(4), "TAB")  # FT1-43, the drug's own quantity, before FT1-10
    assert [(code.system, code.value) for code in event.codes] == [("ndc", "00093-0058-01")]
    assert (event.location_codes[0], event.transaction_id, event.actor) == ("5SOUTH", "TX77", "N1")
    assert events(dft(ft1(f6="CD")))[0].kind is EventKind.RETURN


@pytest.mark.parametrize("code", ["80053^Panel^C4", "XRCHEST^Chest", "J1100^Dexamethasone^HCPCS", ""])
def test_a_charge_without_a_drug_code_moves_nothing(code: str) -> None:
    result = mapped(dft(ft1(f7=code, f29="")))[0]
    assert isinstance(result, NoEffect)
    assert result.code == "no_drug"


@pytest.mark.parametrize("type_", ["PY", "AJ", "CO"])
def test_money_alone_moves_nothing(type_: str) -> None:
    assert events(dft(ft1(f6=type_)))[0].no_effect


def test_a_charge_of_an_unknown_type_is_kept() -> None:
    refused = mapped(dft(ft1(f6="85.00")))[0]
    assert isinstance(refused, Refused)
    assert (refused.code, "FT1-6 is '85.00'" in refused.reason) == ("unknown_transaction_code", True)


def test_a_charge_with_a_cabinet_segment_needs_a_profile() -> None:
    refused = mapped(dft(ft1(), "ZPM|V|SYS|CAB"))[0]
    assert isinstance(refused, Refused)
    assert (refused.code, "ZPM" in refused.reason) == ("no_mapping", True)


@pytest.mark.parametrize(
    ("type_", "kind"),
    [("D", "vend"), ("V", "vend"), ("CHARGE", "vend"), ("R", "return"), ("CREDIT", "return"), ("W", "waste")],
)
def test_charges_that_are_removals(type_: str, kind: str) -> None:
    """PSDFT1: FT1-6 type, FT1-7 drug, FT1-10 amount, FT1-20 nurse, witness in ZPM-15 (layout of version 2.3)."""
    zpm = segment("ZPM", {1: "V", 2: "SYS1", 3: "ICU-CAB1", 4: "d1", 5: "p1", 15: "NURSE,BOB"})
    charge = ft1(f6=type_, f7="amox-1^AMOXICILLIN 250", f29="", f43="")
    event = events(dft(charge, zpm).replace(b"|2.5.1", b"|2.3"), profile="vista-dft")[0]
    assert (event.kind, event.feed, event.quantity, event.unit) == (kind, Feed.CABINET, Decimal(2), "each")
    assert (event.location_codes[0], event.pocket, event.witness, event.actor) == ("ICU-CAB1", "d1/p1", "NURSE,BOB", "N1")
    without = events(dft(charge), profile="vista-dft")[0]
    assert without.location_codes[0] == "5SOUTH"


# ---- OMS ---------------------------------------------------------------------------------------------------------


RQD = "RQD|1|00093-0058-01^Amoxicillin^NDC|EXT1^Amoxicillin|HOSP1|3|TAB^tablet|||5SOUTH|20260601"


def test_a_requisition_is_a_depletion_where_charges_decrement() -> None:
    event = events(body(header("OMS^O05^OMS_O05"), PID, PV1, ORC, RQD))[0]
    assert (event.kind, event.feed, event.quantity, event.unit) == (EventKind.DISPENSE, Feed.CHARGE, Decimal(3), "TAB")
    assert (event.location_codes[0], event.order_id) == ("5SOUTH", "F1001")
    assert event.occurred.isoformat() == "2026-06-01T14:14:00+00:00"  # ORC-9 at the site's New York


def test_a_cancelled_requisition_takes_the_first_back() -> None:
    first = events(body(header("OMS^O05"), PID, ORC.replace("ORC|RE", "ORC|NW"), RQD))[0]
    back = events(body(header("OMS^O05"), PID, ORC.replace("ORC|RE", "ORC|CA"), RQD))[0]
    assert (back.kind, back.reverses) == (EventKind.REVERSAL, first.event_key)


def test_the_answer_to_a_requisition_moves_nothing() -> None:
    result = mapped(body(header("ORS^O06^ORS_O06"), "MSA|AA|C1", ORC, RQD))[0]
    assert isinstance(result, NoEffect)


# ---- MFN ---------------------------------------------------------------------------------------------------------


def test_on_hand_of_an_inventory_item_is_a_count() -> None:
    event = events(mfn("MFE|MUP|1|20260601|K1|CE", iim(f12="40", f13="TAB")))[0]
    assert (event.kind, event.feed, event.quantity, event.unit) == (EventKind.COUNT, Feed.ERP, Decimal(40), "TAB")
    assert (event.lot, event.expiry, event.location_codes) == ("LOT1", date(2027, 12, 31), ("MAIN",))


def test_a_received_quantity_is_a_receipt() -> None:
    event = events(mfn("MFE|MAD|1|20260601|K1|CE", iim(f7="20260531", f8="100", f9="TAB")))[0]
    assert (event.kind, event.quantity, event.unit) == (EventKind.RECEIVE, Decimal(100), "TAB")
    assert event.occurred.isoformat() == "2026-05-31T04:00:00+00:00"


@pytest.mark.parametrize("event_code", ["MDL", "MDC"])
def test_a_deleted_master_record_counts_nothing(event_code: str) -> None:
    assert events(mfn(f"MFE|{event_code}|1|20260601|K1|CE", iim(f12="40", f13="TAB")))[0].no_effect


@pytest.mark.parametrize("order", [("-100", "100"), ("100", "-100")])
def test_signed_quantities_are_a_transfer_nobody_described(order: tuple[str, str]) -> None:
    """One leg alone would make stock out of nothing: both wait for a profile."""
    results = mapped(mfn(*(part for amount in order for part in ("MFE|MUP|||K1|CE", iim(f8=amount)))))
    assert [type(result) for result in results] == [Refused]


@pytest.mark.parametrize("kind", ["MFN^M01", "MFN^M02", "MFN^M05", "MFN^M16^MFN_M16"])
def test_other_master_files_are_reference_data(kind: str) -> None:
    result = mapped(mfn("MFE|MAD|||K1|CE", "LOC|5SOUTH", kind=kind))[0]
    assert isinstance(result, NoEffect)
    assert result.code == "master_file"


def test_a_pick_list_is_a_request_and_never_stock() -> None:
    message = mfn("MFE|MAD|1|20260601|K1|CE", "ZPL|PL7|ICU-CAB1|amox-1^Amoxicillin|20|TAB|d1/p1", kind="MFN^M01")
    event = events(message, profile="mfn-zpl")[0]
    assert (event.kind, event.quantity, event.order_id, event.location_codes) == (
        EventKind.REQUEST, Decimal(20), "PL7", ("ICU-CAB1",),
    )  # fmt: skip
    assert events(message, profile="mfn-zpl")[0].event_key == event.event_key
    refused = mapped(message)[0]
    assert isinstance(refused, Refused)
    assert "ZPL" in refused.reason


# ---- INU, INR ----------------------------------------------------------------------------------------------------


def test_reagents_of_a_laboratory_are_no_pharmacy_stock() -> None:
    result = mapped(body(header("INU^U05"), "EQU|LAB1|20260601", "INV|GLU^Glucose|OK|SR^Reagent|||1|100|80|80|20|mL"))[0]
    assert isinstance(result, NoEffect)


def test_other_inventory_waits_for_a_profile() -> None:
    for kind in ("INU^U05", "INR^U06", "INR^U05"):
        refused = mapped(body(header(kind), "EQU|R1|20260601", "INV|1|0093^Drug^NDC|L1|20271231|10|EA"))[0]
        assert isinstance(refused, Refused)
        assert refused.code == "no_mapping"


def test_a_robot_counts_in_the_standard_layout() -> None:
    inv = segment("INV", {1: "0093-0058-01^Amoxicillin^NDC", 2: "A", 4: "CELL_A1", 7: "55", 8: "50", 9: "50", 10: "5",
                          11: "TAB", 12: "20270630", 16: "LOT1"})  # fmt: skip
    event = events(body(header("INU^U05"), "EQU|ROBOT1|20260601100000", inv), profile="counting-robot")[0]
    assert (event.kind, event.quantity, event.unit, event.lot) == (EventKind.COUNT, Decimal(50), "TAB", "LOT1")
    assert (event.location_codes[0], event.pocket, event.expiry) == ("ROBOT1", "CELL_A1", date(2027, 6, 30))


def test_a_robot_counts_in_the_set_id_layout() -> None:
    inv = "INV|1|0093-0058-01^Amoxicillin^NDC|LOT1|20270630|50|EA"
    event = events(body(header("INR^U05"), "EQU|ROBOT1|20260601100000", inv), profile="counting-robot")[0]
    assert (event.kind, event.quantity, event.unit, event.lot, event.pocket) == (
        EventKind.COUNT, Decimal(50), "EA", "LOT1", None,
    )  # fmt: skip


@pytest.mark.parametrize(("reason", "kind"), [("LOSS", "discard"), ("EXPIRED", "expire"), ("GAIN", "refill")])
def test_an_adjustment_moves_its_amount_and_not_the_stated_stock(reason: str, kind: str) -> None:
    message = body(
        header("INR^U06"), "INV|1|0093-0058-01^Amoxicillin^NDC|LOT1|20270630|150|EA", f"ZAD|1|{reason}|5|WHY|20260601101500|JOHN"
    )
    event = events(message, profile="counting-robot")[0]
    assert (event.kind, event.quantity, event.lot, event.actor) == (kind, Decimal(5), "LOT1", "JOHN")


def test_a_request_for_synchronisation_moves_nothing() -> None:
    message = body(header("INR^U06"), "EQU|ROBOT1|20260601", "INV|0093^Drug|A^Active|DRUG|CELL_A1")
    result = mapped(message, profile="counting-robot")[0]
    assert isinstance(result, NoEffect)


# ---- what no layout reads ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("stray", ["RXA|0|1|20260601||A^B^NDC|1|TAB", "RXD|1|A^B^NDC|20260601|1|TAB"])
def test_a_movement_that_the_layout_does_not_read_is_told_and_not_passed_over(stray: str) -> None:
    results = mapped(dft(ft1(), stray))
    assert [type(result).__name__ for result in results] == ["StockEvent", "Refused"]
    assert getattr(results[1], "code", "") == "unexpected_segment"


def test_a_cabinet_segment_in_a_standard_message_is_told_and_not_passed_over() -> None:
    results = mapped(body(header("RDS^O13"), PID, ORC, "RXD|1|A^B^NDC|20260601|1|TAB", "ZPM|V|SYS|CAB"))
    assert [type(result).__name__ for result in results] == ["StockEvent", "Refused"]
    assert "ZPM has no meaning in a RDS message" in getattr(results[1], "reason", "")
