"""`wardstock expiring`, and what `explain` says of allocated lots and of destruction."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.raw import CABINET_JSON, SCAN_JSON
from tests.cli.running import Answer, run_here

REFERENCE = {
    "sites.csv": "id,name,zone,facility_codes,destroy_after_days\nnorth,North,UTC,NORTHGEN,7\n",
    "locations.csv": "site,path,kind,codes,refill_from,authority,minimum_life_days\n"
    "north,main,store,MAIN,,dispense,\nnorth,icu/cab1,cabinet,ICU-CAB1,main,cabinet,30\n",
    "items.csv": "id,name,base_unit,codes,item_class\namox,Amoxicillin 250 mg capsule,capsule,local=A1,antibiotic\n",
    "products.csv": "id,item,labeler,package_quantity,gtin\namox-1,amox,Maker,25,00304094713021\n",
    "expiry_windows.csv": "site,item_class,days\nnorth,antibiotic,120;20\n",
    "par_policies.csv": "site,location,item,minimum,par,maximum,source\nnorth,icu/cab1/d1/p1,amox,4,20,30,main\n",
}
LATER = "2026-03-02T13:00:00Z"


def scan(number: int, quantity: int, lot: str, expiry: str) -> dict[str, Any]:
    return {
        "session": "S1", "event_id": f"E{number}", "activity": "receive", "occurred": f"2026-03-02T08:{number:02}:00Z", "unit": "capsule",
        "barcode": "0100304094713021", "location": "MAIN", "user": "ann", "quantity": quantity, "lot": lot, "expiry": expiry, "facility": "NORTHGEN",
    }  # fmt: skip


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three lots in the store: one expired, one that is too short-dated for the cabinet, one good; the cabinet is empty."""
    for name, text in REFERENCE.items():
        (tmp_path / name).write_text(text)
    run("reference", "load", *(str(tmp_path / name) for name in REFERENCE), "--data", str(tmp_path / "hub"))
    scans = [scan(1, 9, "OLD", "2026-02-01"), scan(2, 40, "SHORT", "2026-03-20"), scan(3, 40, "GOOD", "2027-01-31")]
    load = {
        "device": "ICU-CAB1", "transaction_id": "T1", "action": "count", "facility": "NORTHGEN", "pocket": "d1/p1", "quantity": 0,
        "occurred": "2026-03-02T12:00:00Z", "product_code": "A1", "unit": "capsule", "user": "ann",
    }  # fmt: skip
    lines = [captured(SCAN_JSON, scans, "2026-03-02T08:30:00Z"), captured(CABINET_JSON, [load], "2026-03-02T12:00:10Z")]
    lines.append(captured(CABINET_JSON, [{**load, "transaction_id": "T2", "occurred": LATER}], LATER))
    (tmp_path / "day.capture.jsonl").write_text("\n".join(lines) + "\n")
    run("ingest", str(tmp_path / "day.capture.jsonl"), "--data", str(tmp_path / "hub"))
    return tmp_path / "hub"


def captured(content_type: str, body: object, received_at: str) -> str:
    """A line of recorded traffic: what was received, and when, which is what the hub's clock goes by."""
    return json.dumps(
        {"received_at": received_at, "source": "feed", "profile": "", "content_type": content_type, "body": json.dumps(body)}
    )


def run(*arguments: str) -> Answer:
    answer = run_here(*arguments)
    assert answer.code == 0, answer.err + answer.out
    return answer


def test_expiring_lists_days_buckets_and_risk_and_explain_the_allocation(data: Path) -> None:
    rows = run("expiring", "--within", "3650", "--data", str(data), "--json").lines
    assert {row["lot"] for row in rows} == {"OLD", "SHORT", "GOOD"}
    assert next(row for row in rows if row["lot"] == "OLD")["bucket"] == "expired"
    shown = run("expiring", "--risk", "--within", "30", "--data", str(data)).out
    assert "SHORT" in shown
    assert "GOOD" not in shown
    commands = run("commands", "--data", str(data), "--json").lines
    [restock] = [row for row in commands if row["kind"] == "restock"]
    assert [(lot["lot"], lot["quantity"]) for lot in restock["lots"]] == [("GOOD", 20)]
    told = run("explain", restock["command_id"], "--data", str(data)).out
    assert "allocated  20 capsule, for this command alone, with 30 days left at least" in told
    assert "passed over OLD (2026-02-01) has expired" in told
    [position] = [row for row in run("positions", "--data", str(data), "--json").lines if row["location"] == "main"]
    assert (position["usable"], position["allocated"], position["on_hand"]) == (60, 20, 89)


def test_stock_that_lies_expired_for_too_long_is_a_command_that_explains_itself(data: Path) -> None:
    [destroy] = [row for row in run("commands", "--data", str(data), "--json").lines if row["kind"] == "destroy"]
    told = run("explain", destroy["command_id"], "--data", str(data)).out
    assert told.startswith("destroy 9 capsule of amox at north main")
    assert "by lot OLD, which expired on 2026-02-01" in told
    assert run("verify", "--data", str(data)).code == 0


@pytest.mark.parametrize(("asked", "said"), [(("--site", "mars"), "there is no site mars"), (("--location", "moon"), "no place moon")])
def test_what_is_not_there_is_refused_and_not_empty(data: Path, asked: tuple[str, str], said: str) -> None:
    answer = run_here("expiring", *asked, "--data", str(data))
    assert (answer.code, said in answer.err) == (1, True)
