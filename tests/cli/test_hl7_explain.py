"""`wardstock hl7 explain` and `wardstock quarantine --findings`: on files, standard input and what is quarantined."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.unit.hl7.support import ORC, PID, body, header, ras, rxa
from topology.cli.app import app

RUNNER = CliRunner()


def test_files_and_standard_input(tmp_path: Path) -> None:
    path = tmp_path / "a.hl7"
    path.write_bytes(ras(rxa(f4="")))
    shown = RUNNER.invoke(app, ["hl7", "explain", str(path)])
    assert shown.exit_code == 0
    assert "== a.hl7\nRAS^O17, MSH-12 2.5.1" in shown.output
    assert "error: Missing required child RXA-4 (Date time end of administration)" in shown.output
    piped = RUNNER.invoke(app, ["hl7", "explain", "-", "--findings-only"], input=ras(rxa(f4="")))
    assert "== standard input\nerror: Missing" in piped.output
    assert "RXA-6" not in piped.output


def test_as_json(tmp_path: Path) -> None:
    path = tmp_path / "a.hl7"
    path.write_bytes(ras(rxa(f4="")))
    line = json.loads(RUNNER.invoke(app, ["hl7", "explain", str(path), "--json"]).output)
    assert line["name"] == "a.hl7"
    assert {"message": 1, "severity": "error", "text": "Missing required child RXA-4 (Date time end of administration)"} in line[
        "findings"
    ]
    assert [one[0] for one in line["messages"][0]["segments"]][:2] == ["MSH", "PID"]


def test_a_quarantined_message_carries_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.hl7").write_bytes(body(header("ORU^R01"), PID, ORC, "ZPM|V|CAB"))
    hub = str(tmp_path / "hub")
    assert RUNNER.invoke(app, ["ingest", str(tmp_path / "a.hl7"), "--data", hub]).exit_code == 0
    (row,) = [
        json.loads(line) for line in RUNNER.invoke(app, ["quarantine", "--data", hub, "--findings", "--json"]).output.splitlines()
    ]
    assert row["code"] == "no_mapping"
    assert "note: ZPM is a segment of the sender's own: only a profile can say what it means" in row["findings"]
    assert "body_base64" not in row
    assert "sender's own" in RUNNER.invoke(app, ["quarantine", "--data", hub, "--findings"]).output
    place = f"{row['raw_partition']}/{row['raw_offset']}"
    shown = RUNNER.invoke(app, ["hl7", "explain", "--quarantined", place, "--data", hub])
    assert f"== {place}, quarantined: no_mapping" in shown.output
    assert "ZPM-2                                              CAB" in shown.output


def test_a_large_message_is_kept_once_and_explained_with_each_of_its_refused_items(tmp_path: Path) -> None:
    one = body(header("ORU^R01"), PID, ORC, "ZPM|V|CAB", "NTE|1||" + "x" * 10_000)
    (tmp_path / "a.hl7").write_bytes(one + one)
    hub = str(tmp_path / "hub")
    assert RUNNER.invoke(app, ["ingest", str(tmp_path / "a.hl7"), "--data", hub]).exit_code == 0
    rows = RUNNER.invoke(app, ["quarantine", "--data", hub, "--findings", "--json"]).output.splitlines()
    assert ["sender's own" in row for row in rows] == [True, True]
    replayed = RUNNER.invoke(app, ["quarantine", "replay", "--data", hub])
    assert "1 messages, 2 items" in replayed.output


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ([], "name a file"), (["nowhere.hl7"], "there is no nowhere.hl7"), (["--quarantined", "x"], "is no place of a message"),
        (["--quarantined", "0/99"], "nothing is quarantined at 0/99"),
    ],
)  # fmt: skip
def test_what_can_not_be_explained_is_a_sentence(tmp_path: Path, arguments: list[str], what: str) -> None:
    hub = str(tmp_path / "hub")
    (tmp_path / "a.hl7").write_bytes(ras(rxa()))
    RUNNER.invoke(app, ["ingest", str(tmp_path / "a.hl7"), "--data", hub])
    result = RUNNER.invoke(app, ["hl7", "explain", *arguments, "--data", hub])
    assert result.exit_code == 1
    assert what in str(result.exception)
