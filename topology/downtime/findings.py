"""Where paper, the devices' own log and the ledger disagree, line by line, and what is proposed. Pure: same facts, same findings.

Every line of paper ends in exactly one class, and every deed of a device in the period, at a place where paper was used, is in a
pair or a finding of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from schemas.downtime import Downtime, DowntimeFinding, FindingState
from schemas.ids import fingerprint
from topology.downtime.ledger import Paper
from topology.downtime.matching import UNKNOWN, Line, match, same_lot

MATCHED_DEEDS: Final = ("removal", "return", "discard", "refill")
"""Deeds of a device that should stand on paper where paper was used. A waste names no place; receipts and moves have scans."""
_VERBS: Final = {
    "removal": "removed", "return": "returned", "waste": "wasted", "discard": "discarded", "refill": "refilled",
    "receive": "received", "move": "moved",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Compared:
    """The findings, and how many lines ended in which class."""

    findings: tuple[DowntimeFinding, ...]
    paper: Counter[str] = field(default_factory=Counter)
    """Lines of paper by class: `agreed`, `stands` (counts), `withdrawn` (disputed), or the kind of their finding."""
    device: Counter[str] = field(default_factory=Counter)
    """Deeds of devices: `paired`, `device_only`, `not_compared`."""


class Words:
    """Lines in words, with times of the site."""

    def __init__(self, zone: str) -> None:
        """`zone` is the site's."""
        self._zone = ZoneInfo(zone)

    def of(self, line: Line) -> str:
        """What was done, when and by whom."""
        lots = ", ".join(sorted(lot for lot in line.lots if lot.upper() != UNKNOWN))
        at = f" at {line.place}" if line.place else ""
        who = f" by {line.person}" if line.person else ""
        lot = f" lot {lots}" if lots else ""
        return f"{_VERBS[line.deed]} {line.quantity} of {line.item}{lot}{at}, {self.time(line.occurred)}{who}"

    def time(self, at: datetime) -> str:
        """Day, hour and minute at the site."""
        return f"{at.astimezone(self._zone):%Y-%m-%d %H:%M}"


def compare(
    period: Downtime, now: datetime, paper: Sequence[Paper], device: Iterable[Line], *, tolerance: timedelta, zone: str,
    registered: Callable[[str], str], withdrawn: Container[tuple[str, int]] = (),
) -> Compared:  # fmt: skip
    """Compare a period's paper with what devices say. `registered` gives the registered place that a path belongs to;
    `withdrawn` are forms and lines that were taken back because they were wrong.

    Findings are numbered from 1 in their order and open; who keeps them gives them their numbers.
    """
    device = list(device)
    by_line = {one.line.id: one for one in paper if one.line is not None}
    found = match([one.line for one in paper if one.line is not None], device, tolerance)
    made = _Findings(period, now, Words(zone), tolerance, withdrawn)
    for one in paper:
        if one.line is None:
            made.count(one)
    for left, right in found.pairs:
        made.pair(by_line[left.id], left, right)
        made.device["paired"] += 1
    for line in found.paper_alone:
        made.alone(by_line[line.id], line)
    used = {registered(one.keyed.location) for one in paper}
    end = period.ended_at or now
    for line in found.device_alone:
        inside = period.started_at <= line.occurred <= end and line.deed in MATCHED_DEEDS
        if inside and registered(line.place) in used:
            made.of_device(line)
        made.device["device_only" if inside and registered(line.place) in used else "not_compared"] += 1
    return Compared(tuple(made.found), made.paper, made.device)


