"""An embedded hub moves to Kafka in the middle of its life and goes on as if nothing had happened.

Aim: no record, value or position is lost, doubled or changed by the move, however often it is interrupted. Method: a simulated
hospital whose first half an embedded hub has folded and whose second half workers on a real broker fold; the simulator's truth decides.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from connectors.simulator import Knobs, Simulation, simulate, write_reference
from schemas.log import LogRecord
from schemas.raw import RawMessage
from schemas.topics import RAW, TOPICS
from tests.cli.running import run_program
from tests.kafka.engine import KafkaEngine, WorkerThread, create_topics, new_connection
from tests.simulation import promises
from tests.unit.intake.test_journal import message
from topology.embedded.folder import DataFolder
from topology.errors import FolderRefusedError, HubError
from topology.intake.journal import JournalWriter
from topology.kafka import carrier
from topology.kafka.connection import Connection
from topology.kafka.reader import TopicReader
from topology.local import LocalHub
from topology.migrate import Moved, move
from topology.processors import build_processors
from topology.reference_files import load_reference
from topology.settings import Settings
from topology.ticks import REPLAY_PERIOD, TickGrid

pytestmark = pytest.mark.kafka
ALL = 1 << 40
LANES = [(one.name, number) for one in build_processors(b"") for number in range(TOPICS[one.input_topic].partitions)]


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    return simulate(Knobs(seed=11, sites=2, beds=8, days=2, duplicates=0.03, reorder_minutes=20))


@pytest.fixture(scope="module")
def halves(simulation: Simulation) -> tuple[list[RawMessage], list[RawMessage]]:
    messages = list(simulation.messages())
    return messages[: len(messages) // 2], messages[len(messages) // 2 :]


@pytest.fixture
def connection(bootstrap: str) -> Connection:
    """Topics of their own, made and empty."""
    made = new_connection(bootstrap)
    create_topics(made, build_processors(b""))
    return made


@pytest.fixture
def embedded(simulation: Simulation, halves: tuple[list[RawMessage], list[RawMessage]], tmp_path: Path) -> Path:
    """The folder of an embedded hub that has folded the first half of everything."""
    write_reference(simulation.network, tmp_path / "reference")
    with LocalHub(tmp_path / "embedded") as hub:
        hub.load_reference(load_reference([tmp_path / "reference"]).records)
        for _ in hub.replay(halves[0]):
            pass
        hub.project()
    return tmp_path / "embedded"


def moved(path: Path, connection: Connection) -> Moved:
    folder = DataFolder(path, closed_too=True)
    try:
        settings = Settings(patient_key=folder.patient_key.hex())
        return move(folder, connection, settings, lambda _: None)
    finally:
        folder.close()


def records_of(path: Path) -> dict[tuple[str, int], list[LogRecord]]:
    with LocalHub(path) as hub:
        return {
            (topic, partition): list(hub.engine.read(topic, partition, 0, ALL))
            for topic in TOPICS
            for partition in range(TOPICS[topic].partitions)
        }


def on_kafka(connection: Connection) -> dict[tuple[str, int], list[LogRecord]]:
    reader = TopicReader(connection)
    try:
        return {
            (topic, partition): list(reader.read(topic, partition, 0)) if end else []
            for topic in TOPICS
            for partition, end in enumerate(reader.ends(topic))
        }
    finally:
        reader.close()


def key_of(path: Path) -> bytes:
    return (path / "patient.key").read_bytes()


def go_on(engine: KafkaEngine, messages: Sequence[RawMessage]) -> None:
    """The second half, with ticks from its times of receipt."""
    grid = TickGrid(REPLAY_PERIOD, messages[0].received_at)
    for start in range(0, len(messages), 100):
        chunk = messages[start : start + 100]
        engine.publish(chunk)
        tick = grid.due(chunk[-1].received_at)
        if tick is not None:
            engine.broadcast([tick])


def truth(simulation: Simulation) -> dict[tuple[str, str, str, str], int]:
    return {(row["site"], row["location"], row["item"], row["lot"]): row["quantity"] for row in simulation.balances()}


def held(engine: Any) -> dict[tuple[str, str, str, str], int]:
    found: dict[tuple[str, str, str, str], int] = {}
    for (site, location, item, _, lot), quantity in promises.balances(engine).items():
        account = (site, location, item, lot)
        found[account] = found.get(account, 0) + quantity
    return {account: quantity for account, quantity in found.items() if quantity}


def test_a_hub_that_moved_in_the_middle_ends_where_the_truth_is(
    simulation: Simulation,
    halves: tuple[list[RawMessage], list[RawMessage]],
    embedded: Path,
    connection: Connection,
    tmp_path: Path,
) -> None:
    before = records_of(embedded)
    done = moved(embedded, connection)
    assert done.written == sum(len(some) for some in before.values())
    assert on_kafka(connection) == before, "every record stands at its own offset"
    engine = KafkaEngine(connection, lambda: build_processors(key_of(embedded)), tmp_path / "worker")
    try:
        go_on(engine, halves[1])
        assert held(engine) == truth(simulation)
        outcomes = promises.check_all(engine)  # type: ignore[arg-type]  # what answers like an engine
        assert outcomes["duplicate"] > 0, "a resend of what the embedded hub had stored is known on Kafka"
    finally:
        engine.close()
    with pytest.raises(FolderRefusedError, match=r"its hub moved to Kafka .* would count twice"):
        LocalHub(embedded)
    with pytest.raises(HubError, match="a hub has worked on these topics already"):
        moved(embedded, connection)


def test_an_interrupted_move_is_refused_by_workers_and_carried_on(
    embedded: Path, connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = records_of(embedded)
    whole = carrier.LogCarrier.carry
    calls = 0

    def interrupted(self: carrier.LogCarrier, records: Iterator[LogRecord]) -> int:
        nonlocal calls
        calls += 1
        if calls == 12:  # in the middle of the second topic
            some = list(records)
            whole(self, some[: len(some) // 2])
            raise carrier.CarryError("the machine went away")
        return whole(self, records)

    monkeypatch.setattr(carrier.LogCarrier, "carry", interrupted)
    with pytest.raises(HubError, match="went away"):
        moved(embedded, connection)
    monkeypatch.undo()

    processors = lambda: build_processors(key_of(embedded))  # noqa: E731
    early = WorkerThread(connection, processors, tmp_path / "early", tick_period=timedelta(seconds=60))
    end = time.monotonic() + 30
    while len(early.fatal) < len(LANES) and time.monotonic() < end:
        time.sleep(0.05)
    assert all("run `wardstock migrate` again" in fatal for fatal in early.fatal)
    early.stop()  # it has not said what time it is either: a tick would stand where our records belong

    done = moved(embedded, connection)
    assert 0 < done.found < sum(len(some) for some in before.values())
    assert on_kafka(connection) == before


def test_state_that_an_earlier_attempt_wrote_and_that_is_no_longer_so_is_deleted(
    embedded: Path, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interrupted move was given up, the embedded hub went on, then it was moved after all."""
    stale = (b"cards\x00no longer there", b"x")
    state = carrier.StateCarrier(connection, [("site", 0)])
    state.begin()
    state.carry(("site", 0), [stale])
    moved(embedded, connection)
    known = carrier.StateCarrier(connection, [])._known(("site", 0))
    assert stale[0] not in known
    assert carrier.POSITION_KEY in known


