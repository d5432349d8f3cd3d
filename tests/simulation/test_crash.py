"""The machine stops at any step of the store, several times a run: afterwards nothing is lost and nothing is counted twice.

Method: a seeded hospital is sent to the hub twice, once without and once with crashes. After a crash the store holds everything
that was synced and a random prefix of what was not, and the senders resend what was not acknowledged. WARDSTOCK_CRASH_SEEDS
says how many seeds there are.
"""

from __future__ import annotations

import os
from functools import lru_cache
from random import Random

import pytest

from tests.simulation import promises
from tests.simulation.crash import Finished, run
from tests.simulation.small_hospital import SmallHospital, small_hospital

SEEDS = int(os.environ.get("WARDSTOCK_CRASH_SEEDS", "500"))
BATCHES = 10
CRASHES_MAX = 6


@lru_cache(maxsize=BATCHES)
def calm(number: int) -> tuple[SmallHospital, Finished]:
    """A hospital and its run without any crash."""
    hospital = small_hospital(number)
    return hospital, run(hospital, Random(f"calm {number}"), [])


@pytest.mark.parametrize("batch", range(BATCHES))
def test_a_hub_that_crashes_at_random_steps_keeps_the_three_promises(batch: int) -> None:
    hospital, expected = calm(batch)
    balances, needs = promises.balances(expected.engine), promises.open_needs(expected.engine)
    for seed in range(batch, SEEDS, BATCHES):
        try:
            check_seed(seed, hospital, expected.steps, balances, needs)
        except Exception as error:
            error.add_note(f"crash seed {seed}, hospital {batch}")
            raise


def check_seed(
    seed: int, hospital: SmallHospital, steps: int, balances: dict[promises.Account, int], needs: list[promises.NeedKey]
) -> None:
    random = Random(f"crash {seed}")
    crash_steps = [random.randint(1, steps // 2) for _ in range(random.randint(1, CRASHES_MAX))]
    finished = run(hospital, random, crash_steps)
    assert finished.crashes >= 1
    promises.check_all(finished.engine)
    promises.check_acknowledged(finished.engine, finished.senders.acknowledged)
    assert {message.body for message, _ in finished.senders.acknowledged} == {
        message.body for queue in hospital.feeds.values() for message in queue
    }
    assert promises.balances(finished.engine) == balances
    assert promises.open_needs(finished.engine) == needs


@pytest.mark.parametrize("number", range(BATCHES))
def test_a_calm_run_keeps_the_promises_and_uses_every_kind_of_outcome(number: int) -> None:
    """The crash test would say little if its hospital only ever had accepted items, or never needed anything."""
    _, finished = calm(number)
    counts = promises.check_all(finished.engine)
    promises.check_acknowledged(finished.engine, finished.senders.acknowledged)
    assert counts["accepted"] > 50
    assert counts["duplicate"] > 0
    assert promises.open_needs(finished.engine) != []
    assert promises.balances(finished.engine) != {}


def test_the_same_seed_gives_the_same_bytes_in_every_topic() -> None:
    """A failing seed must fail again when it is looked at."""
    hospital = small_hospital(3)
    first, second = (run(hospital, Random("same"), [40, 90]) for _ in range(2))
    assert first.crashes == second.crashes == 2
    assert promises.outputs(first.engine) == promises.outputs(second.engine)
