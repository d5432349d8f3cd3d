"""First expired, first out: the one order in which lots are taken, for what is told to pickers and for what is foreseen.

Pure arithmetic of batches; dates are ISO texts of the site's calendar, so that text order is date order. Source of the order and
of what is passed over: OpenBoxes and mSupply pick suggestions; of unbatched consumption: QAT's business rules (annex 2).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Generic, TypeVar

import msgspec

_NEVER: Final = "9999-12-31"
Name = TypeVar("Name")


class Batch(msgspec.Struct, Generic[Name], frozen=True, gc=False):
    """Stock of one lot at one place. `received` is when it came there, µs; `lot` orders batches that are alike otherwise.

    `until`: the instant within the day of `expiry`, µs, from which it may not be used any more; the end of the day where none is.
    """

    lot: Name
    quantity: int
    expiry: str | None = None
    received: int = 0
    until: int | None = None


def in_order(batches: Iterable[Batch[Name]]) -> list[Batch[Name]]:
    """By expiry (the instant within its day), then by receipt, then by lot; lots without expiry last."""
    return sorted(batches, key=lambda one: (one.expiry is None, one.expiry or _NEVER, *_within(one), one.received, one.lot))


def _within(batch: Batch[Name]) -> tuple[bool, int]:
    return batch.until is None, batch.until or 0


def draw_unbatched(batches: Iterable[Batch[Name]], quantity: int, lasts_to: str) -> list[Batch[Name]]:
    """The batches, in order, after consumption of which nobody knows the lots was drawn from them first expired, first out.

    Only batches that last to the day `lasts_to` are drawn: one that expires before leaves by expiry, not by consumption (QAT,
    where that day is the first after the month). What is more than there is, is drawn from nothing.
    """
    left: list[Batch[Name]] = []
    for one in in_order(batches):
        drawn = min(max(one.quantity, 0), quantity) if one.expiry is None or one.expiry >= lasts_to else 0
        quantity -= drawn
        left.append(msgspec.structs.replace(one, quantity=one.quantity - drawn) if drawn else one)
    return left


def take(batches: Sequence[Batch[Name]], quantity: int, lots_max: int) -> tuple[list[tuple[Batch[Name], int]], list[Batch[Name]]]:
    """How much of which batch to take for a quantity, at most so many batches, from batches in order; and what is left of all."""
    taken: list[tuple[Batch[Name], int]] = []
    left: list[Batch[Name]] = []
    for one in batches:
        amount = min(max(one.quantity, 0), quantity) if len(taken) < lots_max else 0
        if amount > 0:
            taken.append((one, amount))
            quantity -= amount
        left.append(msgspec.structs.replace(one, quantity=one.quantity - amount) if amount > 0 else one)
    return taken, left
