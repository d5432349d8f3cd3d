"""459 published HL7 v2 messages: none raises, every one has an outcome, and some are pinned by hand.

The golden rows were read from the files by a person with the field table of HL7 v2.8.2 chapter 4A beside them.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from connectors.hl7.er7 import Er7Error, read
from schemas.codec import encode
from schemas.events import STOCK_EVENT, StockEvent
from schemas.mapping import NoEffect, Refused
from tests.unit.hl7.support import mapped

FOLDER = Path(__file__).resolve().parents[4] / "shared" / "data" / "hl7v2"
FILES = sorted(path for path in FOLDER.glob("*/*") if path.is_file())

pytestmark = pytest.mark.skipif(
    not FILES, reason="THE PUBLISHED HL7 MESSAGES (../shared/data/hl7v2) ARE NOT HERE: SWEEP LEFT OUT"
)


def test_every_readable_file_gives_its_bytes_back() -> None:
    readable = 0
    for path in FILES:
        data = path.read_bytes()
        try:
            message = read(data)
        except Er7Error:
            continue
        assert bytes(message) == data, path.name
        readable += 1
    assert readable > 400


def test_every_file_gives_at_least_one_result_and_every_event_keeps_its_contract() -> None:
    counts: Counter[str] = Counter()
    for path in FILES:
        results = mapped(path.read_bytes(), site="default")
        assert results, path.name
        for place, result in enumerate(results):
            if isinstance(result, StockEvent):
                assert result.raw.index == place
                assert STOCK_EVENT.validate_json(encode(result)) == result
                counts[str(result.kind)] += 1
            else:
                assert isinstance(result, (NoEffect, Refused))
                counts[f"{type(result).__name__} {result.code}"] += 1
    print(f"\n{len(FILES)} files:", *(f"{count:5} {name}" for name, count in counts.most_common()), sep="\n")
    assert counts["census"] >= 156
    assert counts["order"] >= 48
    assert counts["dispense"] >= 11


def test_no_patient_name_leaves_a_file() -> None:
    """PID-5.1 (the family name) of each file that maps to events is in none of its events."""
    for path in FILES:
        data = path.read_bytes()
        try:
            family = read(data).get("PID-5.1").strip()
        except Er7Error:
            continue
        if len(family) < 4 or family.upper() in ("TEST", "DOE"):
            continue
        for result in mapped(data, site="default"):
            if isinstance(result, StockEvent):
                assert family not in encode(result).decode(), path.name


ZONE_RULE = "times without an offset are in the zone of the default site (Europe/Berlin)"

# file: (kind, (system, code), quantity, unit, lot, UTC time) of each event; a refusal is its code
GOLDEN: dict[str, list[object]] = {
    # RXD-2 NDC, RXD-4 30, RXD-5.1 CAP, RXD-3 14:15 in June (UTC+2)
    "cosyte_hl7/canonical__rds-o13-dispense.hl7": [("dispense", ("ndc", "0093505601"), "30", "CAP", None, "2026-04-19T12:15")],
    # v2.3 RDS^O01: RXD-7 is the prescription, RXD-6 (`^`) is empty
    "rite_hl7_kotlin/RDS_O01_dispense_v23_flat.hl7": [
        ("dispense", ("ndc", "00093-0058-01"), "90", "TAB", None, "2026-06-23T07:12")
    ],
    "rite_hl7_kotlin/RDS_O13_dispense_with_observation.hl7": [
        ("dispense", ("ndc", "00093-0058-01"), "90", "TAB", None, "2026-06-23T07:12")
    ],
    # the lots stand in ZSN segments, which need a profile: RXD-18 is empty
    "rite_hl7_kotlin/RDS_O13_two_package_serials_ZSN.hl7": [
        ("dispense", ("ndc", "00093-0058-01"), "90", "TAB", None, "2026-06-23T07:12")
    ],
    "small_ras_literals/RDS_O13_lisinopril.hl7": [("dispense", ("rxnorm", "314076"), "1", "TAB", None, "2024-05-17T12:30")],
    # RXD-3 is a bare date: local midnight, in December UTC+1
    "microsoft_fhir_converter/RDS-O13-01.hl7": [("dispense", ("ndc", "01151327"), "10", "385055001", None, "2020-12-11T23:00")],
    "microsoft_fhir_converter/RDS-O13-02.hl7": [
        ("dispense", ("ndc", "01151327"), "10", "385055001", None, "2020-12-11T23:00"),
        ("dispense", ("rxnorm", "308191"), "10", "385049006", None, "2020-12-11T23:00"),
    ],
    # RXD-5 (units) is empty; TAB stands in RXD-6, the dosage form, which is no unit
    "zato_live_vendor_docs/us_pa_pyxis_01_RDS_O13_metoprolol.hl7": [
        ("dispense", ("ndc", "00186-1092-05"), "2", None, None, "2026-05-02T12:30")
    ],
    "zato_live_vendor_docs/us_pa_pyxis_09_RDS_O13_cefazolin.hl7": [
        ("dispense", ("ndc", "00338-3507-41"), "1", None, None, "2026-05-06T03:45")
    ],
    "zato_live_vendor_docs/us_pa_pyxis_19_RDS_O13_propofol_audit_log_ED.hl7": [
        ("dispense", ("ndc", "00409-4888-11"), "1", None, None, "2026-05-09T14:00")
    ],
    # RXA-15 is the lot; RXA-3 14:00 in January (UTC+1); RXA-20 empty counts as complete
    "small_ras_literals/RAS_O17_blood_product_admin_no_ORC.hl7": [
        ("administer", ("local", "CODE"), "300", None, "W000123BPAM001", "2026-01-01T13:00")
    ],
    "small_ras_literals/RAS_O17_chemo_portuguese_names.hl7": [
        ("administer", ("local", "CHEMO123"), "100", "ML", None, "2025-01-07T09:00")
    ],
    "small_ras_literals/RAS_O17_metformin_no_units_system.hl7": [
        ("administer", ("rxnorm", "860975"), "1", "TAB", None, "2026-08-07T08:00")
    ],
    # RE stands in RXA-19 (indication), not in RXA-20: the dose was given
    "small_ras_literals/RAS_O17_smart_pump_oxaliplatin.hl7": [
        ("administer", ("rxnorm", "32592"), "150", "mg", None, "2026-09-20T07:30")
    ],
    "ssmix_php_g7/RAS_O17_two_RXA_japanese.hl7": [
        ("administer", ("local", "108665201"), "1", "TAB", None, "2011-07-01T06:30"),
        ("administer", ("local", "110626901"), "2", "TAB", None, "2011-07-01T06:30"),
    ],
    # a time stamp stands in RXA-20 (completion status): not guessed
    "zato_live_vendor_docs/us_pa_pyxis_07_RAS_O17_enoxaparin.hl7": ["unknown_completion_status"],
    # an RXA inside a give message: the give is taken, the administration kept for a profile; RXG-4 is empty (shifted by one)
    "small_ras_literals/RGV_and_RXA_mixed_with_lot_expiry.hl7": [
        ("schedule", None, None, None, None, "2026-04-14T08:00"),
        "unexpected_segment",
    ],
    # MSH-7 carries +0000; RXG-4 has a text only
    "ihe_pcd_gateway/RGV_O15_PCD03_infusion_order.hl7": [
        ("schedule", ("local", "heparin"), "100", "263762", None, "2026-09-26T14:22")
    ],
    "small_ras_literals/RRA_O18_ack.hl7": ["application_response"],
    "uk_scenarios/RRA_O18_paracetamol_used_as_administration.hl7": ["no_mapping"],
    "uk_scenarios/MFN_M05_location_master.hl7": ["master_file"],
    # RXE-10/11 empty: give amount RXE-3/5; ORC-9 empty, so MSH-7
    "cosyte_hl7/canonical__rde-o11-pharmacy.hl7": [("order", ("rxnorm", "1049630"), "2", "TAB", None, "2026-04-19T12:00")],
    "cosyte_hl7/canonical__ndc-redundant-strength.hl7": [("order", ("ndc", "00071015523"), "1", "TAB", None, "2026-04-19T12:20")],
    # RXE-10/11 are 700 units; ORC-9 is a bare date
    "jp_hl7v2_to_fhir/prescription_example_11.hl7": [("order", ("local", "105466802"), "700", "UNT", None, "2016-08-20T22:00")],
    # RXE-3 is HL7's null, RXE-10 2 pieces
    "jp_hl7v2_to_fhir/prescription_example_02.hl7": [("order", ("local", "106238001"), "2", "HON", None, "2016-08-25T11:45")],
    # escape sign ¥ in MSH-2; RXE-2 `00`, RXE-3 50 ml
    "jp_hl7v2_to_fhir/injection_example_04.hl7": [("order", ("local", "00"), "50", "ml", None, "2016-06-30T23:24")],
    "rite_hl7_kotlin/RDE_O01_order_v24_flat.hl7": [("order", ("ndc", "00093-0058-01"), "90", None, None, "2026-06-23T07:12")],
    "linuxforhealth_hl7v2_fhir_converter/RDE_O11__Hl7MedicationRequestFHIRConversionTest_L157.hl7": [
        ("order", ("ndc", "62756-017"), "10", None, None, "2018-06-22T21:00")
    ],
    "linuxforhealth_hl7v2_fhir_converter/CUSTOM_PAT__Hl7CustomMessageTest_L89.hl7": ["unknown_message_type"],
    "frameworkltc_item_master/MFN_M15_MUP_minus_plus_transfer_single_line.hl7": ["no_mapping"],
    "cosyte_hl7/malformed__empty-input.hl7": ["empty"],
    "cosyte_hl7/malformed__no-msh-segment.hl7": ["no_msh"],
    "nextgen_connect_tests/BATCH__StreamHandlerTests_L364.hl7": ["empty_batch"],
}


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_a_message_read_by_hand_gives_what_was_read(name: str) -> None:
    found: list[object] = []
    for result in mapped((FOLDER / name).read_bytes(), site="berlin"):
        if isinstance(result, StockEvent):
            code = (result.codes[0].system, result.codes[0].value) if result.codes else None
            quantity = None if result.quantity is None else str(result.quantity)
            at = result.occurred.isoformat()[:16]
            found.append((str(result.kind), code, quantity, result.unit, result.lot, at))
        else:
            found.append(result.code)
    assert found == GOLDEN[name], ZONE_RULE


def test_a_batch_with_a_bad_member_keeps_the_good_ones() -> None:
    results = mapped((FOLDER / "cosyte_hl7" / "batch__malformed-mid-batch.hl7").read_bytes(), site="berlin")
    assert [type(result).__name__ for result in results] == ["StockEvent", "Refused", "StockEvent"]


def test_a_message_with_leading_text_is_read() -> None:
    (event,) = mapped((FOLDER / "nextgen_connect_tests" / "hl7.txt").read_bytes(), site="berlin")
    assert isinstance(event, StockEvent)
    assert str(event.kind) == "census"
