"""The site processor alone, and the embedded hub from bytes to balances, on the same simulated traffic.

One hospital of 300 beds over five days, with duplicates and reordering: what a hub sees, most of which moves no stock. Rates are the
best of several rounds, each on a new folder; a round takes in all state written to RocksDB, and in the embedded rows its syncs.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from connectors.simulator import Knobs, simulate, write_reference
from schemas.events import ReferenceChange
from schemas.log import LogRecord
from schemas.partition import partition_of
from schemas.raw import RawMessage
from schemas.topics import SITE_LOG
from streams.contract import BATCH_EVENTS_MAX, fold
from streams.site.processor import SiteProcessor
from streams.state import State
from topology.collector import collector_paused
from topology.embedded.engine import Engine
from topology.embedded.log import StateBackend, table_prefix
from topology.embedded.rocks import RocksStore
from topology.processors import build_processors
from topology.reference_files import load_reference, reference_changes
from topology.ticks import REPLAY_PERIOD, TickGrid

KNOBS: Final = Knobs(seed=1, sites=1, beds=300, days=5, duplicates=0.02, reorder_minutes=30)
KEY: Final = b"benchmark"
ROUNDS: Final = 5
_MOVES_NOTHING: Final = tuple(f'"kind":"{kind}"'.encode() for kind in ("order", "census", "schedule", "administer", "null"))
"""Kinds of events that never post in this hospital; its doses are posted by what the cabinets say."""


def rows() -> list[dict[str, Any]]:
    """Rates of this run."""
    simulation = simulate(KNOBS)
    with tempfile.TemporaryDirectory() as folder:
        write_reference(simulation.network, Path(folder))
        changes = reference_changes(load_reference([Path(folder)]).records, 1)
    messages = list(simulation.messages())
    records = _site_log(changes, messages)
    stock = [record for record in records if ("ce_type", "StockEvent") in record.headers]
    posting = [record for record in stock if _posts(record)]
    moving = [record for record in records if ("ce_type", "StockEvent") not in record.headers or _posts(record)]
    share = len(posting) / len(stock)
    return [
        {
            "name": f"site processor, all stages, mixed traffic: events ({share:.0%} of them move stock)",
            "ours_per_second": max(_site_rate(records, len(stock)) for _ in range(ROUNDS)),
            "limit": "Python: identity, outcome and the store's state for every event",
        },
        {
            "name": "site processor, all stages, movements only: events",
            "ours_per_second": max(_site_rate(moving, len(posting)) for _ in range(ROUNDS)),
            "limit": "Python: lots, levels and four outputs for every movement",
        },
        {
            "name": "embedded, bytes to durable balances: messages",
            "ours_per_second": max(_embedded_rate(changes, messages) for _ in range(ROUNDS)),
            "limit": "one thread of Python: half of it site, a third normalise; syncs are under 2 %",
        },
    ]


def _posts(record: LogRecord) -> bool:
    value = record.value or b""
    return not any(kind in value for kind in _MOVES_NOTHING)


def _site_log(changes: list[ReferenceChange], messages: list[RawMessage]) -> list[LogRecord]:
    """What normalise makes of the messages, ticks in between."""
    with tempfile.TemporaryDirectory() as folder:
        store = RocksStore(Path(folder), create=True)
        engine = Engine(store, build_processors(KEY)[:1])
        _feed(engine, changes, messages, fold_all=True)
        records = list(engine.read(SITE_LOG, partition_of(simulated_site()), 0, 10**9))
        store.close()
    return records


def simulated_site() -> str:
    """The one site of the simulation."""
    return simulate(KNOBS).network.sites[0].id


def _feed(engine: Engine, changes: list[ReferenceChange], messages: list[RawMessage], *, fold_all: bool) -> None:
    engine.broadcast(changes)
    grid = TickGrid(REPLAY_PERIOD, None)
    for chunk in _chunks(messages, BATCH_EVENTS_MAX):
        engine.publish(chunk)
        if fold_all:
            engine.run_until_idle()
        tick = grid.due(chunk[-1].received_at)
        if tick is not None:
            engine.broadcast([tick])
    engine.run_until_idle()


def _chunks(messages: list[RawMessage], size: int) -> Iterator[list[RawMessage]]:
    for start in range(0, len(messages), size):
        yield messages[start : start + size]


def _site_rate(records: list[LogRecord], events: int) -> float:
    """Stock events a second through the site processor, state written to RocksDB after every batch."""
    with tempfile.TemporaryDirectory() as folder:
        store = RocksStore(Path(folder), create=True)
        processor = SiteProcessor()
        state = State(processor.tables, lambda table: StateBackend(store, processor.name, 0, table))
        began = time.perf_counter()
        for start in range(0, len(records), BATCH_EVENTS_MAX):
            with collector_paused():
                _fold_batch(processor, records[start : start + BATCH_EVENTS_MAX], state, store)
        rate = events / (time.perf_counter() - began)
        store.close()
    return rate


def _fold_batch(processor: SiteProcessor, records: list[LogRecord], state: State, store: RocksStore) -> None:
    fold(processor, records, state)
    prefixes = {spec.name: table_prefix(processor.name, 0, spec.name) for spec in processor.tables}
    store.write([("state", prefixes[name] + key, value) for name, key, value in state.changes()])
    state.clean()


def _embedded_rate(changes: list[ReferenceChange], messages: list[RawMessage]) -> float:
    """Messages a second from bytes to durable balances, commands and outcomes."""
    with tempfile.TemporaryDirectory() as folder:
        store = RocksStore(Path(folder), create=True)
        engine = Engine(store, build_processors(KEY))
        engine.broadcast(changes)
        engine.run_until_idle()
        began = time.perf_counter()
        _feed(engine, [], messages, fold_all=True)
        rate = len(messages) / (time.perf_counter() - began)
        store.close()
    return rate
