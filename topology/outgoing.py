"""How records leave a processor or the broadcaster, on every runtime: where they go, and the CloudEvents headers they carry."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final

from schemas.codec import encode
from schemas.events import ReferenceChange, Tick
from schemas.keys import encode_key
from schemas.log import Headers, LogRecord, Output
from schemas.partition import partition_of
from schemas.reference import DESK_KINDS, SITE_DESK_KINDS
from schemas.topics import NETWORK_LOG, RAW, REFERENCE, SITE_LOG, TOPICS

RECORD_SCHEMA: Final = "1"
PLACES_KEPT_MAX: Final = 65_536

Outgoing = tuple[str, int, bytes, bytes | None, Headers]
"""Topic, partition, key, value (none: a tombstone) and headers."""


def outgoing(processor: str, record: LogRecord, outputs: Sequence[Output]) -> list[Outgoing]:
    """The records of one event's outputs: their headers name the event they came from (CloudEvents 1.0)."""
    if not outputs:
        return []
    cause = f"{record.topic}-{record.partition}-{record.offset}"
    time = ("ce_time", "")
    trace = ("trace", cause)
    for pair in record.headers:
        if pair[0] == "trace":
            trace = pair
        elif pair[0] == "ce_time":
            time = pair
    shared = (("ce_source", processor), ("schema", RECORD_SCHEMA), trace, time)
    made: list[Outgoing] = []
    for index, output in enumerate(outputs):
        partition = output.partition
        if partition is None:
            partition = partition_for(output.partition_key, TOPICS[output.topic].partitions)
        headers: Headers = (
            ("ce_id", f"{cause}-{index}"), ("ce_type", output.type), ("ce_subject", output.subject), *shared,
        )  # fmt: skip
        if output.topic == SITE_LOG:
            headers = (*headers, ("items", str(output.items)), ("source", output.source))
            if output.was:
                headers = (*headers, ("was", output.was))
        made.append((output.topic, partition, output.key, output.value, headers))
    return made


def broadcast_topics(change: ReferenceChange | Tick) -> tuple[str, ...]:
    """The topics of which every partition must hear of a change. What a desk writes for itself moves no stock."""
    if isinstance(change, Tick):
        return (SITE_LOG, NETWORK_LOG)
    if change.kind in SITE_DESK_KINDS:
        return (SITE_LOG, NETWORK_LOG, REFERENCE)
    return (NETWORK_LOG, REFERENCE) if change.kind in DESK_KINDS else (RAW, SITE_LOG, NETWORK_LOG, REFERENCE)


def broadcast_record(change: ReferenceChange | Tick, at: datetime | None = None) -> tuple[bytes, bytes, Headers]:
    """Key, value and headers of a change, the same in every partition.

    `at` is when a reference change came into force, where the hub knows the time (a cost is looked up by it).
    """
    if isinstance(change, Tick):
        key, ce_id, ce_time = encode_key(("tick",)), f"tick-{change.at.isoformat()}", change.at.isoformat()
    else:
        key, ce_id, ce_time = encode_key((change.kind, change.id)), f"reference-{change.revision}", at.isoformat() if at else ""
    headers: Headers = (
        ("ce_id", ce_id), ("ce_type", type(change).__name__), ("ce_source", "hub"), ("ce_time", ce_time), ("ce_subject", ""),
        ("schema", RECORD_SCHEMA), ("trace", ce_id),
    )  # fmt: skip
    return key, encode(change), headers


@lru_cache(maxsize=PLACES_KEPT_MAX)
def partition_for(key: str, partitions: int) -> int:
    """The partition of a key, remembered: a hub has few sites and feeds."""
    return partition_of(key, partitions)
