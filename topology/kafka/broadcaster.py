"""The broadcaster: reference changes and ticks to every partition that folds them, in one transaction.

One process broadcasts under a name at a time: a second one fences the first. Revisions rise over all, because each reads the
newest one after it has fenced the others.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from confluent_kafka import KafkaException, Message, Producer

from schemas import events
from schemas.events import ReferenceChange, Tick
from schemas.topics import REFERENCE, TOPICS
from topology.errors import HubError
from topology.kafka.connection import RECORD_BYTES_MAX, Connection, opened
from topology.kafka.reader import TopicReader
from topology.outgoing import broadcast_record, broadcast_topics

_TIMEOUT_SECONDS: Final = 30.0
TRANSACTION_MS: Final = 30_000


class BroadcastError(HubError):
    """A broadcast did not happen: no partition has any of it."""


class Broadcaster:
    """Writes to all partitions or to none. `name` is `reference` or `ticker`."""

    def __init__(self, connection: Connection, name: str) -> None:
        """Fence whoever broadcast under this name before. Raises `BroadcastError` when no broker answers."""
        self._connection = connection
        self._behind: dict[tuple[str, int], int] = {}
        self._producer = opened(
            Producer,
            connection.confluent(
                {
                    "transactional.id": connection.name(name), "transaction.timeout.ms": TRANSACTION_MS,
                    "message.max.bytes": RECORD_BYTES_MAX, "linger.ms": 5,
                }
            )
        )  # fmt: skip
        try:
            self._producer.init_transactions(_TIMEOUT_SECONDS)
        except KafkaException as error:
            raise _failed(error) from None

    def next_revision(self) -> int:
        """The revision after the newest reference change."""
        reader = TopicReader(self._connection)
        try:
            newest = 0
            for record in reader.read(REFERENCE, 0, 0):
                newest = max(newest, events.REFERENCE_CHANGE.decode(record.value or b"").revision)
            return newest + 1
        finally:
            reader.close()

    def broadcast(self, changes: Iterable[ReferenceChange | Tick]) -> dict[tuple[str, int], int]:
        """Write changes to every partition that folds them; returns the offset behind them in each.

        Raises `BroadcastError`; then nobody has any of them.
        """
        self._behind = {}
        try:
            self._producer.begin_transaction()
            at = datetime.now(UTC)
            for change in changes:
                key, value, headers = broadcast_record(change, at)
                for topic in broadcast_topics(change):
                    for partition in range(TOPICS[topic].partitions):
                        self._send((topic, partition), key, value, list(headers))
            self._producer.commit_transaction(_TIMEOUT_SECONDS)
        except KafkaException as error:
            self._give_up()
            raise _failed(error) from None
        return self._behind

    def _send(self, place: tuple[str, int], key: bytes, value: bytes, headers: list[tuple[str, str]]) -> None:
        """Queue one record; a full queue is served until there is room."""
        name = self._connection.topic(place[0])

        def delivered(_: object, record: Message) -> None:
            self._behind[place] = max(self._behind.get(place, 0), (record.offset() or 0) + 1)

        while True:
            try:
                self._producer.produce(
                    name, key=key, value=value, partition=place[1], headers=headers, on_delivery=delivered,  # type: ignore[arg-type]
                )  # fmt: skip
            except BufferError:
                self._producer.poll(0.1)
                continue
            self._producer.poll(0)
            return

    def _give_up(self) -> None:
        try:
            self._producer.abort_transaction(_TIMEOUT_SECONDS)
        except KafkaException:
            return


def _failed(error: KafkaException) -> BroadcastError:
    return BroadcastError(f"Kafka did not take the broadcast ({error.args[0].str()}): nothing was changed, try again")
