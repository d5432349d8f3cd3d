"""Charge reconciliation: what left stock for a patient and what was given, against what was charged. Pure.

Compared are sums per site, patient (a keyed hash), order and item. Feeds name orders by the placer's number or the filler's:
where two of the three have no order in common, or one does not say it, the patient's item is compared as a whole. `basis` says
what a charge should equal: what was removed (net of returns), or what was administered; where only the other was reported, that.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from itertools import combinations
from typing import Final

import msgspec

from schemas.kinds import EventKind

REVERSAL: Final = EventKind.REVERSAL.value
_GIVEN: Final = frozenset({EventKind.VEND.value, EventKind.DISPENSE.value, EventKind.ADMINISTER.value})


class Basis(StrEnum):
    """What is charged for."""

    REMOVED = "removed"
    ADMINISTERED = "administered"


class Side(StrEnum):
    """What an amount is of."""

    REMOVED = "removed"
    ADMINISTERED = "administered"
    CHARGED = "charged"


class Amount(msgspec.Struct, frozen=True, gc=False):
    """Base units of an item for a patient; below 0 what came back or was credited. `why` says why it can't be compared."""

    side: Side
    site: str
    patient: str
    order_id: str
    item: str
    quantity: int
    why: str = ""


class Compared(msgspec.Struct, frozen=True, gc=False):
    """One line of the reconciliation. `state` is `matched`, `not_charged`, `nothing_removed`, `differs` or `not_comparable`."""

    site: str
    patient: str
    order_id: str
    item: str
    removed: int
    administered: int
    charged: int
    state: str
    reason: str = ""


class Said(msgspec.Struct, frozen=True, gc=False):
    """A charge or administration as it was sent, one version of a fact. Quantity in the sender's unit."""

    event_key: str
    site: str
    feed: str
    kind: str
    occurred: str
    codes: tuple[tuple[str, str], ...]
    is_dose: bool
    version: int
    quantity: str | None = None
    unit: str | None = None
    patient: str | None = None
    order_id: str | None = None
    reverses: str | None = None
    replaces: str | None = None
    alias: str | None = None

    @property
    def sign(self) -> int:
        """1 for what was given or charged, -1 for what came back or was credited, 0 for anything else."""
        return 1 if self.kind in _GIVEN else -1 if self.kind == EventKind.RETURN.value else 0


def standing(said: Iterable[Said]) -> list[Said]:
    """The facts that stand: of each the newest version (by version number, else by time), and none that was taken back."""
    newest: dict[tuple[str, str], Said] = {}
    gone: set[tuple[str, str]] = set()
    for one in said:
        if one.kind == REVERSAL:
            gone.add((one.site, one.reverses or ""))
            continue
        fact = (one.site, one.replaces or one.event_key)
        held = newest.get(fact)
        if held is None or _place(one) > _place(held):
            newest[fact] = one
    return [
        one
        for fact, one in sorted(newest.items())
        if not gone & {fact, (one.site, one.event_key), (one.site, one.alias or one.event_key)}
    ]


def _place(one: Said) -> tuple[bool, int, str, str]:
    """A replacing version is newer than what it replaces."""
    return one.replaces is not None, one.version, one.occurred, one.event_key


def reconciled(amounts: Iterable[Amount], basis: Basis) -> list[Compared]:
    """Every patient, order and item with its sums and how they compare, in that order."""
    groups: dict[tuple[str, str, str], list[Amount]] = {}
    for one in amounts:
        groups.setdefault((one.site, one.patient, one.item), []).append(one)
    lines: list[Compared] = []
    for key in sorted(groups):
        whole = _named_apart(groups[key])
        orders = [""] if whole else sorted({one.order_id for one in groups[key]})
        for order in orders:
            mine = [one for one in groups[key] if whole or one.order_id == order]
            lines.append(_compared(key, order, mine, basis))
    return lines


def _named_apart(amounts: list[Amount]) -> bool:
    """Whether the sides do not name orders alike, so that they can't be compared order by order."""
    if any(not one.order_id for one in amounts):
        return True
    orders = [found for side in Side if (found := {one.order_id for one in amounts if one.side is side})]
    return any(not (one & other) for one, other in combinations(orders, 2))


def _compared(key: tuple[str, str, str], order: str, mine: list[Amount], basis: Basis) -> Compared:
    site, patient, item = key
    sums = {side: sum(one.quantity for one in mine if one.side is side) for side in Side}
    removed, given, charged = sums[Side.REMOVED], sums[Side.ADMINISTERED], sums[Side.CHARGED]
    first, second = (Side.REMOVED, Side.ADMINISTERED) if basis is Basis.REMOVED else (Side.ADMINISTERED, Side.REMOVED)
    due = sums[first] or sums[second]
    uncounted = {one.side for one in mine if one.why}
    unsure = not patient or bool(uncounted & {Side.CHARGED, first}) or (second in uncounted and not sums[first])
    whys = {f"{one.side} not counted: {one.why}" for one in mine if one.why} | (set() if patient else {"no patient is stated"})
    why = "; ".join(sorted(whys))
    state = (
        "not_comparable" if unsure
        else "matched" if charged == due
        else "not_charged" if not charged
        else "nothing_removed" if not due
        else "differs"
    )  # fmt: skip
    return Compared(site, patient, order, item, removed, given, charged, state, why)
