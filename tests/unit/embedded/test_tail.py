"""The newest records of a partition in memory are those of the log, or none: what is in no log is never folded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import pytest

from schemas.log import LogRecord, Output
from schemas.raw import RawMessage
from schemas.topics import RAW
from streams.state import State, TableSpec
from topology.embedded.engine import Engine
from topology.embedded.store import MemoryStore, Write
from topology.embedded.tail import TAIL_BYTES_MAX, TAIL_RECORDS_MAX, Tail


def record(offset: int, value: bytes = b"v") -> LogRecord:
    return LogRecord(RAW, 0, offset, b"k", value)


def tail_of(*records: LogRecord) -> Tail:
    tail = Tail()
    for one in records:
        tail.append(one)
    return tail


def offsets(records: Iterable[LogRecord]) -> list[int]:
    return [one.offset for one in records]


def test_it_gives_the_records_from_a_position_on() -> None:
    tail = tail_of(record(5), record(6), record(7))
    assert offsets(tail.after(5)) == [5, 6, 7]
    assert offsets(tail.after(7)) == [7]
    assert offsets(tail.after(8)) == []


def test_it_gives_nothing_when_it_begins_after_the_position() -> None:
    """A processor that is behind reads the log: a gap would be a loss."""
    assert offsets(tail_of(record(5)).after(4)) == []
    assert offsets(Tail().after(0)) == []


def test_it_forgets_what_was_folded() -> None:
    tail = tail_of(record(5), record(6), record(7))
    tail.drop(7)
    assert offsets(tail.after(7)) == [7]
    assert offsets(tail.after(5)) == []


def test_a_gap_begins_it_anew() -> None:
    tail = tail_of(record(5), record(9))
    assert offsets(tail.after(5)) == []
    assert offsets(tail.after(9)) == [9]


def test_more_records_than_the_limit_begin_it_anew() -> None:
    tail = tail_of(*(record(offset) for offset in range(TAIL_RECORDS_MAX + 1)))
    assert offsets(tail.after(0)) == []
    assert offsets(tail.after(TAIL_RECORDS_MAX)) == [TAIL_RECORDS_MAX]


def test_more_bytes_than_the_limit_begin_it_anew_and_dropped_bytes_do_not_count() -> None:
    half = b"x" * (TAIL_BYTES_MAX // 2)
    tail = tail_of(record(0, half), record(1, half))
    assert offsets(tail.after(0)) == [0, 1]
    tail.drop(1)
    tail.append(record(2, half))
    assert offsets(tail.after(1)) == [1, 2]
    tail.append(record(3, half))
    assert offsets(tail.after(1)) == []
    assert offsets(tail.after(3)) == [3]


class FailingOnce(MemoryStore):
    """A store whose next write fails when told so, as a full disk does."""

    def __init__(self) -> None:
        super().__init__()
        self.full = False

    def write(self, batch: Sequence[Write]) -> None:
        if self.full:
            self.full = False
            reason = "No space left on device"
            raise OSError(28, reason)
        super().write(batch)


class Recorder:
    """A processor that notes what it was handed."""

    name = "recorder"
    input_topic = RAW
    tables: Sequence[TableSpec] = ()

    def __init__(self) -> None:
        self.records: list[LogRecord] = []

    @property
    def seen(self) -> list[bytes | None]:
        """The values it was handed, in order."""
        return [record.value for record in self.records]

    def handle(self, record: LogRecord, state: State) -> Iterable[Output]:
        self.records.append(record)
        return ()

    def forget(self) -> None:
        """Nothing is remembered."""


def message(body: bytes, name: str | None = None) -> RawMessage:
    received = datetime(2026, 6, 1, tzinfo=UTC)
    return RawMessage(body=body, source="s", connector="hl7", content_type="x", received_at=received, name=name)


def test_a_message_whose_write_failed_is_never_folded() -> None:
    store, recorder = FailingOnce(), Recorder()
    engine = Engine(store, [recorder])
    store.full = True
    with pytest.raises(OSError, match="No space left"):
        engine.publish([message(b"lost")])
    engine.publish([message(b"kept")])
    engine.run_until_idle()
    assert recorder.seen == [b"kept"]


def test_a_message_of_a_batch_that_could_not_be_encoded_is_never_folded() -> None:
    """The second name is no Unicode text, so the batch fails after its first message was taken in."""
    recorder = Recorder()
    engine = Engine(MemoryStore(), [recorder])
    with pytest.raises(UnicodeEncodeError):
        engine.publish([message(b"lost"), message(b"bad", name="\ud800")])
    engine.publish([message(b"kept")])
    engine.run_until_idle()
    assert recorder.seen == [b"kept"]


def test_records_are_the_same_from_memory_and_from_the_log() -> None:
    """One engine folds what it has just written, a second one reads the same log from the store."""
    store = MemoryStore()
    Engine(store, []).publish([message(b"a"), message(b"b", name="n")])
    late = Engine(store, [later := Recorder()])
    late.run_until_idle()
    other = MemoryStore()
    first = Engine(other, [sooner := Recorder()])
    first.publish([message(b"a"), message(b"b", name="n")])
    first.run_until_idle()
    assert sooner.records == later.records
    assert sooner.seen == [b"a", b"b"]
