"""What every runtime must do: store before it answers, fold exactly once, survive a restart, keep one bad event from the others."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from schemas.events import ITEM_OUTCOME, ReferenceChange
from schemas.golive import GoLive, SiteMode
from schemas.ids import derived_id
from schemas.log import LogRecord
from schemas.partition import partition_of
from schemas.raw import BODY_BYTES_MAX, CABINET_JSON
from schemas.records import CASE, QUARANTINED, RECALL_READING
from schemas.topics import (
    ALERTS,
    CASES,
    COMMANDS,
    MOVEMENTS,
    NETWORK_LOG,
    OUTCOMES,
    QUARANTINE,
    RAW,
    RECALLS,
    REFERENCE,
    SITE_LOG,
    TOPICS,
)
from streams.contract import Processor
from tests.simulation import promises
from tests.simulation.small_hospital import small_hospital
from tests.support.runtimes import (
    AT,
    KEY,
    EmbeddedRuntime,
    FailingSite,
    KafkaRuntime,
    Machine,
    Runtime,
    echo,
    everything,
    feed,
    in_order,
    load,
    raw,
    send,
)
from topology.processors import build_processors
from topology.reference_files import reference_changes


@pytest.fixture(params=["memory", "rocks", pytest.param("kafka", marks=pytest.mark.kafka)])
def runtime(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Runtime]:
    one: Runtime
    if request.param == "kafka":
        one = KafkaRuntime(request.getfixturevalue("bootstrap"), tmp_path)
    else:
        one = EmbeddedRuntime(Machine(request.param, tmp_path))
    yield one
    one.close()


def change(revision: int) -> ReferenceChange:
    return ReferenceChange(revision=revision, kind="supplier", id="s", record={"id": "s", "name": "S"})


def readings(engine: Any) -> list[LogRecord]:
    """What the partitions say of read recalls."""
    return [one for partition in range(TOPICS[RECALLS].partitions) for one in engine.read(RECALLS, partition, 0, 100)]


def failing() -> Sequence[Processor]:
    normalise, site, network = build_processors(KEY)
    return [normalise, FailingSite(site, b'"lot":"BAD"'), network]


def test_publish_returns_the_place_of_each_message_by_the_hash_of_its_source(runtime: Runtime) -> None:
    engine = runtime.engine()
    sources = ["a", "b", "a", "c"]
    places = engine.publish([raw(source.encode(), source) for source in sources])
    assert [partition for partition, _ in places] == [partition_of(source) for source in sources]
    assert len(set(places)) == len(places)
    for source, (partition, offset) in zip(sources, places, strict=True):
        (record,) = engine.read(RAW, partition, offset, 1)
        assert record.value == source.encode()


def test_a_published_message_is_there_after_a_restart_with_everything_known_about_it(runtime: Runtime) -> None:
    message = raw(b"\x00\xff bytes", "feed", site="north", peer="10.0.0.1", name="file.hl7", profile="cerner")
    ((partition, offset),) = runtime.engine().publish([message])
    (record,) = runtime.restart().engine().read(RAW, partition, offset, 1)
    headers = dict(record.headers)
    assert record.value == message.body
    assert record.key == b"feed"
    assert {name: headers[name] for name in ("source", "site", "peer", "name", "profile", "content_type", "sha256")} == {
        "source": "feed", "site": "north", "peer": "10.0.0.1", "name": "file.hl7", "profile": "cerner",
        "content_type": CABINET_JSON, "sha256": message.sha256,
    }  # fmt: skip
    assert headers["received_at"] == AT.isoformat()


def test_a_message_of_exactly_the_limit_is_stored_and_ends_in_one_outcome(runtime: Runtime) -> None:
    engine = runtime.engine(everything)
    engine.publish([raw(bytes(BODY_BYTES_MAX))])
    engine.run_until_idle()
    (outcome,) = promises.values(engine, OUTCOMES)
    assert outcome.outcome == "quarantined"


def test_a_restart_between_storing_and_folding_folds_what_was_stored(runtime: Runtime) -> None:
    runtime.engine().publish([raw(b"1"), raw(b"2")])
    engine = runtime.restart().engine(echo)
    engine.run_until_idle()
    assert len(list(promises.records(engine, ALERTS))) == 2
    engine = runtime.restart().engine(echo)
    assert engine.backlog() == 0
    assert [record.value for record in promises.records(engine, ALERTS)] == [b"1", b"2"]


def test_a_raising_handler_becomes_quarantine_and_case_and_the_partition_goes_on(runtime: Runtime) -> None:
    engine = runtime.engine(echo)
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


def test_a_value_that_no_table_holds_is_the_fault_of_its_event_and_never_of_the_store(runtime: Runtime) -> None:
    """It shows only when the batch is written; a partition that failed there would fail at every start."""
    engine = runtime.engine(echo)
    engine.publish([raw(b"before"), raw(b"no table holds it"), raw(b"after")])
    engine.run_until_idle()
    assert [record.value for record in promises.records(engine, ALERTS)] == [b"1", b"2"], "the failing event's writes are undone"
    (outcome,) = (ITEM_OUTCOME.decode(record.value or b"") for record in promises.records(engine, OUTCOMES))
    assert (outcome.code, outcome.raw.offset) == ("handler_fault", engine.faults[0].offset)
    assert len(engine.faults) == 1
    engine.publish([raw(b"later")])
    engine.run_until_idle()
    assert [record.value for record in promises.records(engine, ALERTS)] == [b"1", b"2", b"3"]


def test_a_fault_never_quotes_the_error_text_which_could_name_a_patient(runtime: Runtime) -> None:
    engine = runtime.engine(echo)
    engine.publish([raw(b"fail")])
    engine.run_until_idle()
    written = [record for topic in (QUARANTINE, CASES, OUTCOMES) for record in promises.records(engine, topic)]
    shown = f"{engine.faults}{written}"
    assert "patient" not in shown
    assert "RuntimeError" in shown


def test_a_fault_of_one_item_leaves_the_counts_of_its_message_right(runtime: Runtime) -> None:
    """A body of three transactions whose second one raises: three items, three outcomes, and they add up."""
    hospital = small_hospital(13, messages=1)
    engine = runtime.engine(failing)
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


def test_every_record_carries_cloudevents_headers_a_schema_version_and_a_trace(runtime: Runtime) -> None:
    """CloudEvents 1.0 required attributes id, source, type (and time, subject) under the Kafka binding's ce_ prefix."""
    engine = runtime.engine(everything)
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


