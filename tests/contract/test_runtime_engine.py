"""The embedded engine's contract, on both stores: durable when it says so, exact after a restart, deterministic."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest

from schemas.events import ITEM_OUTCOME, ReferenceChange, Tick
from schemas.ids import derived_id
from schemas.log import LogRecord, Output
from schemas.partition import PARTITIONS, partition_of
from schemas.raw import BODY_BYTES_MAX, CABINET_JSON, RawMessage
from schemas.records import CASE, QUARANTINED
from schemas.topics import ALERTS, BALANCES, CASES, MOVEMENTS, NETWORK_LOG, OUTCOMES, QUARANTINE, RAW, REFERENCE, SITE_LOG, TOPICS
from streams.contract import BATCH_BYTES_MAX, BATCH_EVENTS_MAX, Processor
from streams.state import State, TableSpec
from tests.simulation import promises
from tests.simulation.small_hospital import SmallHospital, small_hospital
from topology.embedded.engine import Engine, Oversized
from topology.embedded.rocks import RocksStore
from topology.embedded.store import MemoryStore, Store
from topology.processors import build_processors
from topology.reference_files import reference_changes

AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
KEY = bytes(32)


class Machine:
    """A store that can be given back and opened again, as a restart does."""

    def __init__(self, kind: str, path: Path) -> None:
        self._path = path if kind == "rocks" else None
        self.store: Any = MemoryStore() if self._path is None else RocksStore(path, create=True)

    def restart(self) -> Store:
        """Close and open again; what was not synced may be gone."""
        if self._path is None:
            self.store = self.store.after_crash(Random(1))
        else:
            self.store.close()
            self.store = RocksStore(self._path, create=False)
        return self.store  # type: ignore[no-any-return]

    def close(self) -> None:
        self.store.close()


@pytest.fixture(params=["memory", "rocks"])
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Machine]:
    one = Machine(request.param, tmp_path)
    yield one
    one.close()


class Echo:
    """A processor of raw messages for tests: writes each as an alert, counts them, and fails where the body asks for it."""

    name = "echo"
    input_topic = RAW
    tables = (TableSpec("counts", int),)

    def __init__(self) -> None:
        self.batches: list[list[LogRecord]] = []

    def handle(self, record: LogRecord, state: State) -> Iterable[Output]:
        table = state.table(self.tables[0])
        number = (table.get(("all",)) or 0) + 1
        table.put(("all",), number)
        yield Output(ALERTS, record.key, b"%d" % number, "Alert", partition=record.partition)
        if record.value == b"fail":
            message = "the patient's name must not appear anywhere"
            raise RuntimeError(message)

    def forget(self) -> None:
        """Nothing is remembered."""


def raw(body: bytes, source: str = "feed", **fields: Any) -> RawMessage:
    return RawMessage(body=body, source=source, connector="test", content_type=CABINET_JSON, received_at=AT, **fields)


def send(engine: Engine, hospital: SmallHospital) -> None:
    """The whole hospital: reference first, then message after message, with ticks in between."""
    load(engine, hospital)
    for number, message in enumerate(in_order(hospital)):
        feed(engine, number, message)


def load(engine: Engine, hospital: SmallHospital) -> None:
    engine.broadcast(reference_changes([*hospital.reference, *hospital.late_reference], 1))
    engine.run_until_idle()


def in_order(hospital: SmallHospital) -> list[RawMessage]:
    return sorted((one for queue in hospital.feeds.values() for one in queue), key=lambda one: (one.received_at, one.body))


def feed(engine: Engine, number: int, message: RawMessage) -> None:
    engine.publish([message])
    if number % 5 == 0:
        engine.broadcast([Tick(at=message.received_at)])
    engine.run_until_idle()


# ---- publishing ---------------------------------------------------------------------------------------------------


def test_publish_returns_the_place_of_each_message_by_the_hash_of_its_source(machine: Machine) -> None:
    engine = Engine(machine.store, [])
    sources = ["a", "b", "a", "c"]
    places = engine.publish([raw(source.encode(), source) for source in sources])
    assert [partition for partition, _ in places] == [partition_of(source) for source in sources]
    assert len(set(places)) == len(places)
    for source, (partition, offset) in zip(sources, places, strict=True):
        (record,) = engine.read(RAW, partition, offset, 1)
        assert record.value == source.encode()


def test_a_published_message_is_there_after_a_restart_with_everything_known_about_it(machine: Machine) -> None:
    message = raw(b"\x00\xff bytes", "feed", site="north", peer="10.0.0.1", name="file.hl7", profile="cerner")
    ((partition, offset),) = Engine(machine.store, []).publish([message])
    (record,) = Engine(machine.restart(), []).read(RAW, partition, offset, 1)
    headers = dict(record.headers)
    assert record.value == message.body
    assert record.key == b"feed"
    assert {name: headers[name] for name in ("source", "site", "peer", "name", "profile", "content_type", "sha256")} == {
        "source": "feed", "site": "north", "peer": "10.0.0.1", "name": "file.hl7", "profile": "cerner",
        "content_type": CABINET_JSON, "sha256": message.sha256,
    }  # fmt: skip
    assert headers["received_at"] == AT.isoformat()


def test_a_message_over_the_limit_is_refused_and_nothing_of_its_group_is_written(machine: Machine) -> None:
    engine = Engine(machine.store, [])
    with pytest.raises(Oversized, match=str(BODY_BYTES_MAX)):
        engine.publish([raw(b"good"), raw(bytes(BODY_BYTES_MAX + 1))])
    assert list(promises.records(engine, RAW)) == []
    ((_, offset),) = engine.publish([raw(b"next")])
    assert offset == 0


def test_a_message_of_exactly_the_limit_is_stored_and_ends_in_one_outcome(machine: Machine) -> None:
    engine = Engine(machine.store, build_processors(KEY))
    engine.publish([raw(bytes(BODY_BYTES_MAX))])
    engine.run_until_idle()
    (outcome,) = promises.values(engine, OUTCOMES)
    assert outcome.outcome == "quarantined"


def test_readers_see_only_what_is_synced(machine: Machine) -> None:
    """Between a write and its sync nothing of it is shown: a crash could still take it back."""
    engine = Engine(machine.store, [Echo()])
    engine.publish([raw(b"one")])
    seen: list[list[int]] = []
    write, sync = machine.store.write, machine.store.sync

    def watched_write(batch: Sequence[Any]) -> None:
        write(batch)
        seen.append(engine.ends(ALERTS))

    machine.store.write = watched_write
    engine.step()
    machine.store.write, machine.store.sync = write, sync
    assert [sum(ends) for ends in seen] == [0]
    assert sum(engine.ends(ALERTS)) == 1


# ---- broadcasting -------------------------------------------------------------------------------------------------


def change(revision: int) -> ReferenceChange:
    return ReferenceChange(revision=revision, kind="supplier", id="s", record={"id": "s", "name": "S"})


def test_a_reference_change_reaches_every_partition_in_one_write(machine: Machine) -> None:
    engine = Engine(machine.store, [])
    batches: list[int] = []
    write = machine.store.write
    machine.store.write = lambda batch: (batches.append(len(batch)), write(batch))[1]
    engine.broadcast([change(1)])
    machine.store.write = write
    assert len(batches) == 1
    again = Engine(machine.restart(), [])
    for topic in (RAW, SITE_LOG, NETWORK_LOG, REFERENCE):
        found = [list(again.read(topic, partition, 0, 10)) for partition in range(TOPICS[topic].partitions)]
        assert [len(records) for records in found] == [1] * TOPICS[topic].partitions, topic
        assert {records[0].value for records in found} == {found[0][0].value}
        assert dict(found[0][0].headers)["ce_type"] == "ReferenceChange"


def test_a_tick_reaches_the_logs_that_fold_time_and_is_remembered(machine: Machine) -> None:
    engine = Engine(machine.store, [])
    assert engine.latest_tick() is None
    engine.broadcast([Tick(at=AT)])
    again = Engine(machine.restart(), [])
    assert again.latest_tick() == AT
    assert again.ends(SITE_LOG) == [1] * PARTITIONS
    assert again.ends(NETWORK_LOG) == [1]
    assert again.ends(RAW) == [0] * PARTITIONS


# ---- folding ------------------------------------------------------------------------------------------------------


def test_a_batch_holds_at_most_so_many_events(machine: Machine) -> None:
    engine = Engine(machine.store, [Echo()])
    engine.publish([raw(b"%d" % number) for number in range(BATCH_EVENTS_MAX + 1)])
    assert engine.step() == BATCH_EVENTS_MAX
    assert engine.backlog() == 1
    assert engine.step() == 1
    assert engine.step() == 0
    assert [int(record.value or b"") for record in promises.records(engine, ALERTS)] == list(range(1, BATCH_EVENTS_MAX + 2))


def test_a_batch_is_cut_at_its_bytes_so_that_memory_stays_bounded(machine: Machine) -> None:
    """Four bodies of half the limit: two fill a batch."""
    engine = Engine(machine.store, [Echo()])
    engine.publish([raw(bytes(BATCH_BYTES_MAX // 2)) for _ in range(4)])
    assert [engine.step() for _ in range(3)] == [2, 2, 0]


def test_a_restart_continues_exactly_where_it_was(machine: Machine) -> None:
    """Cut at three places, the topics are the same bytes as without any restart."""
    hospital = small_hospital(11, messages=40)
    whole = Engine(MemoryStore(), build_processors(KEY))
    send(whole, hospital)
    engine = Engine(machine.store, build_processors(KEY))
    load(engine, hospital)
    for number, message in enumerate(in_order(hospital)):
        if number in (3, 17, 30):
            engine = Engine(machine.restart(), build_processors(KEY))
        feed(engine, number, message)
    assert promises.outputs(engine) == promises.outputs(whole)


def test_a_restart_between_storing_and_folding_folds_what_was_stored(machine: Machine) -> None:
    Engine(machine.store, [Echo()]).publish([raw(b"1"), raw(b"2")])
    engine = Engine(machine.restart(), [Echo()])
    assert engine.backlog() == 2
    engine.run_until_idle()
    engine = Engine(machine.restart(), [Echo()])
    assert engine.backlog() == 0
    assert [record.value for record in promises.records(engine, ALERTS)] == [b"1", b"2"]


def test_the_same_input_log_gives_the_same_bytes_in_every_output_topic(machine: Machine) -> None:
    """However the log was cut into batches: message by message here, in one go there."""
    hospital = small_hospital(12, messages=40)
    first = Engine(machine.store, build_processors(KEY))
    send(first, hospital)
    copy = MemoryStore()
    for topic in (RAW, SITE_LOG, NETWORK_LOG, REFERENCE):
        for partition in range(TOPICS[topic].partitions):
            replay_topic(first, copy, topic, partition)
    # Only the site processor folds again: its input log is given whole.
    from streams.site.processor import SiteProcessor

    second = Engine(copy, [SiteProcessor()])
    second.run_until_idle()
    for topic in (MOVEMENTS, BALANCES, CASES, ALERTS):
        assert list(promises.records(second, topic)) == list(promises.records(first, topic)), topic


def replay_topic(source: Engine, store: MemoryStore, topic: str, partition: int) -> None:
    """Copy a partition's records as they are."""
    from topology.embedded.log import encode_record, end_key, log_key, number, stream_prefix

    prefix = stream_prefix(topic, partition)
    end = source.ends(topic)[partition]
    for record in source.read(topic, partition, 0, end):
        store.write([("log", log_key(prefix, record.offset), encode_record(record.key, record.value, record.headers))])
    store.write([("meta", end_key(topic, partition), number(end))])


