"""`wardstock verify` on a hub that does not run and on one that does: a window, a verdict, an exit code, never a traceback."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest

from schemas.topics import BALANCES, MOVEMENTS
from tests.cli.running import Answer, run_here, run_program
from tests.simulation.live_hub import HubProcess
from topology.api import LOG_PAGE_RECORDS_MAX
from topology.embedded.folder import DataFolder
from topology.embedded.log import encode_record, log_key, stream_prefix
from topology.verify.api_source import ApiSource
from topology.verify.folder_source import FolderSource


@pytest.fixture
def hub(ingested: tuple[Path, Answer], tmp_path: Path) -> Path:
    """A hub of one's own that has heard a small network."""
    return Path(shutil.copytree(ingested[0], tmp_path / "hub"))


@pytest.fixture
def running(hub: Path) -> Iterator[HubProcess]:
    process = HubProcess(hub, tick_seconds=1)
    process.start()
    yield process
    if process.process is not None and process.process.poll() is None:
        process.kill()


def test_a_hub_that_does_not_run_is_verified_with_its_window_and_a_verdict(hub: Path) -> None:
    answer = run_here("verify", "--data", str(hub))
    assert (answer.code, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert lines[0].startswith(f"window: {hub}, 8 partitions of site.log, ticks 2026-01-")
    assert lines[-1].startswith("verified: ")
    assert lines[-1].endswith(" needs: 0 differences, 0 missing, 0 duplicated")


def test_json_lines_end_with_a_summary(hub: Path) -> None:
    answer = run_here("verify", "--data", str(hub), "--json")
    summary = answer.lines[-1]["summary"]
    assert answer.code == 0
    assert len(answer.lines) == 1
    assert summary["events"] > 100
    assert summary["balances"] > 50
    assert (summary["differences"], summary["missing"], summary["duplicated"], summary["raw_checked"]) == (0, 0, 0, True)
    assert {one["partition"] for one in summary["partitions"]} == set(range(8))


def test_one_site_is_verified_without_raw_which_belongs_to_no_site(hub: Path) -> None:
    answer = run_here("verify", "--data", str(hub), "--site", "north")
    assert answer.code == 0
    assert "only site north" in answer.out
    summary = run_here("verify", "--data", str(hub), "--site", "north", "--json").lines[-1]["summary"]
    assert (summary["site"], summary["raw_checked"], summary["raw_messages"]) == ("north", False, 0)
    assert 0 < summary["events"] < run_here("verify", "--data", str(hub), "--json").lines[-1]["summary"]["events"]


def test_a_site_that_nobody_knows_is_a_sentence_and_no_verdict(hub: Path) -> None:
    answer = run_here("verify", "--data", str(hub), "--site", "nroth")
    assert (answer.code, answer.out) == (1, "")
    assert "no site nroth is known" in answer.err


def tamper(data: Path) -> None:
    """Two records of the database are other than the hub wrote them: a balance and a movement."""
    source = FolderSource(data)
    rows = [row for topic in (BALANCES, MOVEMENTS) for partition in range(8) for row in source.read(topic, partition)]
    source.close()
    folder = DataFolder(data)
    for topic in (BALANCES, MOVEMENTS):
        newest = {row.key: row for row in rows if row.topic == topic}
        row = [row for row in newest.values() if row.value][-1]
        value = msgspec.json.encode({**msgspec.json.decode(row.value or b""), "quantity": 77777})
        key = log_key(stream_prefix(row.topic, row.partition), row.offset)
        folder.store.write([("log", key, encode_record(row.key, value, row.headers))])
    folder.store.sync()
    folder.close()


def test_differences_are_listed_and_end_with_exit_code_1(hub: Path) -> None:
    tamper(hub)
    answer = run_here("verify", "--data", str(hub))
    assert (answer.code, answer.err) == (1, "")
    assert "different  balance: " in answer.out
    assert "published 77777, derived" in answer.out
    assert "different  movements: " in answer.out
    as_json = run_here("verify", "--data", str(hub), "--json")
    assert as_json.code == 1
    assert {"check", "found", "text", "site", "published", "derived"} <= set(as_json.lines[0])
    assert as_json.lines[-1]["summary"]["differences"] == len(as_json.lines) - 1


def test_a_running_hub_is_verified_through_its_local_api_while_it_works(running: HubProcess, simulation: Path) -> None:
    before = run_program("verify", "--data", str(running.data), "--json")
    assert (before.code, before.err) == (0, ""), before.out
    assert before.lines[-1]["summary"]["source"] == running.url
    feed = simulation / "feeds" / "north-scans.capture.jsonl"
    assert run_here("ingest", str(feed), "--data", str(running.data)).code == 0
    after = run_here("verify", "--data", str(running.data), "--json")
    assert (after.code, after.err) == (0, ""), after.out
    assert after.lines[-1]["summary"]["raw_messages"] > before.lines[-1]["summary"]["raw_messages"]
    assert running.stop() == 0
    stopped = run_here("verify", "--data", str(running.data), "--json")
    assert stopped.code == 0, stopped.out


def test_the_log_is_given_by_pages_and_only_with_the_token(running: HubProcess) -> None:
    token = json.loads((running.data / "hub.json").read_text())["token"]
    path = f"{running.url}/api/v1/log/site.log/0"
    assert httpx.get(path, params={"start": 0, "end": 10}).status_code == 401
    assert httpx.get(f"{running.url}/api/v1/log").status_code == 401
    given = {"Authorization": f"Bearer {token}"}
    following, rows = msgspec.msgpack.decode(httpx.get(path, params={"start": 2, "end": 5}, headers=given).content)
    assert (following, [row[0] for row in rows]) == (5, [2, 3, 4])
    assert httpx.get(f"{running.url}/api/v1/log/nothing/0", params={"start": 0, "end": 5}, headers=given).status_code == 404
    assert httpx.get(f"{running.url}/api/v1/log/site.log/8", params={"start": 0, "end": 5}, headers=given).status_code == 404
    assert httpx.get(path, params={"start": -1, "end": 5}, headers=given).status_code == 422
    source = ApiSource(running.url, token)
    places = [("raw", 1), ("site.log", 2), ("stock.movements", 2), ("outcomes", 3)]
    through = {place: list(source.read(*place)) for place in places}
    source.close()
    assert max(len(records) for records in through.values()) > 100
    assert running.stop() == 0
    folder = FolderSource(running.data)
    for place, records in through.items():
        assert list(folder.read(*place))[: len(records)] == records
    folder.close()


def test_a_page_holds_a_bounded_number_of_records(running: HubProcess) -> None:
    token = json.loads((running.data / "hub.json").read_text())["token"]
    headers = {"Authorization": f"Bearer {token}"}
    ends = httpx.get(f"{running.url}/api/v1/log", headers=headers).json()["ends"]
    topic, partition = max(((topic, at) for topic, some in ends.items() for at in range(len(some))), key=lambda one: ends[one[0]][one[1]])
    answer = httpx.get(f"{running.url}/api/v1/log/{topic}/{partition}", params={"start": 0, "end": 10**9}, headers=headers)
    following, rows = msgspec.msgpack.decode(answer.content)
    assert len(rows) <= LOG_PAGE_RECORDS_MAX
    assert following == rows[-1][0] + 1


def test_what_can_not_be_verified_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("a file")
    for name, said in (("nothing", "there is no hub's folder"), ("empty", "is empty"), ("file", "is a file, not a folder")):
        answer = run_here("verify", "--data", str(tmp_path / name))
        assert (answer.code, answer.out) == (1, "")
        assert said in answer.err
        assert len(answer.err.splitlines()) == 1
    assert not (tmp_path / "nothing").exists()
    assert list((tmp_path / "empty").iterdir()) == []
    assert "is no broker" in run_here("verify", "--broker", "kafka:9092").err
