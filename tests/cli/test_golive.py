"""`wardstock golive`: on a stopped hub's folder and at a running one, with files as people have them."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from typer.testing import CliRunner, Result

from tests.simulation.live_hub import HubProcess
from topology.cli.app import app
from topology.errors import InputRefusedError

FILES = {
    "sites.csv": "id,name,zone,facility_codes\nnorth,North General,America/New_York,NGH\n",
    "locations.csv": "site,path,kind,name,codes,authority\nnorth,icu/cab1,cabinet,ICU cabinet,ICU-CAB1,cabinet\n"
    "north,main,store,Store,MAIN,dispense\n",
    "items.csv": "id,name,base_unit,codes\namox,Amoxicillin 250 mg capsule,capsule,local=A1\n",
    "par_policies.csv": "site,location,item,minimum,par,maximum,critical,source\nnorth,icu/cab1/d1/p1,amox,4,20,30,4,main\n"
    "north,main,amox,50,200,400,0,\n",
    "roles.csv": "person,role,sites\npia,pharmacist,\ntim,technician,\n",
}
NOW = datetime.now(UTC).replace(microsecond=0)
COUNTED = NOW - timedelta(hours=3)
PROFILE = """
profile: old-system
title: Stock list of the old system
report:
  format: delimited
  delimiter: ";"
  facts:
    device: Schrank
    pocket: Fach
    action: {value: stock}
    occurred: {columns: Stand, formats: "%Y-%m-%d %H:%M"}
    transaction_id: Nr
    product_code: Artikel
    code_system: {value: local}
    quantity: Menge
    unit: {value: capsule}
    lot: Charge
  actions:
    stock: count
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    assert run("reference", "load", *(str(tmp_path / name) for name in FILES), "--data", str(tmp_path / "hub")).exit_code == 0
    return tmp_path / "hub"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def golive(data: Path, *arguments: str, code: int = 0) -> str:
    result = run("golive", *arguments, "--data", str(data))
    assert result.exit_code == code, result.exception or result.output
    return result.output


def refused(data: Path, *arguments: str) -> str:
    result = run("golive", *arguments, "--data", str(data))
    assert isinstance(result.exception, InputRefusedError), result.output
    return str(result.exception)


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(one) for one in text.splitlines() if one.startswith("{")]


def cabinet(data: Path, folder: Path, action: str, minute: int, quantity: int, number: str, **more: str) -> None:
    """The cabinet's own record, so many minutes after the count."""
    body = {
        "device": "ICU-CAB1", "pocket": "d1/p1", "transaction_id": number, "action": action, "quantity": quantity, "unit": "capsule",
        "occurred": (COUNTED + timedelta(minutes=minute)).isoformat(), "product_code": "A1", "facility": "NGH", **more,
    }  # fmt: skip
    (folder / "cabinet.json").write_text(json.dumps(body))
    assert run("ingest", str(folder / "cabinet.json"), "--data", str(data)).exit_code == 0


def commands(data: Path) -> list[tuple[str, str, bool]]:
    rows = lines(run("commands", "--all", "--data", str(data), "--json").output)
    return sorted((one["location"], one["state"], one["shadow"]) for one in rows)


def walk(data: Path, folder: Path) -> None:
    """Count, shadow, compare, cut over, back, over again."""
    who = ("--site", "north", "--by", "pia", "--reason", "new cabinets")
    assert golive(data, "prepare", *who, "--accept-percent", "97.5") == "north prepares: nothing it says is executed\n"
    local = COUNTED.astimezone(ZoneInfo("America/New_York"))
    stamp = f"{local:%H:%M%z}"
    head = "location,code,lot,expiry,quantity,date,time,counted_by,witness\n"
    when = f"{local:%Y-%m-%d},{stamp[:-2]}:{stamp[-2:]},kim,lee"
    (folder / "count.csv").write_text(head + f"ICU-CAB1,a1,L1,2031-05,12,{when}\nmain,nothing,L1,,5,{when}\n")
    said = golive(data, "count", str(folder / "count.csv"), "--site", "north", "--by", "tim", code=1)
    assert "accepted     count.csv:2 opening balance of icu/cab1/d1/p1: 12 capsule in 1 lots" in said
    assert "refused      count.csv:3 code: nothing names no item" in said
    status = golive(data, "status", "--site", "north")
    assert "not counted: amox at main" in status
    assert "in the way: 1 pockets have no opening count (amox at main): count them or declare them empty" in status
    golive(data, "shadow", *who)
    assert "count them or declare them empty" in refused(data, "cut-over", *who)
    assert "accepted" in golive(data, "empty", "main", "--site", "north", "--by", "tim", "--counted-by", "kim", "--at", COUNTED.isoformat())
    cabinet(data, folder, "vend", -60, 7, "t0", lot="L1")
    cabinet(data, folder, "vend", 20, 9, "t1", lot="L1")
    assert commands(data) == [("icu/cab1/d1/p1", "issued", True), ("main", "issued", True)]
    compare(data, folder)
    assert golive(data, "cut-over", *who) == "north is live: its commands are executed\n"
    assert commands(data) == [("icu/cab1/d1/p1", "issued", False), ("main", "issued", False)]
    golive(data, "roll-back", *who)
    assert {shadow for _, _, shadow in commands(data)} == {True}
    golive(data, "cut-over", *who)
    assert {shadow for _, _, shadow in commands(data)} == {False}
    assert [one["mode"] for one in lines(golive(data, "status", "--json"))] == ["live"]
    (record,) = lines(golive(data, "status", "--site", "north", "--json"))
    assert [one["mode"] for one in record["changes"]] == ["preparing", "shadow", "live", "shadow", "live"]
    assert record["changes"][2]["agreement"] == "50.00"


