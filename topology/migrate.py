"""Moving an embedded hub to Kafka: its log record by record under the same offsets, then its state and positions.

A move that was interrupted is carried on by the same command: what is there already is compared, not written again. Until it is
finished no worker starts on the half-moved state; afterwards no embedded hub starts on the folder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hmac import compare_digest

from schemas.log import LogRecord
from schemas.topics import TOPICS
from topology.embedded.folder import DataFolder
from topology.embedded.log import end_key, position_key, read_number, read_records, stream_prefix
from topology.errors import HubError, InputRefusedError
from topology.intake.handover import nothing_waits
from topology.kafka.carrier import Lane, LogCarrier, StateCarrier, StatePair
from topology.kafka.connection import Connection
from topology.kafka.reader import TopicReader
from topology.kafka.topics import TopicAdmin, wanted
from topology.processors import build_processors
from topology.settings import Settings

Say = Callable[[str], None]


class MoveRefusedError(HubError):
    """A hub can't be moved as things stand."""


@dataclass(slots=True)
class Moved:
    """What a move did: log records written, log records found there already, values of state, lanes."""

    written: int = 0
    found: int = 0
    values: int = 0
    lanes: int = 0


def move(folder: DataFolder, connection: Connection, settings: Settings, say: Say) -> Moved:
    """Carry log, state and positions of a stopped embedded hub to Kafka. Raises `HubError` with what to do."""
    _same_secret(folder, settings)
    if not nothing_waits(folder.path, folder.store):
        msg = (
            f"{folder.path} holds received messages that are not in its log yet: let `wardstock run` take them over, stop it, "
            "and move again"
        )
        raise MoveRefusedError(msg)
    processors = build_processors(folder.patient_key)
    missing = TopicAdmin(connection).missing(wanted(processors, connection.settings))
    if missing:
        msg = f"Kafka is not ready for a hub: {missing[0]} ({len(missing)} in all); see `wardstock topics plan`"
        raise MoveRefusedError(msg)
    lanes = [
        (processor.name, partition) for processor in processors for partition in range(TOPICS[processor.input_topic].partitions)
    ]
    moved = Moved(lanes=len(lanes))
    state = StateCarrier(connection, lanes)
    state.begin()
    _log(folder, connection, moved, say)
    for lane in lanes:
        moved.values += state.carry(lane, _state(folder, lane))
    say(f"state: {moved.values:,} values of {len(lanes)} partitions")
    folder.close_for_good(f"its hub moved to Kafka at {connection.bootstrap} (topics {connection.topic('…')})")
    state.finish({lane: read_number(folder.store, position_key(*lane)) for lane in lanes})
    return moved


def _log(folder: DataFolder, connection: Connection, moved: Moved, say: Say) -> None:
    """Every topic, partition by partition."""
    carrier = LogCarrier(connection)
    reader = TopicReader(connection)
    try:
        for topic in TOPICS:
            written = 0
            for partition, there in enumerate(reader.ends(topic)):
                end = read_number(folder.store, end_key(topic, partition))
                if there:
                    ours = read_records(folder.store, topic, partition, 0, min(there, end))
                    moved.found += _compare(ours, reader, (topic, partition), there)
                written += carrier.carry(read_records(folder.store, topic, partition, there, end))
            moved.written += written
            say(f"{topic}: {written:,} records")
    finally:
        reader.close()


def _compare(ours: Iterator[LogRecord], reader: TopicReader, place: tuple[str, int], there: int) -> int:
    """See that what stands below offset `there` is ours, all of it, at our offsets; returns how many records were seen.

    An offset without a visible record is not ours either (an aborted transaction), unless compaction removed it: then a later
    record of ours has its key.
    """
    topic, partition = place
    compacts = TOPICS[topic].cleanup == "compact"
    visible = reader.read(topic, partition, 0)
    theirs = next(visible, None)
    seen = at = 0
    gone: dict[bytes, int] = {}
    for mine in ours:
        at = mine.offset
        if mine == theirs:
            gone.pop(mine.key, None)
            theirs = next(visible, None)
            seen += 1
        elif compacts and (theirs is None or theirs.offset > at):
            gone[mine.key] = at
        else:
            raise MoveRefusedError(_foreign(topic, partition, at))
    if theirs is not None or gone or at + 1 != there:
        first = at + 1 if theirs is None else theirs.offset
        raise MoveRefusedError(_foreign(topic, partition, min(gone.values(), default=first)))
    return seen


def _foreign(topic: str, partition: int, offset: int) -> str:
    return (
        f"{topic}[{partition}] on Kafka holds another record, or an aborted one, at offset {offset}: move into topics of their "
        "own (another prefix), made with `wardstock topics apply`"
    )


def _state(folder: DataFolder, lane: Lane) -> Iterator[StatePair]:
    """The state of a lane as its changelog carries it: table and key."""
    prefix = stream_prefix(*lane)
    for key, value in folder.store.scan("state", prefix, prefix + b"\xff"):
        yield key[len(prefix) :], value


def _same_secret(folder: DataFolder, settings: Settings) -> None:
    """Patients are known by a keyed hash: with another key every patient would become two."""
    given = settings.patient_key.get_secret_value() if settings.patient_key is not None else ""
    if not compare_digest(given.lower(), folder.patient_key.hex()):
        msg = (
            f"set patient_key (WARDSTOCK_PATIENT_KEY) to the key of this folder, or patients would not be recognised: "
            f"export WARDSTOCK_PATIENT_KEY=$(od -An -v -tx1 {folder.path}/patient.key | tr -d ' \\n')"
        )
        raise InputRefusedError(msg)
