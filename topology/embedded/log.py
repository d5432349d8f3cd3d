"""Layout of the embedded store: how log records, state and positions become keys and values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from schemas.log import Headers, LogRecord
from streams.state import Backend
from topology.embedded.store import Store

_OFFSET_BYTES: Final = 8
_PARTITION_BYTES: Final = 2
_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(tuple[bytes, bytes | None, tuple[tuple[str, str], ...]])


def stream_prefix(name: str, partition: int) -> bytes:
    """Key prefix of a topic partition, or of one partition's state of a processor."""
    return name.encode("ascii") + b"\x00" + partition.to_bytes(_PARTITION_BYTES, "big")


def log_key(prefix: bytes, offset: int) -> bytes:
    """Key of a record: the partition's prefix and the offset, in order."""
    return prefix + offset.to_bytes(_OFFSET_BYTES, "big")


def encode_record(key: bytes, value: bytes | None, headers: Headers) -> bytes:
    """A record as the log keeps it."""
    return _ENCODER.encode((key, value, headers))


def read_records(store: Store, topic: str, partition: int, start: int, end: int) -> Iterator[LogRecord]:
    """Records of a partition with start ≤ offset < end."""
    prefix = stream_prefix(topic, partition)
    for key, data in store.scan("log", log_key(prefix, start), log_key(prefix, end)):
        record_key, value, headers = _DECODER.decode(data)
        yield LogRecord(topic, partition, int.from_bytes(key[-_OFFSET_BYTES:], "big"), record_key, value, headers)


def end_key(topic: str, partition: int) -> bytes:
    """Meta key under which a partition's next offset stands."""
    return b"end\x00" + stream_prefix(topic, partition)


def position_key(processor: str, partition: int) -> bytes:
    """Meta key under which a processor's input position stands."""
    return b"position\x00" + stream_prefix(processor, partition)


def read_number(store: Store, key: bytes) -> int:
    """A number of the meta family; 0 when absent."""
    return int.from_bytes(store.get("meta", key) or b"", "big")


def number(value: int) -> bytes:
    """A number as the meta family keeps it."""
    return value.to_bytes(_OFFSET_BYTES, "big")


class StateBackend(Backend):
    """Committed state of one table of one processor partition."""

    __slots__ = ("_prefix", "_skip", "_store")

    def __init__(self, store: Store, processor: str, partition: int, table: str) -> None:
        """Keys stand below processor, partition and table."""
        self._store = store
        self._prefix = table_prefix(processor, partition, table)
        self._skip = len(self._prefix)

    def get(self, key: bytes) -> bytes | None:
        """The committed value of a key."""
        return self._store.get("state", self._prefix + key)

    def scan(self, start: bytes, end: bytes, *, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """Committed pairs with start ≤ key < end."""
        skip = self._skip
        for key, value in self._store.scan("state", self._prefix + start, self._prefix + end, reverse=reverse):
            yield key[skip:], value


def table_prefix(processor: str, partition: int, table: str) -> bytes:
    """Key prefix of a table."""
    return stream_prefix(processor, partition) + table.encode("ascii") + b"\x00"
