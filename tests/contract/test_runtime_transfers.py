"""Transfers on every runtime: a fact and its notice to the other site are durable together, whenever the machine stops."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from schemas.events import Tick
from schemas.ids import derived_id
from schemas.keys import decode_key
from schemas.raw import DECISION_JSON, SCAN_JSON, RawMessage
from schemas.records import BALANCE
from schemas.reference import REFERENCE_KINDS
from schemas.topics import BALANCES, SITE_LOG, TOPICS
from schemas.transfers import TRANSFER_NOTICE
from tests.support.runtimes import AT, EmbeddedRuntime, KafkaRuntime, Machine, Runtime, everything
from tests.support.sites import WAY, A, B, C, town
from tests.support.world import GTIN
from topology.embedded.engine import Engine
from topology.embedded.store import MemoryStore, SimulatedCrash
from topology.reference_files import reference_changes
from topology.verify.folder_source import StoreSource
from topology.verify.run import verify


@pytest.fixture(params=["memory", "rocks", pytest.param("kafka", marks=pytest.mark.kafka)])
def runtime(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Runtime]:
    one: Runtime
    if request.param == "kafka":
        one = KafkaRuntime(request.getfixturevalue("bootstrap"), tmp_path)
    else:
        one = EmbeddedRuntime(Machine(request.param, tmp_path))
    yield one
    one.close()


def message(number: int, site: str, activity: str, minute: int, quantity: int, **fields: Any) -> RawMessage:
    at = AT + timedelta(minutes=minute)
    body = {
        "session": "s", "event_id": str(number), "activity": activity, "occurred": at.isoformat(), "barcode": f"(01){GTIN}(10)L1",
        "location": "MAIN", "user": "tech", "quantity": quantity, "unit": "tablet", **fields,
    }  # fmt: skip
    return RawMessage(
        body=json.dumps(body).encode(), source=f"scan-{site}", connector="test", content_type=SCAN_JSON, received_at=at, site=site
    )


def story() -> list[RawMessage]:
    """Thirty at alder; ten sent to birch, of which seven come; five sent to cedar (in alder's partition) come before they are told."""
    lost = derived_id("case", "transfer_overdue", A, A, B, "T1", "amox")
    decided = {
        "decision_id": "d1", "site": A, "target": lost, "action": "write_off", "actor": "pat", "at": (AT + timedelta(hours=3)).isoformat(),
    }  # fmt: skip
    return [
        message(1, A, "receive", 0, 30),
        message(2, A, "send", 5, 10, partner=B, shipment="T1"),
        message(3, C, "arrive", 40, 5, partner=A, shipment="T2"),
        message(4, B, "arrive", 30, 7, partner=A, shipment="T1"),
        message(5, A, "send", 6, 5, partner=C, shipment="T2"),
        RawMessage(
            body=json.dumps(decided).encode(), source="desk", connector="test", content_type=DECISION_JSON,
            received_at=AT + timedelta(hours=3), site=A,
        ),
    ]  # fmt: skip


def records() -> list[Any]:
    return [(kind, id_, one) for one in town() for kind, id_ in [_named(one)]]


def _named(record: Any) -> tuple[str, str]:
    kind = next(kind for kind in REFERENCE_KINDS.values() if kind.codec.type is type(record))
    return kind.name, kind.id_of(record)


def stands(engine: Any) -> dict[tuple[str, str], int]:
    """Balances by site and place."""
    last: dict[bytes, bytes | None] = {}
    for partition in range(TOPICS[BALANCES].partitions):
        for record in engine.read(BALANCES, partition, 0, 10_000):
            last[record.key] = record.value
    held = [(decode_key(key), BALANCE.decode(value)) for key, value in last.items() if value]
    return {(str(key[0]), str(key[1])): one.quantity for key, one in held}


def notices(engine: Any) -> list[tuple[str, str, int, int]]:
    """What stands in the site log of transfers, in any order."""
    found = []
    for partition in range(TOPICS[SITE_LOG].partitions):
        for record in engine.read(SITE_LOG, partition, 0, 10_000):
            if dict(record.headers).get("ce_type") == "TransferNotice":
                one = TRANSFER_NOTICE.decode(record.value or b"")
                found.append((one.shipment, one.step.value, one.version, one.quantity))
    return sorted(found)


EXPECTED = {(A, "main"): 15, (B, "main"): 7, (C, "main"): 5}
TOLD = [("T1", "received", 1, 7), ("T1", "sent", 1, 10), ("T2", "received", 1, 5), ("T2", "sent", 1, 5)]


def test_each_fact_is_told_once_and_the_sites_agree(runtime: Runtime) -> None:
    engine = runtime.engine(everything)
    engine.broadcast(reference_changes(records(), 1))
    engine.run_until_idle()
    for one in story():
        engine.publish([one])
        engine.run_until_idle()
        assert engine.faults == []  # on Kafka this waits until the fact is folded
        engine = runtime.restart().engine(everything)
    engine.broadcast([Tick(at=AT + timedelta(hours=4))])
    engine.run_until_idle()
    assert stands(engine) == EXPECTED
    assert notices(engine) == TOLD


@pytest.mark.parametrize("step", range(1, 90, 2))
def test_a_machine_that_stops_at_any_step_tells_everything_once(step: int) -> None:
    """It stops at a step of its store; what was not acknowledged is sent again, as its senders would."""
    store, todo = MemoryStore(), story()
    store.crash_at = step
    while True:
        try:
            engine = Engine(store, everything())
            engine.run_until_idle()
            engine.broadcast(reference_changes(records(), engine.ends("reference")[0] + 1))
            while todo:
                engine.publish(todo[:1])
                todo.pop(0)
                engine.run_until_idle()
            break
        except SimulatedCrash:
            store = store.after_crash(Random(step))
    assert stands(engine) == EXPECTED
    assert notices(engine) == TOLD
    report = verify(StoreSource(store, "crashed"))
    assert [one.text for one in report.differences] == []
    assert report.counts["transfers"] == 2


def test_what_was_sent_is_there_until_the_notice_is_folded() -> None:
    """The sender's way and the receiver's place may both show it for a moment; never neither."""
    store = MemoryStore()
    engine = Engine(store, everything())
    engine.broadcast(reference_changes(records(), 1))
    engine.run_until_idle()
    for one in story()[:2]:
        engine.publish([one])
        engine.run_until_idle()
    engine.publish([story()[3]])
    seen = set()
    while engine.step():
        held = stands(engine)
        seen.add((held.get((A, WAY), 0), held.get((B, "main"), 0)))
    assert seen <= {(10, 0), (10, 7), (3, 7)}
    assert (3, 7) in seen
