"""The command line while a hub runs: the same answers through its local API as from the folder, and no second hub."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.running import EXAMPLE, Answer, run_here, run_program
from tests.simulation.live_hub import HubProcess

READERS = (
    ("stock",), ("stock", "--site", "north", "--limit", "5"), ("commands", "--all"), ("cases",), ("holds",), ("quarantine",),
    ("positions",), ("alerts",),
)  # fmt: skip


SETTLE_SECONDS = 2.0
"""Longer than the projection needs to take what a tick brought."""
SETTLE_POLLS_MAX = 15


@pytest.fixture
def running(ingested: tuple[Path, Answer], tmp_path: Path) -> Iterator[HubProcess]:
    """A running hub that has heard a small network; it says the time once, so that what is read in between stays the same."""
    hub = HubProcess(Path(shutil.copytree(ingested[0], tmp_path / "hub")), tick_seconds=3600)
    hub.start()
    yield hub
    if hub.process is not None and hub.process.poll() is None:
        hub.kill()


def test_reading_through_a_running_hub_gives_the_same_as_opening_the_folder(running: HubProcess) -> None:
    through = settled(running.data)
    assert running.stop() == 0
    assert through[0]
    assert read_all(running.data) == through


def read_all(data: Path) -> list[str]:
    answers = [run_here(*reader, "--data", str(data), "--json") for reader in READERS]
    assert [(answer.code, answer.err) for answer in answers] == [(0, "")] * len(READERS)
    return [answer.out for answer in answers]


def settled(data: Path) -> list[str]:
    """What is read once the first ticks of the wall clock, which let much of the simulated stock expire, have been shown."""
    before: list[str] = []
    for _ in range(SETTLE_POLLS_MAX):
        found = read_all(data)
        if found == before:
            return found
        before = found
        time.sleep(SETTLE_SECONDS)
    pytest.fail("the hub never came to rest")


def test_files_are_ingested_through_a_running_hub_with_the_same_lines(running: HubProcess, simulation: Path) -> None:
    feed = simulation / "feeds" / "north-scans.capture.jsonl"
    answer = run_program("ingest", str(feed), "--data", str(running.data), "--json")
    assert answer.code == 0, answer.err
    assert {line["outcome"] for line in answer.lines} <= {"duplicate", "held"}
    assert len(answer.lines) > 10
    assert '"adds_up": true' in answer.err


def test_reference_data_is_loaded_through_a_running_hub(running: HubProcess) -> None:
    answer = run_here("reference", "load", str(EXAMPLE / "suppliers.csv"), "--data", str(running.data))
    assert answer.code == 0, answer.err
    assert answer.out.startswith("loaded ")
    bad = run_here("reference", "load", "/no/such/file.csv", "--data", str(running.data))
    assert bad.code == 1
    assert "nothing was loaded" in bad.err


def test_a_second_hub_is_refused_with_the_address_of_the_first(running: HubProcess) -> None:
    second = run_program("run", "--http-port", "0", "--mllp-port", "0", "--data", str(running.data))
    assert (second.code, second.out) == (1, "")
    assert second.err.startswith("wardstock: another hub uses ")
    assert running.url in second.err


def test_what_only_the_folder_can_give_says_so_and_errors_stay_sentences(running: HubProcess) -> None:
    data = str(running.data)
    replay = run_here("quarantine", "replay", "--data", data)
    assert (replay.code, "stop the hub first" in replay.err) == (1, True)
    unknown = run_here("explain", "no-such-id", "--data", data)
    assert (unknown.code, unknown.err.startswith("wardstock: no command no-such-id")) == (1, True)


def test_a_killed_hub_leaves_the_folder_to_the_next_reader(running: HubProcess) -> None:
    running.kill()
    assert (running.data / "hub.json").exists()
    answer = run_here("stock", "--data", str(running.data), "--json")
    assert answer.code == 0
    assert answer.lines


def test_a_hub_ends_with_zero_and_takes_its_address_back_when_told_to_stop(running: HubProcess) -> None:
    assert running.stop() == 0
    assert not (running.data / "hub.json").exists()
    assert "Traceback" not in "".join(running.printed)
