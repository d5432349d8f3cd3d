"""Driving a small hospital into a hub whose machine stops at random steps, with senders who resend what was not acknowledged."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Final

from schemas.events import Tick
from schemas.raw import RawMessage
from schemas.topics import REFERENCE
from tests.simulation.small_hospital import END, START, SmallHospital
from topology.embedded.engine import Engine
from topology.embedded.store import MemoryStore, SimulatedCrash
from topology.processors import build_processors
from topology.reference_files import ReferenceRecord, reference_changes

PATIENT_KEY: Final = bytes(32)
REFERENCE_CHUNK: Final = 12
"""Reference records sent at once: the load itself can be cut short."""
RESENT_SHARE: Final = 0.05
"""Messages that a sender sends again although they were acknowledged."""
TICKS: Final = 40


@dataclass
class Senders:
    """What each sender still has to say. It survives every crash of the hub: the senders are other machines."""

    hospital: SmallHospital
    reference: list[list[ReferenceRecord]] = field(default_factory=list)
    late: list[list[ReferenceRecord]] = field(default_factory=list)
    queues: dict[str, list[RawMessage]] = field(default_factory=dict)
    acknowledged: list[tuple[RawMessage, tuple[int, int]]] = field(default_factory=list)
    ticks_said: int = 0

    def __post_init__(self) -> None:
        """Everything is still to be sent."""
        records = self.hospital.reference
        self.reference = [records[at : at + REFERENCE_CHUNK] for at in range(0, len(records), REFERENCE_CHUNK)]
        self.late = [self.hospital.late_reference]
        self.queues = {source: list(messages) for source, messages in self.hospital.feeds.items()}


@dataclass(frozen=True)
class Finished:
    """A run that came to its end."""

    engine: Engine
    senders: Senders
    crashes: int
    steps: int


def run(hospital: SmallHospital, random: Random, crash_steps: list[int]) -> Finished:
    """Run to the end; the machine stops at the given numbers of store steps, counted from each start."""
    senders = Senders(hospital)
    store = MemoryStore()
    crashes = 0
    remaining = list(crash_steps)
    store.crash_at = remaining.pop(0) if remaining else None
    while True:
        try:
            engine = Engine(store, build_processors(PATIENT_KEY))
            _drive(engine, senders, random)
        except SimulatedCrash:
            crashes += 1
            store = store.after_crash(random)
            store.crash_at = remaining.pop(0) if remaining else None
            continue
        return Finished(engine, senders, crashes, store.steps)


def _drive(engine: Engine, senders: Senders, random: Random) -> None:
    """Send what is left, folding in between as it comes."""
    while senders.reference:
        _broadcast(engine, senders.reference)
    while senders.late or any(senders.queues.values()):
        _publish(engine, senders, random)
        if senders.late and random.random() < 0.03:
            _broadcast(engine, senders.late)
        if random.random() < TICKS / senders.hospital.messages:
            _tick(engine, senders)
        for _ in range(random.randint(0, 2)):
            engine.step()
    engine.run_until_idle()
    for hours in (0, 1, 2):
        engine.broadcast([Tick(at=END + timedelta(hours=hours))])
        engine.run_until_idle()


def _broadcast(engine: Engine, chunks: list[list[ReferenceRecord]]) -> None:
    """Load a chunk under the next revisions; it is done when the hub says so."""
    engine.broadcast(reference_changes(chunks[0], engine.ends(REFERENCE)[0] + 1))
    chunks.pop(0)


def _tick(engine: Engine, senders: Senders) -> None:
    engine.broadcast([Tick(at=START + senders.ticks_said * (END - START) / TICKS)])
    senders.ticks_said = min(senders.ticks_said + 1, TICKS)


def _publish(engine: Engine, senders: Senders, random: Random) -> None:
    """A group of messages, in the order of each sender; only what was acknowledged leaves its queue."""
    waiting = [source for source, queue in senders.queues.items() if queue]
    if not waiting:
        return
    chosen = random.sample(waiting, random.randint(1, len(waiting)))
    group = [senders.queues[source][0] for source in chosen]
    places = engine.publish(group)
    for source, message, place in zip(chosen, group, places, strict=True):
        senders.acknowledged.append((message, place))
        if random.random() >= RESENT_SHARE:
            senders.queues[source].pop(0)
