"""How an embedded hub keeps records and positions: the keys and values of its store, stated a second time.

Reading with words of its own is the point: a mistake in the hub's reader would otherwise hide the records it can't see.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from schemas.log import LogRecord
from topology.embedded.store import Store

_NUMBER_BYTES: Final = 8
_RECORD: Final = msgspec.msgpack.Decoder(tuple[bytes, bytes | None, tuple[tuple[str, str], ...]])


def _place(name: str, partition: int) -> bytes:
    return name.encode("ascii") + b"\x00" + partition.to_bytes(2, "big")


def position_at(store: Store, processor: str, partition: int) -> int:
    """The input position of a processor."""
    return _number(store, b"position\x00" + _place(processor, partition))


def end_at(store: Store, topic: str, partition: int) -> int:
    """The next offset of a topic partition."""
    return _number(store, b"end\x00" + _place(topic, partition))


def records_of(store: Store, topic: str, partition: int, start: int, end: int) -> Iterator[LogRecord]:
    """Records with start ≤ offset < end."""
    prefix = _place(topic, partition)
    first, last = (prefix + offset.to_bytes(_NUMBER_BYTES, "big") for offset in (start, end))
    for key, data in store.scan("log", first, last):
        record_key, value, headers = _RECORD.decode(data)
        yield LogRecord(topic, partition, int.from_bytes(key[-_NUMBER_BYTES:], "big"), record_key, value, headers)


def _number(store: Store, key: bytes) -> int:
    return int.from_bytes(store.get("meta", key) or b"", "big")
