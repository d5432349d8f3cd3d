"""What a file holds is told by its content, whatever wraps it; only a silent content lets the name decide."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.files.detect import CAPTURE, HEAD_BYTES, detect
from schemas.raw import CABINET_JSON, DECISION_JSON, EPCIS_JSON, ERP_JSON, FHIR_JSON, HL7_ER7, SCAN_JSON, UNKNOWN_TYPE

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"
MSH = "MSH|^~\\&|APP|FAC|||20260302||RAS^O17|1|P|2.5\r"
CABINET = {"device": "ICU-1", "transaction_id": "1", "action": "vend"}
SCAN = {"session": "s", "event_id": "1", "activity": "pick", "barcode": "0100304094713021"}


@pytest.mark.parametrize(
    "data",
    [
        MSH.encode(),
        b"\xef\xbb\xbf" + MSH.encode(),
        b"\x0b" + MSH.encode() + b"\x1c\r",
        b"\r\n\r\n  " + MSH.encode(),
        b"[SOM]" + MSH.encode(),
        MSH.encode("utf-16"),
        MSH.encode("utf-16-le"),
        b"\xfe\xff" + MSH.encode("utf-16-be"),
        b"FHS|^~\\&|\rBHS|^~\\&|\r" + MSH.encode(),
        b"log of 2 March\r\n" + MSH.encode(),
        b"MSH",
    ],
)
def test_hl7_is_known_by_its_header_behind_marks_frames_and_blank_lines(data: bytes) -> None:
    assert detect("x.bin", data) == HL7_ER7


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"resourceType": "Bundle"}, FHIR_JSON),
        (CABINET, CABINET_JSON),
        ([CABINET, CABINET], CABINET_JSON),
        (SCAN, SCAN_JSON),
        ({"activity": "count", "session": "s"}, SCAN_JSON),
        ({"type": "EPCISDocument", "epcisBody": {"eventList": []}}, EPCIS_JSON),
        ([{"type": "ObjectEvent", "eventTime": "2026-03-01T12:00:00Z"}], EPCIS_JSON),
        ({"answer_id": "a", "command_id": "c"}, ERP_JSON),
        ({"decision_id": "d", "action": "approve"}, DECISION_JSON),
        ({"received_at": "2026-03-02T00:00:00Z", "body": "{}"}, CAPTURE),
        ({"received_at": "2026-03-02T00:00:00Z", "body_base64": ""}, CAPTURE),
        ({"something": "else"}, UNKNOWN_TYPE),
        ([], UNKNOWN_TYPE),
        ([1, 2], UNKNOWN_TYPE),
    ],
)
def test_json_is_known_by_its_members_whole_by_line_and_cut_off(value: object, expected: str) -> None:
    text = json.dumps(value)
    assert detect("x", text.encode()) == expected
    assert detect("x", b"\xef\xbb\xbf \n" + json.dumps(value, indent=2).encode()) == expected
    assert detect("x", text.encode("utf-16")) == expected
    if isinstance(value, dict):
        assert detect("x", f"{text}\n{text}\n".encode()) == expected
        assert detect("x", text[:-1].encode()) == expected, "a cut document keeps the type it was meant to have"


def test_a_capture_is_a_capture_whatever_its_bodies_hold() -> None:
    line = json.dumps({"received_at": "2026-03-02T00:00:00Z", "source": "s", "body": json.dumps({"resourceType": "Patient"})})
    assert detect("x.jsonl", line.encode()) == CAPTURE


def test_the_name_decides_only_where_the_content_is_silent() -> None:
    assert detect("a.hl7", b"") == HL7_ER7
    assert detect("a.HL7", b"PID|1||0815") == HL7_ER7
    assert detect("a.hl7", b"BHS_1") == HL7_ER7
    assert detect("a.txt", b"BHS_1") == UNKNOWN_TYPE
    assert detect("day.capture.jsonl", b"") == CAPTURE
    assert detect("a.fhir.json", b"{}") == FHIR_JSON
    assert detect("a.hl7", json.dumps(CABINET).encode()) == CABINET_JSON
    assert detect("a.json", MSH.encode()) == HL7_ER7
    assert detect("a.txt", b"hello") == UNKNOWN_TYPE


def test_a_long_document_is_known_by_its_beginning() -> None:
    text = json.dumps({"resourceType": "Bundle", "entry": ["x" * HEAD_BYTES]})
    assert detect("x", text.encode()[:HEAD_BYTES]) == FHIR_JSON


@given(st.binary(max_size=200), st.text(max_size=20))
def test_arbitrary_bytes_have_one_of_the_types(data: bytes, name: str) -> None:
    known = {HL7_ER7, FHIR_JSON, CABINET_JSON, SCAN_JSON, ERP_JSON, DECISION_JSON, EPCIS_JSON, CAPTURE, UNKNOWN_TYPE}
    assert detect(name, data) in known


@pytest.mark.parametrize(("folder", "suffixes", "expected", "count"), [("hl7v2", (".hl7", ".txt"), HL7_ER7, 459), ("fhir", (".json",), FHIR_JSON, 410)])
def test_every_published_file_is_what_its_folder_says(folder: str, suffixes: tuple[str, ...], expected: str, count: int) -> None:
    if not SHARED.is_dir():
        pytest.skip("PUBLISHED MESSAGES ARE ABSENT: DETECTION WAS NOT TRIED ON THEM")
    files = [path for path in sorted((SHARED / folder).rglob("*")) if path.suffix in suffixes]
    assert len(files) == count
    assert [path.name for path in files if detect(path.name, path.read_bytes()) != expected] == []
