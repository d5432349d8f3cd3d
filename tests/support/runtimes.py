"""Runtimes under one face, for the suite that all of them must pass: embedded in memory, embedded on RocksDB, Kafka."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, Protocol, Self

from schemas.events import Tick
from schemas.log import LogRecord, Output
from schemas.raw import CABINET_JSON, RawMessage
from schemas.topics import ALERTS, RAW
from streams.contract import Processor
from streams.state import State, TableSpec
from tests.kafka.engine import KafkaEngine, create_topics, new_connection
from tests.simulation.small_hospital import SmallHospital
from topology.embedded.engine import Engine
from topology.embedded.rocks import RocksStore
from topology.embedded.store import MemoryStore, Store
from topology.processors import build_processors
from topology.reference_files import reference_changes

AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
KEY = bytes(32)
Processors = Callable[[], Sequence[Processor]]


def nothing() -> Sequence[Processor]:
    return []


def echo() -> Sequence[Processor]:
    return [Echo()]


def everything() -> Sequence[Processor]:
    return build_processors(KEY)


class Runtime(Protocol):
    """A hub that can be opened, and opened again as after a crash."""

    def engine(self, processors: Processors = nothing) -> Any:
        """Open it: an `Engine`, or what answers like one."""

    def restart(self) -> Self:
        """Let it go as a crash would."""

    def close(self) -> None:
        """The end."""


class EmbeddedRuntime:
    """The embedded engine over a `Machine`."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def engine(self, processors: Processors = nothing) -> Engine:
        return Engine(self.machine.store, processors())

    def restart(self) -> Self:
        self.machine.restart()
        return self

    def close(self) -> None:
        self.machine.close()


class KafkaRuntime:
    """Topics of its own on the shared broker; a restart wipes the local copies every other time."""

    def __init__(self, bootstrap: str, folder: Path) -> None:
        self._connection = new_connection(bootstrap)
        self._folder = folder
        self._engine: KafkaEngine | None = None
        self._opened = 0

    def engine(self, processors: Processors = nothing) -> KafkaEngine:
        create_topics(self._connection, processors())
        self._engine = KafkaEngine(self._connection, processors, self._folder / str(self._opened // 2))
        return self._engine

    def restart(self) -> Self:
        self._opened += 1
        self.close()
        return self

    def close(self) -> None:
        if self._engine is not None:
            self._engine.close()
            self._engine = None


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
        if record.value == b"no table holds it":
            table.put(("all",), 1 << 64)
        if record.value == b"fail":
            message = "the patient's name must not appear anywhere"
            raise RuntimeError(message)

    def forget(self) -> None:
        """Nothing is remembered."""


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


def raw(body: bytes, source: str = "feed", **fields: Any) -> RawMessage:
    return RawMessage(body=body, source=source, connector="test", content_type=CABINET_JSON, received_at=AT, **fields)


def send(engine: Any, hospital: SmallHospital) -> None:
    """The whole hospital: reference first, then message after message, with ticks in between."""
    load(engine, hospital)
    for number, message in enumerate(in_order(hospital)):
        feed(engine, number, message)


def load(engine: Any, hospital: SmallHospital) -> None:
    engine.broadcast(reference_changes([*hospital.reference, *hospital.late_reference], 1))
    engine.run_until_idle()


def in_order(hospital: SmallHospital) -> list[RawMessage]:
    return sorted((one for queue in hospital.feeds.values() for one in queue), key=lambda one: (one.received_at, one.body))


def feed(engine: Any, number: int, message: RawMessage) -> None:
    engine.publish([message])
    if number % 5 == 0:
        engine.broadcast([Tick(at=message.received_at)])
    engine.run_until_idle()
