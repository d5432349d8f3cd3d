"""What each kind of event does to which card: the table of docs/contracts.md ("What an event posts"), stated a second time.

Pure: no state, no order. An effect that adds is relative; one that counts is absolute.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from schemas.kinds import EventKind
from topology.verify.lots import Lot
from topology.verify.resolving import Meant

RANKS: Final = {kind.value: rank for rank, kind in enumerate(EventKind, start=1)}
"""Order of the kinds at one instant of one device: that of the published vocabulary."""
_TO: Final = {
    "vend": "patient", "dispense": "patient", "administer": "patient", "expire": "waste", "discard": "waste",
    "adjust_out": "suspense", "return_supplier": "supplier", "return_distributor": "reverse_distributor",
}  # fmt: skip
_FROM: Final = {"return": "patient", "receive": "supplier", "adjust_in": "suspense"}
_CROSSES: Final = frozenset({"transfer_in", "transfer_received"})
_EMPTIES: Final = frozenset({"transfer_loss"})
OPENINGS: Final = frozenset({"open", "puncture", "thaw", "out_of_fridge"})
_MOVES: Final = frozenset({"put_away", "pick", "transfer_out", "dispense"})
_ABSOLUTE: Final = frozenset({"count", "load", "unload", "transfer_loss"})


class Does(IntEnum):
    """How an entry changes its card."""

    ADD = 0
    COUNT_LOT = 1
    COUNT_CARD = 2  # the difference is of the unknown lot: nobody knows which lot it was
    EMPTY = 3  # nothing there is certain for every lot
    COUNT_LOTS = 4  # every lot to what was found of it, none of the others
    SPLIT = 5  # what is opened leaves the unopened stock of its lot, when its container holds nothing


Effect = tuple[str, Does, int, Lot | None, str]
"""Place, what it does, amount, lot, and the account on the other side where that is no place (else empty)."""


def effects(kind: str, meant: Meant, lot: Lot, *, lot_stated: bool) -> list[Effect]:
    """What an event does, in order."""
    found: list[Effect] = []
    place, quantity = meant.place, meant.quantity
    if meant.begin is not None:
        found.append((place, Does.COUNT_CARD if meant.begin else Does.EMPTY, meant.begin, None, "variance"))
    if not quantity and kind not in _ABSOLUTE:
        return found
    if kind in _CROSSES:
        return [*found, (place, Does.ADD, quantity if kind == "transfer_in" else -quantity, lot, f"site:{meant.other or ''}")]
    if kind in OPENINGS:
        return [*found, (place, Does.SPLIT, quantity, lot, "transform")] if lot.container else found
    if kind in _EMPTIES:
        return [*found, (place, Does.EMPTY, 0, None, "variance")]
    return [*found, *_plain(kind, meant, lot, lot_stated=lot_stated)]


def _plain(kind: str, meant: Meant, lot: Lot, *, lot_stated: bool) -> list[Effect]:
    """What is given, moved, brought or counted at one site."""
    found: list[Effect] = []
    place, quantity = meant.place, meant.quantity
    if kind in _TO and meant.other is None:
        found.append((place, Does.ADD, -quantity, lot, _TO[kind]))
    elif kind in _FROM:
        found.append((place, Does.ADD, quantity, lot, _FROM[kind]))
    elif kind in _MOVES:
        found += _moved(place, meant.other or "transit", quantity, lot)
    elif kind == "refill":
        found += _moved(meant.other, place, quantity, lot)
    elif kind == "load":
        found += [(place, Does.EMPTY, 0, None, "variance"), *_moved(meant.other, place, quantity, lot)]
    elif kind == "unload":
        found += [*_moved(place, meant.other, quantity, lot), (place, Does.EMPTY, 0, None, "variance")]
    elif kind == "count":
        found.append(_counted(place, quantity, lot if lot_stated else None))
    return found


def _moved(source: str | None, target: str | None, quantity: int, lot: Lot) -> list[Effect]:
    """From one place to another; a place that nobody named is suspense."""
    if not quantity:
        return []
    outside = "" if source and target else "suspense"
    legs: list[Effect] = []
    if source:
        legs.append((source, Does.ADD, -quantity, lot, outside))
    if target:
        legs.append((target, Does.ADD, quantity, lot, outside))
    return legs


def _counted(place: str, quantity: int, lot: Lot | None) -> Effect:
    if lot is not None:
        return place, Does.COUNT_LOT, quantity, lot, "variance"
    return place, Does.COUNT_CARD if quantity else Does.EMPTY, quantity, None, "variance"
