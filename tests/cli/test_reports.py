"""Transaction reports through the program: dropped into a running hub, ingested, tried; counted once however often they come."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from schemas.records import BALANCE
from schemas.topics import BALANCES
from tests.cli.running import EXAMPLE
from tests.cli.running import run_here as run
from tests.simulation import promises
from tests.simulation.live_hub import HubProcess
from tests.unit.report.test_rows import CSV_HEADER
from topology.local import LocalHub

DONE_SECONDS = 30
DAY = datetime.now(UTC) - timedelta(days=2)
POCKET = "icu/cab1/d4/p07"

WARD = """\
profile: ward-report
title: The printed report of our cabinets, whose items are numbers of ours
base: report-fixed
report:
  facts:
    unit: {value: bag}
    facility: {value: NORTHGEN}
"""
FIXED_HEADER = "Station      Date     Time  Action           Item         Pocket Qty     Begin   User       Witness    Patient"


def csv_row(number: int, what: str, clock: str, qty: str, cancels: str = "") -> str:
    """One transaction at the ICU's cabinet."""
    day = f"{DAY:%m/%d/%Y}"
    return f"NORTHGEN,ICU-CAB1,{number},{number},{what},{day},{clock},d4,p07,0338-0049-04,{qty},bag,,,,,,ann,,M1,,{cancels}"


def fixed_row(what: str, clock: str, qty: int) -> str:
    """One row of the printed report, without a number."""
    return f"{'ICU-CAB1':<12} {DAY:%m/%d/%y} {clock} {what:<16} {'MED1078':<12} {'d4/p07':<6} {qty:>7} {'':>7} {'ann':<10}"


CSV = "\n".join(
    [
        CSV_HEADER,
        csv_row(1, "Load", "08:00", "20"),
        csv_row(2, "Remove", "08:05", "-2"),
        csv_row(3, "Remove", "08:05", "-1"),
        csv_row(4, "Cancelled Remove", "08:06", "1", cancels="3"),
        csv_row(5, "Null Transaction", "08:07", ""),
        csv_row(6, "Vanish", "08:08", "1"),
        "Total,,,,,,,,,,23",
        "",
    ]
)
EARLY = [fixed_row("REMOVE", "09:00", 1), fixed_row("REMOVE", "09:05", 1), fixed_row("REMOVE", "09:05", 1), fixed_row("RETURN", "09:10", 1)]
LATE = [*EARLY[1:], fixed_row("REMOVE", "09:30", 3)]


def fixed(rows: list[str]) -> str:
    """A printed report of rows."""
    return "\n".join([FIXED_HEADER, *rows, f"Total {len(rows)}", "End of report", ""])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A hub that knows the example network and the ward's profile."""
    (tmp_path / "ward-report.yaml").write_text(WARD, encoding="utf-8")
    answer = run("reference", "load", str(EXAMPLE), str(tmp_path / "ward-report.yaml"), "--data", str(tmp_path / "hub"))
    assert answer.code == 0, answer.err
    return tmp_path / "hub"


def on_hand(hub: LocalHub) -> int:
    """Bags in the pocket."""
    last = {record.key: record.value for record in promises.records(hub.engine, BALANCES)}
    found = [BALANCE.decode(value) for value in last.values() if value is not None]
    return sum(one.quantity for one in found if one.location == POCKET)


