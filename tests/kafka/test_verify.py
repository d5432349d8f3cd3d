"""`wardstock verify` on a real Kafka: a hub after some traffic, and one that goes on working meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.simulator import Knobs
from schemas.events import Tick
from tests.cli.running import run_here
from tests.kafka.engine import KafkaEngine, create_topics, new_connection
from tests.simulation.network import written
from topology.processors import build_processors
from topology.reference_files import load_reference, reference_changes
from topology.verify import kafka_source
from topology.verify.kafka_source import KafkaSource
from topology.verify.run import verify

pytestmark = pytest.mark.kafka
SMALL = Knobs(seed=9, sites=1, beds=4, days=1, duplicates=0.05, reorder_minutes=60, miscounts=0.2, wrong_codes=0.03)


def test_a_hub_on_kafka_is_verified_while_it_works_and_after(bootstrap: str, tmp_path: Path) -> None:
    connection = new_connection(bootstrap)
    simulation = written(SMALL)
    messages = list(simulation.messages())
    create_topics(connection, build_processors(bytes(32)))
    engine = KafkaEngine(connection, lambda: build_processors(bytes(32)), tmp_path / "worker")
    try:
        engine.broadcast(reference_changes(load_reference([simulation.path / "reference"]).records, 1))
        for at in range(0, len(messages), 100):
            engine.publish(messages[at : at + 100])
            engine.broadcast([Tick(at=messages[at].received_at)])
            if at == 100:
                source = KafkaSource(connection)
                assert [one.text for one in verify(source).differences] == []
                source.close()
        list(engine.read("outcomes", 0, 0, 1))  # waits until everything is folded
    finally:
        engine.close()
    config = tmp_path / "hub.toml"
    config.write_text(
        f'broker = "kafka://{connection.bootstrap}"\n[kafka]\nprefix = "{connection.settings.prefix}"\n', encoding="utf-8"
    )
    answer = run_here("verify", "--config", str(config), "--json")
    assert (answer.code, answer.err) == (0, ""), answer.out
    summary = answer.lines[-1]["summary"]
    assert summary["raw_messages"] == len(messages)
    assert (summary["differences"], summary["missing"], summary["duplicated"], summary["in_flight"]) == (0, 0, 0, 0)
    assert summary["balances"] > 50


def test_a_broker_that_is_not_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_source, "_TIMEOUT_SECONDS", 1.0)
    answer = run_here("verify", "--broker", "kafka://127.0.0.1:1")
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith("wardstock: ")
    assert "Traceback" not in answer.err
