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

    __slots__ = ("account", "amount", "does", "fact", "found", "lot", "order", "partial")

    def __init__(self, order: Order, does: Does, amount: int, lot: Lot | None, account: str, fact: Fact) -> None:
        """`account` is the outside account on the other side, empty between places."""
        self.order = order
        self.does = does
        self.amount = amount
        self.lot = lot
        self.account = account
        self.fact = fact
        self.partial = False
        self.found: list[tuple[Lot, int]] = []

    def lots(self) -> list[LotKey]:
        """The lots it names."""
        named = [self.lot] if self.lot is not None else []
        keys = [lot.key for lot in (*named, *(lot for lot, _ in self.found))]
        return [*keys, *(unopened(key) for key in keys if key[2])]


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
            there = max(0, total.lots.get(line.lot, 0))  # what is missing of a lot is missing whether or not it may be given
            total.usable += there if line.usable else -there
            looks = there != 0
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


def _there(lot: LotKey, lots: dict[LotKey, int]) -> int:
    """How much there is of a lot, or of all lots of a number whose product nobody can tell."""
    product, number, container = lot
    if product or number == UNKNOWN_LOT[1]:
        return lots.get(lot, 0)
    return sum(quantity for key, quantity in lots.items() if key[1:] == (number, container))


def _enter(total: Total, entry: Entry, usable_at: UsableAt) -> None:
    """Apply one entry."""
    lots = total.lots
    lot = UNKNOWN_LOT if entry.lot is None else entry.lot.key
    if entry.does is Does.EMPTY:
        deltas = [(one, -quantity) for one, quantity in lots.items() if quantity]
    elif entry.does is Does.COUNT_LOTS:
        deltas = _found(lots, entry)
    elif entry.does is Does.COUNT_CARD:
        deltas = [(UNKNOWN_LOT, entry.amount - sum(lots.values()))]
    elif entry.does is Does.SPLIT:
        deltas = [(unopened(lot), -entry.amount), (lot, entry.amount)] if lots.get(lot, 0) <= 0 else []
    elif entry.does is Does.COUNT_LOT:
        deltas = _counted(lots, lot, entry.amount)
    else:
        deltas = [(lot, entry.amount)]
    us = entry.order[0]
    for one, delta in deltas:
        before = lots[one]
        lots[one] += delta
        if entry.account:
            total.accounts[entry.account] -= delta
        total.usable += delta if usable_at(one, us) else min(0, lots[one]) - min(0, before)


def _found(lots: dict[LotKey, int], entry: Entry) -> list[tuple[LotKey, int]]:
    """A count by lot: each lot as it was found, with its containers; of what was not found there is none."""
    found: defaultdict[LotKey, int] = defaultdict(int)
    for lot, quantity in entry.found:
        found[lot.key] += quantity
    kept = {one for one in lots if one[2] and one not in found and found.get(unopened(one), 0)}
    opened: defaultdict[LotKey, int] = defaultdict(int)
    for one in kept:
        opened[unopened(one)] += lots[one]
    return [(one, found.get(one, 0) - opened[one] - lots.get(one, 0)) for one in {**lots, **found} if one not in kept]


def _counted(lots: dict[LotKey, int], lot: LotKey, amount: int) -> list[tuple[LotKey, int]]:
    """A count of a lot is of all its containers, and of all products where nobody can tell which one the number is of.

    The difference is unopened, and under the name that was counted; nothing left is nothing in any container of that name.
    """
    product, number, container = lot
    open_name = not product and number != UNKNOWN_LOT[1]
    held = {
        one: quantity for one, quantity in lots.items()
        if one[1] == number and (open_name or one[0] == product) and container in ("", one[2])
    }  # fmt: skip
    emptied = [one for one in held if one[2] and one[0] == product] if not amount and not container else []
    rest = amount - sum(quantity for one, quantity in held.items() if one not in emptied)
    deltas = [*((one, -held[one]) for one in emptied), (lot, rest)]
    overdrawn = sum(quantity for one, quantity in lots.items() if quantity < 0 and one not in held and one[1] != UNKNOWN_LOT[1])
    off, nameless = amount - sum(held.values()), lots.get(UNKNOWN_LOT, 0) + overdrawn
    if number != UNKNOWN_LOT[1] and (off < 0) == (nameless < 0):
        deltas.append((UNKNOWN_LOT, -min(off, nameless, key=abs)))  # what is off left or came before, and nobody named its lot
    return deltas


def unopened(lot: LotKey) -> LotKey:
    """The stock that a container of a lot is opened from."""
    return UNKNOWN_LOT if lot[1] == UNKNOWN_LOT[1] else (lot[0], lot[1], "")
