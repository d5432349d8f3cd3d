"""True wire formats: every body is valid by the format's own definition, and identities never collide."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from datetime import date, datetime
from itertools import pairwise

import pytest
from biip import ParseConfig
from biip import parse as biip_parse
from fhir.resources.R4B import get_fhir_model_class as r4b

from schemas.cabinet import CABINET_TRANSACTION, CabinetAction
from schemas.codes import gtin_check_digit
from schemas.raw import CABINET_JSON, FHIR_JSON, HL7_ER7, SCAN_JSON, from_capture_line, to_capture_line
from schemas.scan import SCAN_EVENT, ScanActivity
from tests.unit.simulator.runs import HOSPITALS, rows, run, segments

MADE = run(HOSPITALS)
CONNECTORS = {HL7_ER7: "hl7", CABINET_JSON: "cabinet", SCAN_JSON: "scan", FHIR_JSON: "fhir"}
ALPHABET = set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")


def test_messages_carry_site_source_connector_and_content_type() -> None:
    for message in MADE.messages:
        assert message.connector == CONNECTORS[message.content_type]
        assert message.source.startswith(f"{message.site}-")


def test_each_source_carries_one_kind_of_message() -> None:
    kinds = defaultdict(set)
    for message in MADE.messages:
        feed = message.source.split("-")[1]
        kind = message.content_type if message.content_type != HL7_ER7 else segments(message, "MSH")[0][8][:7]
        kinds[feed].add(kind)
    assert kinds["adt"] == {"ADT^A01", "ADT^A02", "ADT^A03", "ADT^A08"}
    assert kinds["orders"] == {"RDE^O11", "ADT^A08"}
    assert kinds["emar"] == {"RAS^O17", "ADT^A08"}
    assert kinds["rds"] == {"RDS^O13", "ADT^A08"}
    assert (kinds["cabinets"], kinds["scans"], kinds["fhir"]) == ({CABINET_JSON}, {SCAN_JSON}, {FHIR_JSON})
    assert {message.site for message in MADE.of_type(FHIR_JSON)} == {"river"}


def test_a_message_survives_a_capture_file() -> None:
    for message in MADE.messages[::97]:
        assert from_capture_line(to_capture_line(message)) == message


# ---- HL7 ------------------------------------------------------------------------------------------------------------


def test_hl7_messages_begin_with_msh_end_every_segment_with_cr_and_hold_no_line_feed() -> None:
    for message in MADE.of_type(HL7_ER7):
        body = message.body.decode("ascii")
        assert body.startswith("MSH|^~\\&|")
        assert body.endswith("\r")
        assert "\n" not in body
        assert "\r\r" not in body
        assert all(segment[3:4] == "|" and segment[:3].isalnum() for segment in body.split("\r")[:-1])


def test_hl7_headers_name_facility_time_type_control_id_and_production() -> None:
    facilities = {plan.id: plan.facility for plan in MADE.network.sites}
    offsets = {plan.id: plan.with_offset for plan in MADE.network.sites}
    controls = Counter()
    for message in MADE.of_type(HL7_ER7):
        msh = message.body.decode().split("\r")[0].split("|")
        assert msh[3] == facilities[message.site]
        assert len(msh[6]) == (19 if offsets[message.site] else 14)
        assert msh[8].count("^") == 2
        assert msh[10:12] == ["P", "2.5.1"]
        controls[msh[9]] += 1
    assert max(controls.values()) == 1
    assert set(offsets.values()) == {True, False}


def test_every_hl7_message_has_a_patient_with_authority_and_a_bed() -> None:
    for message in MADE.of_type(HL7_ER7):
        [pid], [pv1] = segments(message, "PID"), segments(message, "PV1")
        number, _, _, authority, kind = pid[3].split("^")
        assert (number[0], authority, kind) == ("M", segments(message, "MSH")[0][3], "MR")
        assert len(pv1[3].split("^")) == 4
        assert pv1[19].startswith("V")


def test_an_administration_has_its_fields_where_hl7_puts_them() -> None:
    """HL7 v2.5.1 §4.14.7: RXA-3 start, -5 code, -6/-7 dose, -10 nurse, -15/-16 lot and expiry, -20 status, -21 action."""
    statuses = Counter()
    for message in MADE.of_type(HL7_ER7):
        for rxa in segments(message, "RXA"):
            code, _, system = rxa[5].split("^")
            assert (len(rxa), system, rxa[21]) == (22, "NDC", "A")
            assert code.count("-") == 2
            assert float(rxa[6]) > 0
            assert rxa[7]
            assert rxa[10].startswith(f"{message.site}-rn")
            statuses[rxa[20]] += 1
            if rxa[20] != "NA":
                assert rxa[15]
                date.fromisoformat(rxa[16])
            assert bool(rxa[18]) == (rxa[20] == "RE")
    assert set(statuses) == {"CP", "RE", "NA"}
    assert statuses["CP"] > 20 * statuses["RE"]


def test_a_dispense_has_its_fields_where_hl7_puts_them() -> None:
    """HL7 v2.5.1 §4.14.5: RXD-2 code, -3 time, -4/-5 amount, -7 prescription, -18/-19 lot and expiry, -26 where from."""
    units = set()
    for message in MADE.of_type(HL7_ER7):
        for number, rxd in enumerate(segments(message, "RXD"), start=1):
            assert (len(rxd), rxd[1], rxd[33]) == (34, str(number), "N")
            assert rxd[2].endswith("^NDC")
            assert int(rxd[4]) > 0
            assert rxd[7].startswith("F")
            assert rxd[10].startswith(f"{message.site}-pharm")
            assert rxd[18]
            date.fromisoformat(rxd[19])
            assert rxd[26].split("^")[0] == "MAIN"
            units.add(rxd[5])
    assert {"TAB", "INHALER", "PEN"} <= units


@pytest.mark.parametrize(("name", "lot"), [("RXA", 15), ("RXD", 18)])
def test_some_messages_hold_two_items_because_two_lots_were_used(name, lot) -> None:
    several = [found for message in MADE.of_type(HL7_ER7) if len(found := segments(message, name)) > 1]
    assert several
    for found in several:
        lots = [segment[lot] for segment in found]
        assert len(set(lots)) == len(lots)


def test_doses_are_charted_in_base_units_and_by_strength() -> None:
    units = Counter(rxa[7] for message in MADE.of_type(HL7_ER7) for rxa in segments(message, "RXA"))
    assert units["mg"] > 500
    assert units["TAB"] > 300
    assert units["VIAL"] > 300


# ---- cabinets -------------------------------------------------------------------------------------------------------


def test_every_cabinet_transaction_is_valid_by_the_published_schema() -> None:
    seen = Counter()
    for message in MADE.of_type(CABINET_JSON):
        for row in rows(message):
            seen[CABINET_TRANSACTION.validate(row).action] += 1
    wanted = set(CabinetAction)
    assert set(seen) == wanted, "every action occurs"


def test_a_cabinet_body_holds_one_transaction_or_a_list() -> None:
    bodies = [json.loads(message.body) for message in MADE.of_type(CABINET_JSON)]
    assert {type(body) for body in bodies} == {dict, list}
    assert all(len(body) > 1 for body in bodies if isinstance(body, list))


def test_a_cabinets_sequence_and_clock_rise_together() -> None:
    """Within one device a later number never has an earlier second."""
    by_device = defaultdict(list)
    for message in MADE.of_type(CABINET_JSON):
        for row in rows(message):
            if row["action"] != "null":
                by_device[(message.site, row["device"])].append((row["device_sequence"], datetime.fromisoformat(row["occurred"])))
    for facts in by_device.values():
        facts.sort()
        assert len({number for number, _ in facts}) == len(facts)
        assert all(earlier[1] < later[1] for earlier, later in pairwise(facts))


def test_cabinets_of_different_sites_use_different_code_systems() -> None:
    systems = defaultdict(set)
    for message in MADE.of_type(CABINET_JSON):
        for row in rows(message):
            if row["action"] != "null":
                systems[message.site].add(row["code_system"])
    assert systems == {"north": {"ndc"}, "south": {"local"}, "river": {"gtin"}}


def test_stock_messages_carry_lot_and_expiry_by_default() -> None:
    for message in MADE.of_type(CABINET_JSON):
        for row in rows(message):
            assert row["action"] == "null" or (set(row["lot"]) <= ALPHABET and row["expiry"])
    for message in MADE.of_type(FHIR_JSON):
        resource = json.loads(message.body)
        if resource["resourceType"] != "MedicationRequest":
            assert set(resource["contained"][0]["batch"]) == {"lotNumber", "expirationDate"}


def test_waste_of_controlled_drugs_has_a_witness_other_than_the_nurse() -> None:
    wasted = [row for message in MADE.of_type(CABINET_JSON) for row in rows(message) if row["action"] == "waste"]
    assert wasted
    assert all(row["witness"] and row["witness"] != row["user"] for row in wasted)


def test_vends_state_what_the_pocket_held_before() -> None:
    vends = [row for message in MADE.of_type(CABINET_JSON) for row in rows(message) if row["action"] == "vend"]
    assert all(row["begin_count"] >= row["quantity"] for row in vends)
    assert {row["begin_count_verified"] for row in vends} == {True, False}


# ---- scans ----------------------------------------------------------------------------------------------------------


WITHIN_A_SITE = {"receive", "put_away", "pick", "count", "waste", "return"}
"""The simulated network sends nothing from site to site, and nothing back to suppliers."""


def test_every_scan_is_valid_by_the_published_schema() -> None:
    seen = Counter()
    for message in MADE.of_type(SCAN_JSON):
        [row] = rows(message)
        seen[SCAN_EVENT.validate(row).activity] += 1
    assert set(seen) == {one for one in ScanActivity if one.value in WITHIN_A_SITE}


def test_every_barcode_is_a_gs1_datamatrix_that_an_independent_library_reads_whole() -> None:
    """GTIN with a right check digit, lot, and an expiry; with and without a group separator."""
    separated = Counter()
    for message in MADE.of_type(SCAN_JSON):
        [row] = rows(message)
        text = row["barcode"]
        assert gtin_check_digit(text[5:18]) == text[18]
        parsed = biip_parse(text, config=ParseConfig(separator_chars=("\x1d",)))
        found = parsed.gs1_message
        assert found is not None, parsed.gs1_message_error
        assert [str(element.ai.ai) for element in found.element_strings].count("01") == 1
        assert {element.ai.ai for element in found.element_strings} == {"01", "10", "17"}
        separated["\x1d" in text] += 1
    assert min(separated.values()) > 50


def test_scans_state_packages_boxes_and_base_units() -> None:
    ways = Counter()
    for message in MADE.of_type(SCAN_JSON):
        [row] = rows(message)
        if row["activity"] == "receive":
            ways["one package" if "quantity" not in row else row.get("unit", "packages")] += 1
    assert {"one package", "packages", "box", "tablet", "vial"} <= set(ways)


# ---- FHIR -----------------------------------------------------------------------------------------------------------


def test_every_fhir_resource_validates_as_r4b_and_has_a_business_identifier_of_its_own() -> None:
    seen = Counter()
    identifiers = Counter()
    for message in MADE.of_type(FHIR_JSON):
        resource = json.loads(message.body)
        kind = resource["resourceType"]
        r4b(kind).model_validate(resource)
        seen[kind] += 1
        identifiers[(kind, resource["identifier"][0]["value"])] += 1
        if kind != "MedicationRequest":
            assert resource["status"] == "completed"
            assert resource["contained"][0]["batch"]["lotNumber"]
    assert set(seen) == {"MedicationRequest", "MedicationDispense", "MedicationAdministration"}
    assert max(identifiers.values()) == 1


@pytest.mark.parametrize("kind", ["MedicationRequest", "MedicationDispense", "MedicationAdministration"])
def test_the_validator_would_notice_a_broken_resource(kind) -> None:
    """The test above can fail: without its status no resource is valid."""
    message = next(one for one in MADE.of_type(FHIR_JSON) if f'"{kind}"' in one.body.decode())
    resource = json.loads(message.body)
    del resource["status"]
    with pytest.raises(ValueError, match="status"):
        r4b(kind).model_validate(resource)
