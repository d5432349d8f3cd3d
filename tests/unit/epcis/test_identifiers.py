"""EPCs as GS1 keys. Examples: GS1 EPC Tag Data Standard (§7, URN forms) and EPCIS 2.0 (Digital Link forms)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.epcis.identifiers import Epc, EpcError, read_epc, read_gln
from schemas.codes import gtin_check_digit, gtin_of_ndc

YEAR = 2026


@pytest.mark.parametrize(
    ("text", "epc"),
    [
        ("urn:epc:id:sgtin:0614141.812345.6789", Epc(gtin="80614141123458", serial="6789")),
        ("urn:epc:id:sgtin:0614141.812345.32a%2Fb", Epc(gtin="80614141123458", serial="32a/b")),
        ("urn:epc:idpat:sgtin:0614141.812345.*", Epc(gtin="80614141123458")),
        ("urn:epc:class:lgtin:0614141.812345.6789", Epc(gtin="80614141123458", lot="6789")),
        ("urn:epc:id:sscc:0614141.1234567890", Epc(sscc="106141412345678908")),
        ("https://id.gs1.org/01/80614141123458/21/6789", Epc(gtin="80614141123458", serial="6789")),
        ("https://example.com/some/path/01/80614141123458/10/LOT1", Epc(gtin="80614141123458", lot="LOT1")),
        ("https://id.gs1.org/01/80614141123458/10/LOT1/21/6789", Epc(gtin="80614141123458", serial="6789", lot="LOT1")),
        ("https://id.gs1.org/00/106141412345678908", Epc(sscc="106141412345678908")),
        ("urn:epc:id:sgtin:030409.0471302.S1", Epc(gtin="00304094713021", serial="S1")),
    ],
)
def test_published_forms(text: str, epc: Epc) -> None:
    assert read_epc(text, YEAR) == epc


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("urn:epc:id:sgtin:0614141.8123456.1", "have 14 digits together, not 13"),
        ("urn:epc:id:sgtin:0614141.812345", "needs 3 parts"),
        ("urn:epc:id:sgtin:061414A.812345.1", "first two of digits"),
        ("urn:epc:id:sgln:0614141.12345.400", "names a place"),
        ("urn:epc:id:grai:0614141.12345.400", "is no EPC"),
        ("https://id.gs1.org/01/80614141123459/21/6789", "is no EPC"),
        ("https://id.gs1.org/414/0614141123452", "neither AI 01 nor 00"),
        ("", "is no EPC"),
    ],
)
def test_what_is_none_is_said(text: str, reason: str) -> None:
    with pytest.raises(EpcError, match=reason):
        read_epc(text, YEAR)


@pytest.mark.parametrize(
    ("text", "gln"),
    [
        ("urn:epc:id:sgln:0614141.12345.400", "0614141123452"),
        ("urn:epc:id:pgln:0614141.12345", "0614141123452"),
        ("https://id.gs1.org/414/0614141123452/254/400", "0614141123452"),
        ("https://id.gs1.org/417/0614141123452", "0614141123452"),
        ("urn:epc:id:sgtin:0614141.812345.6789", None),
        ("nowhere", None),
    ],
)
def test_places_and_parties(text: str, gln: str | None) -> None:
    assert read_gln(text, YEAR) == gln


@given(st.text("0123456789", min_size=10, max_size=10), st.integers(0, 8), st.integers(6, 12))
def test_however_the_company_prefix_is_cut_the_gtin_of_a_drug_is_its_gtin(ten: str, indicator: int, cut: int) -> None:
    body = f"03{ten}"
    epc = f"urn:epc:id:sgtin:{body[:cut]}.{indicator}{body[cut:]}.S"
    assert read_epc(epc, YEAR).gtin == gtin_of_ndc(ten, indicator)
    assert gtin_check_digit(f"{indicator}{body}") == gtin_of_ndc(ten, indicator)[-1]