class _Findings:
    """Collects findings of one period."""

    def __init__(
        self, period: Downtime, now: datetime, words: Words, tolerance: timedelta, withdrawn: Container[tuple[str, int]]
    ) -> None:
        self._period = period
        self._now = now
        self._words = words
        self._minutes = int(tolerance.total_seconds() // 60)
        self._withdrawn = withdrawn
        self.found: list[DowntimeFinding] = []
        self.paper: Counter[str] = Counter()
        self.device: Counter[str] = Counter()

    def count(self, one: Paper) -> None:
        """A line that is compared with nothing: a count, or the waste of part of a container."""
        if one.counted == "waiting":
            self._waiting(one, f"{one.id}: the count of {one.keyed.item} at {one.keyed.location}")
        elif (one.keyed.form, one.keyed.line) in self._withdrawn:
            self.paper["withdrawn"] += 1
        else:
            self.paper["stands"] += 1

    def pair(self, one: Paper, mine: Line, theirs: Line) -> None:
        """Paper and a device tell of one deed."""
        same = mine.quantity == theirs.quantity and same_lot(mine, theirs)
        if one.counted == "taken_back":
            self.paper["agreed"] += 1
            return
        told = f"paper {one.id} {self._words.of(mine)}; the device's log has {self._words.of(theirs)}"
        if one.counted == "waiting":
            text = f"{told}. The ledger has the device's; the paper line waits ({one.why}) and would count it again"
        elif same:
            text = f"{told}. The ledger has both: counted twice"
        else:
            text = f"{told}. They differ, and the ledger has both"
        self._add("counted_twice" if same else "differs", "take_back", text, one, theirs)

    def alone(self, one: Paper, line: Line) -> None:
        """A line of paper that no device tells of."""
        told = f"paper {one.id} {self._words.of(line)}"
        if one.counted == "waiting":
            self._waiting(one, told)
        elif one.counted == "taken_back" and (one.keyed.form, one.keyed.line) in self._withdrawn:
            self.paper["withdrawn"] += 1
        elif one.counted == "taken_back":
            text = f"{told}. It was taken back, and no device's record stands for it: enter it on a new line if it did happen"
            self._add("not_counted", "keep", text, one, None)
        else:
            text = f"{told}. No device's log has it; the ledger has it from paper alone"
            self._add("paper_only", "keep", text, one, None)

    def of_device(self, line: Line) -> None:
        """A deed of a device that nobody wrote down."""
        text = f"the device's log has {self._words.of(line)}. It is not on paper; the ledger has it from the device alone"
        self._add("device_only", "keep", text, None, line)

    def _waiting(self, one: Paper, told: str) -> None:
        self._add("not_in_ledger", "mend", f"{told}. The ledger does not have it: {one.why}", one, None)

    def _add(self, kind: str, proposal: str, text: str, one: Paper | None, device: Line | None) -> None:
        keyed = None if one is None else one.keyed
        people: tuple[str, ...] = (device.person,) if keyed is None and device and device.person else ()
        if keyed is not None:
            self.paper[kind] += 1
            people = tuple(dict.fromkeys(name for name in (keyed.keyed_by, keyed.person, keyed.witness) if name))
        subject = one.id if one is not None else str(device.id if device else "")
        self.found.append(DowntimeFinding(
            period=self._period.id, number=len(self.found) + 1, subject=subject, kind=kind, text=text, proposal=proposal,  # type: ignore[arg-type]  # the words of its kinds
            state=FindingState.OPEN, found_at=self._now, tolerance_minutes=self._minutes, people=people,
            facts=fingerprint(kind, proposal, subject, text),
            form=None if keyed is None else keyed.form, line=None if keyed is None else keyed.line,
            event_id=None if device is None else device.id,
        ))  # fmt: skip


def merged(
    kept: Sequence[DowntimeFinding], found: Sequence[DowntimeFinding],
) -> tuple[list[DowntimeFinding], list[DowntimeFinding]]:  # fmt: skip
    """What is found now over what was kept: the findings as they stand, and those that have to be written.

    The same facts keep their number and what was decided. An open one that is not found any more is gone; other facts about a
    line are a new finding, also when the old one was approved. What a person disputes stands until it is decided, or until the
    line was taken back for another finding.
    """
    numbers = {one.facts: one for one in kept if one.state is not FindingState.GONE}
    current = {one.facts for one in found}
    approved = [one for one in kept if one.state is FindingState.APPROVED and one.proposal == "take_back"]
    back = {(one.form, one.line) for one in approved}
    stand: list[DowntimeFinding] = []
    write = [replace(old, state=FindingState.GONE) for old in kept if _is_over(old, current, back)]
    number = max((one.number for one in kept), default=0)
    for new in found:
        same = numbers.get(new.facts)
        if same is not None:
            stand.append(same)
            continue
        number += 1
        stand.append(replace(new, number=number))
        write.append(stand[-1])
    disputed = [old for old in kept if old.kind == "disputed" and old.state is FindingState.OPEN]
    stand += [old for old in disputed if not _is_over(old, current, back)]
    return stand, write


def _is_over(old: DowntimeFinding, current: Container[str], back: Container[tuple[str | None, int | None]]) -> bool:
    """Whether an open finding is not found any more. What a person disputes is not found but said."""
    if old.kind == "disputed":
        return old.state is FindingState.OPEN and (old.form, old.line) in back
    return old.state is FindingState.OPEN and old.facts not in current