def test_the_trace_leads_back_to_the_raw_message(runtime: Runtime) -> None:
    engine = runtime.engine(everything)
    send(engine, small_hospital(15, messages=30))
    stored = {(record.partition, record.offset): dict(record.headers)["trace"] for record in promises.records(engine, RAW)}
    traced = 0
    for record in promises.records(engine, MOVEMENTS):
        trace = dict(record.headers)["trace"]
        movement = promises.TOPICS[MOVEMENTS].value.decode(record.value)  # type: ignore[union-attr]
        if trace in stored.values():
            traced += 1
            if movement.raw is not None:
                assert trace == stored[movement.raw.partition, movement.raw.offset]
    assert traced > 20


def test_a_reference_change_reaches_every_partition(runtime: Runtime) -> None:
    runtime.engine().broadcast([change(1)])
    again = runtime.restart().engine()
    for topic in (RAW, SITE_LOG, NETWORK_LOG, REFERENCE):
        found = [list(again.read(topic, partition, 0, 10)) for partition in range(TOPICS[topic].partitions)]
        assert [len(records) for records in found] == [1] * TOPICS[topic].partitions, topic
        assert {records[0].value for records in found} == {found[0][0].value}
        assert dict(found[0][0].headers)["ce_type"] == "ReferenceChange"


