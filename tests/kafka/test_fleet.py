"""Several workers of one hub: an event that makes a handler raise, workers that come and go under load, a rolling restart.

In every case the balances are the simulator's truth, every message has its outcomes, and readers of committed records see nothing
twice. Nobody does anything but start and stop workers.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from connectors.simulator import Knobs, Simulation, simulate, write_reference
from schemas.events import ReferenceChange
from schemas.kinds import Outcome
from schemas.partition import PARTITIONS, partition_of
from schemas.raw import RawMessage
from schemas.topics import CASES, MOVEMENTS, OUTCOMES, QUARANTINE, RAW, SITE_LOG
from streams.contract import Processor
from tests.kafka.engine import KafkaEngine, WorkerThread, create_topics, new_connection
from tests.kafka.fleet import Group, SteadyLoad, WorkerProcess, config_of, until
from tests.simulation import promises
from tests.simulation.network import Stock, differences
from tests.simulation.small_hospital import SITES, START, small_hospital
from tests.support.runtimes import KEY, FailingSite, echo, load, raw
from topology.kafka.connection import Connection
from topology.kafka.lag import GroupLag
from topology.processors import build_processors
from topology.reference_files import load_reference, reference_changes

pytestmark = pytest.mark.kafka
PER_SECOND = 60.0
IDLE_SECONDS = 0.5
"""Several polls of the consumer."""
LANES = 2 * PARTITIONS + 1
"""Input partitions: raw, site log, network log."""


@pytest.fixture
def connection(bootstrap: str) -> Connection:
    one = new_connection(bootstrap)
    create_topics(one, build_processors(b""))
    return one


@pytest.fixture
def reader(connection: Connection, tmp_path: Path) -> Iterator[KafkaEngine]:
    """Publishes and reads; folds nothing."""
    one = KafkaEngine(connection, list, tmp_path / "reader")
    yield one
    one.close()


# ---- an event that raises --------------------------------------------------------------------------------------------


def failing() -> Sequence[Processor]:
    normalise, site, network = build_processors(KEY)
    return [normalise, FailingSite(site, b'"lot":"BAD"'), network]


def refill(number: int, lot: str, site: str) -> RawMessage:
    row = {
        "device": "ICU-CAB1", "transaction_id": str(number), "action": "refill", "facility": site.upper(),
        "occurred": START.isoformat(), "pocket": "d1/p1", "product_code": "AMOXICILLIN-500", "quantity": 2, "unit": "vial",
        "lot": lot, "expiry": "2027-01-31",
    }  # fmt: skip
    return raw(json.dumps(row).encode(), f"{site}-cabinet")


def test_one_bad_event_in_a_fleet_is_set_aside_and_neither_its_partition_nor_a_worker_stops(
    connection: Connection, reader: KafkaEngine, tmp_path: Path
) -> None:
    """Of 21 refills of two vials at each of two sites one names the lot BAD, whose event makes the site processor raise."""
    workers = [WorkerThread(connection, failing, tmp_path / str(number)) for number in range(3)]
    lag = GroupLag(connection)
    try:
        until(lambda: all_open(workers) and all(one.worker.lanes() for one in workers), "three workers share the partitions")
        load(reader, small_hospital(1, messages=0))
        good = [refill(number, "A1", site) for number in range(20) for site in SITES]
        bad = refill(20, "BAD", "north")
        places = reader.publish([*good[:20], bad, *good[20:]])
        until(lambda: counted(reader) == 41 and not lag.backlog(), "every message has its outcome")
        assert [one.fatal for one in workers] == [[], [], []], "no worker ends"
        assert all_open(workers), "and each still has its partitions"
        faults = [fault for one in workers for lane in one.worker.lanes().values() for fault in lane.checkpoint.faults]
    finally:
        for one in workers:
            one.stop()
    assert [(fault.processor, fault.topic, fault.partition) for fault in faults] == [("site", SITE_LOG, partition_of("north"))]
    assert promises.check_outcomes(reader) == Counter({Outcome.ACCEPTED: 40, Outcome.QUARANTINED: 1})  # type: ignore[arg-type]
    (quarantined,) = promises.values(reader, QUARANTINE)  # type: ignore[arg-type]
    assert (quarantined.raw.partition, quarantined.raw.offset) == places[20]
    assert (quarantined.code, quarantined.site) == ("handler_fault", "north")
    (case,) = [one for one in promises.values(reader, CASES) if one.kind == "handler_fault"]  # type: ignore[arg-type]
    assert (case.site, case.state, case.raw) == ("north", "open", quarantined.raw)
    pocket = ("icu/cab1/d1/p1", "amoxicillin-500", "amoxicillin-500-box")
    held = promises.balances(reader)  # type: ignore[arg-type]
    assert {site: held[site, *pocket, "A1"] for site in SITES} == {"north": 40, "south": 40}
    assert [account for account in held if account[-1] == "BAD"] == []


def all_open(workers: Sequence[WorkerThread]) -> bool:
    lanes = [lane for one in workers for lane in one.worker.lanes().values()]
    return len(lanes) == LANES and all(lane.ready for lane in lanes)


def counted(reader: KafkaEngine) -> int:
    return sum(1 for _ in promises.records(reader, OUTCOMES))  # type: ignore[arg-type]


# ---- an idle hub -----------------------------------------------------------------------------------------------------


def test_a_worker_that_started_on_an_idle_hub_takes_the_next_message(
    connection: Connection, reader: KafkaEngine, tmp_path: Path
) -> None:
    """Next is then the marker that ended the last transaction: a fetch brings it without any record, and the one after begins
    behind it. No record was dropped."""
    create_topics(connection, echo())
    reader.broadcast([ReferenceChange(revision=1, kind="supplier", id="s", record={"id": "s", "name": "S"})])
    first = WorkerThread(connection, echo, tmp_path / "worker")
    until(lambda: folded(first) == [1] * PARTITIONS, "the change is folded in every partition")
    first.stop()
    second = WorkerThread(connection, echo, tmp_path / "worker")
    try:
        until(lambda: folded(second) == [1] * PARTITIONS, "it reads on where the first one was")
        time.sleep(IDLE_SECONDS)
        ((partition, offset),) = reader.publish([raw(b"the next message")])
        until(lambda: bool(second.fatal) or second.worker.lanes()[RAW, partition].position > offset, "it is folded")
        assert second.fatal == []
    finally:
        second.stop()


def folded(one: WorkerThread) -> list[int]:
    """The input positions of the lanes that read."""
    return [lane.position for lane in one.worker.lanes().values() if lane.ready]


# ---- workers that come and go ----------------------------------------------------------------------------------------


def test_one_worker_becomes_four_is_restarted_in_turn_and_becomes_one_again_under_load(
    connection: Connection, reader: KafkaEngine, tmp_path: Path
) -> None:
    simulation = simulate(Knobs(seed=5, sites=4, beds=20, days=2, duplicates=0.02))
    write_reference(simulation.network, tmp_path / "reference")
    reader.broadcast(reference_changes(load_reference([tmp_path / "reference"]).records, 1))
    config = config_of(connection, tmp_path)
    workers = [WorkerProcess(config, tmp_path / f"worker-{number}") for number in range(4)]
    messages = list(simulation.messages())
    steady = SteadyLoad(connection, messages, PER_SECOND)
    steady.start()
    try:
        _come_and_go(connection, workers)
        assert steady.is_alive(), "the load was there all the time"
        steady.hurry.set()
        steady.join(60)
        assert steady.stored == len(messages)
        lag = GroupLag(connection)
        until(
            lambda: not lag.backlog() and stock(reader) == truth(simulation), f"{differences(truth(simulation), stock(reader))}"
        )
        assert workers[0].running
    finally:
        steady.hurry.set()
        codes = [one.stop() for one in workers if one.running]
    assert codes == [0]
    assert [one.printed() for one in workers if "Traceback" in one.printed() or "worker_ended" in one.printed()] == []
    _nothing_lost_and_nothing_twice(reader, len(messages))


def _come_and_go(connection: Connection, workers: Sequence[WorkerProcess]) -> None:
    """1 → 4 workers, three of them stopped and started again one after the other, 4 → 1."""
    group = Group(connection)
    workers[0].start()
    _until_members(group, 1)
    for one in workers[1:]:
        one.start()
    _until_members(group, 4)
    for one in workers[1:]:
        assert one.running, one.printed()
        assert one.stop() == 0, one.printed()
        one.start()
        _until_members(group, 4)
    for one in workers[1:]:
        assert one.running, one.printed()
        assert one.stop() == 0, one.printed()
    _until_members(group, 1)


def _until_members(group: Group, count: int) -> None:
    def shared() -> bool:
        have = group.members()
        return len(have) == count and sum(have) == LANES and min(have) >= LANES // count

    until(shared, f"{count} workers share the partitions evenly")


def truth(simulation: Simulation) -> Stock:
    return {(row["site"], row["location"], row["item"], row["lot"]): row["quantity"] for row in simulation.balances()}


def stock(reader: KafkaEngine) -> Stock:
    found: Counter[tuple[str, str, str, str]] = Counter()
    for (site, location, item, _, lot), quantity in promises.balances(reader).items():  # type: ignore[arg-type]
        found[site, location, item, lot] += quantity
    return {account: quantity for account, quantity in found.items() if quantity}


def _nothing_lost_and_nothing_twice(reader: KafkaEngine, messages: int) -> None:
    stored = [one for one in promises.records(reader, RAW) if dict(one.headers)["ce_type"] == "RawMessage"]  # type: ignore[arg-type]
    assert len(stored) == messages
    promises.check_outcomes(reader)  # type: ignore[arg-type]
    promises.check_commands(reader)  # type: ignore[arg-type]
    moved = [one.movement_id for one in promises.values(reader, MOVEMENTS)]  # type: ignore[arg-type]
    assert len(moved) == len(set(moved)) > 0, "a movement stands twice for readers of committed records"
