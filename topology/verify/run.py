"""One check of one hub: positions first, then raw, then one partition of the site log after the other, then outcomes.

The order makes the cut consistent while the hub works on: what is read later than a position is at least as new, and what came of
records beyond it is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from schemas.log import LogRecord
from schemas.partition import PARTITIONS, partition_of
from schemas.topics import SITE_LOG
from topology.errors import HubError, InputRefusedError
from topology.verify.allocated import check_allocations
from topology.verify.compare import Ledger, check_balances, check_movements, outside_of
from topology.verify.derive import Derivation
from topology.verify.due import settled
from topology.verify.ids import name_based_id
from topology.verify.needs import check_modes, check_needs
from topology.verify.published import AFTER_CUT, Balances, Commands, Cut, Movements, set_aside
from topology.verify.raw import RawPartition
from topology.verify.report import Report
from topology.verify.source import LogSource
from topology.verify.transfers import Transfers, check_transfers
from topology.verify.words import GIVEN, SAID, Ref, Told

_FIRES: Final = frozenset({"StockEvent", "Notice", "Tick", "Decision", "OrderAnswer", "TransferNotice"})
"""Records with which the hub fires what has fallen due."""


class _Pass:
    """One partition of the site log."""

    def __init__(self, partition: int, end: int, site: str | None) -> None:
        self.partition = partition
        self.end = end
        self.derived = Derivation(site)
        self.offsets: tuple[int, int] | None = None
        self.ticked: list[int] = []
        """How many records that fire what is due had been read at each tick."""
        self.records = 0


def verify(source: LogSource, site: str | None = None) -> Report:
    """Check a hub, or one site of it (then without raw, which belongs to no site). Raises `HubError` where that can't be done."""
    watched = _Watched(source)
    try:
        return _verify(watched, site)
    except (msgspec.MsgspecError, ValueError) as error:
        msg = f"{watched.at} can't be read ({type(error).__name__}): it is damaged, or was written by a newer release"
        raise HubError(msg) from None


class _Watched:
    """A source that remembers which record it gave last, so that one which can't be read has a name."""

    def __init__(self, source: LogSource) -> None:
        self._source = source
        self.at = "the log"

    @property
    def name(self) -> str:
        return self._source.name

    @property
    def compacts(self) -> bool:
        return self._source.compacts

    def position(self, processor: str, partition: int) -> int:
        return self._source.position(processor, partition)

    def start(self, topic: str, partition: int) -> int:
        return self._source.start(topic, partition)

    def read(self, topic: str, partition: int) -> Iterator[LogRecord]:
        for record in self._source.read(topic, partition):
            self.at = f"{topic}[{partition}]@{record.offset}"
            yield record

    def close(self) -> None:
        self._source.close()


def _verify(source: LogSource, site: str | None) -> Report:
    report = Report()
    cut = Cut([source.position("site", partition) for partition in range(PARTITIONS)])
    raw = [] if site is not None else [RawPartition(source, partition, report) for partition in range(PARTITIONS)]
    aside = set_aside(source, range(PARTITIONS))
    compared: list[tuple[Transfers, dict[tuple[str, str, str], int]]] = []
    for partition in range(PARTITIONS) if site is None else (partition_of(site),):
        one = _Pass(partition, cut.positions[partition], site)
        _read(source, one, raw, aside, report, cut)
        report.window(partition, one.offsets, one.derived.events, one.derived.ticks)
        report.count("events", one.derived.events)
        compared.append((one.derived.transfers, _compare(source, one, cut, report, site)))
        if site is not None and one.derived.known.site(site) is None and not one.derived.events:
            msg = f"no site {site} is known, and nothing was ever told of it"
            raise InputRefusedError(msg)
    if site is None:
        check_transfers(compared, report)
    for kept in raw:
        kept.check_outcomes(source)
    return report


def _read(
    source: LogSource, one: _Pass, raw: list[RawPartition], aside: set[tuple[int, int]], report: Report, cut: Cut
) -> None:
    """Derive what lies before the cut; of what lies behind it note only that it waits."""
    for record in source.read(SITE_LOG, one.partition):
        headers = dict(record.headers)
        type_ = headers.get("ce_type", "")
        is_folded = record.offset < one.end
        if type_ == "TransferNotice" and cut.cause(record) not in (None, AFTER_CUT):
            one.derived.transfers.tell(GIVEN.decode(record.value or b"{}"))
        if not is_folded and not raw:
            return
        event: Told | None = None
        ref: Ref | None = None
        if is_folded:
            one.offsets = (one.offsets[0] if one.offsets else record.offset, record.offset)
            if (one.partition, record.offset) in aside:
                report.count("set_aside")
            else:
                ticks = len(one.derived.ticks)
                event = one.derived.read(record, type_)
                if len(one.derived.ticks) > ticks:
                    one.ticked.append(one.records)
                one.records += type_ in _FIRES
        if event is not None:
            ref = event.raw
            _check_event_id(event, report)
        elif type_ in ("StockEvent", "Notice", "Decision", "OrderAnswer"):
            ref = SAID.decode(record.value or b"{}").raw
        if raw and ref is not None:
            raw[ref.partition].forwarded(ref, record, int(headers.get("items", "1")), folded=is_folded)


def _check_event_id(event: Told, report: Report) -> None:
    """The same fact has the same id on every run: derived from its site and key."""
    wanted = name_based_id("event", event.site, event.event_key)
    if event.event_id != wanted:
        text = f"event {event.event_id} ({event.event_key}) should be {wanted} by its key"
        report.differ("event_id", text, site=event.site, published=event.event_id, derived=wanted)


def _compare(
    source: LogSource, one: _Pass, cut: Cut, report: Report, site: str | None
) -> dict[tuple[str, str, str], int]:
    """What the partition published against what was derived; returns what was derived for the outside accounts."""
    ledger = Ledger(one.derived)
    done = settled(one.derived, one.ticked, one.records)
    check_balances(ledger, Balances(source, one.partition, cut), report, site, done)
    check_movements(ledger, Movements(source, one.partition, cut, report, site), report)
    commands = Commands(source, one.partition, cut, report, site)
    check_needs(ledger, commands, report, site, done)
    check_modes(ledger, commands, report)
    check_allocations(ledger, commands, report, site, done)
    return outside_of(ledger)