# ---- faults -------------------------------------------------------------------------------------------------------


def test_a_raising_handler_becomes_quarantine_and_case_and_the_partition_goes_on(machine: Machine) -> None:
    engine = Engine(machine.store, [Echo()])
    ((_, _), (partition, offset), _) = engine.publish([raw(b"before"), raw(b"fail"), raw(b"after")])
    engine.run_until_idle()
    assert [record.value for record in promises.records(engine, ALERTS)] == [b"1", b"2"], "the failing event's writes are undone"
    (quarantined,) = (QUARANTINED.decode(record.value or b"") for record in promises.records(engine, QUARANTINE))
    (case,) = (CASE.decode(record.value or b"") for record in promises.records(engine, CASES))
    (outcome,) = (ITEM_OUTCOME.decode(record.value or b"") for record in promises.records(engine, OUTCOMES))
    assert (quarantined.raw.partition, quarantined.raw.offset) == (partition, offset)
    assert quarantined.code == outcome.code == case.kind == "handler_fault"
    assert outcome.outcome == "quarantined"
    assert case.state == "open"
    assert case.case_id == derived_id("case", "handler_fault", RAW, partition, offset)
    assert [(fault.processor, fault.offset) for fault in engine.faults] == [("echo", offset)]


def test_a_fault_never_quotes_the_error_text_which_could_name_a_patient(machine: Machine) -> None:
    engine = Engine(machine.store, [Echo()])
    engine.publish([raw(b"fail")])
    engine.run_until_idle()
    written = [record for topic in (QUARANTINE, CASES, OUTCOMES) for record in promises.records(engine, topic)]
    shown = f"{engine.faults}{written}"
    assert "patient" not in shown
    assert "RuntimeError" in shown


