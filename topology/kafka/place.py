"""Where a checkpoint stands, and whether its input is still the one that its position counts in.

A log that lost its end, was made anew, or a changelog that lost its end would make a worker start from less: it ends instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from confluent_kafka import KafkaException, TopicPartition

from streams.contract import Processor
from topology.errors import HubError
from topology.kafka.changelog import INPUT_KEY, position_of
from topology.kafka.connection import Connection
from topology.kafka.lag import group_asker
from topology.kafka.local_state import LocalState
from topology.kafka.reader import end_of

_TIMEOUT_SECONDS: Final = 20.0


class CheckpointError(HubError):
    """A partition can't go on; its process must end."""


@dataclass(slots=True)
class Place:
    """What a checkpoint stands for: which partition of which processor, and where its local copy lives."""

    processor: Processor
    partition: int
    folder: Path


def check_input(connection: Connection, place: Place, local: LocalState, topic_id: str) -> str | None:
    """Compare a restored position with the input topic and with what the group once reported. Blocking.

    Returns the identity to note with the position; none when it is noted. Raises `CheckpointError` where records are missing.
    """
    topic, partition = connection.topic(place.processor.input_topic), place.partition
    position = position_of(local.position_record)
    noted = local.get(INPUT_KEY)
    where = f"{topic}[{partition}]"
    if noted is not None and noted.decode("ascii") != topic_id:
        msg = f"{where} was made anew since {position} was folded: bring the old topic back, or move the hub to another prefix"
        raise CheckpointError(msg)
    consumer = group_asker(connection)
    try:
        end = end_of(consumer, topic, partition)
        [told] = consumer.committed([TopicPartition(topic, partition)], timeout=_TIMEOUT_SECONDS)
    except KafkaException as error:
        msg = f"{where} can't be looked at ({error.args[0].str()})"
        raise CheckpointError(msg) from None
    finally:
        consumer.close()
    if position > end:
        msg = f"{where} ends at {end}, but {position} was folded: its end was lost; restore the topic before workers go on"
        raise CheckpointError(msg)
    if told.offset > position:
        msg = (
            f"{where}: {told.offset} was folded once, but the changelog says {position}: the changelog lost its end. Restore it; "
            f"to fold again on purpose, delete the offsets of the group {connection.name('workers')}"
        )
        raise CheckpointError(msg)
    return None if noted is not None else topic_id
