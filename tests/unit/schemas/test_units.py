"""Spellings of one unit are one name; nothing is converted."""

from __future__ import annotations

import pytest

from schemas.units import KNOWN_UNITS, canonical_unit


@pytest.mark.parametrize(
    ("spellings", "name"),
    [
        (("tab", "TABS", "{tbl}", " Tablet "), "tablet"),
        (("ea", "EA", "each", "{each}", "1"), "each"),
        (("ml", "mL", "ML", "milliliter"), "mL"),
        (("mcg", "ug", "µg", "μg"), "mcg"),  # micro sign and Greek mu
        (("[iU]", "IU", "units"), "unit"),
        (("meq", "mEq"), "mEq"),
        (("vl", "vials"), "vial"),
        (("bx", "{box}"), "box"),
    ],
)
def test_all_spellings_of_a_unit_have_one_name(spellings, name):
    assert {canonical_unit(spelling) for spelling in spellings} == {name}


def test_every_known_unit_is_its_own_name():
    assert {canonical_unit(name) for name in KNOWN_UNITS} == KNOWN_UNITS


def test_units_that_differ_in_size_are_never_one():
    names = ["mg", "mcg", "g", "mL", "L", "each", "box", "case", "carton", "pack", "unit", "dose", "tablet"]
    assert len({canonical_unit(name) for name in names}) == len(names)


def test_an_unknown_unit_stays_itself():
    assert canonical_unit(" Firkin ") == "firkin"
