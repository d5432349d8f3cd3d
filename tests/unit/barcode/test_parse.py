"""One scanned text is one barcode, or a named reason why not. Nothing is guessed."""

from __future__ import annotations

import time
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.barcode.elements import ElementError
from connectors.barcode.parse import TEXT_CHARACTERS_MAX, Barcode, UnreadableBarcode, parse_barcode
from connectors.barcode.unseparated import read_unseparated

LIDOCAINE = "00304094713021"  # NDC 0409-4713-02


def read(text: str, year: int = 2026) -> Barcode:
    result = parse_barcode(text, year)
    assert isinstance(result, Barcode), result
    return result


def refused(text: str) -> str:
    result = parse_barcode(text, 2026)
    assert isinstance(result, UnreadableBarcode), result
    assert result.reason
    return result.code


def test_a_full_medicine_label_gives_product_lot_expiry_and_serial():
    barcode = read("]d20100304094713021172604001021072911\x1d21ABC")
    assert barcode == Barcode(
        identifier="]d2",
        elements=(("01", LIDOCAINE), ("17", "260400"), ("10", "21072911"), ("21", "ABC")),
        gtin=LIDOCAINE,
        ndc_ten="0409471302",
        lot="21072911",
        expiry=date(2026, 4, 30),
        serial="ABC",
    )


@pytest.mark.parametrize("separator", ["\x1d", "<GS>", "{GS}", "[GS]", "<FNC1>", "{FNC1}", "^]", "\u241d"])
def test_every_spelling_of_the_separator_is_understood(separator):
    barcode = read(f"01{LIDOCAINE}10A1{separator}17260430")
    assert (barcode.lot, barcode.expiry) == ("A1", date(2026, 4, 30))


def test_the_spellings_of_the_separator_are_the_scanners_configuration():
    assert parse_barcode(f"01{LIDOCAINE}10A1_17260430", 2026, ("_",)) == read(f"01{LIDOCAINE}10A1\x1d17260430")
    assert read(f"]d201{LIDOCAINE}10A_1").lot == "A_1"


@pytest.mark.parametrize("identifier", ["]C1", "]d2", "]Q3", "]J1", "]e0", "]e1"])
def test_every_gs1_symbology_is_read_alike(identifier):
    barcode = read(f"{identifier}01{LIDOCAINE}10L2137A")
    assert (barcode.identifier, barcode.gtin, barcode.lot) == (identifier, LIDOCAINE, "L2137A")


def test_blanks_and_line_ends_around_a_scan_are_dropped_but_never_a_separator():
    assert read(f"  01{LIDOCAINE}10A1\r\n").lot == "A1"
    assert read(f"\x1d01{LIDOCAINE}10L2137A").lot == "L2137A"


@pytest.mark.parametrize(
    ("text", "gtin"),
    [
        ("00304094713021", LIDOCAINE),
        ("304094713021", LIDOCAINE),
        ("0304094713021", LIDOCAINE),
        ("50304094713026", "50304094713026"),
        ("02345673", "00000002345673"),
        ("]E00304094713021", LIDOCAINE),
        ("]E402345673", "00000002345673"),
        ("]E3" + "0304094713021" + "12", LIDOCAINE),
        ("]I150304094713026", "50304094713026"),
        ("00693570007182", "00693570007182"),
    ],
)
def test_plain_numbers_of_8_12_13_and_14_digits_are_gtins(text, gtin):
    assert read(text).gtin == gtin


def test_a_composite_symbol_adds_lot_and_expiry_to_the_linear_part():
    barcode = read("]E00304094713021|]e010A1\x1d17260430")
    assert (barcode.gtin, barcode.lot, barcode.expiry) == (LIDOCAINE, "A1", date(2026, 4, 30))


@pytest.mark.parametrize("text", ["0409-4713-02", "00409-4713-02", "000409-4713-02", "00409471302", "]C00409-4713-02"])
def test_an_ndc_with_hyphens_or_11_digits_is_an_ndc(text):
    assert read(text).ndc == text.removeprefix("]C0")


def test_the_label_as_people_read_it_may_be_typed_with_blanks():
    barcode = read("(01) 00304094713021 (17) 260430 (10) A1")
    assert (barcode.gtin, barcode.expiry, barcode.lot) == (LIDOCAINE, date(2026, 4, 30), "A1")


def test_a_logistic_unit_names_its_content_and_count():
    barcode = read("]C100106141411234567897" + "02" + LIDOCAINE + "3724")
    assert (barcode.sscc, barcode.gtin, barcode.count) == ("106141411234567897", LIDOCAINE, 24)


def test_a_place_is_a_gln_with_its_extension():
    barcode = read("]C14141234567890128254SHELF3")
    assert (barcode.gln, barcode.gln_extension, barcode.gtin) == ("1234567890128", "SHELF3", None)