class FailingSite:
    """The real site processor, except that the events of one lot raise."""

    def __init__(self, inner: Processor, lot: bytes) -> None:
        self.inner, self.lot = inner, lot
        self.name, self.input_topic, self.tables = inner.name, inner.input_topic, inner.tables

    def handle(self, record: LogRecord, state: State) -> Iterable[Output]:
        outputs = list(self.inner.handle(record, state))
        if self.lot in (record.value or b""):
            raise ZeroDivisionError
        return outputs

    def forget(self) -> None:
        self.inner.forget()


def test_a_fault_of_one_item_leaves_the_counts_of_its_message_right(machine: Machine) -> None:
    """A body of three transactions whose second one raises: three items, three outcomes, and they add up."""
    hospital = small_hospital(13, messages=1)
    normalise, site, network = build_processors(KEY)
    engine = Engine(machine.store, [normalise, FailingSite(site, b'"lot":"BAD"'), network])
    load(engine, hospital)
    row = {
        "device": "ICU-CAB1", "action": "refill", "facility": "NORTH", "occurred": AT.isoformat(), "pocket": "d1/p1",
        "product_code": "AMOXICILLIN-500", "quantity": 2, "unit": "vial", "lot": "A1", "expiry": "2027-01-31",
    }  # fmt: skip
    rows = [{**row, "transaction_id": str(number), "lot": lot} for number, lot in enumerate(("A1", "BAD", "A1"))]
    engine.publish([raw(json.dumps(rows).encode())])
    engine.run_until_idle()
    counts = promises.check_outcomes(engine)
    assert counts == Counter(accepted=2, quarantined=1)
    assert promises.balances(engine)["north", "icu/cab1/d1/p1", "amoxicillin-500", "amoxicillin-500-box", "A1"] == 4
    promises.check_movements(engine)


