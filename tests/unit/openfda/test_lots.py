"""Lots in the free text of an enforcement report: each pattern in the words of such reports, and what is left to a person."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.openfda.lots import CHARACTERS_MAX, lots_in


@pytest.mark.parametrize(
    ("text", "lots"),
    [
        ("Lot #: 69403A, 69403B, Exp 10/15; 69404A, Exp 11/15", ["69403A", "69403B", "69404A"]),
        ("Lot AB-0123", ["AB-0123"]),
        ("Lots: AB0123 and AB0124 & AB0125", ["AB0123", "AB0124", "AB0125"]),
        ("Lot No. 1A2 (Exp. Oct 2026), Lot No. 1A3 (Exp. 31 Oct 2026)", ["1A2", "1A3"]),
        ("Lot Numbers: 1A2 Expiration Date: 2026-10-31; 1A3 Expiry: 10/31/2026", ["1A2", "1A3"]),
        ("Batch 77A/12, Control # 99X", ["77A/12", "99X"]),
        ("Lot(s) 0123, 0123", ["0123"]),
        ("LOT#0123 EXP: DEC-26", ["0123"]),
    ],
)
def test_lists_of_lots(text: str, lots: list[str]) -> None:
    found = lots_in(text)
    assert (list(found.lots), found.all_lots, found.unsure, found.rest) == (lots, False, (), "")


@pytest.mark.parametrize(
    ("text", "lots", "unsure"),
    [
        ("69403A, 69403B", ["69403A", "69403B"], "no word such as Lot"),
        ("Lots A100 through A120", ["A100", "A120"], "a range of lots"),
        ("Lots A100-A120", ["A100-A120"], "A100-A120 may be a range"),
        ("Lots A1-A9", ["A1-A9"], "A1-A9 may be a range"),
        ("Lots 100-120", ["100-120"], "100-120 may be a range"),
        ("Lot A100, A101 made in 2025", ["A100", "A101"], "not understood"),
        ("Lot A100, 10/26", ["A100"], "not understood"),
        ("Lot ABCD", [], "no lot number was found"),
        ("see attachment", [], "no lot number was found"),
        ("", [], "no lot number was found"),
        ("Lot A100; UPC 301431473010; NDC 0143-1473-01", ["A100"], "not understood"),
    ],
)
def test_what_is_unsure_is_said(text: str, lots: list[str], unsure: str) -> None:
    found = lots_in(text)
    assert list(found.lots) == lots
    assert unsure in "; ".join(found.unsure)


def test_all_lots_is_what_it_says_and_still_unsure() -> None:
    found = lots_in("All lots within expiry")
    assert (found.lots, found.all_lots, found.rest) == ((), True, "within expiry")
    assert found.unsure[0] == "the text says all lots"


def test_a_lotion_is_no_lot() -> None:
    found = lots_in("Lotion 100ml")
    assert (found.lots, found.rest) == ((), "Lotion 100ml")


@given(st.text(alphabet="Lotsxp.#:;, -/&()A01\n", max_size=80))
def test_no_text_raises_and_none_is_passed_over_in_silence(text: str) -> None:
    """A text gives lots, or says what is unsure about it."""
    found = lots_in(text)
    assert found.lots or found.all_lots or found.unsure


def test_a_text_over_the_limit_is_left_to_a_person() -> None:
    assert lots_in("Lot A1 " * CHARACTERS_MAX).lots == ()
