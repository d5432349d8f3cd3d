"""One failing event must not stop a partition: it is taken back, kept whole, told; the others go on."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator

import pytest

from schemas.codec import encode
from schemas.events import ITEM_OUTCOME
from schemas.log import LogRecord, Output
from schemas.records import CASE, QUARANTINED
from schemas.topics import CASES, OUTCOMES, QUARANTINE
from streams.contract import describe, fold
from streams.state import MemoryBackend, State, StateUnreadableError, TableSpec
from tests.support.facts import START, told

SUMS = TableSpec("sums", int)


class Adder:
    """Adds one a record, writes before it looks, and fails on what says so."""

    name = "adder"
    input_topic = "site.log"
    tables = (SUMS,)

    def __init__(self) -> None:
        self.forgotten = 0

    def handle(self, record: LogRecord, state: State) -> Iterable[Output]:
        table = state.table(SUMS)
        table.put(("sum",), (table.get(("sum",)) or 0) + 1)
        yield Output("alerts", record.key, record.value, "Alert")
        if record.key == b"fail":
            msg = "patient 4711 has no bed"
            raise ValueError(msg)

    def forget(self) -> None:
        self.forgotten += 1


def run(*records: LogRecord) -> tuple[list[tuple[LogRecord, list[Output]]], int, Adder]:
    state = State(Adder.tables, lambda _: MemoryBackend())
    adder = Adder()
    folded, faults = fold(adder, records, state)
    assert len(faults) == sum(record.key == b"fail" for record in records)
    return folded, state.table(SUMS).get(("sum",)) or 0, adder


def record(key: bytes, offset: int, value: bytes = b"{}", **headers: str) -> LogRecord:
    return LogRecord("site.log", 2, offset, key, value, tuple(headers.items()))


def test_the_writes_and_outputs_of_a_failing_event_are_taken_back_and_the_others_go_on() -> None:
    folded, total, adder = run(record(b"a", 1), record(b"fail", 2), record(b"b", 3))
    assert total == 2
    assert adder.forgotten == 1
    assert [[one.topic for one in outputs] for _, outputs in folded] == [["alerts"], [QUARANTINE, CASES], ["alerts"]]


def test_a_failing_event_is_kept_whole_with_a_case_and_an_outcome() -> None:
    event = told("vend", 1, place="x")
    failing = record(b"fail", 2, encode(event), ce_type="StockEvent", ce_time=START.isoformat())
    [(_, outputs)], _, _ = run(failing)
    found = {one.topic: one.value or b"" for one in outputs}
    kept, case, outcome = QUARANTINED.decode(found[QUARANTINE]), CASE.decode(found[CASES]), ITEM_OUTCOME.decode(found[OUTCOMES])
    assert base64.b64decode(kept.body_base64) == encode(event)
    assert (kept.raw, kept.code, kept.content_type, kept.site) == (event.raw, "handler_fault", "StockEvent", event.site)
    assert (case.kind, case.state, case.opened_at) == ("handler_fault", "open", START)
    assert (outcome.outcome, outcome.raw) == ("quarantined", event.raw)


@pytest.mark.parametrize("value", [b"", b"not json", b"\xff\xfe", b"[1, 2]", b"null", b'"text"'])
def test_bytes_that_are_no_event_are_kept_under_their_place_in_the_log(value: bytes) -> None:
    [(_, outputs)], _, _ = run(record(b"fail", 7, value))
    kept = QUARANTINED.decode(outputs[0].value or b"")
    assert (kept.raw.partition, kept.raw.offset) == (2, 7)
    assert base64.b64decode(kept.body_base64) == value


def test_the_same_failure_is_told_in_the_same_bytes() -> None:
    failing = record(b"fail", 2, encode({"site": "north"}))
    assert run(failing)[0] == run(failing)[0]


def test_an_error_is_described_by_type_and_place_and_never_by_its_text() -> None:
    failing = record(b"fail", 2)
    [(_, outputs)], _, _ = run(failing)
    assert all(b"4711" not in (one.value or b"") for one in outputs)
    assert b"ValueError in handle" in (outputs[0].value or b"")
    assert describe(KeyError("4711")) == "KeyError"


def test_an_error_that_is_no_exception_ends_the_process() -> None:
    class Stopping(Adder):
        def handle(self, record: LogRecord, state: State) -> Iterable[Output]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fold(Stopping(), [record(b"a", 1)], State(Adder.tables, lambda _: MemoryBackend()))


class Broken(MemoryBackend):
    """A store that can't be read."""

    def get(self, key: bytes) -> bytes | None:
        reason = "block checksum mismatch"
        raise RuntimeError(reason)

    def scan(self, start: bytes, end: bytes, *, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        reason = "block checksum mismatch"
        raise RuntimeError(reason)
        yield b"", b""


def test_a_store_that_cannot_be_read_fails_the_batch_and_is_no_failing_event() -> None:
    """Otherwise a damaged disk would put every event that meets it into quarantine, and move on behind it."""
    state = State(Adder.tables, lambda _: Broken())
    with pytest.raises(StateUnreadableError, match="sums"):
        fold(Adder(), [record(b"a", 1)], state)
    with pytest.raises(StateUnreadableError, match="sums"):
        list(state.table(SUMS).scan(()))
    assert not issubclass(StateUnreadableError, Exception)
