"""A hub on Kafka as its users have it: `wardstock run` with workers of its own, fed over MLLP and HTTP, asked by commands.

Under faults of every kind its balances are the simulator's truth, and what `read_committed` readers see is there once.
`make chaos FAULTS=100` does more of them, on three brokers.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from connectors.simulator import Knobs, Simulation, simulate, write_reference
from schemas.raw import HL7_ER7
from tests.cli.running import run_program
from tests.kafka.broker import BrokerUnavailableError, Cluster
from tests.kafka.chaos import Chaos, workers_of
from tests.kafka.engine import KafkaEngine, create_topics, new_connection
from tests.simulation import promises
from tests.simulation.live_hub import HubProcess, Sender
from topology.kafka.connection import Connection
from topology.processors import build_processors

pytestmark = pytest.mark.kafka
KEY = "00" * 32
WAIT_SECONDS = 120
FAULT_SECONDS = 12
"""More than a fault takes on average, with the rest before the next one: 2.5 s after a kill, 15 s with a pause."""
FAULTS = int(os.environ.get("WARDSTOCK_CHAOS_FAULTS", "3"))


def until(true: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.2)


def hub_on(connection: Connection, folder: Path) -> HubProcess:
    """A hub with two workers."""
    settings = connection.settings
    create_topics(connection, build_processors(b""))
    config = folder / "hub.toml"
    config.write_text(
        f'broker = "kafka://{connection.bootstrap}"\n[kafka]\nprefix = "{settings.prefix}"\nreplication = {settings.replication}\n'
        f"min_insync = {settings.min_insync}\nsession_seconds = {settings.session_seconds}\n",
        encoding="utf-8",
    )
    arguments = ["--config", str(config), "--workers", "2"]
    return HubProcess(folder / "hub", arguments=arguments, WARDSTOCK_PATIENT_KEY=KEY)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster | None]:
    """Three brokers for the long run; the short one uses the session's broker."""
    if FAULTS <= 3:
        yield None
        return
    three: Cluster | None = None
    try:
        three = Cluster(tmp_path_factory.mktemp("brokers"), brokers=3)
        three.start()
        yield three
    except BrokerUnavailableError as unavailable:
        pytest.fail(str(unavailable))
    finally:
        if three is not None:
            three.stop()


def test_whatever_happens_to_workers_and_brokers_the_balances_are_the_truth(
    request: pytest.FixtureRequest, cluster: Cluster | None, tmp_path: Path
) -> None:
    if cluster is not None:
        connection = new_connection(cluster.bootstrap, replication=3, min_insync=2)
    else:
        connection = new_connection(request.getfixturevalue("bootstrap"))
    simulation = simulate(Knobs(seed=3, sites=2, beds=6 + FAULTS, days=1 + FAULTS // 10, duplicates=0.02))
    write_reference(simulation.network, tmp_path / "reference")
    hub = hub_on(connection, tmp_path)
    hub.start()
    try:
        loaded = run_program("reference", "load", str(tmp_path / "reference"), "--data", str(hub.data))
        assert loaded.code == 0, loaded.err
        _send_under_faults(hub, simulation, cluster)
        until(lambda: _held(hub) == _truth(simulation), "the balances are the truth")
        _verify(tmp_path / "hub.toml")
    finally:
        assert hub.stop() == 0, "".join(hub.printed)
    reader = KafkaEngine(connection, list, tmp_path / "reader")
    try:
        promises.check_outcomes(reader)  # type: ignore[arg-type]  # what answers like an engine
        promises.check_commands(reader)  # type: ignore[arg-type]
        moved = [one.movement_id for one in promises.values(reader, "stock.movements")]  # type: ignore[arg-type]
        assert len(moved) == len(set(moved)) > 0, "a movement stands twice for readers of committed records"
    finally:
        reader.close()


def _send_under_faults(hub: HubProcess, simulation: Simulation, cluster: Cluster | None) -> None:
    assert hub.process is not None
    process = hub.process
    until(lambda: len(workers_of(process)) == 2, "two workers")
    until(lambda: all(_ready(hub.data / name) for name in workers_of(process)), "both workers are ready")
    chaos = Chaos(process, hub.data, FAULTS, seed=1, cluster=cluster)
    messages = list(simulation.messages())
    spread = FAULTS * FAULT_SECONDS + 20
    senders = [
        Sender(hub, [one for one in messages if one.content_type == HL7_ER7], over="mllp", spread_seconds=spread),
        Sender(hub, [one for one in messages if one.content_type != HL7_ER7], over="http", spread_seconds=spread),
    ]
    for thread in (*senders, chaos):
        thread.start()
    chaos.join(WAIT_SECONDS + spread)
    print("\n".join(chaos.done))
    assert len(chaos.done) == FAULTS, (chaos.failed, chaos.done)
    assert all(sender.is_alive() for sender in senders), "the load ended before the faults did"
    for sender in senders:
        sender.hurry.set()
        sender.join(WAIT_SECONDS + spread)
        assert not sender.is_alive(), chaos.done
    until(lambda: len(workers_of(process)) == 2, "every worker is started again")


def _ready(worker: Path) -> bool:
    """What a worker says of itself over HTTP."""
    try:
        address = json.loads((worker / "hub.json").read_text(encoding="utf-8"))["url"]
        return httpx.get(f"{address}/ready", timeout=5).status_code == 200
    except (OSError, ValueError, httpx.HTTPError):
        return False


def _verify(config: Path) -> None:
    """The independent program finds nothing while the hub still runs."""
    answer = run_program("verify", "--config", str(config), "--json")
    summary = answer.lines[-1]["summary"]
    print({name: summary[name] for name in ("events", "balances", "needs", "movements", "differences", "missing", "duplicated")})
    assert answer.code == 0, answer.out
    assert (summary["differences"], summary["missing"], summary["duplicated"]) == (0, 0, 0)
    assert summary["events"] > 0


def _truth(simulation: Simulation) -> dict[tuple[str, str, str, str], int]:
    return {(row["site"], row["location"], row["item"], row["lot"]): row["quantity"] for row in simulation.balances()}


def _held(hub: HubProcess) -> dict[tuple[str, str, str, str], int]:
    held: dict[tuple[str, str, str, str], int] = {}
    for row in run_program("stock", "--json", "--data", str(hub.data)).lines:
        account = (row["site"], row["location"], row["item"], row["lot"])
        held[account] = held.get(account, 0) + row["quantity"]
    return held
