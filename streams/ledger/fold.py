"""The fold of a card's history, one entry at a time. Pure arithmetic: no table, no event, no output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from streams.ledger.model import UNKNOWN_LOT, Entry, EntryKind, Limits, LotFacts, LotId, OrderKey, unopened, usable_at

UNKNOWN_LOT_ID: Final = LotId("", "unknown")


class Standing(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What stands after an entry."""

    on_hand: int = 0
    usable: int = 0
    armed: bool = False
    turned: OrderKey | None = None


def deltas_of(entry: Entry, lots: Mapping[LotId, int], on_hand: int) -> tuple[tuple[LotId, int], ...]:
    """What the entry adds to each lot, given the lots before it.

    A count of one lot sets that lot, its opened containers included: the difference is of unopened stock, unless nothing is left.
    What of the difference was moved without its lot before is no difference of the place: the unknown lot takes it (`explained`).
    A count of a lot number whose product nobody can tell says how many of it there are: the difference goes to the lot without a
    product. A count of the whole card writes the difference to the unknown lot, because nobody knows which lot it was; a count of
    zero is certain for every lot (`EntryKind.ZERO`), and so is one by lot of the whole card (`SET`).
    """
    match entry.kind:
        case EntryKind.DELTA:
            return ((entry.lot or UNKNOWN_LOT_ID, entry.amount),)
        case EntryKind.COUNT if entry.whole_card:
            return _one(UNKNOWN_LOT_ID, entry.amount - on_hand)
        case EntryKind.COUNT:
            return _counted(entry.lot or UNKNOWN_LOT_ID, entry.amount, lots)
        case EntryKind.SPLIT if entry.lot is not None:
            if not entry.lot.container or lots.get(entry.lot, 0) > 0:
                return ()
            return (unopened(entry.lot), -entry.amount), (entry.lot, entry.amount)
        case EntryKind.ZERO:
            return tuple((lot, -quantity) for lot, quantity in lots.items() if quantity)
        case EntryKind.SET:
            return _set_to(entry, lots)
        case _:
            return ()


def _counted(lot: LotId, amount: int, lots: Mapping[LotId, int]) -> tuple[tuple[LotId, int], ...]:
    """What a count of a lot, or of one container of it, changes: of one without a product, all products of the number count."""
    held = [(one, quantity) for one, quantity in lots.items() if quantity and _is_counted(one, lot)]
    own = [] if amount or lot.container else [(one, -quantity) for one, quantity in held if one.product == lot.product]
    rest = amount - sum(quantity for _, quantity in held) - sum(change for _, change in own)
    changes = dict(own)
    changes[lot] = changes.get(lot, 0) + rest
    if lot.lot != UNKNOWN_LOT:
        short = sum(min(0, quantity) for one, quantity in lots.items() if one.lot != UNKNOWN_LOT and not _is_counted(one, lot))
        changes[UNKNOWN_LOT_ID] = -explained(sum(changes.values()), lots.get(UNKNOWN_LOT_ID, 0) + short)
    return tuple((one, change) for one, change in changes.items() if change)


def explained(off: int, unknown: int) -> int:
    """How much of what a count of a lot was off by was moved without its lot before: as far as both have one sign.

    Of 200 of a lot 30 were dispensed without lot: the ledger holds 200 of it and -30 of the unknown lot. Counted are 170: the 30
    that are missing of the lot are those 30, and nothing is missing of the place. `unknown` is what moved without lot, less what
    left of other lots beyond what came of them: that much of it came of those.
    """
    if off < 0 > unknown:
        return max(off, unknown)
    return min(off, unknown) if off > 0 < unknown else 0


def _is_counted(one: LotId, lot: LotId) -> bool:
    """Whether stock is of what was counted: a lot with all its containers, or one container."""
    if one.lot != lot.lot or (lot.container and one.container != lot.container):
        return False
    return one.product == lot.product or (not lot.product and lot.lot != UNKNOWN_LOT)


def _set_to(entry: Entry, lots: Mapping[LotId, int]) -> tuple[tuple[LotId, int], ...]:
    """Every lot to what was found of it; one that was not found is not there.

    A lot that was found is counted with its containers, as by a count of it alone: the difference is unopened.
    """
    found = {one.lot: one.quantity for one in entry.found}
    changes: dict[LotId, int] = {}
    for lot, quantity in found.items():
        opened = [one for one in lots if one.container and one not in found and unopened(one) == lot] if quantity else []
        changes.update(dict.fromkeys(opened, 0))
        changes[lot] = quantity - lots.get(lot, 0) - sum(lots.get(one, 0) for one in opened)
    changes.update((lot, -quantity) for lot, quantity in lots.items() if lot not in changes)
    return tuple((lot, change) for lot, change in changes.items() if change)


def _one(lot: LotId, delta: int) -> tuple[tuple[LotId, int], ...]:
    return ((lot, delta),) if delta else ()


def usable_change(
    entry: Entry,
    deltas: tuple[tuple[LotId, int], ...],
    lots: Mapping[LotId, int],
    facts: Mapping[LotId, LotFacts],
    us: int,
) -> int:
    """By how much usable stock changes, with `lots` as they were before: by deltas, or for a mark by what the lot became."""
    if entry.kind is EntryKind.MARK:
        if entry.lot is None:
            return 0
        known, quantity = facts[entry.lot], lots.get(entry.lot, 0)
        return adds(quantity, usable=usable_at(known, us)) - adds(quantity, usable=usable_at(known, us - 1))
    change = 0
    for lot, delta in deltas:
        if usable_at(facts[lot], us):
            change += delta
        else:
            before = lots.get(lot, 0)
            change += adds(before + delta, usable=False) - adds(before, usable=False)
    return change


def adds(quantity: int, *, usable: bool) -> int:
    """What a lot adds to the usable stock of its card: all of it, or of one that may not be given what is missing of it.

    Below zero more left than came, of another lot than was told: that much of the others is not there.
    """
    return quantity if usable else min(0, quantity)


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
