"""The GS1 Syntax Engine's own test vectors: what it calls valid we read, what it calls invalid we refuse.

Kinds checked: FNC1 messages, symbology identifiers with data, and texts in brackets. Vectors without their input are left out.
Known differences stand in `DIFFERENCES` with the reason; a difference that goes away fails the test too.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from connectors.barcode.carrier import Syntax, read_carrier
from connectors.barcode.elements import FNC1, ElementError, read_bracketed, read_elements
from connectors.barcode.parse import Barcode, parse_barcode

VECTORS = Path(__file__).resolve().parents[4] / "shared" / "data" / "gs1" / "gs1_syntax_engine_vectors.json"

DIFFERENCES = {
    "scandata.c:980": "a web link is refused when it is parsed, not when its symbology identifier is read",
}
NO_INPUT = {"ai.c:1815", "ai.c:1822", "ai.c:1851", "ai.c:1860", "ai.c:1422"}
"""Vectors whose long inputs the published file leaves empty."""


def vectors(kind: str) -> list[dict]:
    if not VECTORS.exists():
        pytest.skip("GS1 TEST VECTORS ARE ABSENT: agreement with the GS1 Syntax Engine was NOT checked")
    return [
        vector
        for vector in json.loads(VECTORS.read_text("utf-8"))["vectors"]
        if vector["kind"] == kind and vector["source"] not in NO_INPUT
    ]


def reads_fnc1(text: str) -> bool:
    if not text.startswith("^"):
        return False
    try:
        read_elements(text.replace("^", FNC1), 2026)
    except ElementError:
        return False
    return True


def reads_scan(text: str) -> bool:
    try:
        carrier = read_carrier(text)
        if carrier.syntax is Syntax.GS1:
            read_elements(carrier.data, 2026)
    except ElementError:
        return False
    if carrier.syntax is Syntax.EAN:
        return isinstance(parse_barcode(text, 2026), Barcode)
    return carrier.syntax is not Syntax.UNKNOWN


def reads_brackets(text: str) -> bool:
    try:
        read_bracketed(text, 2026)
    except ElementError:
        return False
    return True


@pytest.mark.parametrize(
    ("kind", "reads", "at_least"),
    [("fnc1_message", reads_fnc1, 79), ("scan_data", reads_scan, 54), ("bracketed_to_fnc1", reads_brackets, 28)],
)
def test_validity_agrees_with_the_syntax_engine(kind, reads, at_least):
    checked = vectors(kind)
    assert len(checked) >= at_least
    different = {vector["source"] for vector in checked if reads(vector["input"]) is not vector["valid"]}
    assert different == {source for source in DIFFERENCES if source in {vector["source"] for vector in checked}}


def test_the_elements_of_valid_gs1_scans_agree_with_the_syntax_engine():
    compared = 0
    for vector in vectors("scan_data"):
        carrier = read_carrier(vector["input"]) if vector["valid"] else None
        if carrier is not None and carrier.syntax is Syntax.GS1:
            expected = read_elements(vector["expected"].replace("^", FNC1), 2026)
            assert read_elements(carrier.data, 2026) == expected
            compared += 1
    assert compared == 10