def test_an_expiry_with_hour_counts_by_its_day():
    assert read(f"]d201{LIDOCAINE}7003" + "2604301430").expiry == date(2026, 4, 30)


def test_the_century_of_an_expiry_comes_from_the_year_of_the_scan():
    assert read(f"]d201{LIDOCAINE}17490101", 2026).expiry == date(2049, 1, 1)
    assert read(f"]d201{LIDOCAINE}17490101", 2099).expiry == date(2149, 1, 1)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "no_data"),
        (" \r\n", "no_data"),
        ("]d2", "no_data"),
        ("]", "bad_symbology"),
        ("]XX123", "bad_symbology"),
        ("]X0123", "bad_symbology"),
        ("]E0123", "bad_format"),
        ("]E00304094713022", "wrong_check_digit"),
        ("00304094713022", "wrong_check_digit"),
        (f"01{LIDOCAINE[:-1]}2", "wrong_check_digit"),
        (f"01{LIDOCAINE}3712", "no_reading"),
        (f"01{LIDOCAINE}17210431", "invalid_date"),
        (f"]d201{LIDOCAINE[:-1]}2", "wrong_check_digit"),
        (f"]d201{LIDOCAINE}17210431", "invalid_date"),
        (f"]d201{LIDOCAINE}02{LIDOCAINE}\x1d371", "contradictory"),
        ("0409471302", "ambiguous_ndc"),
        ("+A99912345/9901510X3", "wrong_check_character"),
        ("https://id.gs1.org/about/us", "digital_link"),
        ("ftp://id.gs1.org/01/00304094713021", "digital_link"),
        ("lidocaine", "no_product_code"),
        ("A" * (TEXT_CHARACTERS_MAX + 1), "too_long"),
    ],
)
def test_what_can_not_be_read_is_named(text, code):
    assert refused(text) == code


# ---- scans that lost their separators -----------------------------------------------------------------------------


def test_the_published_example_without_separators_has_one_best_reading():
    barcode = read("1021072911172405310100693570007182")
    assert barcode.elements == (("10", "21072911"), ("17", "240531"), ("01", "00693570007182"))


def test_fixed_lengths_need_no_separators():
    assert read(f"01{LIDOCAINE}17260430").expiry == date(2026, 4, 30)
    assert read(f"01{LIDOCAINE}1726043010ABC").lot == "ABC"


def test_a_lot_that_may_as_well_be_lot_and_serial_is_refused_with_both_readings():
    result = parse_barcode(f"01{LIDOCAINE}1726043010L2137A", 2026)
    assert result.code == "ambiguous"
    assert "(10)L2137A" in result.reason
    assert "(10)L(21)37A" in result.reason


def test_with_a_symbology_identifier_the_same_text_has_the_standards_reading():
    assert read(f"]d201{LIDOCAINE}1726043010L2137A").lot == "L2137A"


def test_an_identifier_does_not_hide_that_a_separator_was_eaten():
    assert refused(f"]d201{LIDOCAINE}10ABC17260430") == "ambiguous"
    assert read(f"]d201{LIDOCAINE}10ABC\x1d17260430").lot == "ABC"


def test_a_lot_too_long_to_be_one_is_cut_where_the_evidence_is():
    assert read("]d21021072911172405310100693570007182").lot == "21072911"


def test_a_count_of_content_can_not_stand_beside_the_gtin_of_the_package():
    assert read(f"01{LIDOCAINE}10A3712").lot == "A3712"  # GS1: (37) not with (01)


def test_a_text_that_can_be_cut_in_too_many_ways_is_ambiguous_and_fast():
    text = "10" + "21103037" * 60
    began = time.perf_counter()
    assert refused(text[:TEXT_CHARACTERS_MAX]) in {"ambiguous", "no_reading", "bad_format"}
    assert time.perf_counter() - began < 2
    with pytest.raises(ElementError):
        read_unseparated(text[:400], 2026)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60) | st.text("01237]d()^\x1d-", max_size=60))
def test_no_text_makes_the_parser_raise(text):
    result = parse_barcode(text, 2026)
    assert isinstance(result, Barcode | UnreadableBarcode)


@given(st.text("ABC0123456789", min_size=1, max_size=20))
def test_with_separators_kept_a_lot_is_never_misread(lot):
    """The lot comes back as written, or the scan is refused: never another lot."""
    result = parse_barcode(f"]d201{LIDOCAINE}17260430" + f"10{lot}", 2026)
    assert isinstance(result, UnreadableBarcode) or result.lot == lot
    assert read(f"]d201{LIDOCAINE}10{lot}\x1d17260430").lot == lot
