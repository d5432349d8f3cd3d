"""`wardstock downtime`: on a stopped hub's folder and at a running one."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest
from typer.testing import CliRunner, Result

from tests.simulation.live_hub import HubProcess
from topology.cli.app import app
from topology.errors import InputRefusedError

FILES = {
    "sites.csv": "id,name,zone,facility_codes\nnorth,North General,America/New_York,NGH\n",
    "locations.csv": "site,path,kind,name,codes,authority\nnorth,icu/cab1,cabinet,ICU cabinet,ICU-CAB1,cabinet\n",
    "items.csv": "id,name,base_unit,codes\namox,Amoxicillin 250 mg capsule,capsule,local=A1\n",
    "roles.csv": "person,role,sites\npia,pharmacist,\npaul,pharmacist,\ntim,technician,\n",
}
NOW = datetime.now(UTC).replace(microsecond=0)
START = NOW - timedelta(hours=5)
HEAD = "form,line,date,time,activity,location,code,lot,expiry,quantity,unit,person,witness,patient,order,to_location\n"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    assert run("reference", "load", *(str(tmp_path / name) for name in FILES), "--data", str(tmp_path / "hub")).exit_code == 0
    cabinet(tmp_path / "hub", tmp_path, ("load", -30, 50, "t0"))
    return tmp_path / "hub"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def downtime(data: Path, *arguments: str, code: int = 0) -> str:
    result = run("downtime", *arguments, "--data", str(data))
    assert result.exit_code == code, result.exception or result.output
    return result.output


def refused(data: Path, *arguments: str) -> str:
    result = run("downtime", *arguments, "--data", str(data))
    assert isinstance(result.exception, InputRefusedError), result.output
    return str(result.exception)


def cabinet(data: Path, folder: Path, *facts: tuple[str, int, int, str]) -> None:
    """The cabinet's own records: action, minutes after the start, quantity, number."""
    made = [
        {
            "device": "ICU-CAB1", "pocket": "d1/p1", "transaction_id": number, "action": action, "quantity": quantity, "unit": "capsule",
            "occurred": (START + timedelta(minutes=minute)).isoformat(), "product_code": "A1", "facility": "NGH", "user": "kim7",
        }
        for action, minute, quantity, number in facts
    ]  # fmt: skip
    (folder / "cabinet.json").write_text(json.dumps(made))
    assert run("ingest", str(folder / "cabinet.json"), "--data", str(data)).exit_code == 0


def line(number: int, minute: int, quantity: int, **more: str) -> str:
    at = (START + timedelta(minutes=minute)).astimezone(ZoneInfo("America/New_York"))
    stamp = f"{at:%H:%M%z}"
    cells = {
        "form": "ICU-1", "line": str(number), "date": f"{at:%Y-%m-%d}", "time": f"{stamp[:-2]}:{stamp[-2:]}", "activity": "remove",
        "location": "ICU-CAB1", "code": "a1", "quantity": str(quantity), "person": "kim", "patient": "M0000001", **more,
    }  # fmt: skip
    return ",".join(cells.get(name, "") for name in HEAD.strip().split(",")) + "\n"


def on_hand(data: Path) -> int:
    rows = [json.loads(one) for one in run("stock", "--data", str(data), "--json").output.splitlines()]
    return sum(row["quantity"] for row in rows)


