"""Enforcement reports against an item master: which products, what is unsure, and what a person may confirm."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from connectors.openfda.enforcement import EnforcementError, read_enforcement
from schemas.codes import Code, gtin_of_ndc
from schemas.reference import Product, RecallNotice
from topology.errors import InputRefusedError
from topology.recalls.proposals import Proposal, confirmed, propose

SAMPLE = (Path(__file__).resolve().parents[2] / "data" / "openfda" / "enforcement.json").read_bytes()


def product(id_: str = "amox-25", **changes: Any) -> Product:
    fields = {"id": id_, "item": "amox", "labeler": "Maker", "package_quantity": 25, "ndc": "0409-4713-02"}
    return Product(**{**fields, **changes})


def proposals(*products: Product, held: tuple[RecallNotice, ...] = (), **changes: Any) -> list[Proposal]:
    record = {**json.loads(SAMPLE)["results"][0], **changes}
    return propose(read_enforcement(json.dumps([record]).encode()), products or (product(),), held)


def accept(found: list[Proposal], **changes: Any) -> RecallNotice:
    asked: dict[str, Any] = {"by": "pia", "lots": ["AB-0123"], "all_lots": False, "classification": None, "held": ()}
    return confirmed(found, "D-0101-2026", **{**asked, **changes})


def test_a_clear_report_is_a_notice_when_it_is_confirmed() -> None:
    [found] = proposals()
    assert (found.products, found.unsure, found.report.lots.lots) == (("amox-25",), (), ("AB-0123", "AB-0124", "AB-0201"))
    notice = accept([found], lots=["AB-0123", "AB-0124"])
    assert (notice.id, notice.classification, notice.products, notice.lots, notice.all_lots, str(notice.issued)) == (
        "D-0101-2026", "I", ("amox-25",), ("AB-0123", "AB-0124"), False, "2026-03-04",
    )  # fmt: skip
    assert notice.reason == "Presence of particulate matter: glass. (openFDA, confirmed by pia)"


@pytest.mark.parametrize(
    ("own", "stated", "concerned"),
    [
        ({"ndc": "0409-4713-02"}, "NDC 00409-4713-02", True),
        ({"ndc": "0409-4713-01"}, "NDC 0409-4713-02", False),
        ({"ndc": "0409-4713-01"}, "NDC 0409-4713", True),
        ({"ndc": None, "gtin": gtin_of_ndc("0409471302")}, "NDC 0409-4713-02", True),
        ({"ndc": None, "codes": (Code(system="ndc", value="000409471302"),)}, "NDC 0409-4713-02", True),
        ({"ndc": "0409-4713-02"}, "no code", False),
    ],
)
def test_products_are_found_by_ndc(own: dict[str, Any], stated: str, concerned: bool) -> None:
    """Segments count, not digits; an NDC without a package is that of all packages."""
    [found] = proposals(product(**own), product_description=stated)
    assert bool(found.products) is concerned


def test_every_doubt_is_said() -> None:
    """The second record of the sample: not classified, completed, a range, and found by openFDA's list alone."""
    found = propose(read_enforcement(SAMPLE), [product()], [])[1]
    said = "; ".join(found.unsure)
    for doubt in ("a range of lots", "not understood", "only openFDA's list names amox-25", "has not classified", "Completed"):
        assert doubt in said
    assert found.unknown_ndcs == ("0409-4713-01",)


def test_a_record_for_nobody_here() -> None:
    found = propose(read_enforcement(SAMPLE), [product()], [])[2]
    assert (found.products, found.unknown_ndcs, found.report.lots.all_lots) == ((), ("99999-123-01",), True)


@pytest.mark.parametrize(
    ("record", "asked", "reason"),
    [
        ({}, {"lots": []}, "say which lots D-0101-2026 covers, --lots A,B or --all-lots; in its text: AB-0123, AB-0124, AB-0201"),
        ({}, {"all_lots": True}, "say which lots"),
        ({"classification": "Not Yet Classified"}, {}, "say --class I, II or III"),
        ({}, {"classification": "IV"}, "IV is no class"),
        ({"product_description": "none"}, {}, "concerns no product of the item master"),
        ({"recall_number": "D-9"}, {}, "the file has no record D-0101-2026"),
        ({}, {"lots": ["AB-0123", "AB\x00124"]}, "--lots: 'AB.x00124' holds a character that can't be seen"),
        ({}, {"lots": ["A" * 500]}, "has 500 characters, and no lot number has more than 100"),
    ],
)
def test_what_can_not_be_confirmed(record: dict[str, Any], asked: dict[str, Any], reason: str) -> None:
    with pytest.raises(InputRefusedError, match=reason):
        accept(proposals(**record), **asked)