def test_a_site_in_shadow_publishes_no_command_through_restarts_and_what_is_open_at_cut_over_once(runtime: Runtime) -> None:
    """The modes stand in the log; what a consumer would execute is what the same hub would have had open, had it always been live."""
    hospital = small_hospital(11, messages=40)
    whole = EmbeddedRuntime(Machine("memory", Path())).engine(everything)
    send(whole, hospital)
    engine = runtime.engine(everything)
    load(engine, hospital)
    sites = sorted({id_ for kind, id_, _ in hospital.reference if kind == "site"})
    decide(engine, sites, "shadow")
    for number, message in enumerate(in_order(hospital)):
        if number in (3, 17, 30):
            engine = runtime.restart().engine(everything)
        feed(engine, number, message)
        assert list(promises.records(engine, COMMANDS)) == []
    decide(engine, sites, "live")
    engine = runtime.restart().engine(everything)
    engine.run_until_idle()
    assert promises.open_needs(engine) == promises.open_needs(whole)
    said = Counter((one.command_id, one.revision) for one in promises.values(engine, COMMANDS))
    assert said
    assert max(said.values()) == 1
    decide(engine, sites, "shadow")
    assert promises.open_needs(engine) == []


def decide(engine: Any, sites: Sequence[str], mode: str) -> None:
    """What the go-live desk writes."""
    revision = max(len(list(engine.read(REFERENCE, 0, 0, 100_000))), 1) + 1
    records = [("go_live", site, GoLive(site=site, mode=SiteMode(mode), changes=())) for site in sites]
    engine.broadcast(reference_changes(records, revision))
    engine.run_until_idle()


def test_a_recall_is_effective_at_each_site_once_its_own_partition_has_read_it(runtime: Runtime) -> None:
    """Stored and not folded it is pending everywhere. The partition says it, after a restart as well, and once."""
    engine = runtime.engine(everything)
    sites = ["north", "south", "clinic"]
    told = [
        ReferenceChange(revision=number, kind="site", id=name, record={"id": name, "name": name, "zone": "UTC"})
        for number, name in enumerate(sites, start=1)
    ]
    recall = {"id": "R1", "classification": "I", "products": ["p"], "lots": ["L1"]}
    engine.broadcast([*told, ReferenceChange(revision=9, kind="recall", id="R1", record=recall)])
    if isinstance(runtime, EmbeddedRuntime):  # on Kafka the workers have read it by then, or not
        assert readings(engine) == []
    engine = runtime.restart().engine(everything)
    engine.run_until_idle()
    read = [(record.partition, RECALL_READING.decode(record.value or b"")) for record in readings(engine)]
    assert sorted((partition, one.site) for partition, one in read) == sorted((partition_of(name), name) for name in sites)
    assert {(one.notice, one.revision, one.in_force) for _, one in read} == {("R1", 9, True)}
    assert all(dict(record.headers)["ce_id"].startswith(f"{SITE_LOG}-{record.partition}-") for record in readings(engine))
    engine.broadcast([ReferenceChange(revision=10, kind="recall", id="R1", record=recall)])
    engine.run_until_idle()
    assert len(readings(engine)) == len(sites)


def test_a_hospital_with_restarts_has_the_balances_and_needs_of_one_without(runtime: Runtime) -> None:
    hospital = small_hospital(11, messages=40)
    whole = EmbeddedRuntime(Machine("memory", Path())).engine(everything)
    send(whole, hospital)
    engine = runtime.engine(everything)
    load(engine, hospital)
    for number, message in enumerate(in_order(hospital)):
        if number in (3, 17, 30):
            engine = runtime.restart().engine(everything)
        feed(engine, number, message)
    assert promises.balances(engine) == promises.balances(whole)
    assert promises.open_needs(engine) == promises.open_needs(whole)
    assert promises.check_all(engine) == promises.check_all(whole)
