"""A cost is in force from when the hub took it: a running hub knows the time of day, one that replays its last tick."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import sqlalchemy as sa

from schemas.events import ReferenceChange, Tick
from schemas.reference import Product
from sinks.sql import tables
from topology.live import LiveHub
from topology.local import LocalHub
from topology.outgoing import broadcast_record

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def costing(cost: str) -> list[tuple[str, str, Product]]:
    return [("product", "p", Product(id="p", item="i", labeler="acme", package_quantity=1, unit_cost=Decimal(cost)))]


def versions(hub: LocalHub) -> list[tuple[str, str | None]]:
    hub.project()
    statement = sa.select(tables.COSTS.c.cost, tables.COSTS.c.since).order_by(tables.COSTS.c.revision)
    with hub.projection.engine.connect() as connection:
        return [(row.cost, row.since) for row in connection.execute(statement)]


def test_a_hub_that_replays_dates_a_cost_by_its_last_tick(tmp_path: Path) -> None:
    """Loaded before any tick, a cost was always in force; the versions stay side by side, also after a withdrawal."""
    with LocalHub(tmp_path) as hub:
        hub.load_reference(costing("1.5"))
        hub.engine.broadcast([Tick(at=NOON)])
        hub.load_reference(costing("2"))
        hub.broadcast_reference([ReferenceChange(revision=hub.next_revision(), kind="product", id="p")])
        assert versions(hub) == [
            ("1.5", None), ("2", "2026-01-05T12:00:00.000000Z"), (None, "2026-01-05T12:00:00.000000Z"),
        ]  # fmt: skip


def test_a_running_hub_dates_a_cost_by_the_time_of_day(tmp_path: Path) -> None:
    with LocalHub(tmp_path) as hub:
        live = LiveHub(hub, timedelta(seconds=5))
        live.start()
        before = datetime.now(UTC)
        live.load_reference(costing("1"))
        after = datetime.now(UTC)
        live.stop()
        ((_, since),) = versions(hub)
        assert before <= datetime.fromisoformat(since or "") <= after


def test_the_time_travels_in_the_headers_of_the_change_and_ticks_keep_their_own() -> None:
    change = ReferenceChange(revision=1, kind="product", id="p")
    assert dict(broadcast_record(change, NOON)[2])["ce_time"] == NOON.isoformat()
    assert dict(broadcast_record(change)[2])["ce_time"] == ""
    tick = Tick(at=NOON + timedelta(hours=1))
    assert dict(broadcast_record(tick, NOON)[2])["ce_time"] == tick.at.isoformat()
