"""The newest records of a log partition in memory: a processor that keeps up does not read back what was just written.

It holds nothing that is not in the store as well. A processor that is behind its tail reads the store.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from schemas.log import LogRecord
from streams.contract import BATCH_BYTES_MAX, BATCH_EVENTS_MAX

TAIL_RECORDS_MAX: Final = 2 * BATCH_EVENTS_MAX
TAIL_BYTES_MAX: Final = BATCH_BYTES_MAX
"""A tail that would hold more is dropped and begins anew with the next record."""


class Tail:
    """A run of records without gaps, the newest of one partition."""

    __slots__ = ("_bytes", "_records")

    def __init__(self) -> None:
        """Starts empty."""
        self._records: list[LogRecord] = []
        self._bytes = 0

    def append(self, record: LogRecord) -> None:
        """Add the next record of the partition, once it is written."""
        records = self._records
        size = len(record.value or b"")
        follows = not records or records[-1].offset + 1 == record.offset
        if not follows or len(records) >= TAIL_RECORDS_MAX or self._bytes + size > TAIL_BYTES_MAX:
            records.clear()
            self._bytes = 0
        records.append(record)
        self._bytes += size

    def after(self, position: int) -> Sequence[LogRecord]:
        """The records from a position on; none when the tail begins later."""
        records = self._records
        if not records or position < records[0].offset:
            return ()
        return records[position - records[0].offset :]

    def drop(self, position: int) -> None:
        """Forget what stands before a position."""
        records = self._records
        if records and position > records[0].offset:
            gone = records[: position - records[0].offset]
            self._bytes -= sum(len(record.value or b"") for record in gone)
            del records[: len(gone)]
