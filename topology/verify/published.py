"""What the hub published because of the records before the cut, and what of it has moved on since.

A record's `ce_id` names the record of the site log it came of. Of a compacted topic older records may be gone: a key of which
only newer records are left can't be compared.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from schemas.codes import normalise_lot
from schemas.log import LogRecord
from schemas.topics import BALANCES, COMMANDS, MOVEMENTS, QUARANTINE, SHADOW_COMMANDS, SITE_LOG
from topology.verify.cards import LotKey
from topology.verify.lots import UNKNOWN
from topology.verify.report import DUPLICATED, Report
from topology.verify.source import LogSource
from topology.verify.words import HELD, MOVED, ORDERED, SET_ASIDE, Card, Held, Ordered, cause_of

AFTER_CUT: Final = -1
HANDLER_FAULT: Final = "handler_fault"


class Cut:
    """Up to where a hub is checked: the site processor's input positions."""

    def __init__(self, positions: list[int]) -> None:
        """One position a partition of the site log."""
        self.positions = positions

    def cause(self, record: LogRecord) -> int | None:
        """Offset of the cause; `AFTER_CUT` where that lies beyond the cut; None where the record names no cause."""
        cause = cause_of(dict(record.headers))
        if cause is None or cause[0] != SITE_LOG:
            return None
        _, partition, offset = cause
        return offset if offset < self.positions[partition] else AFTER_CUT


class Balances:
    """The balances at the cut: key → balance (none: a tombstone) and offset of its cause; and keys that moved on."""

    def __init__(self, source: LogSource, partition: int, cut: Cut) -> None:
        """Reads the partition."""
        self.records: dict[bytes, tuple[Held | None, int | None]] = {}
        newer: set[bytes] = set()
        for record in source.read(BALANCES, partition):
            cause = cut.cause(record)
            if cause == AFTER_CUT:
                newer.add(record.key)
            else:
                self.records[record.key] = (HELD.decode(record.value) if record.value is not None else None, cause)
        self.moved_on = newer - self.records.keys()


class Movements:
    """The movements of a partition, added up per account."""

    def __init__(self, source: LogSource, partition: int, cut: Cut, report: Report, site: str | None) -> None:
        """Reads the partition; notes movements that stand twice or move nothing."""
        self.stock: defaultdict[tuple[Card, LotKey], int] = defaultdict(int)
        self.outside: defaultdict[tuple[str, str, str], int] = defaultdict(int)
        """By site, item and account."""
        seen: set[str] = set()
        for record in source.read(MOVEMENTS, partition):
            if record.value is None or cut.cause(record) == AFTER_CUT:
                continue
            moved = MOVED.decode(record.value)
            if site is not None and moved.site != site:
                continue
            report.count("movements")
            if moved.movement_id in seen:
                text = f"movement {moved.movement_id} of {moved.item} stands twice in the log"
                report.differ("movement_id", text, found=DUPLICATED, site=moved.site, item=moved.item)
            seen.add(moved.movement_id)
            if moved.quantity < 1:
                text = f"movement {moved.movement_id} moves {moved.quantity} from {moved.from_account} to {moved.to_account}"
                report.differ("movement", text, site=moved.site, item=moved.item)
            number = moved.lot if moved.lot == UNKNOWN else normalise_lot(moved.lot)
            lot = (moved.product, number, moved.container or "")
            for account, quantity in ((moved.from_account, -moved.quantity), (moved.to_account, moved.quantity)):
                if account.startswith("stock:"):
                    self.stock[(moved.site, account.removeprefix("stock:"), moved.item), lot] += quantity
                else:
                    self.outside[moved.site, moved.item, account] += quantity


class Commands:
    """The commands of a partition: the newest revision of each before the cut, and cards whose commands moved on.

    Revisions of one command may stand in two topics: executable ones, and those of a time when the site was not live.
    """

    def __init__(self, source: LogSource, partition: int, cut: Cut, report: Report, site: str | None) -> None:
        """Reads the partition; notes revisions that stand twice or leave a gap."""
        self.newest: dict[str, Ordered] = {}
        self.moved_on: set[Card] = set()
        self.executable: list[tuple[int, Ordered]] = []
        """What stands in `replenishment.commands`, with the offset of its cause."""
        revisions: defaultdict[str, set[int]] = defaultdict(set)
        for topic, cause, command in _commands(source, partition, cut):
            is_newer = cause == AFTER_CUT
            if site is not None and command.site != site:
                continue
            if topic == COMMANDS and cause is not None and not is_newer:
                self.executable.append((cause, command))
            seen = revisions[command.command_id]
            about = {"site": command.site, "location": command.location, "item": command.item}
            if command.revision in seen:
                text = f"revision {command.revision} of command {command.command_id} stands twice in the log"
                report.differ("command_revision", text, found=DUPLICATED, **about)
            elif seen and not source.compacts and command.revision != max(seen) + 1:
                text = f"revision {command.revision} of command {command.command_id} follows revision {max(seen)}"
                report.differ("command_revision", text, **about)
            elif not seen and not source.compacts and command.revision != 1:
                text = f"command {command.command_id} begins with revision {command.revision}"
                report.differ("command_revision", text, **about)
            seen.add(command.revision)
            if is_newer:
                if command.command_id not in self.newest:
                    self.moved_on.add((command.site, command.location, command.item))
            else:
                self.newest[command.command_id] = command
                report.count("commands")


def _commands(source: LogSource, partition: int, cut: Cut) -> Iterator[tuple[str, int | None, Ordered]]:
    """Both topics in the order in which they were written: by the record of the site log that made them."""
    found: list[tuple[tuple[int, int], str, int | None, Ordered]] = []
    for topic in (COMMANDS, SHADOW_COMMANDS):
        found += [
            (_written(record), topic, cut.cause(record), ORDERED.decode(record.value))
            for record in source.read(topic, partition) if record.value is not None
        ]  # fmt: skip
    for _, topic, cause, command in sorted(found, key=lambda one: one[0]):
        yield topic, cause, command


def _written(record: LogRecord) -> tuple[int, int]:
    """Where in the site log a record came from, and its place among what that record made; first, where it says neither."""
    headers = dict(record.headers)
    cause = cause_of(headers)
    return (-1, record.offset) if cause is None else (cause[2], int(headers["ce_id"].rpartition("-")[2]))


def set_aside(source: LogSource, partitions: range) -> set[tuple[int, int]]:
    """Places in the site log of events on which the hub failed and which it put into quarantine whole."""
    found: set[tuple[int, int]] = set()
    for partition in partitions:
        for record in source.read(QUARANTINE, partition):
            kept = SET_ASIDE.decode(record.value or b"{}") if record.value else None
            if kept is None or kept.code != HANDLER_FAULT or not (kept.name or "").startswith(f"{SITE_LOG}["):
                continue
            place, _, offset = (kept.name or "").removeprefix(f"{SITE_LOG}[").partition("]@")
            if place.isdigit() and offset.isdigit():
                found.add((int(place), int(offset)))
    return found
