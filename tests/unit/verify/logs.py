"""Logs that verify reads in tests: those of a hub, copied so that a test can tamper with them, or written by hand."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from schemas.log import LogRecord
from schemas.topics import OUTCOMES, RAW, SITE_LOG, TOPICS
from streams.contract import fold
from tests.support.hub import SiteHub
from topology.outgoing import outgoing
from topology.verify.report import Difference, Report
from topology.verify.run import verify
from topology.verify.source import LogSource

Place = tuple[str, int]


class Logs:
    """A source in memory. `cut` tells from which position on the site log was not folded yet."""

    compacts = False
    name = "test"

    def __init__(self, records: dict[Place, list[LogRecord]], *, cut: int | None = None) -> None:
        self.records = records
        self.cut = cut
        self.begins: dict[Place, int] = {}

    def position(self, processor: str, partition: int) -> int:
        held = self.records.get((SITE_LOG if processor == "site" else RAW, partition), [])
        end = held[-1].offset + 1 if held else 0
        return end if self.cut is None or processor != "site" else min(self.cut, end)

    def start(self, topic: str, partition: int) -> int:
        return self.begins.get((topic, partition), 0)

    def read(self, topic: str, partition: int) -> Iterator[LogRecord]:
        yield from self.records.get((topic, partition), [])

    def close(self) -> None:
        """Nothing is held."""

    # ---- tampering ---------------------------------------------------------------------------------------------------

    def all(self, topic: str) -> list[LogRecord]:
        return [record for partition in range(TOPICS[topic].partitions) for record in self.read(topic, partition)]

    def drop(self, gone: LogRecord) -> None:
        place = (gone.topic, gone.partition)
        self.records[place] = [record for record in self.records[place] if record is not gone]

    def replace(self, old: LogRecord, **changes: Any) -> None:
        place = (old.topic, old.partition)
        new = msgspec.structs.replace(old, **changes)
        self.records[place] = [new if record is old else record for record in self.records[place]]

    def change(self, record: LogRecord, **fields: Any) -> None:
        """Other fields in the record's value."""
        value = {**msgspec.json.decode(record.value or b"{}"), **fields}
        self.replace(record, value=msgspec.json.encode(value))

    def again(self, record: LogRecord) -> None:
        self.records[record.topic, record.partition].append(record)


def copied(source: LogSource) -> Logs:
    """Everything a source shows."""
    records = {
        (topic.name, partition): list(source.read(topic.name, partition))
        for topic in TOPICS.values()
        for partition in range(topic.partitions)
    }
    return Logs(records)


class RecordedHub(SiteHub):
    """The site processor of partition 0, whose input and output stand in topics as a runtime would put them."""

    partition = 0

    def __init__(self, *more: Any, reference: Iterable[Any] | None = None, flush_every: int = 0) -> None:
        self.published: list[LogRecord] = []
        self.raw_places: set[tuple[int, int]] = set()
        super().__init__(*more, reference=reference, flush_every=flush_every)

    def feed(self, record: LogRecord) -> list[Any]:
        self.log.append(record)
        folded, faults = fold(self.processor, [record], self.state)
        self.faults += faults
        assert self.may_fail or not faults, faults
        outputs = folded[0][1]
        self.outputs += outputs
        for topic, partition, key, value, headers in outgoing("site", record, outputs):
            self.published.append(LogRecord(topic, partition, len(self.published), key, value, headers))
        raw = msgspec.json.decode(record.value or b"{}").get("raw")
        if raw:
            self.raw_places.add((raw["partition"], raw["offset"]))
        return outputs

    def logs(self, *, cut: int | None = None) -> Logs:
        """The topics as they stand now."""
        records: dict[Place, list[LogRecord]] = {(SITE_LOG, 0): list(self.log)}
        for record in self.published:
            records.setdefault((record.topic, record.partition), []).append(record)
        for partition, offset in sorted(self.raw_places):
            records.setdefault((RAW, partition), []).append(raw_message(partition, offset))
        return Logs(records, cut=cut)


def raw_message(partition: int, offset: int, body: bytes = b"body") -> LogRecord:
    headers = (("ce_type", "RawMessage"), ("sha256", hashlib.sha256(body).hexdigest()))
    return LogRecord(RAW, partition, offset, b"", body, headers)


def found(source: LogSource, site: str | None = None) -> list[Difference]:
    return verify(source, site).differences


def checks(report: Report) -> set[tuple[str, str]]:
    """Check and sort of every difference."""
    return {(one.check, one.found) for one in report.differences}


def first(records: list[LogRecord], wanted: Callable[[dict[str, Any]], bool] = lambda _: True) -> LogRecord:
    """The first record whose value is as wanted."""
    return next(record for record in records if record.value and wanted(msgspec.json.decode(record.value)))


__all__ = ["OUTCOMES", "Logs", "RecordedHub", "checks", "copied", "first", "found", "raw_message"]
