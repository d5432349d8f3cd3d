"""What the embedded engine promises beyond `test_runtime`, on both stores: batches, visibility, the same bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from schemas.events import ReferenceChange, Tick
from schemas.partition import PARTITIONS
from schemas.raw import BODY_BYTES_MAX
from schemas.topics import ALERTS, BALANCES, CASES, MOVEMENTS, NETWORK_LOG, RAW, REFERENCE, SITE_LOG, TOPICS
from streams.contract import BATCH_BYTES_MAX, BATCH_EVENTS_MAX
from tests.simulation import promises
from tests.simulation.small_hospital import small_hospital
from tests.support.runtimes import AT, KEY, Echo, Machine, feed, in_order, load, raw, send
from topology.embedded.engine import Engine, Oversized
from topology.embedded.store import MemoryStore
from topology.processors import build_processors


@pytest.fixture(params=["memory", "rocks"])
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Machine]:
    one = Machine(request.param, tmp_path)
    yield one
    one.close()














# ---- publishing ---------------------------------------------------------------------------------------------------






def test_a_message_over_the_limit_is_refused_and_nothing_of_its_group_is_written(machine: Machine) -> None:
    engine = Engine(machine.store, [])
    with pytest.raises(Oversized, match=str(BODY_BYTES_MAX)):
        engine.publish([raw(b"good"), raw(bytes(BODY_BYTES_MAX + 1))])
    assert list(promises.records(engine, RAW)) == []
    ((_, offset),) = engine.publish([raw(b"next")])
    assert offset == 0




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










# ---- headers ------------------------------------------------------------------------------------------------------




