"""The hub against the truth of a simulated network: exact stock and open needs, however its messages are delivered.

Method: the simulator keeps its own ledger and writes what happened beside the messages that tell of it. Three sites, duplicates,
reordering and an outage; the same messages once, twice, permuted, and through a hub that is killed. WARDSTOCK_SEEDS says how
many seeds there are at full size; without it the variants run on smaller hospitals.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from pathlib import Path
from random import Random

import pytest

from schemas.raw import RawMessage
from tests.cli.running import environment, program, run_here
from tests.simulation import promises
from tests.simulation.network import HOSPITALS, Written, check_truth, deliver, loaded_hub, permuted_within_each_hour, written
from topology.local import LocalHub

ASKED = os.environ.get("WARDSTOCK_SEEDS")
SEEDS = range(1, 1 + int(ASKED or 2))
SEEDS_WHOLE_WEEK = SEEDS if ASKED else range(1, 2)
"""Seeds whose run has all seven days; the others have two."""
VARIANT_SEEDS = SEEDS if ASKED else range(1, 2)
VARIED = HOSPITALS if ASKED else replace(HOSPITALS, beds=10, days=4)
KILL_SECONDS_MAX = 120.0


def variant(seed: int) -> Written:
    """The simulation the variants run on."""
    return written(replace(VARIED, seed=seed))


@contextmanager
def hub_after(simulation: Written, data: Path, messages: Iterable[RawMessage]) -> Iterator[LocalHub]:
    """A hub that was given the messages."""
    with loaded_hub(simulation, data) as hub:
        deliver(hub, messages)
        yield hub


@pytest.mark.parametrize("seed", SEEDS)
def test_balances_and_open_needs_equal_the_truth(seed: int, tmp_path: Path) -> None:
    simulation = written(replace(HOSPITALS, seed=seed, days=HOSPITALS.days if seed in SEEDS_WHOLE_WEEK else 2))
    with hub_after(simulation, tmp_path, simulation.messages()) as hub:
        counts = check_truth(hub, simulation)
    assert counts["duplicate"] > 0
    assert counts["held"] == counts["quarantined"] == 0
    assert len(simulation.balances) > 100
    assert simulation.open_needs != []


@pytest.mark.parametrize("seed", VARIANT_SEEDS)
def test_every_file_delivered_twice_changes_nothing(seed: int, tmp_path: Path) -> None:
    simulation = variant(seed)
    with hub_after(simulation, tmp_path, chain(simulation.messages(), simulation.messages())) as hub:
        counts = check_truth(hub, simulation)
    assert counts["duplicate"] >= counts["accepted"]


@pytest.mark.parametrize("seed", VARIANT_SEEDS)
def test_times_of_receipt_permuted_within_each_hour_change_nothing(seed: int, tmp_path: Path) -> None:
    simulation = variant(seed)
    messages = permuted_within_each_hour(simulation.messages(), Random(seed))
    with hub_after(simulation, tmp_path, messages) as hub:
        check_truth(hub, simulation)


@pytest.mark.parametrize("seed", VARIANT_SEEDS)
def test_an_ingest_killed_in_the_middle_and_run_again_changes_nothing(seed: int, tmp_path: Path) -> None:
    simulation = variant(seed)
    data = tmp_path / "hub"
    loaded_hub(simulation, data).close()
    kill_while_ingesting(simulation, data, Random(seed))
    with LocalHub(data) as hub:
        before = sum(hub.engine.ends("raw"))
    answer = run_here("ingest", str(simulation.path / "feeds"), "--data", str(data), "--json")
    assert answer.code == 0, answer.err
    summary = json.loads(answer.err.splitlines()[-1])["summary"]
    assert summary["adds_up"]
    assert summary["items"] == len(answer.lines)
    with LocalHub(data) as hub:
        assert sum(hub.engine.ends("raw")) == before + summary["messages"]
        counts = check_truth(hub, simulation)
    assert counts["duplicate"] > 0


def kill_while_ingesting(simulation: Written, data: Path, random: Random) -> None:
    """Run `wardstock ingest` and kill it with SIGKILL once it has synced a random share of what it will."""
    messages = sum(1 for _ in simulation.messages())
    synced = data / "synced"
    start = int(synced.read_text())
    # An ingest commits at least once for each quarter of an hour of receipt; it is stopped within its first or last commits.
    target = start + random.randint(1, max(2, messages // 40))
    process = subprocess.Popen(
        [*program(), "ingest", str(simulation.path / "feeds"), "--data", str(data)],
        env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    end = time.monotonic() + KILL_SECONDS_MAX
    try:
        while int(synced.read_text()) < target:
            assert process.poll() is None, "the ingest was over before it could be killed"
            assert time.monotonic() < end
            time.sleep(0.005)
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    "knobs",
    [
        {"miscounts": 0.3},
        {"wrong_codes": 0.05},
        {"unreported_lots": 0.3},
        {"miscounts": 0.2, "wrong_codes": 0.02, "unreported_lots": 0.1},
    ],
    ids="+".join,
)
def test_hospitals_that_misreport_are_counted_without_faults(knobs: dict[str, float], tmp_path: Path) -> None:
    """What was reported wrong can't be known, but it must be booked: every item ends once, and all accounts sum to zero."""
    simulation = written(replace(HOSPITALS, seed=7, beds=8, days=3, **knobs))
    with hub_after(simulation, tmp_path, simulation.messages()) as hub:
        counts = promises.check_all(hub.engine)
    assert counts["accepted"] > 100
    assert (counts["held"] > 0) == ("wrong_codes" in knobs)