def walk(data: Path, tmp_path: Path) -> None:
    """A night on paper: begin, print, end, key in, backlog of the cabinet, compare, decide."""
    begun = downtime(data, "start", "--site", "north", "--by", "tim", "--reason", "switch", "--at", START.isoformat())
    assert begun.startswith("d1 of north since ")
    assert "print" in downtime(data, "pack", "--site", "north", "--out", str(tmp_path / "pack"))
    assert "<b>Downtime d1</b>" in (tmp_path / "pack" / "pack.html").read_text()
    ended = downtime(data, "stop", "--site", "north", "--by", "pia", "--at", (START + timedelta(hours=4)).isoformat())
    assert "key its paper in" in ended
    paper = tmp_path / "form.csv"
    paper.write_text(HEAD + line(1, 10, 2) + line(2, 30, 3) + ",\n" + line(3, 60, 1, code="aspirin"))
    said = downtime(data, "enter", str(paper), "--period", "d1", "--by", "pia", "--site", "north", code=1)
    assert "accepted     form.csv:2 form ICU-1 line 1: vend of 2 capsule at icu/cab1/d1/p1" in said
    assert "refused      form.csv:5 form ICU-1 line 3: code: aspirin names no item" in said
    assert "3 lines: 2 accepted, 1 refused" in said
    paper.write_text(HEAD + line(1, 10, 2) + line(2, 30, 3) + line(3, 60, 1))
    assert "3 lines: 1 accepted, 2 duplicate" in downtime(data, "enter", str(paper), "--period", "d1", "--by", "pia")
    assert on_hand(data) == 44
    cabinet(data, tmp_path, ("vend", 12, 2, "t1"), ("vend", 31, 4, "t2"), ("vend", 90, 1, "t3"))
    told = downtime(data, "reconcile", "d1")
    assert [one.split()[1] for one in told.splitlines() if one[:4].strip().isdigit()] == ["counted", "differs", "paper", "device"]
    assert "4 to decide: `wardstock downtime approve d1 NUMBER --by PHARMACIST`" in told
    assert "paper: 1 counted twice, 1 differs, 1 paper only" in told
    assert "devices: 1 device only, 1 not compared, 2 paired" in told
    assert "another pharmacist approves finding 1" in refused(data, "approve", "d1", "1", "--by", "pia")
    assert downtime(data, "approve", "d1", "1", "--by", "paul") == "1 approved by paul: the paper line is taken back\n"
    for number in ("2", "3", "4"):
        downtime(data, "approve", "d1", number, "--by", "paul", "--why", "seen")
    after = downtime(data, "reconcile", "d1")
    assert "nothing is left to decide" in after
    assert "→ keep what the ledger has, approved by paul" in after
    assert on_hand(data) == 50 - 2 - 4 - 1 - 1
    states = [json.loads(one)["state"] for one in downtime(data, "reconcile", "d1", "--json").splitlines() if one.startswith("{\"period\"")]
    assert states == ["approved", "approved"]
    periods = [json.loads(one) for one in downtime(data, "list", "--json").splitlines()]
    assert [(one["id"], one["site"], one["reason"], one["ended_by"]) for one in periods] == [("d1", "north", "switch", "pia")]
    assert "d1" in downtime(data, "list", "--site", "north")
    assert "M0000001" not in run("trace", "unknown", "--data", str(data), "--json").output, "no patient leaves the raw log"


def test_a_night_on_paper_on_a_stopped_hub(data: Path, tmp_path: Path) -> None:
    walk(data, tmp_path)
    assert "0 differences, 0 missing" in run("verify", "--data", str(data)).output, "derived a second time, by other code"


def test_the_same_at_a_running_hub_which_keeps_packs_and_says_how_old_they_are(data: Path, tmp_path: Path) -> None:
    hub = HubProcess(data, tick_seconds=1, arguments=("--downtime-packs", str(tmp_path / "packs")))
    hub.start()
    try:
        walk(data, tmp_path)
        kept = tmp_path / "packs" / "north" / "pack.html"
        until = time.monotonic() + 30
        while not kept.exists() and time.monotonic() < until:
            time.sleep(0.1)
        assert "a newer pack replaces this one before" in kept.read_text()
        ready = httpx.get(f"{hub.url}/ready").json()
        assert 0 <= ready["downtime_pack_age_seconds"]["north"] < 900
        assert 'wardstock_downtime_pack_age_seconds{site="north"}' in httpx.get(f"{hub.url}/metrics").text
        assert "there is no downtime d9" in refused(data, "reconcile", "d9")
        assert "reason" in refused(data, "start", "--site", "north", "--by", "tim", "--reason", " ")
    finally:
        hub.stop()
    assert any("downtime packs in" in one for one in hub.printed)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["start", "--site", "mars", "--by", "tim", "--reason", "x"], "there is no site mars"),
        (["start", "--site", "north", "--by", "kim", "--reason", "x"], "kim has no role at site north"),
        (["start", "--site", "north", "--by", "tim", "--reason", " "], "reason: "),
        (["start", "--site", "north", "--by", "tim", "--reason", "x", "--at", "yesterday"], "is no instant such as"),
        (["start", "--site", "north", "--by", "tim", "--reason", "x", "--at", "2199-01-01T00:00:00Z"], "has not been yet"),
        (["stop", "--site", "north", "--by", "tim"], "site north is in no downtime"),
        (["pack", "--site", "mars", "--out", "x"], "there is no site mars"),
        (["reconcile", "d1"], "there is no downtime d1"),
        (["approve", "d1", "1", "--by", "pia"], "there is no downtime d1"),
        (["dispute", "d1", "A", "1", "--by", "pia", "--reason", "x"], "there is no downtime d1"),
    ],
)  # fmt: skip
def test_what_can_not_be_is_a_sentence(data: Path, arguments: list[str], reason: str) -> None:
    assert reason in refused(data, *arguments)


