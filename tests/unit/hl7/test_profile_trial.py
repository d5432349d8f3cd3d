"""`wardstock profile test`: each fact with the field that said it, what is missing, what nobody read; and that the list is true."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from connectors.hl7.profiles.shipped import compiled_shipped
from connectors.hl7.profiles.standard_fields import ENVELOPE, STANDARD_FIELDS
from connectors.hl7.profiles.trial import MessageTrial, trials
from tests.unit.hl7.cabinet_messages import oms, zpm
from tests.unit.hl7.support import ORC, PID, PV1, RECEIVED, body, header, ras, rxa, segment
from topology.cli.app import app

_VALUES = {
    "ORC-1": "RE", "ORC-9": "20260601", "RXA-3": "20260601", "RXA-16": "20271231", "RXA-20": "CP", "RXA-21": "A",
    "RXD-3": "20260601", "RXD-19": "20271231",
}  # fmt: skip
"""Values of fields where not everything goes."""
_TYPES = {"RAS": "RAS^O17", "RDS": "RDS^O13", "RDE": "RDE^O11", "OMP": "OMP^O09", "RGV": "RGV^O15", "ADT": "ADT^A01"}


def tried(message: bytes, profile: str = "standard") -> MessageTrial:
    compiled = compiled_shipped(profile)
    assert compiled is not None
    (one,) = trials(message, "m.hl7", compiled, RECEIVED)
    return one


@pytest.mark.parametrize("family", sorted(STANDARD_FIELDS))
def test_the_fields_said_to_be_read_are_read_and_no_others(family: str) -> None:
    """A message with every field of every segment filled: what the mapper asked for is what the list says."""
    declared = {path for facts in (STANDARD_FIELDS[family], ENVELOPE) for paths in facts.values() for path in paths}
    own = {path.split("-")[0] for path in declared} - {"MSH", "PID", "PV1", "ORC", "EVN"}
    filled = [segment(name, {n: _VALUES.get(f"{name}-{n}", "1") for n in range(1, 31)}) for name in sorted(own)]
    message = body(
        header(_TYPES[family]), segment("EVN", {1: "A01", 2: "20260601", 3: "1"}), segment("PID", {1: "1", 3: "1^^^1", 5: "1"}),
        segment("PV1", {1: "1", 3: "1", 5: "1"}), segment("ORC", {n: _VALUES.get(f"ORC-{n}", "1") for n in range(1, 20)}), *filled,
    )  # fmt: skip
    one = tried(message)
    sent = {f"{row.split('|')[0]}-{number}" for row in message.decode().split("\r") if row
            for number, text in enumerate(row.split("|")) if number and text and not row.startswith("MSH")}  # fmt: skip
    unread = set(one.unused)
    first_of_several = {path for paths in STANDARD_FIELDS[family].values() for path in paths[1:]}
    assert (declared & sent) - unread >= (declared & sent) - first_of_several
    identity = {"RXA-1", "RXA-2", "RXD-1", "RXD-7", "ORC-1", "ORC-2", "ORC-3"}
    assert sent - unread <= declared | identity


def test_an_item_with_its_facts_what_is_missing_and_what_nobody_read() -> None:
    one = tried(oms(zpm("V", "2", f8="10", f7="2"), "ZZZ|1"), "vista-oms")
    assert (one.type, one.read_by) == ("OMS^O05", "profile vista-oms, layout 1")
    said = {fact.fact: (fact.path, fact.text) for fact in one.items[0].facts}
    assert said["item"] == ("ZPM-6", "amox-1^Amoxicillin 250 mg")
    assert said["quantity"] == ("ZPM-10", "2")
    assert said["code"] == ("ZPM-1", "V")
    assert said["lot"] == (None, None)
    assert {"ZPM-7", "ZZZ-1"} <= set(one.unused)


def test_the_command_as_text_and_as_json(tmp_path: Path) -> None:
    path = tmp_path / "a.hl7"
    path.write_bytes(ras(rxa(), rxa(f20="XX", f1="1")))
    shown = CliRunner().invoke(app, ["profile", "test", "standard", str(path)])
    assert shown.exit_code == 0
    assert "item 1: administer of 200 mg at ICU^12^A" in shown.output
    assert "item 2: refused (unknown_completion_status)" in shown.output
    assert "1 messages: 1 administer, 1 refused" in shown.output
    line = json.loads(CliRunner().invoke(app, ["profile", "test", "standard", str(path), "--json"]).output.splitlines()[0])
    assert line["items"][0]["facts"]["lot"] == {"path": "RXA-15", "text": "LOT1"}


@pytest.mark.parametrize(
    ("profile", "content", "what"),
    [
        ("nobody", "", "no shipped profile 'nobody'"),
        ("bad.yaml", "profile: bad\ntitle: Bad\nbase: gone\n", "bad.yaml:3: base: base gone is no profile that is known"),
        ("bad.yaml", "profile: bad\n", "title: is missing"),
        ("bad.yaml", "- a", "must be a mapping that begins with"),
    ],
)
def test_a_profile_that_can_not_be_used_is_a_sentence_with_lines(
    tmp_path: Path, profile: str, content: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.yaml").write_text(content, encoding="utf-8")
    (tmp_path / "a.hl7").write_bytes(ras(rxa()))
    result = CliRunner().invoke(app, ["profile", "test", profile, "a.hl7"])
    assert result.exit_code == 1
    assert what in str(result.exception)


def test_a_base_may_stand_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("profile: ours\ntitle: Ours\nbase: vista-oms\n", encoding="utf-8")
    (tmp_path / "mine.yaml").write_text("profile: mine\ntitle: Mine\nbase: ours\n", encoding="utf-8")
    (tmp_path / "a.hl7").write_bytes(oms(zpm("V", "2", f8="10")))
    result = CliRunner().invoke(app, ["profile", "test", str(tmp_path / "mine.yaml"), str(tmp_path / "a.hl7")])
    assert "vend of 2 TAB at ICU-CAB1/d1/p1" in result.output, result.output


def test_a_quarantined_message_is_replayed_by_a_profile_that_reads_it(tmp_path: Path) -> None:
    hub, reference = tmp_path / "hub", tmp_path / "reference"
    reference.mkdir()
    (reference / "sites.yaml").write_text("- {id: north, name: North, zone: UTC, facility_codes: [NORTH]}\n", encoding="utf-8")
    (reference / "mine.yaml").write_text("profile: mine\ntitle: Mine\nbase: vista-oms\n", encoding="utf-8")
    (tmp_path / "a.hl7").write_bytes(body(header("ORU^R01"), PID, PV1, ORC, zpm("V", "2", f8="10")))
    (tmp_path / "b.hl7").write_bytes(oms(zpm("V", "2", f8="10")))
    runner = CliRunner()
    assert runner.invoke(app, ["reference", "load", str(reference), "--data", str(hub)]).exit_code == 0
    first = runner.invoke(app, ["ingest", str(tmp_path / "b.hl7"), "--data", str(hub)])
    assert "quarantined" in first.output
    again = runner.invoke(app, ["quarantine", "replay", "--data", str(hub), "--profile", "mine"])
    assert "held" in again.output, again.output  # read now; it waits for its cabinet and item to be known
    straight = runner.invoke(app, ["ingest", str(tmp_path / "b.hl7"), "--data", str(hub), "--profile", "mine"])
    assert "duplicate" in straight.output, straight.output
