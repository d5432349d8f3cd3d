"""`wardstock ingest`: every item ends in one outcome with a reason, as text and as JSON, and the counts add up."""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from pathlib import Path

import pytest

from schemas.raw import BODY_BYTES_MAX
from tests.cli.running import EXAMPLE, ROOT, Answer, run_here, run_program

ITEM_FIELDS = {"source": str, "index": int, "outcome": str, "reason": str, "event_ids": list, "kinds": list}
"""The line of an item (design: command line)."""
OUTCOMES = {"accepted", "duplicate", "held", "quarantined"}
DATA = ROOT.parent / "shared" / "data"


def summary_of(answer: Answer) -> dict[str, int]:
    """The summary of a `--json` run: the last line on standard error, so that standard output holds items only."""
    return json.loads(answer.err.splitlines()[-1])["summary"]  # type: ignore[no-any-return]


def check_lines(answer: Answer) -> Counter[str]:
    """Every line has the stated fields, every item one outcome and a reason; returns how many ended how."""
    items = answer.lines
    for line in items:
        for name, type_ in ITEM_FIELDS.items():
            assert isinstance(line[name], type_), line
        assert line["outcome"] in OUTCOMES
        assert len(line["reason"]) > 8, line
    counts = Counter(line["outcome"] for line in items)
    summary = summary_of(answer)
    assert summary["adds_up"]
    assert summary["items"] == len(items) == sum(counts.values())
    assert {name: summary[name] for name in OUTCOMES} == {name: counts[name] for name in OUTCOMES}
    return counts


def test_a_simulated_network_is_ingested_with_one_line_an_item(ingested: tuple[Path, Answer]) -> None:
    answer = ingested[1]
    assert answer.code == 0
    counts = check_lines_of_captures(answer)
    assert counts["accepted"] > 100
    assert counts["duplicate"] > 0
    assert counts["held"] > 0


def check_lines_of_captures(answer: Answer) -> Counter[str]:
    for line in answer.lines:
        assert set(ITEM_FIELDS) <= set(line)
    summary = summary_of(answer)
    assert summary["adds_up"]
    assert summary["items"] == len(answer.lines)
    return Counter(line["outcome"] for line in answer.lines)


def test_the_example_feeds_are_accepted(example: Path) -> None:
    """FHIR resources of the clinic name no facility, so the feed's site is given."""
    command = ("ingest", str(EXAMPLE / "feeds"), "--site", "river", "--data", str(example), "--json")
    answer = run_here(*command)
    assert answer.code == 0
    counts = check_lines(answer)
    assert set(counts) == {"accepted"}
    again = check_lines(run_here(*command))
    assert again.total() == counts.total()
    assert again["duplicate"] > 0
    assert again["held"] == again["quarantined"] == 0


def test_messages_that_name_no_facility_are_held_until_their_site_is_given(example: Path) -> None:
    name = str(EXAMPLE / "feeds" / "12-medication-administration.fhir.json")
    assert set(check_lines(run_here("ingest", name, "--data", str(example), "--json"))) == {"held"}
    assert set(check_lines(run_here("ingest", name, "--site", "river", "--data", str(example), "--json"))) == {"accepted"}


def test_as_text_each_item_is_a_line_and_the_sum_stands_below(example: Path) -> None:
    answer = run_here("ingest", str(EXAMPLE / "feeds" / "05-vend.cabinet.json"), "--data", str(example))
    assert answer.code == 0
    assert answer.err == ""
    *items, total = answer.out.splitlines()
    assert items
    assert all(line.startswith("accepted") for line in items)
    assert "adds up" in total
    assert f"{len(items)} items = " in total


@pytest.mark.parametrize(
    ("name", "format_"),
    [
        ("03-admission-adt-a01.hl7", "hl7"), ("12-medication-administration.fhir.json", "fhir"),
        ("02-load.cabinet.json", "cabinet"), ("01-receive.scan.json", "scan"),
    ],
)  # fmt: skip
def test_a_format_may_be_named(example: Path, name: str, format_: str) -> None:
    command = ("ingest", str(EXAMPLE / "feeds" / name), "--format", format_, "--site", "river", "--data", str(example), "--json")
    answer = run_here(*command)
    assert answer.code == 0
    assert set(check_lines(answer)) == {"accepted"}


def junk(path: Path) -> dict[str, bytes]:
    """Bad files by name."""
    return {
        "empty.hl7": b"",
        "blank.hl7": b"\r\n \r\n",
        "binary.hl7": random.Random(1).randbytes(5_000),
        "zeros.json": bytes(2_000),
        "bom.hl7": b"\xef\xbb\xbfMSH|^~\\&|A|NORTHGEN|||20260101||RDS^O13|1|P|2.5.1\r",
        "cut.hl7": b"MSH|^~\\&|A|NORTHGEN",
        "cut.json": b'{"device": "ICU',
        "deep.json": b"[" * 100_000,
        "deep-object.json": b'{"a":' * 50_000,
        "long-line.hl7": b"MSH|^~\\&|A|NORTHGEN|||20260101||RDS^O13|1|P|2.5.1\rNTE|1||" + b"x" * 3_000_000,
        "huge.hl7": b"MSH|^~\\&|A|NORTHGEN|||20260101||RDS^O13|1|P|2.5.1\rNTE|1||" + b"x" * (BODY_BYTES_MAX + 1),
        "huge-number.json": b'{"device":"ICU-CAB1","transaction_id":"1","action":"vend","quantity":' + b"9" * 5_000 + b"}",
        "nan.json": b'[{"device": NaN}]',
        "lone-surrogate.json": b'{"device": "\\ud800", "transaction_id": "1", "action": "vend"}',
        "utf16.hl7": "MSH|^~\\&|A|NORTHGEN|||20260101||RDS^O13|1|P|2.5.1\r".encode("utf-16"),
        "capture.capture.jsonl": b'{"received_at": "yesterday"}\n\xff\xfe\n{}\n[]\n' + b"x" * 100_000 + b"\n",
        "image.png": b"\x89PNG\r\n\x1a\n" + bytes(500),
    }