# ---- headers ------------------------------------------------------------------------------------------------------


def test_every_record_carries_cloudevents_headers_a_schema_version_and_a_trace(machine: Machine) -> None:
    """CloudEvents 1.0 required attributes id, source, type (and time, subject) under the Kafka binding's ce_ prefix."""
    engine = Engine(machine.store, build_processors(KEY))
    send(engine, small_hospital(14, messages=30))
    written = 0
    for topic in set(TOPICS) - {RAW, REFERENCE}:
        ids: set[tuple[str, str]] = set()
        for record in promises.records(engine, topic):
            headers = dict(record.headers)
            if headers["ce_source"] == "hub":
                continue
            written += 1
            assert {"ce_id", "ce_type", "ce_source", "ce_time", "ce_subject", "schema", "trace"} <= set(headers), topic
            assert headers["schema"] == "1"
            assert (headers["ce_source"], headers["ce_id"]) not in ids, "source and id name one event (CloudEvents 1.0 §3.1)"
            ids.add((headers["ce_source"], headers["ce_id"]))
    assert written > 100


def test_the_trace_leads_back_to_the_raw_message(machine: Machine) -> None:
    engine = Engine(machine.store, build_processors(KEY))
    send(engine, small_hospital(15, messages=30))
    stored = {(record.partition, record.offset) for record in promises.records(engine, RAW)}
    traced = 0
    for record in promises.records(engine, MOVEMENTS):
        topic, partition, offset = dict(record.headers)["trace"].rsplit("-", 2)
        movement = promises.TOPICS[MOVEMENTS].value.decode(record.value)  # type: ignore[union-attr]
        if topic == RAW:
            assert (int(partition), int(offset)) in stored
            traced += 1
            if movement.raw is not None:
                assert (movement.raw.partition, movement.raw.offset) == (int(partition), int(offset))
    assert traced > 20
