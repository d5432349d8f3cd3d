"""What the ledger stores: cards, entries, lots. Quantities are whole base units; instants are microseconds UTC."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from schemas.keys import Key
from streams.times import local_date

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
    SET = "s"  # sets every lot to what a count of the whole place found of it
    SPLIT = "o"  # moves `amount` of the unopened stock of a lot into a container of it, when that holds nothing
    MARK = "m"  # changes no quantity: a lot expires, is blocked or released, or the policy changes
    VOID = "v"  # was taken back; keeps its place and does nothing


class Found(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a count of a whole place found of one lot; the stated cost of a base unit as text, or nothing."""

    lot: LotId
    quantity: int
    unit_cost: str = ""
    unstated: int = 0
    """How much of it was told by the lot's number, without its product."""


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
    unstated: bool = False
    """Its lot was told by number, without its product: which product that is may become known, or doubtful, later."""
    found: tuple[Found, ...] = ()
    """For a count of the whole place by lot."""


class Demand(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """O(1) forecast state: the day being summed, its total, and the smoothed level in thousandths of a base unit a day."""

    day: int = 0
    today: int = 0
    level: int = 0
    days: int = 0


class Card(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Where a card stands: the fold of its whole history, and what is asked of it a day."""

    on_hand: int = 0
    usable: int = 0
    armed: bool = False
    turned: OrderKey | None = None
    last: OrderKey | None = None
    demand: Demand | None = None


Block = tuple[int, int | None, str]
"""From, until (exclusive; None: still), and the notice that blocks."""


class Suspicion(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A recall by which stock of an unknown lot of these items may not be given: it could be of the recalled lot."""

    notice: str
    items: tuple[str, ...]
    start: int
    end: int | None = None


class LotFacts(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What is known of a lot at a site, wherever it lies. Expiry is an ISO date; blocks are half-open.

    `expires` is the instant at which it may not be used any more: the end of the expiry date, or `beyond`, the beyond-use instant
    of what was opened or made here, where that is earlier (domain 3.4). `beyond` is never stored with the lot.
    """

    expiry: str | None = None
    expires: int | None = None
    blocks: tuple[Block, ...] = ()
    lot_text: str = ""
    beyond: int | None = None


NO_FACTS: Final = LotFacts()
ISOLATED: Final = "quarantine place"
"""Stands for the notice in the block that a quarantine place puts on whatever lies there."""


def isolated(facts: LotFacts) -> LotFacts:
    """The facts of a lot as they are at a quarantine place: blocked for as long as it lies there."""
    return LotFacts(facts.expiry, facts.expires, (*facts.blocks, (0, None, ISOLATED)), facts.lot_text, facts.beyond)


def limited(facts: LotFacts, beyond: int) -> LotFacts:
    """The facts of a lot as they are of what may be used until an instant: the earlier of that and the expiry."""
    expires = beyond if facts.expires is None else min(facts.expires, beyond)
    return LotFacts(facts.expiry, expires, facts.blocks, facts.lot_text, beyond)


def unopened(lot: LotId) -> LotId:
    """The stock that a container of a lot is opened from."""
    return LotId("", UNKNOWN_LOT) if lot.lot == UNKNOWN_LOT else LotId(lot.product, lot.lot)


def effective_expiry(facts: LotFacts, zone_name: str) -> str | None:
    """The last day on which stock of a lot may be used, as an ISO date; none where it never expires or nobody knows.

    All that goes by a lot's expiry (windows, first expired first out, remaining life, destruction) asks here. Where a beyond-use
    instant comes first, it is the day in which the instant lies, by the clock of the site: at midnight, the day that ends then.
    """
    if facts.expires is None:
        return None
    if facts.beyond is not None and facts.beyond <= facts.expires:
        return local_date(facts.beyond - 1, zone_name).isoformat()
    return facts.expiry


def suspected(suspicions: tuple[Suspicion, ...], item: str, lifts: tuple[Block, ...]) -> tuple[Block, ...]:
    """Blocks of the unknown lot of an item at a place. Lifts are when the place was inspected, until stock came in again."""
    found: list[Block] = []
    for one in suspicions:
        if item not in one.items:
            continue
        start: int | None = one.start
        for begin, until, notice in lifts:
            if start is not None and notice == one.notice and one.start <= begin and (one.end is None or begin < one.end):
                found.append((start, begin, notice))
                start = until
        if start is not None:
            found.append((start, one.end, one.notice))
    return tuple(block for block in found if block[1] is None or block[0] < block[1])


def lift_of(suspicion: Suspicion, lifts: tuple[Block, ...]) -> Block | None:
    """The lift by which a place is clear of a suspicion now."""
    return next((lift for lift in lifts if lift[2] == suspicion.notice and lift[1] is None and lift[0] >= suspicion.start), None)


def usable_at(facts: LotFacts, us: int) -> bool:
    """Whether stock of the lot may be given to a patient at an instant: neither expired nor blocked."""
    if facts.expires is not None and facts.expires <= us:
        return False
    return not facts.blocks or not is_blocked(facts, us)


def is_blocked(facts: LotFacts, us: int) -> bool:
    """Whether any notice blocks the lot at an instant."""
    return bool(facts.blocks) and any(start <= us and (end is None or us < end) for start, end, _ in facts.blocks)


def history_key(card: CardKey, order: OrderKey) -> Key:
    """Key of an entry: the card, then its place in the ledger."""
    return (*card, *order)


def order_of(key: Key) -> OrderKey:
    """The place in the ledger from a history key."""
    return key[3:]  # type: ignore[return-value]  # the key was made by history_key
