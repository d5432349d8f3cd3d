"""Simulated hospital networks for tests: written once, delivered in several ways, and compared with their own truth."""

from __future__ import annotations

import atexit
import json
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from random import Random
from tempfile import mkdtemp
from typing import Any, Final

from connectors.files.capture import merge
from connectors.simulator import Knobs, write_simulation
from schemas.raw import RawMessage
from tests.simulation import promises
from topology.local import LocalHub
from topology.reference_files import load_reference

Stock = dict[tuple[str, str, str, str], int]
"""Quantity by site, location, item and lot."""
HOSPITALS: Final = Knobs(sites=3, beds=40, days=7, duplicates=0.02, reorder_minutes=30, outages=1, outage_hours=4.0)
"""The size the hub is judged by."""


@dataclass(frozen=True)
class Written:
    """A simulation on disk."""

    path: Path

    @property
    def feeds(self) -> list[Path]:
        """The capture files."""
        return sorted((self.path / "feeds").iterdir())

    def messages(self) -> Iterator[RawMessage]:
        """Every message by time of receipt."""
        return merge(self.feeds)

    @property
    def balances(self) -> Stock:
        """The truth about stock."""
        rows = json.loads((self.path / "truth_balances.json").read_text())
        return {(row["site"], row["location"], row["item"], row["lot"]): row["quantity"] for row in rows}

    @property
    def open_needs(self) -> list[promises.NeedKey]:
        """The truth about needs that are open at the end."""
        with (self.path / "truth.jsonl").open() as file:
            lines: list[dict[str, Any]] = [json.loads(line) for line in file]
        needs = [line for line in lines if line["type"] == "need" and line["closed_at"] is None]
        return sorted((need["site"], need["location"], need["item"], need["kind"]) for need in needs)


@lru_cache(maxsize=4)
def written(knobs: Knobs) -> Written:
    """The simulation of some knobs, written once."""
    path = Path(mkdtemp(prefix="wardstock-simulation-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    write_simulation(knobs, path)
    return Written(path)


def loaded_hub(simulation: Written, data: Path) -> LocalHub:
    """A hub with the network's reference data."""
    hub = LocalHub(data)
    loaded = load_reference([simulation.path / "reference"])
    assert loaded.problems == []
    hub.load_reference(loaded.records)
    return hub


def deliver(hub: LocalHub, messages: Iterable[RawMessage]) -> int:
    """Replay messages; returns how many."""
    return sum(1 for _ in hub.replay(messages))


def permuted_within_each_hour(messages: Iterable[RawMessage], random: Random) -> Iterator[RawMessage]:
    """The same messages, their times of receipt permuted among those of the same hour, in the new order of receipt."""
    for _, group in groupby(messages, key=lambda message: message.received_at.replace(minute=0, second=0, microsecond=0)):
        hour = list(group)
        times: list[datetime] = [message.received_at for message in hour]
        random.shuffle(times)
        moved = [replace(message, received_at=at) for message, at in zip(hour, times, strict=True)]
        yield from sorted(moved, key=lambda message: message.received_at)


def differences(expected: Stock, found: Stock) -> dict[tuple[str, str, str, str], tuple[int, int]]:
    """Where two stocks differ: expected and found quantity."""
    return {
        key: (expected.get(key, 0), found.get(key, 0))
        for key in sorted({*expected, *found})
        if expected.get(key, 0) != found.get(key, 0)
    }


def stock_of(hub: LocalHub) -> Stock:
    """The hub's stock as its views show it, summed over product and status, zeros left out."""
    hub.project()
    found: Counter[tuple[str, str, str, str]] = Counter()
    for row in hub.views.stock():
        found[row["site"], row["location"], row["item"], row["lot"]] += row["quantity"]
    return {key: quantity for key, quantity in found.items() if quantity}


def check_truth(hub: LocalHub, simulation: Written) -> Counter[str]:
    """The hub is exact: the promises hold, and stock and open needs equal the truth. Returns the outcome counts."""
    counts = promises.check_all(hub.engine)
    assert differences(simulation.balances, stock_of(hub)) == {}
    assert promises.open_needs(hub.engine) == simulation.open_needs
    shown = hub.views.outcomes_summary()
    assert {name: count for name, count in shown["counts"].items() if count} == dict(counts)
    return counts
