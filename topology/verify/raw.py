"""Nothing lost, from the topics alone: raw messages, the site events made of them, and how their items ended.

Every item of every message that was folded has one final outcome, or its event still waits in the site log. Memory is a few bytes
a message: what is usual (one item, index 0) stands in byte arrays, the rest in sets.
"""

from __future__ import annotations

import hashlib
from typing import Final

from schemas.log import LogRecord
from schemas.topics import OUTCOMES, RAW
from topology.verify.report import DUPLICATED, MISSING, Report
from topology.verify.source import LogSource
from topology.verify.words import ENDED, Ended, Ref

_FIRST_ONLY: Final = 0


class Marks:
    """A set of (offset, index), small where the index is 0."""

    __slots__ = ("_first", "_more")

    def __init__(self) -> None:
        """Empty."""
        self._first = bytearray()
        self._more: set[tuple[int, int]] = set()

    def add(self, offset: int, index: int = _FIRST_ONLY) -> bool:
        """Put a place in; False when it was there."""
        if index != _FIRST_ONLY:
            before = len(self._more)
            self._more.add((offset, index))
            return len(self._more) > before
        if offset >= len(self._first):
            self._first.extend(bytes(max(offset + 1 - len(self._first), 4096)))
        was, self._first[offset] = self._first[offset], 1
        return not was

    def __contains__(self, place: tuple[int, int]) -> bool:
        """Whether a place is in."""
        offset, index = place
        if index != _FIRST_ONLY:
            return place in self._more
        return offset < len(self._first) and bool(self._first[offset])


class RawPartition:
    """One partition of raw, and what is said of its messages."""

    def __init__(self, source: LogSource, partition: int, report: Report) -> None:
        """Reads the partition: which messages there are, and that each is still what its digest says."""
        self.partition = partition
        self.folded = source.position("normalise", partition)
        self._report = report
        self._base = source.start(RAW, partition)
        self._messages = Marks()
        self._forwarded = Marks()
        self._waiting: set[tuple[int, int]] = set()
        self._items: dict[int, int] = {}
        self.offsets = 0
        for record in source.read(RAW, partition):
            headers = dict(record.headers)
            if headers.get("ce_type") != "RawMessage":
                continue
            report.count("raw_messages")
            self._messages.add(record.offset - self._base)
            self.offsets = record.offset + 1
            if hashlib.sha256(record.value or b"").hexdigest() != headers.get("sha256"):
                text = f"{self._name(record.offset)} is not what was received: its SHA-256 is another"
                self._differ("raw_digest", text, record.offset)
        self._begins = source.start(RAW, partition)  # retention may have gone on while it was read
        if self._begins:
            report.raw_begins[partition] = self._begins

    # ---- site events ---------------------------------------------------------------------------------------------------

    def forwarded(self, ref: Ref, record: LogRecord, items: int, *, folded: bool) -> None:
        """A site event names this item; `folded` when it lies before the cut."""
        if ref.offset < self._begins:
            return
        offset = ref.offset - self._base
        where = f"{record.topic}[{record.partition}]@{record.offset}"
        if (offset, 0) not in self._messages and ref.offset < self.folded:
            text = f"{where} comes from {self._name(ref.offset)}, which does not exist"
            self._differ("raw_place", text, ref.offset, found=MISSING)
        if not self._forwarded.add(offset, ref.index):
            text = f"{where} is a second event of item {ref.index} of {self._name(ref.offset)}"
            self._differ("raw_event", text, ref.offset, found=DUPLICATED)
        if items != 1:
            self._items[offset] = items
        if not folded:
            self._waiting.add((offset, ref.index))

    # ---- outcomes ------------------------------------------------------------------------------------------------------

    def check_outcomes(self, source: LogSource) -> None:
        """Read the outcomes of the partition and see that every item has one."""
        ended, held = Marks(), set[tuple[int, int]]()
        for record in source.read(OUTCOMES, self.partition):
            if record.value is not None:
                outcome = ENDED.decode(record.value)
                if outcome.raw.offset >= self._begins:
                    self._end(outcome, ended, held, compacts=source.compacts)
        for offset in range(min(self.offsets, self.folded) - self._base):
            if (offset, 0) in self._messages:
                self._add_up(offset, ended)

    def _end(self, outcome: Ended, ended: Marks, held: set[tuple[int, int]], *, compacts: bool) -> None:
        """One outcome: the first of its item, or the one that lets it go."""
        at, index = outcome.raw.offset, outcome.raw.index
        offset = at - self._base
        place = (offset, index)
        if at < self.folded and (offset, 0) not in self._messages:
            self._differ("outcome", f"an outcome speaks of {self._name(at)}, which does not exist", at)
        if self._items.setdefault(offset, outcome.items) != outcome.items or index >= outcome.items:
            text = f"{self._name(at)}: the outcome of item {index} declares {outcome.items} items, others {self._items[offset]}"
            self._differ("outcome", text, at)
        is_first = ended.add(offset, index)
        if outcome.was is None and place in held:
            text = f"item {index} of {self._name(at)} was held and ended {outcome.outcome}, and that does not say so"
            self._differ("outcome", text, at)
        elif outcome.was is None and not is_first:
            text = f"item {index} of {self._name(at)} has a second outcome ({outcome.outcome}) that replaces none"
            self._differ("outcome", text, at, found=DUPLICATED)
        elif outcome.was is not None and place not in held and not (compacts and is_first):
            text = f"item {index} of {self._name(at)} ended {outcome.outcome} and was {outcome.was}, which nothing says"
            self._differ("outcome", text, at, found=MISSING)
        if outcome.outcome == "held":
            held.add(place)
        else:
            held.discard(place)

    def _add_up(self, offset: int, ended: Marks) -> None:
        """Every declared item of a message ended, or is on its way."""
        items = self._items.get(offset, 1)
        self._report.count("items", items)
        for index in range(items):
            if (offset, index) in ended:
                continue
            if (offset, index) in self._waiting:
                self._report.count("in_flight")
                continue
            at = offset + self._base
            text = f"item {index} of {self._name(at)} has no outcome"
            self._differ("outcome", text, at, found=MISSING)

    def _name(self, offset: int) -> str:
        return f"raw[{self.partition}]@{offset}"

    def _differ(self, check: str, text: str, offset: int, *, found: str = "different") -> None:
        self._report.differ(check, text, found=found, about={"raw_partition": self.partition, "raw_offset": offset})
