"""The GS1 Syntax Engine's own test vectors: what it calls valid we read, what it calls invalid we refuse.

All six kinds are checked: FNC1 messages, symbology identifiers with data and their making, texts in brackets, combinations of AIs
and GS1 Digital Links. Vectors without their input are left out.
Known differences stand in `DIFFERENCES` with the reason; a difference that goes away fails the test too.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from connectors.barcode.associations import association_faults
from connectors.barcode.build import Symbology, scan_data
from connectors.barcode.carrier import Syntax, read_carrier
from connectors.barcode.digital_link import read_digital_link
from connectors.barcode.elements import FNC1, ElementError, combined, read_bracketed, read_elements
from connectors.barcode.parse import Barcode, parse_barcode

VECTORS = Path(__file__).resolve().parents[4] / "shared" / "data" / "gs1" / "gs1_syntax_engine_vectors.json"

DIFFERENCES = {
    "dl.c:1767": "an AI that GS1 has not assigned is never taken for one; the engine can be told to",
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


def test_digital_links_agree_with_the_syntax_engine():
    """The engine's vectors hold some links twice, valid and not, for its options about short GTINs and spelled names."""
    checked = vectors("digital_link_uri")
    assert len(checked) >= 115
    different = set()
    for vector in checked:
        try:
            read = read_digital_link(vector["input"], 2026, lenient=vector["valid"])
        except ElementError:
            read = None
        expected = (
            read_elements(vector["expected"].lstrip("+ ").replace("^", FNC1), 2026)
            if vector["valid"] and "89ABC" not in vector["expected"]
            else None
        )
        if read != expected or (read is None) is vector["valid"]:
            different.add(vector["source"])
    assert different == {source for source in DIFFERENCES if source.startswith("dl.c")}


OF_RULE = {
    "validateAImutex": "must not stand together", "validateAIrequisites": "needs one of",
    "validateDigSigRequiresSerialisedKey": "with its serial part",
}  # fmt: skip


def test_combinations_agree_with_the_syntax_engine():
    """Each vector tests one rule; the messages break others too, and the engine leaves those out."""
    checked = vectors("ai_association_validation")
    assert len(checked) == 77
    different = set()
    for vector in checked:
        elements = re.findall(r"\((\d+)\)([^(]*)", vector["input"])
        if vector["rule"] == "validateAIrepeats":
            try:
                combined(elements)
                keeps = True
            except ElementError:
                keeps = False
        else:
            keeps = not any(OF_RULE[vector["rule"]] in fault for fault in association_faults(elements))
        if keeps is not vector["valid"]:
            different.add(vector["source"])
    assert different == set()


def test_what_a_scanner_sends_of_a_symbol_agrees_with_the_syntax_engine():
    checked = [vector for vector in vectors("generate_scan_data") if vector["symbology"] != "NONE"]
    assert len(checked) == 43
    different = set()
    for vector in checked:
        try:
            made = scan_data(Symbology(vector["symbology"]), vector["input"])
        except ElementError:
            made = None
        if made != vector["expected"]:
            different.add(vector["source"])
    assert different == set()