def test_a_pack_is_not_written_to_a_file_and_says_what_is_wanted(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "pack.txt"
    file.write_text("mine")
    why = f"no pack can be written to {file} (it is a file): --out names a folder"
    assert why in refused(data, "pack", "--site", "north", "--out", str(file))
    assert "--out names a folder" in refused(data, "pack", "--site", "north", "--out", str(file / "below"))
    assert file.read_text() == "mine"


def test_who_lacks_a_role_is_told_which_one_and_how_to_get_it(data: Path) -> None:
    said = refused(data, "start", "--site", "north", "--by", "kim", "--reason", "x")
    assert "Any role will do" in said
    assert "`wardstock reference load` takes a roles.csv with the columns person,role,sites and the line kim,technician,north" in said


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the first line lacks form, line, date"),
        (HEAD.encode(), "holds no line of paper"),
        (HEAD.replace("form,", "sheet,").encode() + b"x\n", "lacks form and has unknown sheet"),
        (HEAD.encode() + b"\xff\n", "is not UTF-8"),
        (HEAD.encode() + b",".join([b"x"] * 20) + b"\n", "has 20 cells for 16 columns"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_form_is_refused_whole(data: Path, tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "form.csv").write_bytes(content)
    assert reason in refused(data, "enter", str(tmp_path / "form.csv"), "--period", "d1", "--by", "pia")


def test_semicolons_of_a_spreadsheet_are_read(data: Path, tmp_path: Path) -> None:
    downtime(data, "start", "--site", "north", "--by", "tim", "--reason", "switch", "--at", START.isoformat())
    (tmp_path / "form.csv").write_bytes(b"\xef\xbb\xbf" + (HEAD + line(1, 10, 2)).replace(",", ";").encode())
    assert "1 lines: 1 accepted" in downtime(data, "enter", str(tmp_path / "form.csv"), "--period", "d1", "--by", "pia")
    said = refused(data, "enter", str(tmp_path / "form.csv"), "--period", "d1", "--by", "pia", "--site", "south")
    assert said == "downtime d1 is one of site north, not of south"


def test_what_needs_a_fact_is_not_to_decide_and_a_dispute_is_listed(data: Path, tmp_path: Path) -> None:
    """Line 1 is half a capsule, which waits; line 2 is disputed."""
    downtime(data, "start", "--site", "north", "--by", "tim", "--reason", "switch", "--at", START.isoformat())
    (tmp_path / "unit_factors.csv").write_text("item,unit,numerator,denominator\namox,half,1,2\n")
    assert run("reference", "load", str(tmp_path / "unit_factors.csv"), "--data", str(data)).exit_code == 0
    (tmp_path / "form.csv").write_text(HEAD + line(1, 10, 1, unit="half") + line(2, 100, 1) + line(3, 120, 1, lot="A\0B"))
    said = downtime(data, "enter", str(tmp_path / "form.csv"), "--period", "d1", "--by", "tim", code=1)
    assert r"form.csv:4 form ICU-1 line 3: lot: 'A\x00B' holds a control character" in said
    told = downtime(data, "reconcile", "d1")
    assert "not in ledger" in told
    assert "1 to mend: add what is missing" in told
    assert "1 to decide: `wardstock downtime approve d1 NUMBER --by PHARMACIST`" in told
    downtime(data, "dispute", "d1", "ICU-1", "2", "--by", "tim", "--reason", "it says 3")
    told = downtime(data, "reconcile", "d1")
    assert "   3  disputed       → take the paper line back" in told
    found = [json.loads(one) for one in downtime(data, "reconcile", "d1", "--json").splitlines() if one.startswith("{\"period\"")]
    assert ("disputed", "open") in [(one["kind"], one["state"]) for one in found]