def test_a_running_hub_takes_reports_that_are_dropped_and_counts_each_row_once(data: Path, tmp_path: Path) -> None:
    """20 loaded, 2 removed, 1 removed and cancelled; then 3 removed, 1 returned, 3 removed, told by two reports that overlap."""
    drops = ""
    for folder, profile in (("csv", "report-csv"), ("ward", "ward-report")):
        (tmp_path / folder).mkdir()
        drops += (
            f'[[drops]]\npath = "{tmp_path / folder}"\nsource = "{folder}"\nprofile = "{profile}"\nformat = "report"\n'
            'settle_seconds = 0\npoll_seconds = 0.1\n'
        )  # fmt: skip
    (tmp_path / "hub.toml").write_text(drops, encoding="utf-8")
    hub = HubProcess(data, arguments=["--config", str(tmp_path / "hub.toml")])
    hub.start()
    try:
        for name, text in (("csv/a.csv", CSV), ("csv/again.csv", CSV), ("ward/early.txt", fixed(EARLY)), ("ward/late.txt", fixed(LATE)),
                           ("ward/late-again.txt", fixed(LATE)), ("ward/cut.txt", fixed(EARLY)[:200])):  # fmt: skip
            (tmp_path / name).write_text(text, encoding="utf-8")
            done = tmp_path / name.replace("/", "/done/")
            until = time.monotonic() + DONE_SECONDS
            while not done.exists() and time.monotonic() < until:
                time.sleep(0.05)
            assert done.exists(), name
    finally:
        hub.stop()
    assert "Traceback" not in "".join(hub.printed)
    with LocalHub(data) as local:
        local.engine.run_until_idle()
        counts = promises.check_all(local.engine)
        assert on_hand(local) == 20 - 2 - 3 + 1 - 3
    # a.csv: 5 and Vanish; again: 5 duplicates and Vanish; early 4; late 3 of them again and 1; late-again 4; cut 1
    assert counts == {"accepted": 5 + 4 + 1, "duplicate": 5 + 3 + 4, "quarantined": 1 + 1 + 1}
    verified = run("verify", "--data", str(data))
    assert verified.code == 0, verified.out + verified.err
    quarantined = [line["reason"] for line in run("quarantine", "--data", str(data), "--json").lines]
    assert sum("line 7: column 'Type' (action) is 'Vanish'" in reason for reason in quarantined) == 2
    assert sum("cut off on its way" in reason for reason in quarantined) == 1
    assert not [line for line in run("cases", "--data", str(data), "--json").lines if line["kind"] == "ambiguous_duplicate"]


def test_reports_are_ingested_from_folders_where_the_format_is_stated(data: Path, tmp_path: Path) -> None:
    """Without it a CSV file beside captures goes along with them, and holds no messages."""
    folder = tmp_path / "reports"
    folder.mkdir()
    (folder / "a.csv").write_text(CSV, encoding="utf-8")
    answer = run("ingest", str(folder), "--format", "report", "--profile", "report-csv", "--data", str(data), "--json")
    assert [line["outcome"] for line in answer.lines] == ["accepted"] * 5 + ["quarantined"]
    left_out = run("ingest", str(folder), "--profile", "report-csv", "--data", str(data), "--json")
    assert [line["source"] for line in left_out.skipped] == ["a.csv"]


def test_what_was_refused_is_read_again_after_a_fix(data: Path, tmp_path: Path) -> None:
    """The whole report comes again: what counted is a duplicate, what was refused counts."""
    (tmp_path / "a.csv").write_text(CSV, encoding="utf-8")
    fixed_profile = "profile: ours\ntitle: Ours\nbase: report-csv\nreport:\n  actions: {Vanish: waste}\n"
    (tmp_path / "ours.yaml").write_text(fixed_profile, encoding="utf-8")
    run("ingest", str(tmp_path / "a.csv"), "--format", "report", "--profile", "report-csv", "--data", str(data))
    assert run("reference", "load", str(tmp_path / "ours.yaml"), "--data", str(data)).code == 0
    answer = run("quarantine", "replay", "--profile", "ours", "--data", str(data), "--json")
    assert [line["outcome"] for line in answer.lines] == ["duplicate"] * 5 + ["accepted"]


def test_a_report_without_a_profile_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(CSV, encoding="utf-8")
    answer = run("ingest", str(tmp_path / "a.csv"), "--format", "report", "--data", str(tmp_path / "hub"))
    assert answer.code == 1
    assert "name it with --profile" in answer.err


def test_a_profile_is_tried_on_a_report(tmp_path: Path) -> None:
    text = CSV.replace(CSV_HEADER, f"{CSV_HEADER},Remark").replace(",,M1,,3", ",,M1,,3,looked twice").replace(",,M1,,\n", ",,M1,,,\n")
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    answer = run("profile", "test", "report-csv", str(tmp_path))
    assert answer.code == 0, answer.err
    assert "item 2: vend of 2 bag at ICU-CAB1/d4/p07" in answer.out
    assert "occurred             Date + Time" in answer.out
    assert "item 6: refused (unknown_action)" in answer.out
    assert "nobody read: Remark" in answer.out
    (lines,) = run("profile", "test", "report-csv", str(tmp_path), "--json").lines
    assert lines["items"][1]["facts"]["quantity"] == {"path": "Quantity", "text": "-2"}
    (tmp_path / "a.csv").write_text("nothing", encoding="utf-8")
    assert "refused (other_header)" in run("profile", "test", "report-csv", str(tmp_path)).out
