"""Simulated networks that misreport in every way, through a real hub: verify finds no difference, at the end and at any cut.

The hub folds as messages arrive and repairs; verify sorts once. That both come to the same is the test.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from connectors.simulator import Knobs
from schemas.raw import RawMessage
from schemas.reference import RecallNotice
from schemas.topics import SITE_LOG
from tests.simulation.network import deliver, loaded_hub, permuted_within_each_hour, written
from tests.unit.verify.logs import Logs, copied
from topology.local import LocalHub
from topology.reference_files import load_reference
from topology.verify.folder_source import StoreSource
from topology.verify.report import Report
from topology.verify.run import verify

MISREPORTING = Knobs(
    sites=1, beds=8, days=2, duplicates=0.05, reorder_minutes=120, outages=2, outage_hours=6.0, miscounts=0.3, wrong_codes=0.03,
    unreported_lots=0.2,
)  # fmt: skip


def verified(hub: LocalHub) -> Report:
    report = verify(StoreSource(hub.folder.store, "hub"))
    assert [one.text for one in report.differences[:5]] == []
    assert report.counts["in_flight"] == report.counts["moved_on"] == 0
    return report


@pytest.mark.parametrize("seed", [1, 2])
def test_duplicates_reordering_outages_and_misreports_are_verified(seed: int, tmp_path: Path) -> None:
    simulation = written(replace(MISREPORTING, seed=seed))
    with loaded_hub(simulation, tmp_path / "hub") as hub:
        deliver(hub, simulation.messages())
        report = verified(hub)
        logs = copied(StoreSource(hub.folder.store, "hub"))
    assert report.counts["events"] > 500
    assert report.counts["needs"] > 5
    for share in (0.3, 0.7, 0.95):
        _cut_is_consistent(logs, int(share * max(len(logs.records[place]) for place in logs.records if place[0] == SITE_LOG)))


def _cut_is_consistent(logs: Logs, cut: int) -> None:
    """As if the hub had been asked while it worked: what lies behind the cut is on its way, and no difference."""
    logs.cut = cut
    report = verify(logs)
    assert [one.text for one in report.differences[:5]] == []


def test_recalls_and_changed_policies_in_the_middle_are_verified(tmp_path: Path) -> None:
    simulation = written(replace(MISREPORTING, seed=4))
    messages = list(simulation.messages())
    third = len(messages) // 3
    with loaded_hub(simulation, tmp_path / "hub") as hub:
        deliver(hub, messages[:third])
        hub.project()
        lots = [row for row in hub.views.stock() if row["product"] and row["quantity"] > 5][:40:4]
        notices = [
            RecallNotice(id=f"R{number}", classification="I", products=(row["product"],), lots=(row["lot"],))
            for number, row in enumerate(lots)
        ]
        hub.load_reference([("recall", one.id, one) for one in notices])
        deliver(hub, messages[third : 2 * third])
        hub.load_reference(_changed_policies(simulation.path / "reference"))
        verified(hub)
        deliver(hub, messages[2 * third :])
        released = [replace(one, released="FDA") for one in notices[::2]]
        hub.load_reference([("recall", one.id, one) for one in released])
        report = verified(hub)
    assert len(notices) > 3
    assert report.counts["needs"] > 5


def _changed_policies(folder: Path) -> list[Any]:
    """Every third policy asks for more, every other third for less."""
    policies = [row for row in load_reference([folder]).records if row[0] == "par_policy"]
    changed = []
    for number, (kind, id_, record) in enumerate(policies):
        levels = {"minimum": record.minimum + 3, "par": record.par + 6, "maximum": record.maximum + 6}
        fewer = {"minimum": record.minimum // 2, "critical": 0}
        if number % 3 < 2:
            changed.append((kind, id_, replace(record, satisfied_at=None, **(levels if number % 3 else fewer))))
    return changed


@pytest.mark.parametrize(
    "late", [("location",), ("item", "product"), ("unit_factor", "par_policy", "consumption_rule")], ids="+".join
)
def test_reference_data_that_is_loaded_late_lets_holds_go_and_is_verified(late: tuple[str, ...], tmp_path: Path) -> None:
    simulation = written(replace(MISREPORTING, seed=5, days=1))
    records = load_reference([simulation.path / "reference"]).records
    messages = list(simulation.messages())
    with LocalHub(tmp_path / "hub") as hub:
        hub.load_reference([row for row in records if row[0] not in late])
        deliver(hub, messages[: len(messages) // 2])
        verified(hub)
        hub.load_reference([row for row in records if row[0] in late])
        verified(hub)
        deliver(hub, messages[len(messages) // 2 :])
        report = verified(hub)
    assert report.counts["movements"] > 100


def test_a_site_record_that_is_loaded_late_lets_holds_go_and_is_verified(tmp_path: Path) -> None:
    simulation = written(replace(MISREPORTING, seed=5, days=1))
    records = load_reference([simulation.path / "reference"]).records
    with LocalHub(tmp_path / "hub") as hub:
        hub.load_reference([row for row in records if row[0] != "site"])
        deliver(hub, list(simulation.messages())[:100])
        hub.load_reference([row for row in records if row[0] == "site"])
        verified(hub)


def test_a_network_told_twice_and_in_another_order_is_verified(tmp_path: Path) -> None:
    simulation = written(replace(MISREPORTING, seed=6, days=1))
    again: Iterable[RawMessage] = permuted_within_each_hour(simulation.messages(), Random(1))
    with loaded_hub(simulation, tmp_path / "hub") as hub:
        deliver(hub, simulation.messages())
        deliver(hub, again)
        verified(hub)
