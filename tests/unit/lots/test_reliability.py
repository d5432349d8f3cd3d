"""Said probabilities against what was true, in a few simulated networks from the wire on; `make lots` does it with 200 seeds."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import pytest

from connectors.simulator import Knobs
from sinks.lots.settings import Rule, Settings
from tests.simulation.lot_world import World, world_of
from tests.simulation.lots import judge, summed

NETWORKS = tuple(Knobs(seed=seed, sites=2, beds=8, days=14, unscanned=0.8, careless=0.3) for seed in (1, 2))
UNREPORTED = Knobs(seed=5, sites=2, beds=8, days=14, unreported_lots=0.3, careless=0.2)
"""Three in ten of all stock messages without lot, of goods and scans as well."""
FIFO = Knobs(seed=3, sites=1, beds=8, days=14, unscanned=0.8, careless=0.2, drawing="fifo")


@lru_cache(maxsize=4)
def world(knobs: Knobs) -> World:
    return world_of(knobs)


def test_bins_with_enough_cases_are_right_and_what_is_sure_is_so() -> None:
    tables, seen, _ = summed(judge(world(knobs)) for knobs in (*NETWORKS, FIFO, UNREPORTED))
    assert seen["unknown removals"] > 1_000
    assert seen["unreachable"] == 0, "the lot that was truly taken is always among the lots it may have been"
    assert {name: table.wrong() for name, table in tables.items() if table.wrong()} == {}
    assert sum(cases for _, cases, _, _ in tables["removal"].rows()) > 1_000


def test_everybody_and_every_place_that_a_recall_truly_concerns_is_listed() -> None:
    _, _, recalls = summed(judge(world(knobs)) for knobs in (*NETWORKS, UNREPORTED))
    assert recalls["recalls"] == 9
    assert recalls["patients"] > 0
    assert recalls["places"] > 0
    assert (recalls["patients missed"], recalls["places missed"]) == (0, 0)
    assert recalls["patients listed"] <= recalls["everyone"]


@pytest.mark.parametrize("rule", [("fefo", 1.0, 24), ("fifo", 0.7, 24)])
def test_a_wrong_rule_shows(rule: Rule) -> None:
    """So the table can fail: the lots were drawn by first expiry with three in ten careless."""
    known = world(NETWORKS[0])
    rules = dict.fromkeys(known.settings.rules, rule)
    tables, _, _ = summed([judge(replace(known, settings=Settings(rules, known.settings.zones, known.settings.kinds)))])
    assert tables["removal"].wrong()


def test_messages_that_are_left_out_to_be_quick_move_no_stock() -> None:
    knobs = Knobs(seed=4, sites=1, beds=6, days=4, unscanned=0.7, careless=0.2)
    all_, quick = world_of(knobs, everything=True), world_of(knobs)
    told = [
        {
            card: sorted((move.lot, move.quantity, move.source, move.target, move.occurred, move.kind, move.order_id or "") for move in moves)
            for card, moves in one.moves.items()
        }
        for one in (all_, quick)
    ]  # fmt: skip
    assert told[0] == told[1]
