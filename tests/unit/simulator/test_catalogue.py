"""The drug catalogue: real codes, well formed, and enough kinds of drugs to exercise every rule."""

from __future__ import annotations

import pytest
from biip import parse as biip_parse
from biip.gtin import Gtin

from connectors.simulator.catalogue import load_catalogue
from schemas.codes import gtin_check_digit, ndc_ten_of_gtin, parse_ndc
from schemas.kinds import ConsumptionRuleKind
from schemas.units import KNOWN_UNITS

DRUGS = load_catalogue()
BOXES = [box for drug in DRUGS for box in drug.boxes]


def test_it_holds_at_least_sixty_items_each_with_one_or_two_products() -> None:
    assert len(DRUGS) >= 60
    assert len({drug.item for drug in DRUGS}) == len(DRUGS)
    assert all(1 <= len(drug.boxes) <= 2 for drug in DRUGS)


@pytest.mark.parametrize("box", BOXES, ids=lambda box: box.ndc)
def test_every_ndc_is_well_formed_and_its_gtin_is_03_plus_ten_digits_plus_a_right_check_digit(box) -> None:
    parse_ndc(box.ndc)
    digits = box.ndc.replace("-", "")
    assert len(digits) == 10
    assert box.gtin[:3] == "003"
    assert ndc_ten_of_gtin(box.gtin) == digits
    assert gtin_check_digit(box.gtin[:-1]) == box.gtin[-1]
    assert isinstance(biip_parse(box.gtin).gtin, Gtin), "an independent library reads it as a GTIN"


def test_no_code_stands_for_two_products() -> None:
    for codes in ([box.ndc for box in BOXES], [box.gtin for box in BOXES], [box.local for box in BOXES]):
        assert len(set(codes)) == len(codes)
    assert not {drug.local for drug in DRUGS} & {box.local for box in BOXES}


def test_published_ndcs_have_their_published_eleven_digits() -> None:
    """FDA pads the short segment: 0409-1891-01 → 00409-1891-01, 63323-262-01 → 63323-0262-01, 63653-1171-1 → 63653-1171-01."""
    eleven = {box.ndc: box.ndc11 for box in BOXES}
    assert eleven["0409-1891-01"] == "00409189101"
    assert eleven["63323-262-01"] == "63323026201"
    assert eleven["63653-1171-1"] == "63653117101"


def test_the_controlled_drugs_have_their_dea_schedules() -> None:
    """21 CFR 1308: opioids II, ketamine III, benzodiazepines IV."""
    wanted = {
        "morphine": 2,
        "fentanyl": 2,
        "hydromorphone": 2,
        "oxycodone": 2,
        "ketamine": 3,
        "midazolam": 4,
        "lorazepam": 4,
        "diazepam": 4,
    }
    for name, schedule in wanted.items():
        found = [drug for drug in DRUGS if drug.item.startswith(name)]
        assert found, name
        assert {drug.schedule for drug in found} == {schedule}


def test_all_forms_units_rules_and_storage_temperatures_occur() -> None:
    assert {drug.storage for drug in DRUGS} == {"room", "fridge", "freezer"}
    assert {drug.rule for drug in DRUGS} == {rule.value for rule in ConsumptionRuleKind}
    assert {"tablet", "capsule", "vial", "syringe", "bag", "patch", "mL", "unit", "puff", "suppository"} <= {
        d.base_unit for d in DRUGS
    }
    assert {drug.container for drug in DRUGS} >= {"pen", "inhaler"}
    assert {drug.base_unit for drug in DRUGS} <= KNOWN_UNITS
    assert any(drug.high_alert for drug in DRUGS)
    assert any(not drug.formulary for drug in DRUGS)


def test_no_name_holds_a_delimiter_of_hl7_so_the_writer_need_not_escape() -> None:
    for drug in DRUGS:
        assert not set("|^~\\&\r\n") & set(drug.name + drug.form + drug.item), drug.name


def test_open_stock_of_wards_and_clinics_converts_without_remainder_or_ambiguity() -> None:
    """Where the charted dose decides what left the shelf, a dose is a whole number of base units or of strengths."""
    for drug in DRUGS:
        if set("WF") & set(drug.places):
            assert drug.dose >= 1
            assert not drug.container
            assert drug.strength_amount is None or drug.strength_unit != drug.base_unit
