"""NDC, GTIN and lot: published examples, and nothing guessed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codes import (
    CodeError,
    gtin_check_digit,
    gtin_of_ndc,
    lookup_key,
    ndc_readings,
    ndc_ten_digits,
    ndc_ten_of_gtin,
    normalise_gtin,
    normalise_lot,
    parse_ndc,
)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("0409-4713-02", "000409471302"),  # 4-4-2
        ("12345-678-90", "012345067890"),  # 5-3-2
        ("12345-6789-0", "012345678900"),  # 5-4-1
        ("12345-6789-01", "012345678901"),  # 5-4-2
        ("123456-789-01", "123456078901"),  # 6-3-2
        ("123456-7890-1", "123456789001"),  # 6-4-1
        ("123456-7890-12", "123456789012"),  # 6-4-2 of the final rule 91 FR 10749
        ("00409471302", "000409471302"),
        ("123456789012", "123456789012"),
        (" 0409-4713-02 ", "000409471302"),
    ],
)
def test_every_ndc_has_one_canonical_form(text, canonical):
    assert parse_ndc(text).canonical == canonical


def test_segments_stand_separately():
    ndc = parse_ndc("0409-4713-02")
    assert (ndc.labeler, ndc.product, ndc.package) == ("000409", "4713", "02")
    assert ndc.hyphenated == "000409-4713-02"


@pytest.mark.parametrize(
    "text", ["1234567890", "", "12", "0409-47133-02", "409-4713-02", "0409-4713-", "04O9-4713-02", "١٢٣٤٥٦٧٨٩٠١"]
)
def test_what_is_ambiguous_or_no_ndc_is_refused(text):
    with pytest.raises(CodeError):
        parse_ndc(text)


def test_ten_digits_have_the_three_published_readings():
    readings = [reading.canonical for reading in ndc_readings("1234567890")]
    assert readings == ["0" + text for text in ("01234567890", "12345067890", "12345678900")]


def test_the_reason_for_ten_digits_says_that_they_are_ambiguous():
    with pytest.raises(CodeError, match="ambiguous"):
        parse_ndc("1234567890")


def test_the_gtin_of_a_us_drug_is_indicator_03_ndc_and_check_digit():
    assert gtin_of_ndc("0409471302") == "00304094713021"
    assert gtin_of_ndc("0409471302", indicator=5) == "50304094713026"
    assert ndc_ten_of_gtin("00304094713021") == "0409471302"
    assert ndc_ten_of_gtin("50304094713026") == "0409471302"
    assert ndc_ten_of_gtin("00693570007182") is None
    assert ndc_ten_digits("0409-4713-02") == "0409471302"
    assert ndc_ten_digits("12345-6789-01") is None


def test_a_gtin_with_the_right_check_digit_is_14_digits():
    assert normalise_gtin("00693570007182") == "00693570007182"
    assert normalise_gtin("304094713021") == "00304094713021"
    assert normalise_gtin("4006381333931") == "04006381333931"
    assert normalise_gtin("73513537") == "00000073513537"


@pytest.mark.parametrize("text", ["00693570007183", "1234567", "0069357000718X", "", "٠٠٦٩٣٥٧٠٠٠٧١٨٢"])
def test_a_gtin_with_wrong_length_or_check_digit_is_refused(text):
    with pytest.raises(CodeError):
        normalise_gtin(text)


@given(st.text("0123456789", min_size=13, max_size=13), st.integers(0, 12), st.integers(1, 9))
def test_a_check_digit_finds_every_single_wrong_digit(body, place, by):
    wrong = body[:place] + str((int(body[place]) + by) % 10) + body[place + 1 :]
    assert gtin_check_digit(wrong) != gtin_check_digit(body)


def test_spellings_of_one_code_share_one_lookup_key():
    assert lookup_key("NDC", "0409-4713-02") == lookup_key("ndc", "00409471302") == ("ndc", "000409471302")
    assert lookup_key("gtin", "304094713021") == lookup_key("gtin", "00304094713021")
    assert lookup_key("local", " lido1 ") == ("local", "LIDO1")


def test_a_malformed_code_keeps_its_own_text_and_finds_nothing_else():
    assert lookup_key("ndc", "1234567890") == ("ndc", "1234567890")
    assert lookup_key("gtin", "00304094713022") == ("gtin", "00304094713022")


def test_lots_compare_without_case_blanks_and_hyphens_but_with_leading_zeros():
    assert normalise_lot("ab-0123 ") == normalise_lot("AB0123") == "AB0123"
    assert normalise_lot("0123") != normalise_lot("123")


@given(st.text(st.characters(codec="ascii")))
def test_normalising_a_lot_twice_changes_nothing(text):
    once = normalise_lot(text)
    assert normalise_lot(once) == once


CUTS = st.sampled_from([(4, 4, 2), (5, 3, 2), (5, 4, 1)])


@given(st.text("0123456789", min_size=10, max_size=10), CUTS, st.integers(0, 8))
def test_an_ndc_goes_into_a_gtin_and_back_and_every_spelling_is_the_same_product(ten, cut, indicator):
    """`domain` §3.9: indicator + 03 + ten digits + check digit; hyphens don't come back, for the GTIN does not hold them."""
    hyphenated = "-".join((ten[: cut[0]], ten[cut[0] : cut[0] + cut[1]], ten[cut[0] + cut[1] :]))
    assert ndc_ten_digits(hyphenated) == ten
    gtin = gtin_of_ndc(ten, indicator)
    assert normalise_gtin(gtin) == gtin
    assert ndc_ten_of_gtin(gtin) == ten
    ndc = parse_ndc(hyphenated)
    assert ndc in ndc_readings(ten)
    for spelling in (ndc.canonical, ndc.hyphenated, hyphenated):
        assert parse_ndc(spelling) == ndc
        assert lookup_key("ndc", spelling) == ("ndc", ndc.canonical)
    if ndc.labeler.startswith("0"):
        assert parse_ndc(ndc.canonical[1:]) == ndc, "eleven digits, 5-4-2"


@given(st.text("0123456789", min_size=10, max_size=10))
def test_the_three_readings_of_ten_digits_are_told_apart_only_by_hyphens(ten):
    assert len({reading.canonical for reading in ndc_readings(ten)}) <= 3
    with pytest.raises(CodeError, match="ambiguous"):
        parse_ndc(ten)
