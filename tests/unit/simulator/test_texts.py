"""The texts on the wire, one by one, against the formats' definitions and published examples."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from connectors.simulator import Knobs, build_network
from connectors.simulator.catalogue import load_catalogue
from connectors.simulator.clock import LocalClock
from connectors.simulator.people import Order, Patient
from connectors.simulator.wire_hl7 import UNIT_CODES, Hl7Writer, dose_text, plain, restamp
from connectors.simulator.wire_json import UNIT_WORDS, body_of, element_string
from schemas.codes import gtin_of_ndc
from schemas.units import KNOWN_UNITS, canonical_unit

DRUGS = {drug.item: drug for drug in load_catalogue()}
PLAN = build_network(Knobs()).sites[1]
NOON = int(datetime(2026, 1, 6, 18, 0, 5, tzinfo=UTC).timestamp())
"""12:00:05 in Chicago."""


def order(item: str = "ondansetron-4mg-vial", **more: bool) -> Order:
    patient = Patient(7, PLAN.units[0], ("101", "A"), "SMITH^MARY", "19500102", "F")
    return Order(42, patient, DRUGS[item], central=more.get("central", False), by_strength=more.get("by_strength", False))


def writer() -> Hl7Writer:
    return Hl7Writer(PLAN, LocalClock(PLAN.zone, with_offset=True))


# ---- amounts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "text"), [("1000", "1000"), ("0.40", "0.4"), ("13.50", "13.5"), ("1E+3", "1000"), ("5.0", "5"), ("100", "100")]
)
def test_a_decimal_is_written_without_exponent_and_trailing_zeros(amount, text) -> None:
    assert plain(Decimal(amount)) == text


@pytest.mark.parametrize(
    ("item", "quantity", "base", "strength"),
    [
        ("acetaminophen-325mg-tablet", 2, ("2", "TAB"), ("650", "mg")),
        ("fentanyl-100mcg-vial", 1, ("1", "VIAL"), ("100", "ug")),
        ("cefazolin-1g-vial", 2, ("2", "VIAL"), ("2", "g")),
        ("heparin-5000unit-vial", 1, ("1", "VIAL"), ("5000", "[iU]")),
        ("potassium-chloride-20meq-tablet", 2, ("2", "TAB"), ("40", "meq")),
        ("carvedilol-6.25mg-tablet", 1, ("1", "TAB"), ("6.25", "mg")),
        ("acetaminophen-32mg-ml-liquid", 20, ("20", "mL"), ("640", "mg")),
        ("insulin-lispro-vial", 6, ("6", "[iU]"), ("6", "[iU]")),
    ],
)
def test_a_dose_is_base_units_or_quantity_times_strength(item, quantity, base, strength) -> None:
    """Without a stated strength (insulin, counted in units) both are base units."""
    assert dose_text(DRUGS[item], quantity, by_strength=False) == base
    assert dose_text(DRUGS[item], quantity, by_strength=True) == strength


def test_every_spelling_of_a_unit_is_one_the_hub_has_a_name_for() -> None:
    for spellings in (UNIT_CODES, UNIT_WORDS):
        for name, spelling in spellings.items():
            assert canonical_unit(spelling) == name
            assert name in KNOWN_UNITS
    assert {drug.base_unit for drug in DRUGS.values()} <= set(UNIT_WORDS) & set(UNIT_CODES)


# ---- HL7 ------------------------------------------------------------------------------------------------------------


def test_a_resend_changes_time_and_control_id_alone() -> None:
    body = writer().adt("adt", "A01", "ADT_A01", NOON, order().patient)
    again = restamp(body, "20260106130000-0600", "NEW1")
    old, new = body.split(b"\r"), again.split(b"\r")
    assert old[1:] == new[1:]
    changed = [place for place, (a, b) in enumerate(zip(old[0].split(b"|"), new[0].split(b"|"), strict=True)) if a != b]
    assert changed == [6, 9], "MSH-7 and MSH-10 (MSH-1 is the separator itself)"
    assert b"|20260106130000-0600|" in new[0]


def test_control_ids_rise_per_feed() -> None:
    hl7 = writer()
    assert [hl7.control("rds") for _ in range(2)] == ["SOURD000000001", "SOURD000000002"]
    assert hl7.control("emar") == "SOUEM000000001"


def test_an_admission_reads_as_hl7_says() -> None:
    head, evn, pid, pv1, end = writer().adt("adt", "A01", "ADT_A01", NOON, order().patient).decode().split("\r")
    assert head == "MSH|^~\\&|EHRADT|SOUTHMEM|WARDSTOCK|HUB|20260106120005-0600||ADT^A01^ADT_A01|SOUAD000000001|P|2.5.1"
    assert evn == "EVN|A01|20260106120005-0600"
    assert pid == "PID|1||M0000007^^^SOUTHMEM^MR||SMITH^MARY||19500102|F"
    assert pv1.split("|")[3] == f"{PLAN.units[0].code}^101^A^SOUTHMEM"
    assert end == ""


def test_an_administration_reads_as_hl7_says() -> None:
    given = order(by_strength=True)
    hl7 = writer()
    code = "0409-4755-03^Ondansetron 4 mg/2 mL injection^NDC"
    line = hl7.rxa(NOON, 1, code, ("4", "mg"), "south-rn01", ("A1B2C3D", "20270131"), "CP")
    assert line == (f"RXA|0|1|20260106120005-0600|20260106120005-0600|{code}|4|mg|||south-rn01|||||A1B2C3D|20270131||||CP|A\r")
    body = hl7.ras(given, [(NOON, line)]).decode().split("\r")
    assert [segment[:3] for segment in body[:-1]] == ["MSH", "PID", "PV1", "ORC", "RXA", "RXR"]
    assert body[3] == "ORC|RE|P00000042|F00000042"
    assert body[5] == "RXR|IV"


def test_a_refused_dose_has_a_refusal_reason() -> None:
    line = writer().rxa(NOON, 1, "X^Y^NDC", ("1", "TAB"), "n", ("L", "20270131"), "RE").split("|")
    assert (line[18], line[20]) == ("PATOBJ", "RE")


def test_a_dispense_of_two_lots_is_two_order_groups() -> None:
    filled = order("sertraline-50mg-tablet", central=True)
    filled.fills = 3
    hl7 = writer()
    lines = [
        (
            NOON + number,
            hl7.rxd(NOON + number, number + 1, "X^Y^NDC", ("2", "TAB"), filled, "south-pharm1", (f"L{number}", "20270131")),
        )
        for number in range(2)
    ]
    body = hl7.rds(filled, lines).decode().split("\r")
    assert [segment[:3] for segment in body[:-1]] == ["MSH", "PID", "PV1", "ORC", "RXD", "RXR", "ORC", "RXD", "RXR"]
    first, second = body[4].split("|"), body[7].split("|")
    assert (first[1], second[1]) == ("1", "2")
    assert (first[3], second[3]) == ("20260106120005-0600", "20260106120006-0600")
    assert first[7] == second[7] == "F00000042-3"
    assert (first[18], second[18]) == ("L0", "L1")


def test_an_order_names_the_drug_by_the_hospitals_own_code_and_its_interval() -> None:
    body = writer().rde(NOON, order()).decode().split("\r")
    rxe = next(segment for segment in body if segment.startswith("RXE")).split("|")
    drug = DRUGS["ondansetron-4mg-vial"]
    assert rxe[1] == "1^Q12H", "twice a day"
    assert rxe[2] == f"{drug.local}^{drug.name}^L"
    assert (rxe[3], rxe[5], rxe[10], rxe[11]) == ("1", "VIAL", "1", "VIAL")


# ---- barcodes and JSON ----------------------------------------------------------------------------------------------


def test_the_gtin_of_the_published_example() -> None:
    """NDC 0409-4713-02 → 00304094713021."""
    assert gtin_of_ndc("0409471302") == "00304094713021"


def test_an_element_string_puts_a_separator_only_after_a_lot_that_is_not_last() -> None:
    """GS1 General Specifications §7.8: (01) and (17) have a fixed length, (10) does not."""
    gtin = "00304094713021"
    assert element_string(gtin, "A1B", "270131", lot_first=False) == f"]d201{gtin}1727013110A1B"
    assert element_string(gtin, "A1B", "270131", lot_first=True) == f"]d201{gtin}10A1B\x1d17270131"
    assert element_string(gtin, None, None, lot_first=True) == f"]d201{gtin}"
    assert element_string(gtin, "A1B", None, lot_first=False) == f"]d201{gtin}"


def test_a_body_of_one_is_an_object_and_of_more_a_list() -> None:
    assert body_of([{"a": 1}]) == b'{"a":1}'
    assert body_of([{"a": 1}, {"a": 2}]) == b'[{"a":1},{"a":2}]'


def test_knobs_are_values_that_can_be_compared_and_varied() -> None:
    assert Knobs() == Knobs()
    assert replace(Knobs(), seed=2) != Knobs()
    assert {Knobs(): "default"}[Knobs(seed=1)] == "default"