def compare(data: Path, folder: Path) -> None:
    """The old system's list by a profile, and its orders as CSV."""
    (folder / "old.yaml").write_text(PROFILE)
    (folder / "stock.csv").write_text(
        "Nr;Schrank;Fach;Artikel;Menge;Charge;Stand\n1;ICU-CAB1;d1/p1;A1;3;L1;2026-01-01 10:00\n2;MAIN;;A1;4;;2026-01-01 10:00\n"
    )
    (folder / "orders.csv").write_text("location,code,quantity\nicu/cab1/d1/p1,A1,15\n")
    as_of = (COUNTED + timedelta(hours=2)).isoformat()
    given = ("--site", "north", "--by", "pia", "--at", as_of, "--orders", str(folder / "orders.csv"))
    assert "column" in refused(data, "compare", str(folder / "stock.csv"), *given, "--profile", str(folder / "old.yaml")), "no pocket"
    (folder / "stock.csv").write_text("location,code,lot,quantity\nICU-CAB1,A1,L1,3\nMAIN,A1,,4\nMAIN,A9,,4\n")
    told = golive(data, "compare", str(folder / "stock.csv"), *given)
    assert "1 of 2 lines agree: 50.00 %; 97.50 % is the site's threshold" in told
    assert "differences: 1 not in ledger" in told
    assert "needs: 1 on both sides, 1 only of the hub, 0 only on the list of orders" in told
    assert "not compared: stock row 3: code: A9 names no item" in told
    (folder / "report.csv").write_text("Nr;Schrank;Fach;Artikel;Menge;Charge;Stand\n1;ICU-CAB1;d1/p1;A1;3;L1;2026-01-01 10:00\n")
    found = lines(golive(data, "compare", str(folder / "report.csv"), *given, "--profile", str(folder / "old.yaml"), "--all", "--json"))
    assert [(one["location"], one["lot"], one["theirs"], one["ours"]) for one in found if "theirs" in one] == [("icu/cab1/d1/p1", "L1", 3, 3)]
    golive(data, "compare", str(folder / "stock.csv"), *given)


def test_a_site_goes_live_on_a_stopped_hub(data: Path, tmp_path: Path) -> None:
    walk(data, tmp_path)
    assert "0 differences, 0 missing" in run("verify", "--data", str(data)).output, "derived a second time, by other code"
    shown = golive(data, "report", "--site", "north", "--csv", str(tmp_path / "report.csv"))
    assert "live has no whole day yet" in shown
    with (tmp_path / "report.csv").open() as file:
        assert next(csv.reader(file))[:3] == ["site", "kpi", "period"]
    assert lines(golive(data, "report", "--site", "north", "--json"))[0]["periods"]["live"] is None
    assert "count 1 of amox at icu/cab1/d1/p1" not in golive(data, "counts", "--site", "north")


def test_the_same_at_a_running_hub(data: Path, tmp_path: Path) -> None:
    hub = HubProcess(data, tick_seconds=1)
    hub.start()
    try:
        walk(data, tmp_path)
        token = json.loads((data / "hub.json").read_text())["token"]
        head = {"Authorization": f"Bearer {token}"}
        assert httpx.get(f"{hub.url}/api/v1/golive").status_code == 401
        assert httpx.get(f"{hub.url}/api/v1/golive", headers=head).json()[0]["mode"] == "live"
        gone = httpx.post(f"{hub.url}/api/v1/golive/roll-back", headers=head, json={"site": "north", "by": "tim", "reason": "x"})
        assert (gone.status_code, gone.json()["detail"]) == (
            400, "tim is technician at site north: roll back is decided by pharmacist or engineer",
        )  # fmt: skip
        assert httpx.post(f"{hub.url}/api/v1/golive/status", headers=head, json={"site": "mars"}).status_code == 404
    finally:
        hub.stop()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["prepare", "--site", "mars", "--by", "pia", "--reason", "x"], "there is no site mars"),
        (["prepare", "--site", "north", "--by", "kim", "--reason", "x"], "kim has no role at site north"),
        (["prepare", "--site", "north", "--by", "pia", "--reason", " "], "reason: "),
        (["shadow", "--site", "north", "--by", "pia", "--reason", "x"], "was never prepared"),
        (["cut-over", "--site", "north", "--by", "pia", "--reason", "x"], "was never prepared"),
        (["roll-back", "--site", "north", "--by", "pia", "--reason", "x"], "was never prepared"),
        (["report", "--site", "north"], "was never prepared"),
        (["empty", "main", "--site", "north", "--by", "pia", "--counted-by", "kim"], "site north is live"),
        (["uncount", "1", "--site", "north", "--by", "pia", "--reason", "x"], "site north is live"),
    ],
)  # fmt: skip
def test_what_can_not_be_is_a_sentence(data: Path, arguments: list[str], reason: str) -> None:
    assert reason in refused(data, *arguments)


def test_sites_that_nobody_prepared_are_live(data: Path) -> None:
    assert golive(data, "status") == "every site is live\n"


def test_a_file_that_is_no_count_list_is_refused_whole(data: Path, tmp_path: Path) -> None:
    golive(data, "prepare", "--site", "north", "--by", "pia", "--reason", "x")
    (tmp_path / "list.csv").write_text("place,code,quantity\nmain,A1,4\n")
    assert "lacks location and has unknown place" in refused(data, "count", str(tmp_path / "list.csv"), "--site", "north", "--by", "tim")
