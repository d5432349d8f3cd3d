"""The perpetual inventory of controlled substances: for each item an opening balance, every entry, and a closing balance.

By event time as it is known now: a late entry stands on the day it belongs to, and changes the balances behind it. The sum of the
changes is the ledger's balance, to the unit; whatever is no receipt, removal, return, waste or transfer is an adjustment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from sinks.controlled.model import PATIENT, REVERSAL, STOCK, WASTE, ItemFacts, Move, original_kinds

CATEGORIES: Final = ("receipts", "removals", "returns", "wastes", "transfers", "adjustments")
"""Signed sums: opening + all of them = closing."""
DOSE_WASTES: Final = "dose_wastes"
"""Of doses removed before: destroyed before a witness, and no stock leaves a second time."""
_OTHER_SIDE: Final = {"supplier": "receipts", WASTE: "wastes"}


@dataclass(frozen=True, slots=True)
class Scope:
    """What is asked: a place and below (none: the site), each place apart or together, start ≤ occurred < end."""

    location: str | None = None
    by_place: bool = False
    start: str | None = None
    end: str | None = None

    def covers(self, place: str) -> bool:
        """Whether a place is meant."""
        return self.location is None or place == self.location or place.startswith(f"{self.location}/")


@dataclass(frozen=True, slots=True)
class Line:
    """One entry of an account: what it changed and what stood after it. `change` 0: a dose removed before was destroyed."""

    move: Move
    category: str
    change: int
    balance: int
    place: str
    other: str


@dataclass(slots=True)
class Account:
    """An item at a site, or at one place of it."""

    site: str
    location: str
    item: ItemFacts
    opening: int = 0
    balance: int = 0
    sums: dict[str, int] = field(default_factory=lambda: dict.fromkeys((*CATEGORIES, DOSE_WASTES), 0))
    lines: list[Line] = field(default_factory=list)

    @property
    def closing(self) -> int:
        """What stands at the end."""
        return self.balance


def accounts(moves: Iterable[Move], items: Mapping[str, ItemFacts], scope: Scope) -> list[Account]:
    """The accounts of all controlled items that ever moved in the scope, by site, schedule, item and place."""
    ordered = sorted((one for one in moves if one.item in items), key=lambda one: (one.occurred, one.movement_id))
    kinds = original_kinds(ordered)
    found: dict[tuple[str, str, str], Account] = {}
    for move in ordered:
        if scope.end is not None and move.occurred >= scope.end:
            continue
        for place, change, other in _legs(move, scope):
            key = (move.site, move.item, place if scope.by_place else "")
            account = found.get(key)
            if account is None:
                account = found[key] = Account(move.site, key[2], items[move.item])
            _enter(account, move, kinds, (place, change, other), opens=scope.start is not None and move.occurred < scope.start)
    return sorted(found.values(), key=lambda one: (one.site, one.item.schedule, one.item.name, one.item.id, one.location))


def _legs(move: Move, scope: Scope) -> list[tuple[str, int, str]]:
    """The places an entry changes: place, change, the account on the other side."""
    legs = []
    if move.left is not None and scope.covers(move.left):
        legs.append((move.left, -move.quantity, move.to_account))
    if move.came is not None and scope.covers(move.came):
        legs.append((move.came, move.quantity, move.from_account))
    if len(legs) == 2 and not scope.by_place:
        return []
    outside = move.left is None and move.came is None
    if outside and scope.location is None and not scope.by_place and move.kind != REVERSAL and move.to_account == WASTE:
        return [("", 0, WASTE)]
    return legs


def _enter(account: Account, move: Move, kinds: Mapping[str, str], leg: tuple[str, int, str], *, opens: bool) -> None:
    place, change, other = leg
    account.balance += change
    if opens:
        account.opening += change
        return
    category = category_of(move, other, kinds) if place else DOSE_WASTES
    account.sums[category] += change if place else move.quantity
    account.lines.append(Line(move, category, change, account.balance, place, other))


def category_of(move: Move, other: str, kinds: Mapping[str, str]) -> str:
    """Where an entry is filed, by the account on its other side; a reversal where its original was."""
    if other.startswith(STOCK):
        return "transfers"
    if other == PATIENT:
        kind = kinds.get(move.corrects or "", "") if move.kind == REVERSAL else move.kind
        return "returns" if kind == "return" else "removals"
    return _OTHER_SIDE.get(other, "adjustments")
