"""Folders, captures and messages from files: one order, nothing silently left out, no byte changed."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.fhir.body import ITEMS_MAX
from connectors.files import messages as messages_module
from connectors.files.capture import capture_results, merge, read_capture, write_capture
from connectors.files.detect import HEAD_BYTES
from connectors.files.folder import FileEntry, Skipped, walk
from connectors.files.messages import messages_of
from connectors.files.split import LINES_MAX, is_json_lines, split
from schemas.raw import (
    BODY_BYTES_MAX,
    CABINET_JSON,
    CAPTURE_LINE_BYTES_MAX,
    FHIR_JSON,
    HL7_ER7,
    REPORT,
    SCAN_JSON,
    UNKNOWN_TYPE,
    CaptureError,
    RawMessage,
)

NOW = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
MSH = b"MSH|^~\\&|APP|FAC|||20260302||RAS^O17|1|P|2.5\r"
CABINET = b'{"device": "ICU-1", "transaction_id": "1", "action": "vend"}'


def message(minute: int, body: bytes = b"x", source: str = "feed") -> RawMessage:
    at = NOW + timedelta(minutes=minute)
    return RawMessage(body=body, source=source, connector="hl7", content_type=HL7_ER7, received_at=at)


def read(paths: list[Path], forced: str = "auto", site: str | None = "north") -> list[RawMessage | Skipped]:
    return list(messages_of(paths, format=forced, site=site, now=NOW))


def only(results: list[RawMessage | Skipped]) -> list[RawMessage]:
    assert all(isinstance(one, RawMessage) for one in results), results
    return [one for one in results if isinstance(one, RawMessage)]


# ---- folders ------------------------------------------------------------------------------------------------------


def test_a_folder_is_walked_by_name_and_what_is_left_out_is_said(tmp_path: Path) -> None:
    for name in ("b/2.hl7", "a.hl7", "b/1.hl7", "README.txt", "INDEX.tsv", "x.csv", "notes.md", "a.truth", ".git/config", ".DS_Store"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(MSH)
    results = list(walk([tmp_path]))
    assert [one.name for one in results if isinstance(one, FileEntry)] == ["a.hl7", "b/1.hl7", "b/2.hl7"]
    left_out = {one.name: one.code for one in results if isinstance(one, Skipped)}
    assert left_out == {
        "README.txt": "sidecar",
        "INDEX.tsv": "sidecar",
        "x.csv": "sidecar",
        "notes.md": "sidecar",
        "a.truth": "sidecar",
        ".git/config": "hidden",
        ".DS_Store": "hidden",
    }
    assert len(results) == 10


@pytest.mark.parametrize("folder", ["", "wardstock-data/"])
def test_the_folder_of_a_hub_is_never_data(tmp_path: Path, folder: str) -> None:
    """It holds a secret key, which would stand in the log for ever."""
    for name in ("wardstock.json", "patient.key", "db/CURRENT"):
        path = tmp_path / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(MSH)
    (tmp_path / "wardstock-data-2.hl7").write_bytes(MSH)
    found = list(walk([tmp_path]))
    [skipped] = [one for one in found if isinstance(one, Skipped)]
    assert skipped.code == "hub_folder"
    assert [one.name for one in found if isinstance(one, FileEntry)] == (["wardstock-data-2.hl7"] if folder else [])


def test_a_file_named_directly_is_always_taken(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_bytes(MSH)
    assert list(walk([path])) == [FileEntry(path, "README.md")]


def test_a_path_that_is_not_there_and_a_pipe_are_said(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    codes = [one.code for one in walk([tmp_path / "gone", tmp_path]) if isinstance(one, Skipped)]
    assert codes == ["not_found", "not_a_file"]


# ---- captures -----------------------------------------------------------------------------------------------------


def test_a_capture_gives_back_the_messages_it_was_written_from(tmp_path: Path) -> None:
    path = tmp_path / "day.capture.jsonl"
    written = [message(0, "grün".encode()), message(1, b"\xff\xfe\x00"), message(2, MSH)]
    assert write_capture(path, written) == 3
    assert list(read_capture(path)) == written
    assert [one.name for one in tmp_path.iterdir()] == ["day.capture.jsonl"], "no half-written file is left"


def test_a_failed_writing_leaves_the_old_capture(tmp_path: Path) -> None:
    path = tmp_path / "day.capture.jsonl"
    write_capture(path, [message(0)])

    def breaking():  # type: ignore[no-untyped-def]
        yield message(1)
        msg = "the source broke"
        raise RuntimeError(msg)

    with pytest.raises(RuntimeError, match="broke"):
        write_capture(path, breaking())
    assert list(read_capture(path)) == [message(0)]
    assert [one.name for one in tmp_path.iterdir()] == ["day.capture.jsonl"]


def test_a_bad_line_is_named_by_file_and_number_and_reading_can_go_on(tmp_path: Path) -> None:
    path = tmp_path / "day.capture.jsonl"
    write_capture(path, [message(0), message(1)])
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"\n{broken\n" + b"[" * 50_000 + b"\n" + lines[1])
    with pytest.raises(CaptureError, match=r"day.capture.jsonl, line 3: not a JSON object"):
        list(read_capture(path))
    results = list(capture_results(path))
    assert [type(one) for one in results] == [RawMessage, CaptureError, CaptureError, RawMessage]
    assert "line 4" in str(results[2])


def test_an_overlong_line_and_an_oversized_body_are_refused_and_the_next_line_is_read(tmp_path: Path) -> None:
    path = tmp_path / "day.capture.jsonl"
    write_capture(path, [message(0, b"x" * (BODY_BYTES_MAX + 1)), message(1)])
    with path.open("ab") as file:
        file.write(b"y" * (2 * CAPTURE_LINE_BYTES_MAX + 10) + b"\n")
    with path.open("ab") as file:
        write_capture(tmp_path / "more", [message(2)])
        file.write((tmp_path / "more").read_bytes())
    results = list(capture_results(path))
    assert [one if isinstance(one, RawMessage) else str(one).split(": ")[1].split(" ")[0] for one in results] == [
        "its",
        message(1),
        "longer",
        message(2),
    ]


def test_captures_are_merged_by_time_of_receipt_and_ties_keep_their_order(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    write_capture(one, [message(1, b"a"), message(3, b"b"), message(3, b"c")])
    write_capture(two, [message(3, b"d"), message(0, b"e"), message(1, b"f"), message(3, b"g")])
    assert b"".join(found.body for found in merge([one, two])) == b"eafbcdg"
    assert b"".join(found.body for found in merge([two, one])) == b"efadgbc"


def test_merging_refuses_a_broken_capture_before_it_gives_anything(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    write_capture(one, [message(1)])
    two.write_bytes(b"{}\n")
    with pytest.raises(CaptureError, match="two, line 1"):
        merge([one, two])


@given(st.lists(st.lists(st.integers(0, 5), max_size=6), max_size=3))
def test_a_merge_is_a_stable_sort(tmp_path_factory: pytest.TempPathFactory, minutes: list[list[int]]) -> None:
    folder = tmp_path_factory.mktemp("merge")
    paths, expected = [], []
    for number, times in enumerate(minutes):
        found = [message(minute, f"{number}.{place};".encode()) for place, minute in enumerate(times)]
        paths.append(folder / str(number))
        write_capture(paths[-1], found)
        expected += found
    assert list(merge(paths)) == sorted(expected, key=lambda one: one.received_at)


@given(st.lists(st.binary(max_size=40), max_size=5), st.sampled_from([None, "north", "süd"]))
def test_any_bytes_survive_a_capture(tmp_path_factory: pytest.TempPathFactory, bodies: list[bytes], site: str | None) -> None:
    path = tmp_path_factory.mktemp("capture") / "x.capture.jsonl"
    written = [
        RawMessage(body=body, source="s", connector="file", content_type=UNKNOWN_TYPE, received_at=NOW, site=site, name=f"{number}")
        for number, body in enumerate(bodies)
    ]
    assert write_capture(path, written) == len(bodies)
    assert list(read_capture(path)) == written
    assert list(merge([path])) == written


# ---- messages -----------------------------------------------------------------------------------------------------


def test_each_file_is_one_message_named_after_it(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.hl7").write_bytes(b"\xef\xbb\xbf" + MSH)
    (tmp_path / "b.json").write_bytes(b'{\n"resourceType": "Patient"\n}')
    (tmp_path / "c.dat").write_bytes(b"what is this")
    (tmp_path / "d.dat").write_bytes(b"")
    found = only(read([tmp_path]))
    assert [(one.source, one.content_type) for one in found] == [
        ("b.json", FHIR_JSON),
        ("c.dat", UNKNOWN_TYPE),
        ("d.dat", UNKNOWN_TYPE),
        ("in/a.hl7", HL7_ER7),
    ]
    assert found[3].body == b"\xef\xbb\xbf" + MSH
    assert {(one.connector, one.site, one.received_at, one.profile) for one in found} == {("file", "north", NOW, "standard")}


@pytest.mark.parametrize(("forced", "content_type"), [("hl7", HL7_ER7), ("fhir", FHIR_JSON), ("cabinet", CABINET_JSON), ("scan", SCAN_JSON)])
def test_a_forced_format_is_taken_at_its_word(tmp_path: Path, forced: str, content_type: str) -> None:
    (tmp_path / "x").write_bytes(b"anything")
    assert [one.content_type for one in only(read([tmp_path], forced))] == [content_type]


def test_a_report_is_one_message_whatever_its_lines_look_like(tmp_path: Path) -> None:
    """Which of its rows are alike can only be told from the whole."""
    (tmp_path / "a.csv").write_bytes(b'{"a": 1}\n{"a": 1}\n')
    (tmp_path / "b.tsv").write_bytes(b"a\tb\n")
    (tmp_path / "notes.md").write_bytes(b"#")
    results = read([tmp_path], "report")
    messages = [one for one in results if isinstance(one, RawMessage)]
    assert [(one.name, one.content_type) for one in messages] == [("a.csv", REPORT), ("b.tsv", REPORT)]
    assert [one.name for one in results if isinstance(one, Skipped)] == ["notes.md"]
    (tmp_path / "large.csv").write_bytes(b"a\n" * BODY_BYTES_MAX)
    (large,) = read([tmp_path / "large.csv"], "report")
    assert isinstance(large, Skipped)
    assert large.code == "too_large"


def test_a_report_is_never_guessed_from_its_content(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"Station,Type\nICU,Remove\n")
    assert [one.content_type for one in only(read([tmp_path / "a.csv"]))] == [UNKNOWN_TYPE]


def test_an_unknown_format_is_refused_at_once_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="hl7, fhir, cabinet, scan, report, auto"):
        messages_of([tmp_path], format="edifact", site=None, now=NOW)


def test_messages_of_a_capture_keep_what_it_says_and_take_the_site_only_when_they_have_none(tmp_path: Path) -> None:
    path = tmp_path / "day.capture.jsonl"
    own = RawMessage(body=b"y", source="s", connector="fhir", content_type=FHIR_JSON, received_at=NOW, site="south", peer="p")
    write_capture(path, [message(5), own])
    with path.open("ab") as file:
        file.write(b"{}\n")
    bad, second, first = read([tmp_path])
    assert isinstance(first, RawMessage)
    assert (first.source, first.connector, first.received_at, first.site) == ("feed", "hl7", message(5).received_at, "north")
    assert second == own
    assert isinstance(bad, Skipped)
    assert (bad.code, bad.name) == ("bad_capture_line", "day.capture.jsonl")
    assert "line 3" in bad.reason


def test_own_json_lines_are_one_message_a_line_and_fhir_lines_stay_together(tmp_path: Path) -> None:
    (tmp_path / "cabinet.jsonl").write_bytes(CABINET + b"\n\n" + CABINET + b"\n")
    (tmp_path / "one.json").write_bytes(CABINET + b"\n")
    (tmp_path / "x.ndjson").write_bytes(b'{"resourceType": "Patient"}\n' * 3)
    found = only(read([tmp_path]))
    assert [(one.name, one.source) for one in found] == [
        ("cabinet.jsonl, lines 1 to 1", "cabinet.jsonl"),
        ("cabinet.jsonl, lines 2 to 2", "cabinet.jsonl"),
        ("one.json", "one.json"),
        ("x.ndjson", "x.ndjson"),
    ]
    assert found[3].body == b'{"resourceType": "Patient"}\n' * 3


def test_files_over_the_message_limit_are_cut_between_messages_else_left_out_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = len(MSH) * 2
    monkeypatch.setattr(messages_module, "BODY_BYTES_MAX", size)
    monkeypatch.setattr(messages_module, "split", lambda kind, data: split(kind, data, size))
    (tmp_path / "a.hl7").write_bytes(b"FHS|\r" + MSH * 3)
    (tmp_path / "b.hl7").write_bytes(MSH + b"OBX|" + b"x" * size + b"\r" + MSH)
    (tmp_path / "c.json").write_bytes(b'{"resourceType": "Bundle",\n "id": "' + b"x" * size + b'"}')
    results = read([tmp_path])
    assert [one.body if isinstance(one, RawMessage) else (one.code, one.name) for one in results] == [
        b"FHS|\r" + MSH,
        MSH * 2,
        ("too_large", "b.hl7, messages 1 to 1"),
        MSH,
        ("too_large", "c.json"),
    ]


def test_a_file_over_the_file_limit_is_left_out_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages_module, "FILE_BYTES_MAX", HEAD_BYTES + 1)
    (tmp_path / "a.hl7").write_bytes(MSH + b"x" * HEAD_BYTES)
    (tmp_path / "b.hl7").write_bytes(MSH.ljust(HEAD_BYTES + 1, b"x"))
    skipped, taken = read([tmp_path])
    assert isinstance(skipped, Skipped)
    assert isinstance(taken, RawMessage)
    assert (skipped.code, skipped.name) == ("too_large", "a.hl7")


def test_a_file_that_can_not_be_read_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.hl7").write_bytes(MSH)

    def refuse(*_args: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    (skipped,) = read([tmp_path])
    assert isinstance(skipped, Skipped)
    assert (skipped.code, skipped.reason) == ("unreadable", "a.hl7 can't be read: Permission denied.")


# ---- cutting ------------------------------------------------------------------------------------------------------


def test_framed_messages_are_cut_before_their_frame() -> None:
    framed = b"\x0b" + MSH + b"\x1c\r"
    assert [part.body for part in split(HL7_ER7, framed * 3, len(framed))] == [framed] * 3


def test_parts_of_fhir_lines_stay_below_what_the_mapper_takes() -> None:
    line = b'{"resourceType": "Patient"}\n'
    parts = list(split(FHIR_JSON, line * (LINES_MAX + 1)))
    assert [(part.first, part.last) for part in parts] == [(1, LINES_MAX), (LINES_MAX + 1, LINES_MAX + 1)]
    assert LINES_MAX <= ITEMS_MAX


@given(st.lists(st.sampled_from([MSH, b"PID|1\r", b"\x0b" + MSH + b"\x1c\r", b"FHS|\r", b"\n", b"BTS|1\r"]), max_size=12), st.integers(1, 200))
def test_cutting_hl7_loses_and_doubles_no_byte(pieces: list[bytes], bytes_max: int) -> None:
    data = b"".join(pieces)
    parts = list(split(HL7_ER7, data, bytes_max))
    assert b"".join(part.body for part in parts) == data
    assert sum(part.body.count(b"MSH") for part in parts) == data.count(b"MSH")
    assert all(len(part.body) <= bytes_max or part.first == part.last for part in parts)


@given(st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2), min_size=2, max_size=8))
def test_json_lines_are_told_from_an_indented_document(values: list[dict[str, str]]) -> None:
    assert is_json_lines("\n".join(json.dumps(value) for value in values).encode())
    assert not is_json_lines(json.dumps({"all": values}, indent=1).encode())


def test_a_name_that_is_no_utf8_becomes_text_that_can_be_stored(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.hl7")).write_bytes(MSH)
    (found,) = read([tmp_path])
    assert isinstance(found, RawMessage)
    assert found.source == "caf\\xe9.hl7"
    assert found.name == "caf\\xe9.hl7"
    (named,) = read([tmp_path / os.fsdecode(b"caf\xe9.hl7")])
    assert named == found