def test_records_of_one_number_that_differ_are_not_chosen_from() -> None:
    with pytest.raises(InputRefusedError, match="2 records D-0101-2026 that differ"):
        accept([*proposals(), *proposals(code_info="Lot Z9")])
    again = json.loads(SAMPLE)["results"][0]
    assert len(read_enforcement(json.dumps([again, again]).encode())) == 1


def test_a_confirmation_lets_nothing_go() -> None:
    """A notice in force may grow; to narrow it is another step."""
    held = (accept(proposals(), lots=["AB-0123", "AB-0124"]),)
    assert "loaded already (in force)" in "; ".join(proposals(held=held)[0].unsure)
    with pytest.raises(InputRefusedError, match="covers more than this"):
        accept(proposals(), lots=["AB-0123"], held=held)
    assert accept(proposals(), lots=["ab0123", "AB0124", "AB-0201"], held=held).lots == ("ab0123", "AB0124", "AB-0201")
    assert accept(proposals(), lots=[], all_lots=True, held=held).all_lots


@pytest.mark.parametrize(("held_class", "asked"), [("I", "II"), ("I", "III"), ("II", "III")])
def test_a_confirmation_never_lowers_a_class_in_force(held_class: str, asked: str) -> None:
    """Class I is the gravest. What was released may come back as any class, and a class may rise."""
    held = accept(proposals(), classification=held_class)
    with pytest.raises(InputRefusedError, match=f"in force as class {held_class}, .* class {asked}: .* `wardstock reference load`"):
        accept(proposals(), classification=asked, held=(held,))
    assert accept(proposals(), classification=held_class, held=(held,)) == held
    assert accept(proposals(), classification="I", held=(accept(proposals(), classification=asked),)).classification == "I"
    released = dataclasses.replace(held, released="FDA")
    assert accept(proposals(), classification=asked, held=(released,)).classification == asked


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("code_info", "Lot A1 \ud800", r"record 1 \(D-0101-2026\)"),
        ("reason_for_recall", "\udfff", r"record 1 \(D-0101-2026\)"),
        ("product_ndc", ["\ud800"], r"record 1 \(D-0101-2026\)"),
        ("recall_number", "D-\ud800", "record 1"),
    ],
)
def test_half_a_character_is_refused_with_the_record(field: str, value: object, named: str) -> None:
    """RFC 8259 section 8.2: a lone surrogate is no character."""
    with pytest.raises(EnforcementError, match=f"^{named} has half a character"):
        proposals(**{field: value})


@pytest.mark.parametrize(
    ("codes", "ranged"), [("Lot A100 through A120", True), ("Lot A100-A120", True), ("Lots A100, A120", False), ("Lot A-1", False)]
)
def test_a_range_is_told(codes: str, ranged: bool) -> None:
    assert proposals(code_info=codes)[0].report.lots.ranged is ranged


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"{", "it is no JSON"), (b"[" * 100_000, "it is no JSON"), (b"[]", "holds no records"), (b'{"results": 3}', "holds no records"),
        (b"[3]", "record 1 is no object"), (b'[{"recall_number": 3}]', "record 1 has no usable recall_number"), (b"\xff", "no JSON"),
    ],
)  # fmt: skip
def test_files_of_another_form_are_a_sentence(data: bytes, reason: str) -> None:
    with pytest.raises(EnforcementError, match=reason):
        read_enforcement(data)


def test_fields_of_another_type_are_read_as_not_stated() -> None:
    [found] = proposals(report_date=20260304, status=None, code_info=["Lot A1"], openfda="none", product_ndc=5)
    assert (found.report.issued, found.report.status, found.report.lots.lots) == (None, "", ())
