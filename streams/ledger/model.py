"""What the ledger stores: cards, entries, lots. Quantities are whole base units; instants are microseconds UTC."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from schemas.keys import Key

UNKNOWN_LOT: Final = "unknown"

OrderKey = tuple[int, int, int, str, int]
"""Place in the ledger: occurred (µs), device sequence, kind rank, event key, number of the entry within its event."""

CardKey = tuple[str, str, str]
"""Site, location path, item."""


class LotId(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What distinguishes stock of one item at one place: product, lot number (normalised) and container."""

    product: str
    lot: str
    container: str = ""


Limits = tuple[int, int]
"""Levels of a par policy: armed at or below the first, satisfied at or above the second."""


class EntryKind(StrEnum):
    """How an entry changes its card."""

    DELTA = "d"  # adds `amount` to one lot
    COUNT = "c"  # sets one lot, or (lot unknown) the card's total, to `amount`
    ZERO = "z"  # sets every lot to nothing
    MARK = "m"  # changes no quantity: a lot expires, is blocked or released, or the policy changes
    VOID = "v"  # was taken back; keeps its place and does nothing


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One entry of a history. What it did (`deltas`) and what stood after it are derived, and derived again when needed."""

    kind: EntryKind
    amount: int
    lot: LotId | None
    event_id: str
    movement_kind: str
    from_account: str
    to_account: str
    deltas: tuple[tuple[LotId, int], ...] = ()
    on_hand: int = 0
    usable: int = 0
    armed: bool = False
    turned: OrderKey | None = None
    whole_card: bool = False
    partial: bool = False
    """Another entry of the same event on this card follows: the trigger looks when the event is whole."""
    old_limits: Limits | None = None
    """For a mark of a changed policy: the levels that were in force before it."""


class Card(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Where a card stands: the fold of its whole history."""

    on_hand: int = 0
    usable: int = 0
    armed: bool = False
    turned: OrderKey | None = None
    last: OrderKey | None = None


Block = tuple[int, int | None, str]
"""From, until (exclusive; None: still), and the notice that blocks."""


class LotFacts(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What is known of a lot at a site, wherever it lies. Expiry is an ISO date; `expires` its instant; blocks are half-open."""

    expiry: str | None = None
    expires: int | None = None
    blocks: tuple[Block, ...] = ()
    lot_text: str = ""


NO_FACTS: Final = LotFacts()


def usable_at(facts: LotFacts, us: int) -> bool:
    """Whether stock of the lot may be given to a patient at an instant: neither expired nor blocked."""
    if facts.expires is not None and facts.expires <= us:
        return False
    return not is_blocked(facts, us)


def is_blocked(facts: LotFacts, us: int) -> bool:
    """Whether any notice blocks the lot at an instant."""
    return any(start <= us and (end is None or us < end) for start, end, _ in facts.blocks)


def history_key(card: CardKey, order: OrderKey) -> Key:
    """Key of an entry: the card, then its place in the ledger."""
    return (*card, *order)


def order_of(key: Key) -> OrderKey:
    """The place in the ledger from a history key."""
    return key[3:]  # type: ignore[return-value]  # the key was made by history_key
