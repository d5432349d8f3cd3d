"""GS1 element strings keep the rules of the GS1 General Specifications."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.barcode.elements import (
    ELEMENTS_MAX,
    ElementError,
    century,
    combined,
    element_date,
    evidence,
    read_bracketed,
    read_elements,
)
from schemas.codes import gtin_check_digit

GTIN = ("01", "00304094713021")


def code_of(data: str) -> str:
    with pytest.raises(ElementError) as caught:
        read_elements(data, 2026)
    return caught.value.code


def test_fixed_lengths_run_on_and_variable_lengths_end_with_fnc1_or_the_data():
    assert read_elements("01003040947130211726043010A1\x1d21S1", 2026) == (GTIN, ("17", "260430"), ("10", "A1"), ("21", "S1"))


def test_an_fnc1_in_front_and_superfluous_ones_behind_are_tolerated():
    assert read_elements("\x1d0100304094713021\x1d10A1\x1d", 2026) == (GTIN, ("10", "A1"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # (day 00, year of the scan): the examples of domain rule AI(17)
        ("260400", date(2026, 4, 30)),
        ("130200", date(2013, 2, 28)),
        ("160200", date(2016, 2, 29)),
        ("280200", date(2028, 2, 29)),
        ("190700", date(2019, 7, 31)),
        ("260531", date(2026, 5, 31)),
    ],
)
def test_day_00_is_the_last_day_of_the_month(text, expected):
    assert element_date("17", text, 2026) == expected


@pytest.mark.parametrize("text", ["210431", "260230", "270229", "261301", "260001", "260000"])
def test_a_date_that_does_not_exist_is_refused(text):
    assert code_of(f"17{text}") in {"invalid_date", "bad_format"}


@pytest.mark.parametrize(
    ("two_digits", "year", "expected"),
    [
        (76, 2026, 2076),  # 50 years ahead: this century
        (77, 2026, 1977),  # 51 ahead: the one before
        (99, 2026, 1999),
        (0, 2026, 2000),
        (49, 2099, 2149),  # 50 behind: the next one
        (50, 2099, 2050),
        (50, 2000, 2050),
        (51, 2000, 1951),
    ],
)
def test_the_century_is_the_one_within_49_years_back_and_50_ahead(two_digits, year, expected):
    assert century(two_digits, year) == expected


@given(st.integers(0, 99), st.integers(1990, 2190))
def test_the_year_keeps_its_digits_and_is_near(two_digits, year):
    full = century(two_digits, year)
    assert full % 100 == two_digits
    assert -49 <= full - year <= 50


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ("", "no_data"),
        ("\x1d", "no_data"),
        ("0100304094713022", "wrong_check_digit"),
        ("0200304094713022", "wrong_check_digit"),
        ("00106141411234567898", "wrong_check_digit"),
        ("4141234567890123", "wrong_check_digit"),
        ("010030409471302", "bad_format"),
        ("0100304O94713021", "bad_format"),
        ("10" + "A" * 21, "bad_format"),
        ("10A B", "bad_format"),
        ("10\x1d21A", "bad_format"),
        ("30\x1d21A", "bad_format"),
        ("37123456789", "bad_format"),
        ("10\u0661", "bad_format"),
        ("17\u0662\u0666\u0660\u0665\u0663\u0661", "bad_format"),
        ("89123", "unknown_ai"),
        ("10A\x1d10B", "contradictory"),
    ],
)
def test_a_broken_rule_is_refused_by_name(data, code):
    assert code_of(data) == code


def test_the_same_element_twice_is_one():
    assert read_elements("10A\x1d10A", 2026) == (("10", "A"),)


def test_more_element_strings_than_a_symbol_holds_are_refused():
    assert len(combined([(f"9{n}", "x") for n in range(ELEMENTS_MAX)])) == ELEMENTS_MAX
    with pytest.raises(ElementError, match="more than 64"):
        combined([(f"9{n}", "x") for n in range(ELEMENTS_MAX + 1)])


def test_weights_and_places_are_read_too():
    assert read_elements("3103001234" + "4141234567890128" + "254SHELF3", 2026) == (
        ("3103", "001234"),
        ("414", "1234567890128"),
        ("254", "SHELF3"),
    )


def test_the_readable_form_in_brackets_is_the_same_message():
    assert read_bracketed("(01)00304094713021(17)260430(10)A1", 2026) == read_elements("01003040947130211726043010A1", 2026)


def test_an_escaped_bracket_belongs_to_the_value():
    assert read_bracketed("(10)A\\(1)", 2026) == (("10", "A(1)"),)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("(01)", "bad_brackets"),
        ("()1", "bad_brackets"),
        ("(10)A(", "bad_brackets"),
        ("(310)000123", "unknown_ai"),
        ("(8)1", "bad_brackets"),
        ("(1001)1", "unknown_ai"),
        ("(89)1", "unknown_ai"),
        ("(01)00304094713022", "wrong_check_digit"),
    ],
)
def test_brackets_that_enclose_no_element_are_refused(text, code):
    with pytest.raises(ElementError) as caught:
        read_bracketed(text, 2026)
    assert caught.value.code == code


def test_check_digits_and_dates_are_evidence_lots_are_not():
    assert evidence((GTIN, ("17", "260430"), ("10", "A1")), 2026) == 2


@given(
    st.text("0123456789", min_size=13, max_size=13),
    st.dates(date(1990, 1, 1), date(2070, 12, 31)),
    st.text("ABCXYZ0123456789-/.", min_size=1, max_size=20),
    st.text("ABCXYZ0123456789", min_size=1, max_size=20),
)
def test_what_is_written_with_separators_is_read_back(body, expiry, lot, serial):
    gtin = body + gtin_check_digit(body)
    text = f"01{gtin}10{lot}\x1d21{serial}\x1d17{expiry:%y%m%d}"
    assert dict(read_elements(text, 2026)) == {"01": gtin, "10": lot, "21": serial, "17": f"{expiry:%y%m%d}"}
    assert element_date("17", f"{expiry:%y%m%d}", 2026) == expiry