def test_no_bad_file_gives_a_traceback_and_all_of_them_together_add_up(example: Path, tmp_path: Path) -> None:
    """As a program of its own, so that nothing that reaches standard error is missed."""
    folder = tmp_path / "junk"
    folder.mkdir()
    for name, content in junk(folder).items():
        (folder / name).write_bytes(content)
    answer = run_program("ingest", str(folder), "--data", str(example), "--json")
    assert answer.code == 0
    assert "Traceback" not in answer.err
    assert "Error" not in answer.err
    assert summary_of(answer)["adds_up"]
    named = {line["source"].split("#")[0].split(",")[0] for line in (*answer.lines, *answer.skipped)}
    for name in junk(folder):
        assert any(name in source for source in named), f"{name} is not accounted for: {sorted(named)}"


@pytest.mark.parametrize("format_", ["hl7", "fhir", "cabinet", "scan", "auto"])
def test_bad_files_under_a_format_that_was_named_add_up_too(example: Path, tmp_path: Path, format_: str) -> None:
    folder = tmp_path / "junk"
    folder.mkdir()
    for name, content in junk(folder).items():
        (folder / name).write_bytes(content)
    answer = run_here("ingest", str(folder), "--data", str(example), "--format", format_, "--json")
    assert answer.code == 0
    assert summary_of(answer)["adds_up"]


def test_an_empty_folder_is_nothing_and_adds_up(example: Path, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    answer = run_here("ingest", str(tmp_path / "nothing"), "--data", str(example))
    assert answer.code == 0
    assert "0 messages, 0 items" in answer.out


def test_a_path_that_does_not_exist_is_a_sentence(example: Path) -> None:
    answer = run_here("ingest", "/no/such/folder", "--data", str(example))
    assert answer.code == 1
    assert answer.err == "wardstock: there is no /no/such/folder\n"


def test_a_hub_without_reference_data_holds_what_it_cannot_place(tmp_path: Path) -> None:
    answer = run_here("ingest", str(EXAMPLE / "feeds"), "--site", "river", "--data", str(tmp_path / "hub"), "--json")
    assert answer.code == 0
    counts = check_lines(answer)
    assert counts["held"] > 0
    assert set(counts) <= {"held", "accepted"}
    loaded = run_here("reference", "load", str(EXAMPLE), "--data", str(tmp_path / "hub"))
    assert loaded.code == 0
    holds = run_here("holds", "--data", str(tmp_path / "hub"), "--json")
    assert holds.out == "", "what was held applies itself when the facts arrive"


def test_what_is_quarantined_can_be_sent_through_again(example: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.hl7").write_bytes(b"MSH|^~\\&|A|NORTHGEN")
    first = run_here("ingest", str(tmp_path / "cut.hl7"), "--data", str(example), "--json")
    assert check_lines(first)["quarantined"] == 1
    again = run_here("quarantine", "replay", "--data", str(example), "--json")
    assert again.code == 0
    assert summary_of(again)["adds_up"]
    assert [line["outcome"] for line in again.lines] == ["quarantined"]


@pytest.mark.skipif(not DATA.is_dir(), reason="SHARED DATA IS ABSENT: the sweep over real files was left out")
@pytest.mark.parametrize("folder", ["hl7v2", "fhir", "gs1", "stock"])
def test_a_sweep_over_real_files_ends_every_item_once(example: Path, folder: str) -> None:
    """Published messages of every kind and quality: no traceback, one outcome each, and the sum is right."""
    answer = run_program("ingest", str(DATA / folder), "--site", "north", "--data", str(example), "--json")
    assert answer.code == 0, answer.err[-2000:]
    assert "Traceback" not in answer.err
    summary = summary_of(answer)
    items, skipped = answer.lines, answer.skipped
    assert summary["adds_up"]
    assert summary["items"] == len(items)
    assert summary["skipped_files"] == len(skipped)
    assert all(len(line["reason"]) > 8 for line in (*items, *skipped))
    assert items or skipped
    faulty = [line for line in items if line.get("code") == "handler_fault"]
    assert faulty == []


def test_a_file_without_permission_is_reported_by_name(example: Path, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("RUNNING AS ROOT: nothing is unreadable")
    (tmp_path / "secret.hl7").write_bytes(b"MSH|^~\\&|A")
    (tmp_path / "secret.hl7").chmod(0)
    answer = run_here("ingest", str(tmp_path), "--data", str(example), "--json")
    assert any("secret.hl7" in line["source"] and line.get("skipped") for line in answer.skipped)
