"""The other system's stock list beside the ledger as of the same instant, and its open orders beside the hub's needs. Pure.

A line is an item at a place, or one lot of it where the list states lots for all of it there. A difference is given a reason only
where the facts show one; else it has none, and a person looks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import Any, Final

from schemas.reference import Item
from streams.ledger.model import UNKNOWN_LOT
from topology.golive.words import Line, Words

Row = Mapping[str, Any]
Card = tuple[str, str]
"""Location and item."""
REASONS: Final[dict[str, str]] = {
    "unit_factor": "one side counts packages or another unit",
    "lot_not_reported": "the total agrees; one side does not know which lot it is",
    "late_feed": "a feed is not complete up to the time of the list",
    "timing": "a movement close to the time of the list is as large as the difference",
    "not_counted": "the pocket has no opening count",
    "not_listed": "the list does not have it",
    "not_in_ledger": "the ledger has nothing of it there",
    "unexplained": "nothing shows why: look at it",
}
"""In the order in which they are looked for; the last three say what is known and no more."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the hub knows of the site around the time of the list."""

    as_of: datetime
    stock: Sequence[Row]
    counted: frozenset[Card]
    moved: Sequence[Row]
    behind: tuple[str, ...] = ()
    """Feeds that are not complete up to then."""
    opened: bool = True
    """Whether the site has opening counts at all."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One line. `lot` is none where the item at the place is compared as a whole."""

    location: str
    item: str
    unit: str
    lot: str | None
    theirs: int
    ours: int
    reason: str = ""
    text: str = ""

    @property
    def difference(self) -> int:
        """The list's number less the ledger's."""
        return self.theirs - self.ours


@dataclass(slots=True)
class _Pocket:
    item: Item
    lines: list[Line] = field(default_factory=list)


def compare(lines: Iterable[Line], facts: Facts, words: Words, items: Mapping[str, Item]) -> list[Compared]:
    """Every line of the list, and what only the ledger has, by place, item and lot."""
    listed: dict[Card, _Pocket] = {}
    for line in lines:
        listed.setdefault((line.location, line.item.id), _Pocket(line.item)).lines.append(line)
    held: dict[Card, Counter[str]] = {}
    for row in facts.stock:
        held.setdefault((row["location"], row["item"]), Counter())[row["lot"]] += row["quantity"]
    found: list[Compared] = []
    for card in sorted({*listed, *held}):
        item = listed[card].item if card in listed else items.get(card[1])
        ours = held.get(card, Counter())
        theirs: Counter[str] = Counter()
        for line in listed[card].lines if card in listed else ():
            theirs[line.key] += line.quantity
        unit = item.base_unit if item is not None else ""
        found += _pocket(card, unit, theirs, ours, facts, words, listed=card in listed)
    return found


def _pocket(
    card: Card, unit: str, theirs: Counter[str], ours: Counter[str], facts: Facts, words: Words, *, listed: bool
) -> list[Compared]:  # fmt: skip
    """The lines of one item at one place."""
    by_lot = listed and UNKNOWN_LOT not in theirs and any(theirs.values())
    if not by_lot:
        whole = Compared(*card, unit, None, sum(theirs.values()), sum(ours.values()))
        return [_explained(whole, card, facts, words, listed=listed)]
    same_total = sum(theirs.values()) == sum(ours.values())
    found = []
    for lot in sorted({lot for lot in (*theirs, *ours) if theirs[lot] or ours[lot]}):
        line = Compared(*card, unit, lot, theirs[lot], ours[lot])
        if line.difference and same_total and ours[UNKNOWN_LOT]:
            known = f"{ours[UNKNOWN_LOT]} of an unknown lot are there"
            found.append(_because(line, "lot_not_reported", f"the total agrees; {known}"))
        else:
            found.append(_explained(line, card, facts, words, listed=listed))
    return found


def _because(line: Compared, reason: str, text: str = "") -> Compared:
    return Compared(line.location, line.item, line.unit, line.lot, line.theirs, line.ours, reason, text or REASONS[reason])


def _explained(line: Compared, card: Card, facts: Facts, words: Words, *, listed: bool) -> Compared:
    """The line with the first reason that the facts show."""
    if not line.difference:
        return line
    for unit, factor in words.factors_of(card[1]):
        if line.theirs and line.ours and Fraction(line.theirs) * factor == line.ours:
            text = f"{line.theirs} × {factor} ({unit}) is {line.ours}: the list counts in that unit"
            return _because(line, "unit_factor", text)
        if line.theirs and line.ours and Fraction(line.ours) * factor == line.theirs:
            text = f"{line.ours} × {factor} ({unit}) is {line.theirs}: the ledger lacks that factor"
            return _because(line, "unit_factor", text)
    if card not in facts.counted and facts.opened:
        return _because(line, "not_counted")
    moved = _moved(card, line, facts)
    if moved is not None:
        return _because(line, "timing", moved)
    if facts.behind:
        return _because(line, "late_feed", f"not complete up to then: {', '.join(facts.behind)}")
    if not listed:
        return _because(line, "not_listed")
    return _because(line, "unexplained" if line.ours else "not_in_ledger")


def _moved(card: Card, line: Compared, facts: Facts) -> str | None:
    """A movement around the time of the list by which it and the ledger would agree."""
    account = f"stock:{card[0]}"
    for row in facts.moved:
        if row["item"] != card[1]:
            continue
        signed = int(row["quantity"]) * ((row["to_account"] == account) - (row["from_account"] == account))
        counts = datetime.fromisoformat(str(row["occurred"])) <= facts.as_of
        if signed and line.difference == (-signed if counts else signed):
            return f"{row['kind']} of {row['quantity']} at {row['occurred']} is on one side only"
    return None


def compare_needs(theirs: Iterable[Line], ours: Sequence[Row]) -> list[dict[str, Any]]:
    """Open orders of the list beside the needs of the hub, by place and item: `both`, `hub_only`, `list_only`."""
    ordered: Counter[Card] = Counter()
    listed: set[Card] = set()
    for line in theirs:
        ordered[line.location, line.item.id] += line.quantity
        listed.add((line.location, line.item.id))
    needed: Counter[Card] = Counter()
    since: dict[Card, str] = {}
    for row in ours:
        card = (str(row["location"]), str(row["item"]))
        needed[card] += int(row["quantity"])
        since.setdefault(card, str(row["opened_at"]))
    return [
        {
            "location": card[0], "item": card[1],
            "found": "both" if card in listed and card in since else "list_only" if card in listed else "hub_only",
            "theirs": ordered[card] if card in listed else None, "ours": needed[card] if card in since else None,
            "open_since": since.get(card),
        }
        for card in sorted({*listed, *since})
    ]  # fmt: skip
