"""Building ∘ reading is the identity: FNC1 messages, the form in brackets, scans with a symbology identifier, GS1 Digital Links."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.barcode.associations import association_faults
from connectors.barcode.build import Symbology, bracketed, digital_link, fnc1_message, scan_data
from connectors.barcode.digital_link import read_digital_link
from connectors.barcode.elements import FNC1, Element, ElementError, read_bracketed, read_elements
from connectors.barcode.parse import Barcode, parse_barcode
from schemas.codes import gtin_check_digit

_CHARACTERS: Final = "!\"%&'*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz()"
"""GS1's character set 82."""
TEXT = st.text(_CHARACTERS, min_size=1, max_size=20)
GTIN = st.from_regex(r"[0-9]{13}", fullmatch=True).map(lambda body: body + gtin_check_digit(body))
DATE = st.dates().map(lambda day: f"{day:%m%d}").flatmap(lambda month: st.integers(0, 99).map(lambda year: f"{year:02}{month}")).filter(
    lambda digits: digits[2:] != "0229"
)  # fmt: skip


@st.composite
def packages(draw: st.DrawFn) -> tuple[Element, ...]:
    """The elements of a medicine package, in any order."""
    found = [("01", draw(GTIN))]
    for ai, values in (("10", TEXT), ("21", TEXT), ("17", DATE), ("11", DATE)):
        if draw(st.booleans()):
            found.append((ai, draw(values)))
    return tuple(draw(st.permutations(found)))


@given(packages())
def test_a_built_message_is_read_as_built(elements: tuple[Element, ...]) -> None:
    assert read_elements(fnc1_message(elements), 2026) == elements
    assert read_bracketed(bracketed(elements), 2026) == elements
    assert association_faults(elements) == ()


@given(packages())
def test_a_built_link_is_read_as_built_whatever_the_order(elements: tuple[Element, ...]) -> None:
    assert sorted(read_digital_link(digital_link(elements), 2026)) == sorted(elements)
    assert sorted(read_digital_link(digital_link(elements, "https://brand.example/some/stem"), 2026, lenient=False)) == sorted(
        elements
    )


@given(packages(), st.sampled_from([Symbology.DATA_MATRIX, Symbology.QR, Symbology.DOTCODE, Symbology.GS1_128]))
def test_a_scanned_symbol_is_the_package(elements: tuple[Element, ...], symbology: Symbology) -> None:
    text = "^" + fnc1_message(elements).replace(FNC1, "^")
    found = parse_barcode(scan_data(symbology, text), 2026)
    values = dict(elements)
    if isinstance(found, Barcode):
        assert (found.gtin, found.lot, found.serial) == (values["01"], values.get("10"), values.get("21"))
    else:
        assert FNC1 not in text.replace("^", FNC1)[1:], "only a message without separators may be ambiguous"


@given(GTIN)
def test_a_gtin_alone_is_read_from_every_symbol_that_can_hold_it(gtin: str) -> None:
    for symbology in (Symbology.EAN_13, Symbology.DATABAR_OMNI):
        if symbology is Symbology.EAN_13 and not gtin.startswith("0"):
            continue
        found = parse_barcode(scan_data(symbology, f"^01{gtin}"), 2026)
        assert isinstance(found, Barcode)
        assert found.gtin == gtin


def test_what_a_symbol_can_not_hold_is_refused() -> None:
    for symbology, text in ((Symbology.EAN_8, "123"), (Symbology.GS1_128, "PLAIN"), (Symbology.QR, "^01123")):
        with pytest.raises(ElementError):
            scan_data(symbology, text)
    with pytest.raises(ElementError):
        digital_link([("10", "LOT")])
