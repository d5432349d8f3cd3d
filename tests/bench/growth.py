"""Does an event cost more where there is more stock, or more past? The site processor on RocksDB with all stages on.

The same mix of events goes through sites of different sizes (or ages) in turn, a batch each, so that what the machine does
meanwhile meets them alike; a ratio is the median over the rounds. Time is the folding thread's CPU time, to state written.
"""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from itertools import islice
from pathlib import Path
from statistics import mean, median
from typing import Any, Final, NamedTuple

from schemas.events import ReferenceChange
from schemas.log import LogRecord
from streams.contract import BATCH_EVENTS_MAX, HandlerFault, fold
from streams.ledger.book import LOTS
from streams.site.desk import TIMER_PENDING
from streams.site.processor import SiteProcessor
from streams.site.tables import CLOCK
from streams.site.timers import TIMERS_PER_EVENT
from streams.state import State
from streams.times import to_us
from tests.bench.growing_site import EVENLY, RESTED_DAYS, START, Busy, GrowingSite, Size, broadcast, product_of, tick_at
from topology.collector import collector_paused
from topology.embedded.log import StateBackend, table_prefix
from topology.embedded.rocks import RocksStore

PARTS: Final = ("size", "age")


class Plan(NamedTuple):
    """How much is measured: so many events of each site for a row, in batches of so many.

    `VISITS` events a pocket come first, so that every pocket was spoken of before.
    """

    sizes: tuple[Size, ...]
    days: tuple[int, ...]
    events_a_day: int
    batches: tuple[int, ...]
    events: int
    late: int


FULL: Final = Plan(
    sizes=(Size(60, 10, 44), Size(400, 44, 104), Size(4_000, 470, 210)), days=(1, 30, 365), events_a_day=1_000,
    batches=(200, BATCH_EVENTS_MAX), events=12 * BATCH_EVENTS_MAX, late=500,
)  # fmt: skip
VISITS: Final = 2
BUSY_DAY: Final = 9_600
"""Events a day while sizes are compared: with a tick each quarter of an hour, one of a hundred records is a tick."""
TENS_A_DAY: Final = Busy(20, 0.5)
"""While ages are compared: half of the movements at 22 of 440 pockets, which see tens of events a day."""
LATE: Final = (timedelta(hours=1), timedelta(days=30))
MIDNIGHT_EVENTS: Final = 50
_LIMIT: Final = "rows read and written for each event: of few cards, many events of a batch share them, in memory"


class World:
    """One site in one database."""

    def __init__(self, folder: Path, site: GrowingSite) -> None:
        """A new database with the site's reference data and opening stock."""
        folder.mkdir()
        self.site = site
        self.store = RocksStore(folder, create=True)
        self.processor = SiteProcessor()
        self.state = State(self.processor.tables, lambda table: StateBackend(self.store, self.processor.name, 0, table))
        self.prefixes = {spec.name: table_prefix(self.processor.name, 0, spec.name) for spec in self.processor.tables}
        self.faults: list[HandlerFault] = []
        self.fold(site.reference())
        self.fold(site.opening())

    def fold(self, records: Iterable[LogRecord]) -> float:
        """Fold records in batches, state written after each; CPU seconds."""
        seconds = 0.0
        waiting = iter(records)
        while batch := list(islice(waiting, BATCH_EVENTS_MAX)):
            began = time.thread_time()
            with collector_paused():
                self._fold_batch(batch)
            seconds += time.thread_time() - began
        return seconds

    def _fold_batch(self, batch: Sequence[LogRecord]) -> None:
        self.faults += fold(self.processor, batch, self.state)[1]
        prefixes = self.prefixes
        self.store.write([("state", prefixes[table] + key, value) for table, key, value in self.state.changes()])
        self.state.clean()

    def balances(self) -> int:
        """Lots that lie at places."""
        return sum(1 for _ in self.state.table(LOTS).scan(()))

    def size_bytes(self) -> int:
        """All state in the database's files, after compaction."""
        database = self.store._families["state"]
        database.flush()
        database.compact_range(None, None)
        return int(database.property_int_value("rocksdb.total-sst-files-size"))


def rows(parts: Sequence[str] = (), plan: Plan = FULL) -> Iterator[dict[str, Any]]:
    """The rows of the named parts, of all when none is named. Raises `SystemExit` for a part that there is not."""
    unknown = sorted(set(parts) - set(PARTS))
    if unknown:
        message = f"there is no part {unknown[0]!r}; there are {', '.join(PARTS)}"
        raise SystemExit(message)
    for part in parts or PARTS:
        with tempfile.TemporaryDirectory() as folder:
            yield from {"size": _size_rows, "age": _age_rows}[part](Path(folder), plan)


