"""A declared GS1 symbol is read by the standard: a lot that happens to look like another element string stays a lot."""

from __future__ import annotations

import pytest

from connectors.barcode.parse import Barcode, UnreadableBarcode, parse_barcode
from schemas.codes import gtin_of_ndc

GTIN = gtin_of_ndc("0409471302")


@pytest.mark.parametrize("lot", ["K15000100", "N13000109", "C1321B17", "A10", "21", "17AB"])
def test_a_lot_with_digits_of_an_application_identifier_is_a_lot(lot: str) -> None:
    """GS1 General Specifications §7.8: a variable-length element string ends at FNC1 or at the end of the message."""
    barcode = parse_barcode(f"]d201{GTIN}1727011710{lot}", 2026)
    assert isinstance(barcode, Barcode)
    assert (barcode.gtin, barcode.lot) == (GTIN, lot)


def test_a_plausible_date_behind_a_lot_asks_for_another_scan() -> None:
    """A separator eaten between lot and expiry must not put the expiry into the lot number."""
    refused = parse_barcode(f"]d201{GTIN}10ABC17270430", 2026)
    assert isinstance(refused, UnreadableBarcode)
    assert refused.code == "ambiguous"


def test_a_date_no_package_can_bear_is_no_evidence() -> None:
    """Six digits that mean the year 2000 say nothing about a lost separator in 2026."""
    barcode = parse_barcode(f"]d201{GTIN}10K15000100", 2026)
    assert isinstance(barcode, Barcode)
    assert barcode.lot == "K15000100"
