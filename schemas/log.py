"""A log record: what processors read and write, whatever runtime carries it."""

from __future__ import annotations

from datetime import datetime

import msgspec

Headers = tuple[tuple[str, str], ...]


class LogRecord(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One record of a topic partition as it was read. `offset` rises within a partition; gaps are allowed."""

    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes | None
    headers: Headers = ()


class Output(msgspec.Struct, frozen=True, gc=False):
    """One record a processor writes. Without a partition the topic's partitioner decides by `partition_key`.

    `type` is the CloudEvents type (name of the contract); no value is a tombstone. `items` is how many items the raw message
    declared that the record comes from; `was` the outcome that its item had before it went on.
    """

    topic: str
    key: bytes
    value: bytes | None
    type: str
    partition_key: str = ""
    partition: int | None = None
    subject: str = ""
    source: str = ""
    time: datetime | None = None
    items: int = 1
    was: str = ""
