"""A card from nothing: its entries sorted into ledger order and added up, with the trigger of its par levels.

This is the other method: the hub keeps a running fold and repairs it when something arrives late; here the whole history is
sorted once, so arrival can't matter.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Final

from topology.verify.effects import Does
from topology.verify.lots import Lot

Levels = tuple[int, int]
"""A need arms at or below the first and is satisfied at or above the second."""
Order = tuple[int, int, int, str, int]
"""Occurred (µs), device sequence, rank of the kind, event key, number within the event."""
LotKey = tuple[str, str, str]
UsableAt = Callable[[LotKey, int], bool]
"""Whether a lot may be given to a patient at an instant."""
UNKNOWN_LOT: Final = ("", "unknown", "")
AFTER_DEVICES: Final = 2**62
_POLICY_TEXT: Final = "mark|policy|"


class Fact:
    """What a business key stands for: whether it counts, and what it moved between outside accounts."""

    __slots__ = ("announced", "gone", "is_reversal", "item", "message", "outside")

    def __init__(self, *, is_reversal: bool = False, gone: bool = False, message: tuple[int, int] | None = None) -> None:
        """`gone`: taken back, maybe before it came. `message`: partition and offset of the raw message that told it first."""
        self.message = message
        self.gone = gone
        self.is_reversal = is_reversal
        self.announced = False
        self.item = ""
        self.outside = 0


class Entry:
    """One line of a card."""

    __slots__ = ("account", "amount", "does", "fact", "lot", "order", "partial")

    def __init__(self, order: Order, does: Does, amount: int, lot: Lot | None, account: str, fact: Fact) -> None:
        """`account` is the outside account on the other side, empty between places."""
        self.order = order
        self.does = does
        self.amount = amount
        self.lot = lot
        self.account = account
        self.fact = fact
        self.partial = False


class CardLog:
    """Everything that was read of one card, in the order of reading."""

    __slots__ = ("changes", "entries")

    def __init__(self) -> None:
        """An empty card."""
        self.entries: list[Entry] = []
        self.changes: list[tuple[int, int, Levels | None]] = []
        """Changes of the par policy: the tick in force, the revision, and the levels before it."""


class Turning:
    """An instant at which a lot becomes usable or unusable."""

    __slots__ = ("lot", "order", "usable")

    def __init__(self, us: int, lot: LotKey, *, usable: bool) -> None:
        """A turning comes before everything that happened at its instant."""
        self.order: Order = (us, 0, 0, "mark|" + "|".join(lot), 0)
        self.lot = lot
        self.usable = usable


class Total:
    """A card added up."""

    __slots__ = ("accounts", "armed_at", "lots", "usable")

    def __init__(self) -> None:
        """Nothing."""
        self.lots: defaultdict[LotKey, int] = defaultdict(int)
        self.accounts: defaultdict[str, int] = defaultdict(int)
        self.usable = 0
        self.armed_at: int | None = None
        """When usable stock fell to the minimum and has not reached the satisfied level since."""


def add_up(log: CardLog, turnings: list[Turning], usable_at: UsableAt, levels: Levels | None) -> Total:
    """Sort and add. `levels` are today's; entries before a change of the policy are judged by the levels of their time."""
    total = Total()
    lines: list[tuple[Order, Entry | Turning | Levels | None]] = [
        (entry.order, entry) for entry in log.entries if not entry.fact.gone
    ]
    lines += [(turning.order, turning) for turning in turnings]
    changes = sorted(log.changes)
    in_force = changes[0][2] if changes else levels
    for number, (now, revision, _) in enumerate(changes):
        then = changes[number + 1][2] if number + 1 < len(changes) else levels
        lines.append(((now, AFTER_DEVICES, 0, _POLICY_TEXT, revision), then))
    lines.sort(key=lambda line: line[0])
    for order, line in lines:
        if isinstance(line, Entry):
            _enter(total, line, usable_at)
            looks = not line.partial
        elif isinstance(line, Turning):
            quantity = total.lots.get(line.lot, 0)
            total.usable += quantity if line.usable else -quantity
            looks = quantity != 0
        else:
            in_force = line
            looks = True
        if looks:
            _trigger(total, order[0], in_force)
    return total


def _trigger(total: Total, us: int, levels: Levels | None) -> None:
    """At or below the minimum arms, at or above the satisfied level disarms, in between nothing changes."""
    if total.armed_at is not None:
        if levels is None or total.usable >= levels[1]:
            total.armed_at = None
    elif levels is not None and total.usable <= levels[0] and total.usable < levels[1]:
        total.armed_at = us


def _enter(total: Total, entry: Entry, usable_at: UsableAt) -> None:
    """Apply one entry."""
    lots = total.lots
    if entry.does is Does.EMPTY:
        deltas = [(lot, -quantity) for lot, quantity in lots.items() if quantity]
    elif entry.does is Does.COUNT_CARD:
        deltas = [(UNKNOWN_LOT, entry.amount - sum(lots.values()))]
    else:
        lot = UNKNOWN_LOT if entry.lot is None else entry.lot.key
        deltas = [(lot, entry.amount if entry.does is Does.ADD else entry.amount - lots.get(lot, 0))]
    us = entry.order[0]
    for lot, delta in deltas:
        lots[lot] += delta
        if entry.account:
            total.accounts[entry.account] -= delta
        if usable_at(lot, us):
            total.usable += delta
