"""The fold of a card's history, one entry at a time. Pure arithmetic: no table, no event, no output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from streams.ledger.model import Entry, EntryKind, Limits, LotFacts, LotId, OrderKey, usable_at

UNKNOWN_LOT_ID: Final = LotId("", "unknown")


class Standing(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What stands after an entry."""

    on_hand: int = 0
    usable: int = 0
    armed: bool = False
    turned: OrderKey | None = None


def deltas_of(entry: Entry, lots: Mapping[LotId, int], on_hand: int) -> tuple[tuple[LotId, int], ...]:
    """What the entry adds to each lot, given the lots before it.

    A count of one lot sets that lot. A count of the whole card writes the difference to the unknown lot, because nobody knows
    which lot it was; a count of zero is certain for every lot (`EntryKind.ZERO`).
    """
    match entry.kind:
        case EntryKind.DELTA:
            return ((entry.lot or UNKNOWN_LOT_ID, entry.amount),)
        case EntryKind.COUNT if entry.whole_card:
            return _one(UNKNOWN_LOT_ID, entry.amount - on_hand)
        case EntryKind.COUNT:
            lot = entry.lot or UNKNOWN_LOT_ID
            return _one(lot, entry.amount - lots.get(lot, 0))
        case EntryKind.ZERO:
            return tuple((lot, -quantity) for lot, quantity in lots.items() if quantity)
        case _:
            return ()


def _one(lot: LotId, delta: int) -> tuple[tuple[LotId, int], ...]:
    return ((lot, delta),) if delta else ()


def usable_change(
    entry: Entry,
    deltas: tuple[tuple[LotId, int], ...],
    lots: Mapping[LotId, int],
    facts: Mapping[LotId, LotFacts],
    us: int,
) -> int:
    """By how much usable stock changes: deltas of usable lots, and for a mark the whole lot that became (un)usable."""
    if entry.kind is EntryKind.MARK:
        if entry.lot is None:
            return 0
        known = facts[entry.lot]
        before, after = usable_at(known, us - 1), usable_at(known, us)
        return (after - before) * lots.get(entry.lot, 0)
    return sum(delta for lot, delta in deltas if usable_at(facts[lot], us))


def step(
    standing: Standing, order: OrderKey, entry: Entry, added: int, usable_added: int, limits: Limits | None
) -> Standing:
    """The standing after an entry: quantities, and the trigger with its hysteresis (`≤` arms, `≥ satisfied_at` disarms).

    The trigger looks only where something happened: not at a voided entry, not in the middle of an event, and not at a mark that
    changes nothing.
    """
    on_hand = standing.on_hand + added
    usable = standing.usable + usable_added
    armed, turned = standing.armed, standing.turned
    if entry.kind is EntryKind.VOID or entry.partial or (entry.kind is EntryKind.MARK and entry.lot and not usable_added):
        return Standing(on_hand, usable, armed, turned)
    if armed and (limits is None or usable >= limits[1]):
        armed, turned = False, order
    elif limits is not None and not armed and usable <= limits[0] and usable < limits[1]:
        armed, turned = True, order
    return Standing(on_hand, usable, armed, turned)
