"""HIBC labels: the published vectors, every date flag of the standard, check characters, and building ∘ reading.

Source: ANSI/HIBC 2.6; the vectors are those of ../shared/data/gs1/hibc_vectors.json (12, with what each says).
"""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.barcode.build import hibc
from connectors.barcode.elements import ElementError
from connectors.barcode.hibc import CHARACTERS, check_character, read_hibc
from connectors.barcode.parse import Barcode, UnreadableBarcode, parse_barcode

VECTORS = Path(__file__).resolve().parents[4] / "shared" / "data" / "gs1" / "hibc_vectors.json"


def secondary(text: str) -> Any:
    return read_hibc(hibc("A99912345", text), 2026)


def refused(text: str) -> str:
    with pytest.raises(ElementError) as error:
        read_hibc(text, 2026)
    return error.value.code


def test_the_published_vectors_are_read_as_stated_or_refused() -> None:
    if not VECTORS.is_file():
        pytest.skip("HIBC TEST VECTORS ARE ABSENT: NOTHING OF THEM WAS TESTED")
    vectors = json.loads(VECTORS.read_text("utf-8"))["vectors"]
    assert len(vectors) == 12
    for vector in vectors:
        if not vector["valid"]:
            assert refused(vector["input"]) == "wrong_check_character"
            continue
        label = read_hibc(vector["input"], 2026)
        expected = vector["expected"]
        if isinstance(expected, str):
            assert label == read_hibc(vector["input"].strip("*"), 2026)
        elif expected is not None:
            assert (label.labeler, label.product, label.unit_of_measure) == (
                expected["lic"],
                expected["product_code"],
                expected["packaging_index"],
            )
            assert label.lot == expected["lot"]
            assert label.expiry == date.fromisoformat(expected["expiry"])
            assert label.manufactured == (date.fromisoformat(expected["manufactured"]) if "manufactured" in expected else None)
            assert label.serial == expected.get("serial")
            assert label.quantity == (int(expected["quantity"]) if "quantity" in expected else None)


@pytest.mark.parametrize(
    ("text", "expiry", "lot"),
    [
        ("$LOT1", None, "LOT1"),
        ("26032LOT1", date(2026, 2, 1), "LOT1"),
        ("$$0227LOT1", date(2027, 2, 28), "LOT1"),
        ("$$1228", date(2028, 12, 31), None),
        ("$$2022927LOT1", None, "invalid"),
        ("$$2022828LOT1", date(2028, 2, 28), "LOT1"),
        ("$$3280229LOT1", date(2028, 2, 29), "LOT1"),
        ("$$428022923LOT1", date(2028, 2, 29), "LOT1"),
        ("$$528366LOT1", date(2028, 12, 31), "LOT1"),
        ("$$62836612LOT1", date(2028, 12, 31), "LOT1"),
        ("$$7LOT1", None, "LOT1"),
        ("$$", None, None),
        ("$$527366LOT1", None, "invalid"),
        ("$$1327LOT1", None, "invalid"),
    ],
)
def test_each_date_flag(text: str, expiry: date | None, lot: str | None) -> None:
    if lot == "invalid":
        assert refused(hibc("A99912345", text)) == "invalid_date"
        return
    assert (secondary(text).expiry, secondary(text).lot) == (expiry, lot)


def test_quantities_serials_and_dates_behind_slashes() -> None:
    label = secondary("$$812" + "3280229LOT1")
    assert (label.quantity, label.expiry, label.lot) == (12, date(2028, 2, 29), "LOT1")
    assert secondary("$$900500" + "7LOT1").quantity == 500
    assert secondary("$+SN1").serial == "SN1"
    assert (secondary("$$+3280229SN1").serial, secondary("$$+3280229SN1").lot) == ("SN1", None)
    assert secondary("S0001/16D20260101/Q7").quantity == 7


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("+A9", "wrong_check_character"),
        ("+", "bad_format"),
        (hibc("9991234", ""), "invalid_date"),
        (hibc("A99912345", "X"), "bad_format"),
        (hibc("A99912345", "$LOT/XX"), "bad_format"),
        (hibc("A99912345", "$$81X3280229"), "bad_format"),
        (hibc("A99912345", "$$32802"), "bad_format"),
        (hibc("A99912345", "$$3280229L/14D20280228"), "contradictory"),
        ("+a9991234c", "bad_format"),
    ],
)
def test_what_is_no_label_is_refused_by_name(text: str, code: str) -> None:
    assert refused(text) == code


def test_a_secondary_symbol_by_itself_names_the_primary_it_belongs_to_and_no_product() -> None:
    primary = hibc("A99912345")
    alone = "+$$3280229LOT1" + primary[-1]
    label = read_hibc(alone + check_character(alone), 2026)
    assert (label.link, label.lot, label.primary) == (primary[-1], "LOT1", None)


def test_a_scanned_label_is_a_product_with_lot_and_expiry() -> None:
    found = parse_barcode("]C0" + hibc("A99912345", "$$52001510X3"), 2026)
    assert isinstance(found, Barcode)
    assert (found.hibc, found.lot, found.expiry) == ("A99912345", "10X3", date(2020, 1, 15))


LABELER = st.from_regex(r"[A-Z][A-Z0-9]{3}", fullmatch=True)
PRODUCT = st.from_regex(r"[A-Z0-9]{1,18}", fullmatch=True)
LOT = st.from_regex(r"[A-Z0-9]{1,18}", fullmatch=True)


@given(LABELER, PRODUCT, st.integers(0, 9), LOT, st.dates(date(2000, 1, 1), date(2060, 12, 31)))
def test_a_built_label_is_read_as_built(labeler: str, product: str, unit: int, lot: str, expiry: date) -> None:
    label = read_hibc(hibc(f"{labeler}{product}{unit}", f"$$3{expiry:%y%m%d}{lot}"), 2026)
    assert (label.labeler, label.product, label.unit_of_measure) == (labeler, product, str(unit))
    assert (label.lot, label.expiry) == (lot, expiry)


@given(LABELER, PRODUCT, st.integers(0, 9), st.integers(0, 40), st.sampled_from(CHARACTERS))
def test_one_wrong_character_is_noticed(labeler: str, product: str, unit: int, place: int, other: str) -> None:
    text = hibc(f"{labeler}{product}{unit}")
    at = 1 + place % (len(text) - 1)
    changed = text[:at] + other + text[at + 1 :]
    if changed != text:
        assert isinstance(parse_barcode(changed, 2026), UnreadableBarcode)
