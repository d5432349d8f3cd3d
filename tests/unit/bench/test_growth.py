"""The growth bench in short: its sites are what it says they are, and every row is measured. No timing test."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from streams.ledger.book import CARDS, HISTORY
from streams.site.tables import COUNTERS
from tests.bench.growing_site import SITE, GrowingSite, Size
from tests.bench.growth import FULL, Plan, World, rows

SMALL = Size(items=12, cabinets=10, pockets=6)
SHORT = Plan(
    sizes=(SMALL, Size(items=20, cabinets=10, pockets=12)), days=(1, 3), events_a_day=200, batches=(50, 100), events=200, late=10
)  # fmt: skip


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "world", GrowingSite(SMALL, events_a_day=1_000, tick_every=40))


def test_the_ledger_holds_what_the_generator_put_there(world: World) -> None:
    """Every event is understood: nothing fails, nothing is below zero, and what is left is what the generator counted."""
    world.fold(world.site.traffic(2_000))
    assert world.faults == []
    on_hand = [card.on_hand for _, card in world.state.table(CARDS).scan(())]
    assert min(on_hand) >= 0
    assert sum(on_hand) == sum(card.quantity for card in (*world.site.store, *world.site.pockets))


def test_traffic_runs_through_all_stages(world: World) -> None:
    world.fold(world.site.traffic(4_000))
    counted = {str(key[1]): value for key, value in world.state.table(COUNTERS).scan((SITE,))}
    assert 0.5 < counted["posted"] / counted["items"] < 0.8
    assert 0 < counted["needs_closed"] <= counted["needs_opened"]
    assert counted["removals_closed"] > 0.9 * counted["removals_judged"] > 0
    assert counted["counts_exact"] > 0.9 * counted["counts"] > 0


def test_late_events_are_put_in_behind_what_came_before_them(world: World) -> None:
    world.fold(world.site.traffic(1_000))
    entries = dict(world.state.table(HISTORY).scan(()))
    world.fold(world.site.late(20, timedelta(hours=6)))
    fresh = [key for key, _ in world.state.table(HISTORY).scan(()) if key not in entries]
    assert len(fresh) == 20
    assert sum(any(old[:3] == key[:3] and old[3] > key[3] for old in entries) for key in fresh) > 10


@pytest.mark.parametrize(("size", "balances"), list(zip(FULL.sizes, (1_000, 10_000, 200_000), strict=True)))
def test_sizes_are_what_they_are_called(size: Size, balances: int) -> None:
    site = GrowingSite(size, events_a_day=1_000, tick_every=40)
    lots = sum(len(card.lots) for card in (*site.store, *site.pockets))
    assert abs(lots - balances) <= balances * 0.1


def test_every_row_is_measured() -> None:
    found = list(rows(plan=SHORT))
    assert len(found) == 11
    assert all(row["value"] and row["limit"] for row in found)


def test_a_part_that_there_is_not_is_said() -> None:
    with pytest.raises(SystemExit, match="there is no part 'sizes'; there are size, age"):
        list(rows(["sizes"]))