def _size_rows(folder: Path, plan: Plan) -> Iterator[dict[str, Any]]:
    worlds, sizes = [], []
    for number, size in enumerate(plan.sizes):
        world = World(folder / str(number), GrowingSite(size, events_a_day=BUSY_DAY, tick_every=BUSY_DAY // 96))
        worlds.append(world)
        sizes.append((world.size_bytes(), world.balances()))
        world.fold(world.site.traffic(VISITS * size.cabinets * size.pockets))
    names = [f"{world.balances():,}" for world in worlds]
    for batch in plan.batches:
        yield _row(f"{', '.join(names)} balances, an event in a batch of {batch:,}", _in_turn(worlds, plan.events, batch), _LIMIT)
    for world in worlds:
        world.site.busy = EVENLY
    costs = _in_turn(worlds, plan.events, plan.batches[0])
    yield _row("the same, all pockets equally busy", costs, _LIMIT)
    (least_bytes, least), (most_bytes, most) = sizes[0], sizes[-1]
    yield {
        "name": "state of a balance: its card, its level, its lot, the fact that brought it",
        "value": f"{(most_bytes - least_bytes) / (most - least):,.0f} bytes", "limit": "half is the fact: its key and its entries",
    }  # fmt: skip
    yield from _recall_row(worlds[-1], names[-1])
    yield from _midnight_rows(worlds[-1], names[-1])
    _close(worlds)


def _age_rows(folder: Path, plan: Plan) -> Iterator[dict[str, Any]]:
    worlds, sizes = [], []
    for number, days in enumerate(plan.days):
        world = World(folder / str(number), GrowingSite(plan.sizes[0], events_a_day=plan.events_a_day, tick_every=40, busy=TENS_A_DAY))
        for _ in range(days):
            world.fold(world.site.traffic(plan.events_a_day))
        worlds.append(world)
        sizes.append(world.size_bytes())
    balances = ", ".join(f"{world.balances():,}" for world in worlds)
    ages = ", ".join(map(str, plan.days))
    for batch in plan.batches:
        name = f"{ages} days of history ({balances} balances), an event in a batch of {batch:,}"
        yield _row(name, _in_turn(worlds, plan.events, batch), _LIMIT)
    events = (plan.days[-1] - plan.days[0]) * plan.events_a_day
    yield {
        "name": "state of an event of history", "value": f"{(sizes[-1] - sizes[0]) / events:,.0f} bytes",
        "limit": "its key for as long as a duplicate may come, and its entry",
    }  # fmt: skip
    for age in LATE:
        costs = [[world.fold(world.site.late(plan.late, age)) / plan.late] for world in worlds]
        yield _row(f"{ages} days of history, an event that comes {_text(age)} late", costs, "entries behind it on its card")
    _close(worlds)


def _in_turn(worlds: Sequence[World], events: int, batch: int) -> list[list[float]]:
    """CPU seconds an event, by world and round."""
    gc.collect()
    gc.freeze()
    costs: list[list[float]] = [[] for _ in worlds]
    for _ in range(events // batch):
        for world, found in zip(worlds, costs, strict=True):
            found.append(world.fold(world.site.traffic(batch)) / batch)
    gc.unfreeze()
    return costs


def _row(name: str, costs: Sequence[Sequence[float]], limit: str) -> dict[str, Any]:
    """Costs of each world in microseconds, and what they are of the first one's."""
    shown = " / ".join(f"{mean(one) * 1e6:,.0f}" for one in costs)
    ratios = ", ".join(f"{median(b / a for a, b in zip(costs[0], one, strict=True)):.2f}" for one in costs[1:])
    return {"name": f"site processor, all stages, {name}", "value": f"{shown} µs CPU ({ratios} ×)", "limit": limit}


def _recall_row(world: World, balances: str) -> Iterator[dict[str, Any]]:
    notice = {
        "id": "recall-1", "classification": "I", "products": [product_of(1)], "all_lots": True, "lots": [], "reason": "found impure",
    }  # fmt: skip
    change = ReferenceChange(revision=10_000_000, kind="recall", id="recall-1", record=notice)
    yield {
        "name": f"a recall notice read by a site of {balances} balances", "value": f"{world.fold([broadcast(change)]) * 1e3:,.0f} ms",
        "limit": "all lots of the site are looked through",
    }  # fmt: skip


def _midnight_rows(world: World, balances: str) -> Iterator[dict[str, Any]]:
    """The opening stock expires in one night: what each record of the log has to do until all of it is marked."""
    last_day = START + timedelta(days=RESTED_DAYS)
    world.fold([tick_at(last_day)])
    while (world.state.table(CLOCK).get(TIMER_PENDING) or to_us(last_day)) < to_us(last_day):
        world.fold([tick_at(last_day)])
    after = last_day + timedelta(days=2)
    costs = [world.fold([tick_at(after + timedelta(seconds=second))]) for second in range(MIDNIGHT_EVENTS)]
    yield {
        "name": f"midnight at which all lots of {balances} balances expire: a record of the log, {TIMERS_PER_EVENT} lots each",
        "value": f"{mean(costs) * 1e3:,.0f} ms, at most {max(costs) * 1e3:,.0f} ms",
        "limit": "a mark, a look at the card's level, and most cards become a stock-out with a command",
    }  # fmt: skip


def _text(age: timedelta) -> str:
    return f"{age.days} days" if age.days else f"{age.seconds // 3600} h"


def _close(worlds: Sequence[World]) -> None:
    for world in worlds:
        if world.faults:
            message = f"an event failed, so that the rates say nothing: {world.faults[0]}"
            raise RuntimeError(message)
        world.store.close()