def test_a_hub_whose_intake_holds_messages_is_not_moved_without_them(embedded: Path, connection: Connection) -> None:
    JournalWriter(embedded / "intake", 0).append([message(1)])
    with pytest.raises(HubError, match="received messages that are not in its log yet"):
        moved(embedded, connection)
    LocalHub(embedded).close()
    moved(embedded, connection)


def test_topics_that_hold_something_else_are_refused(embedded: Path, connection: Connection) -> None:
    other = carrier.LogCarrier(connection)
    other.carry([LogRecord(RAW, 0, 0, b"somebody", b"else's message", ())])
    with pytest.raises(HubError, match=r"raw\[0\] on Kafka holds another record, or an aborted one, at offset 0"):
        moved(embedded, connection)


def test_topics_with_records_of_an_aborted_transaction_are_refused(embedded: Path, connection: Connection) -> None:
    """Readers don't see them, but they hold offsets that our records need."""
    producer = Producer(connection.confluent({"transactional.id": connection.name("somebody")}))
    producer.init_transactions(20)
    producer.begin_transaction()
    for _ in range(3):
        producer.produce(connection.topic(RAW), value=b"never happened", partition=2)
    producer.flush()
    producer.abort_transaction(20)
    with pytest.raises(HubError, match=r"raw\[2\] on Kafka holds another record, or an aborted one, at offset 0"):
        moved(embedded, connection)


def test_somebody_who_writes_meanwhile_is_noticed(connection: Connection) -> None:
    """Offsets are what records name each other by: one that shifted would explain stock by the wrong message."""
    with pytest.raises(HubError, match="offset 5 became 0: somebody else writes there"):
        carrier.LogCarrier(connection).carry([LogRecord(RAW, 0, 5, b"k", b"v", ())])


def test_the_command_says_what_it_needs_and_then_moves(embedded: Path, connection: Connection, tmp_path: Path) -> None:
    config = tmp_path / "hub.toml"
    settings = connection.settings
    text = f'broker = "kafka://{connection.bootstrap}"\n[kafka]\nprefix = "{settings.prefix}"\nreplication = 1\nmin_insync = 1\n'
    config.write_text(text, encoding="utf-8")
    without = run_program("migrate", "--data", str(embedded), "--config", str(config))
    assert without.code == 1
    assert "set patient_key (WARDSTOCK_PATIENT_KEY) to the key of this folder" in without.err
    assert key_of(embedded).hex() not in without.err + without.out
    nowhere = run_program("migrate", "--data", str(embedded))
    assert nowhere.code == 1
    assert "name the Kafka to move to" in nowhere.err
    foreign = run_program("migrate", "--data", str(tmp_path / "reference"), "--config", str(config))
    assert foreign.code == 1
    assert "is no embedded hub's folder" in foreign.err
    config.write_text(f'patient_key = "{key_of(embedded).hex()}"\n{text}', encoding="utf-8")
    done = run_program("migrate", "--data", str(embedded), "--config", str(config))
    assert done.code == 0, done.err
    assert "moved: " in done.out
    closed = run_program("stock", "--data", str(embedded))
    assert closed.code == 1
    assert "is closed: its hub moved to Kafka" in closed.err
