"""`wardstock controlled`: on a stopped hub's folder and at a running one."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.simulation.live_hub import HubProcess
from topology.cli.app import app
from topology.errors import HubError

REFERENCE = {
    "sites.csv": "id,name,zone,facility_codes\nnorth,North,UTC,NORTHGEN\nsouth,South,UTC,SOUTHGEN\n",
    "locations.csv": "site,path,kind,codes,refill_from,authority\nnorth,main,store,,,dispense\nnorth,icu/cab1,cabinet,ICU-CAB1,main,cabinet\n",
    "items.csv": "id,name,base_unit,schedule,strength_amount,strength_unit,form,codes\nfent,Fentanyl 100 mcg vial,vial,2,100,mcg,injection,local=F1\n",
    "products.csv": "id,item,labeler,package_quantity,ndc,unit_cost\nfent-1,fent,Maker,25,0409-9094-22,1.20\n",
    "roles.csv": "person,role,sites\npia,pharmacist,\nnils,nurse,\nsam,pharmacist,south\n",
    "controlled_policies.csv": "site,registrant,dea_number\nnorth,North General Hospital,AN1234563\n",
}


def transaction(number: int, action: str, quantity: int, **more: object) -> dict[str, object]:
    return {
        "device": "ICU-CAB1", "transaction_id": f"T{number}", "action": action, "facility": "NORTHGEN", "pocket": "d1/p1",
        "occurred": f"2026-03-03T12:{number:02}:00Z", "product_code": "F1", "quantity": quantity, "unit": "vial", "user": "ann",
        **more,
    }  # fmt: skip


DAY = [
    transaction(1, "load", 20, witness="bob"),
    transaction(2, "vend", 2, patient_id="M0001", patient_authority="NORTHGEN", order_id="O1"),
    transaction(3, "return", 1, patient_id="M0001", patient_authority="NORTHGEN", witness="bob"),
    transaction(9, "count", 19, user="cat", witness="bob"),
]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name, text in REFERENCE.items():
        (tmp_path / name).write_text(text)
    loaded = run("reference", "load", *(str(tmp_path / name) for name in REFERENCE), "--data", str(tmp_path / "hub"))
    assert loaded.exit_code == 0, loaded.output
    (tmp_path / "day.json").write_text(json.dumps(DAY))
    result = run("ingest", str(tmp_path / "day.json"), "--format", "cabinet", "--data", str(tmp_path / "hub"))
    assert result.exit_code == 0, result.output
    assert "4 accepted" in result.output, result.output
    return tmp_path / "hub"


def said(data: Path, *arguments: str) -> str:
    result = run("controlled", *arguments, "--data", str(data))
    assert result.exit_code == 0, result.exception or result.output
    return result.output


def lines(data: Path, *arguments: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said(data, *arguments, "--json").splitlines()]


def refused(data: Path, *arguments: str) -> str:
    result = run("controlled", *arguments, "--data", str(data))
    assert isinstance(result.exception, HubError), result.output
    return str(result.exception)


def case_id(data: Path, kind: str) -> str:
    found = [json.loads(line) for line in run("cases", "--json", "--data", str(data)).output.splitlines()]
    return str(next(one["case_id"] for one in found if one["kind"] == kind))


def walk(data: Path) -> None:
    [row] = lines(data, "balance", "--site", "north", "--location", "icu/cab1")
    assert (row["schedule"], row["opening"], row["transfers"], row["removals"], row["returns"], row["closing"]) == ("II", 0, 20, -2, 1, 19)
    table = list(csv.DictReader(io.StringIO(said(data, "balance", "--by-place", "--entries", "--csv"))))
    vend = next(one for one in table if one["kind"] == "vend")
    assert (vend["change"], vend["user"], vend["order_id"], vend["location"]) == ("-2", "ann", "O1", "icu/cab1/d1/p1")
    assert vend["patient"]
    assert "M0001" not in str(table)
    assert "Fentanyl" in said(data, "inventory", "--site", "north", "--on", "2026-03-03")
    [held] = lines(data, "inventory", "--site", "north", "--on", "2026-03-03", "--at", "close")
    assert (held["dea_number"], held["opened_count"], held["strength"]) == ("AN1234563", "exact", "100 mcg")
    assert "method_of_destruction" in said(data, "form41", "--site", "north")
    case = case_id(data, "unaccounted_removal")
    [document] = lines(data, "evidence", case)
    assert document["case"]["facts"]["open"] == "100"
    assert "open: 100 mcg are not accounted for" in said(data, "evidence", case)
    assert lines(data, "form106", case)[0]["items"][0]["quantity"] == "1"
    assert "AN1234563" in said(data, "form106", case)
    [score] = lines(data, "scores", "--site", "north")
    assert score["user"].startswith("staff-")
    assert "ann" not in str(score)


def refusals(data: Path) -> None:
    assert "there is no case 'nope'" in refused(data, "evidence", "nope")
    assert "about a controlled item" in refused(data, "form106", "nope")
    assert "schedule is I, II, III, IV or V" in refused(data, "balance", "--schedule", "VI")
    assert "from is a date" in refused(data, "balance", "--from", "yesterday")
    assert "there is no site mars" in refused(data, "balance", "--site", "mars")
    assert "no place nowhere" in refused(data, "balance", "--location", "nowhere")
    assert "exclude each other" in refused(data, "balance", "--json", "--csv")
    assert "say which site: north, south" in refused(data, "form41")
    assert "at is a date" in refused(data, "inventory", "--on", "x", "--site", "north")
    assert "--by PERSON --reason" in refused(data, "scores", "--identify")
    assert "nils is no pharmacist" in refused(data, "scores", "--identify", "--by", "nils", "--reason", "audit")
    assert "sam is no pharmacist of site north" in refused(data, "scores", "--identify", "--by", "sam", "--reason", "audit")


def taken(data: Path) -> None:
    """A policy without an inventory asks for one; recording it closes the case."""
    assert case_id(data, "inventory_due")
    asked = ("inventory-taken", "--site", "north", "--on", "2026-03-03", "--by", "pia")
    assert "two people" in refused(data, *asked, "--witness", "PIA")
    assert "nils is no pharmacist" in refused(data, *asked[:-1], "nils", "--witness", "bob")
    assert "--on is a date" in refused(data, "inventory-taken", "--site", "north", "--on", "3.3.", "--by", "pia", "--witness", "bob")
    assert "there is no site mars" in refused(data, "inventory-taken", "--site", "mars", "--on", "2026-03-03", "--by", "pia", "--witness", "bob")
    ahead = [one.replace("2026-03-03", "2999-03-03") for one in asked]
    assert "--on: 2999-03-03 has not been yet" in refused(data, *ahead, "--witness", "bob")
    assert "recorded: inventory of north on 2026-03-03, close of business, by pia and bob" in said(data, *asked, "--witness", "bob")


def named(data: Path) -> None:
    [row] = lines(data, "scores", "--identify", "--by", "pia", "--reason", "quarterly review")
    assert row["person"] == "ann"
    [opening] = [json.loads(line) for line in run("vault", "log", "--data", str(data), "--json").output.splitlines()]
    assert (opening["by"], opening["notice"], opening["reason"], opening["staff"]) == ("pia", "scores of staff", "quarterly review", 1)


def test_a_walk_through_on_a_stopped_hub(data: Path, tmp_path: Path) -> None:
    walk(data)
    refusals(data)
    taken(data)
    named(data)
    out = tmp_path / "evidence"
    said(data, "evidence", case_id(data, "unaccounted_removal"), "--out", str(out))
    assert json.loads((out / "evidence.json").read_text())["retain_until"]
    assert "<h1>Evidence: unaccounted removal, north</h1>" in (out / "evidence.html").read_text()
    assert sorted(path.name for path in out.iterdir()) == ["evidence.html", "evidence.json"]


def test_the_same_at_a_running_hub(data: Path) -> None:
    hub = HubProcess(data, tick_seconds=1)
    hub.start()
    try:
        walk(data)
        refusals(data)
        taken(data)
        named(data)
    finally:
        hub.stop()


def test_a_hub_without_controlled_stock_says_so(tmp_path: Path) -> None:
    (tmp_path / "sites.csv").write_text("id,name,zone\nnorth,North,UTC\n")
    assert run("reference", "load", str(tmp_path / "sites.csv"), "--data", str(tmp_path / "hub")).exit_code == 0
    data = tmp_path / "hub"
    assert "no controlled item has moved yet" in said(data, "balance")
    assert "no controlled item has moved yet" in said(data, "inventory", "--on", "2026-03-03")
    assert "nobody is scored" in said(data, "scores")


def test_a_decision_names_a_document_a_note_and_a_loss_from_a_file(data: Path, tmp_path: Path) -> None:
    """What people send as decisions reaches the case, and a document that is too long is told by its field."""
    case = case_id(data, "unaccounted_removal")
    base = {"site": "north", "target": case, "actor": "pia", "at": "2026-11-20T08:00:00Z"}
    decisions = [
        {**base, "decision_id": "D1", "action": "note", "reason": "asked ann"}, {**base, "decision_id": "D2", "action": "loss"},
        {**base, "decision_id": "D3", "action": "notified", "document": "mail of 20 November"},
        {**base, "decision_id": "D4", "action": "filed", "document": "x" * 61},
    ]  # fmt: skip
    (tmp_path / "d.decision.json").write_text(json.dumps(decisions))
    answer = run("ingest", str(tmp_path / "d.decision.json"), "--data", str(data), "--json")
    codes = [json.loads(line)["code"] for line in answer.output.splitlines() if '"code"' in line]
    assert codes[:3] == ["noted", "loss", "notified"]
    [document] = lines(data, "evidence", case)
    assert [one["action"] for one in document["decisions"]] == ["note", "loss", "notified"]
    assert document["deadlines"]["report_by"].startswith("2027-01-05")
    assert any("Form 106 is to be filed" in one for one in document["open_questions"])
