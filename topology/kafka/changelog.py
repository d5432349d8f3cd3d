"""The changelog topic of a processor: every change of its state, and its input position, in the order of commits.

The input position is a record like any other, written in the same transaction as the state it belongs to, and is the authority
(a consumer group's committed offset disappears when a hub is idle for a week).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from topology.errors import HubError
from topology.kafka.connection import Connection, opened
from topology.kafka.reader import end_of, next_messages

if TYPE_CHECKING:
    from topology.kafka.local_state import LocalState, Pair

POSITION_KEY: Final = b"\x00position"
FORMAT: Final = b"1"
INPUT_KEY: Final = b"\x00input"
"""The identity of the input topic that the position counts in."""
MOVING: Final = b"moving"
"""Instead of a position: an embedded hub is being moved in, and its state is not whole yet."""
RESTORE_RECORDS_MAX: Final = 10_000
RESTORE_SECONDS_MAX: Final = 60.0
"""A restore that takes in nothing for so long has failed."""
_POLL_SECONDS: Final = 0.5
_FETCH_BYTES: Final = 8 * 1024 * 1024


class RestoreError(HubError):
    """A partition's state can't be read back."""


def position_value(offset: int) -> bytes:
    """An input position as the changelog carries it."""
    return FORMAT + b"%d" % offset


def position_of(value: bytes | None) -> int:
    """The input position a record names; 0 when there is none. Raises `RestoreError` for another format."""
    if value is None:
        return 0
    if value == MOVING:
        msg = "an embedded hub is being moved here and the move is not finished: run `wardstock migrate` again"
        raise RestoreError(msg)
    if not value.startswith(FORMAT) or not value[1:].isdigit():
        msg = f"the changelog has a format that this release does not know ({value[:1]!r}): run the release that wrote it"
        raise RestoreError(msg)
    return int(value[1:])


class ChangelogReader:
    """A plain consumer over one changelog partition. Blocking: call it from a thread."""

    def __init__(self, connection: Connection, topic: str, partition: int) -> None:
        """Opens a consumer that belongs to no group."""
        self._topic, self._partition = topic, partition
        self._consumer = opened(
            Consumer,
            connection.confluent(
                {
                    "group.id": connection.name("restore"), "enable.auto.commit": False, "isolation.level": "read_committed",
                    "enable.partition.eof": True, "auto.offset.reset": "error", "fetch.message.max.bytes": _FETCH_BYTES,
                    "queued.min.messages": 100_000, "fetch.wait.max.ms": 50,
                }
            )
        )  # fmt: skip

    def end(self) -> int:
        """The offset behind the newest record. Raises `RestoreError` when no broker answers."""
        try:
            return end_of(self._consumer, self._topic, self._partition)
        except KafkaException as error:
            msg = f"the end of {self._topic}[{self._partition}] can't be read ({error.args[0].str()})"
            raise RestoreError(msg) from None

    def restore(
        self, state: LocalState, end: int, alive: Callable[[], None], wanted: Callable[[], bool] = lambda: True
    ) -> int:
        """Bring the local copy up to `end`; returns how many records were taken in.

        `alive` is called as it goes on; once nobody wants it any longer (`wanted`), it ends where it is.
        """
        taken = 0
        for pairs, reached in self.batches(state.changelog_position, end, wanted):
            state.apply(pairs, reached)
            taken += len(pairs)
            alive()
        return taken

    def batches(
        self, start: int, end: int, wanted: Callable[[], bool] = lambda: True
    ) -> Iterator[tuple[list[Pair], int]]:
        """Committed records from `start` up to `end`, in batches, each with the offset behind it. Raises `RestoreError`."""
        if start >= end:
            return
        self._consumer.assign([TopicPartition(self._topic, self._partition, start)])
        at, idle = start, 0.0
        while at < end and wanted():
            pairs, reached = self._next(at)
            idle = 0.0 if reached > at else idle + _POLL_SECONDS
            if idle > RESTORE_SECONDS_MAX:
                msg = f"{self._topic}[{self._partition}] gives nothing beyond {at}, its end is {end}"
                raise RestoreError(msg)
            if reached > at:
                yield pairs, reached
                at = reached

    def _next(self, at: int) -> tuple[list[Pair], int]:
        """The next records, and the offset behind them."""
        pairs: list[Pair] = []
        reached = at
        for message in next_messages(self._consumer, RESTORE_RECORDS_MAX, _POLL_SECONDS):
            error, offset = message.error(), message.offset() or 0
            if error is None:
                pairs.append((message.key() or b"", message.value()))
                reached = offset + 1
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  # the library's public constant
                reached = max(reached, offset)
            else:
                msg = f"{self._topic}[{self._partition}] can't be read from {at} ({error.str()})"
                raise RestoreError(msg)
        return pairs, reached

    def close(self) -> None:
        """Close the consumer."""
        self._consumer.close()
