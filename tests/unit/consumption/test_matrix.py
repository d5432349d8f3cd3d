"""ABC, VEN and the matrix of both (domain §3.5)."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

from sinks.consumption.matrix import category
from sinks.indicators.classes import abc


def test_domain_3_5_values_of_four_items_are_a_b_c_c() -> None:
    """700, 200, 60 and 40 of 1,000: the first is all of 70 %, the second ends at 90 %."""
    values = {name: Fraction(value) for name, value in (("p", 700), ("q", 200), ("r", 60), ("s", 40))}
    assert abc(values) == {"p": "A", "q": "B", "r": "C", "s": "C"}


def test_domain_3_5_matrix_of_abc_and_ven() -> None:
    """I = AV, AE, AN, BV, CV; II = BE, CE, BN; III = CN."""
    assert {a + v: category(a, v) for a, v in product("ABC", "VEN")} == {
        "AV": "I", "AE": "I", "AN": "I", "BV": "I", "CV": "I", "BE": "II", "CE": "II", "BN": "II", "CN": "III",
    }  # fmt: skip


def test_without_a_cost_or_the_committees_word_there_is_no_category() -> None:
    assert category("controlled", "V") is None
    assert category("A", "") is None
