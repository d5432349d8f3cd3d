"""From published movements to what happened: a fact is an event with everything that later corrected or took it back, netted.

The ledger is append-only. A reversal or a moved variance is a movement of its own that stands at the instant of what it corrects,
so the net of all of them is what the ledger holds, whatever order they came in. What nets to nothing never moved any cost.
"""

from __future__ import annotations

from typing import Final

import msgspec

from schemas.kinds import EventKind

_RANK: Final = {kind.value: rank for rank, kind in enumerate(EventKind, start=1)}
"""Order of facts of one instant: the vocabulary's, as in the ledger."""
_AS_A_COUNT: Final = _RANK[EventKind.COUNT.value]
_STOCK: Final = "stock:"
IDENTIFY: Final = "identify"
"""Movements that give stock of an unstated product its product: two legs of one cause."""
TRANSFORM: Final = "transform"
"""The account through which stock goes that is opened or made into other stock."""
_FOLLOWS: Final = frozenset({"reversal", "variance", IDENTIFY})


class Move(msgspec.Struct, frozen=True, gc=False):
    """One published movement, as far as money goes. `known` is the instant at which the hub received what made it."""

    movement_id: str
    site: str
    event_id: str
    kind: str
    item: str
    product: str
    lot: str
    container: str
    quantity: int
    unit: str
    source: str
    target: str
    occurred: str
    cause: str
    corrects: str | None = None
    known: str = ""
    expiry: str | None = None
    cost: int | None = None
    """Of one base unit in 10⁻¹² of the currency, where an opening count stated it."""


class LegKey(msgspec.Struct, frozen=True, array_like=True, order=True, gc=False):
    """What of a fact is netted: stock of one lot between two accounts, `low` before `high` in the alphabet."""

    cause: str
    product: str
    lot: str
    container: str
    low: str
    high: str


class Leg(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Net flow of a leg: a quantity above 0 from one account to the other."""

    key: LegKey
    quantity: int
    source: str
    target: str
    cost: int | None = None
    """The cost of one base unit that was stated with it."""


FactKey = tuple[str, int, str]
"""Place of a fact in the ledger: occurred, rank of its kind, event id."""


def is_stock(account: str) -> bool:
    """Whether an account is a place."""
    return account.startswith(_STOCK)


def place_of(account: str) -> str | None:
    """The place of an account, or None for an outside account."""
    return account[len(_STOCK) :] if is_stock(account) else None


def fact_of(move: Move) -> str:
    """The event that a movement belongs to: a reversal's is the one it takes back."""
    return move.corrects if move.kind == "reversal" and move.corrects else move.event_id


def leg_of(move: Move) -> LegKey:
    """The leg a movement adds to."""
    low, high = sorted((move.source, move.target))
    return LegKey(move.cause if move.kind == IDENTIFY else "", move.product, move.lot, move.container, low, high)


class Fact:
    """The movements of one event on one item, netted."""

    __slots__ = ("_costs", "_moves", "_net", "id")

    def __init__(self, fact_id: str) -> None:
        """An event that has moved nothing yet."""
        self.id = fact_id
        self._moves: list[tuple[str, str]] = []
        self._net: dict[LegKey, int] = {}
        self._costs: dict[LegKey, int] = {}

    def add(self, move: Move) -> None:
        """One movement more."""
        self._moves.append((move.kind, move.occurred))
        key = leg_of(move)
        if move.cost is not None:
            self._costs[key] = move.cost
        self._net[key] = self._net.get(key, 0) + (move.quantity if move.source == key.low else -move.quantity)

    def key(self) -> FactKey:
        """Where it stands: at the time and rank of the event itself; what is known of it before that stands as a count would."""
        own = [(kind, occurred) for kind, occurred in self._moves if kind not in _FOLLOWS]
        placed = own or [(kind, occurred) for kind, occurred in self._moves if kind != "reversal"] or self._moves
        rank = min(_RANK.get(kind, _AS_A_COUNT) for kind, _ in own) if own else _AS_A_COUNT
        return min(occurred for _, occurred in placed), rank, self.id

    def legs(self) -> list[Leg]:
        """What is left of it: into stock first, then between places, out of stock, and outside."""
        legs = [
            Leg(key, quantity, key.low, key.high, self._costs.get(key)) if quantity > 0
            else Leg(key, -quantity, key.high, key.low, self._costs.get(key))
            for key, quantity in self._net.items()
            if quantity
        ]  # fmt: skip
        return sorted(legs, key=lambda leg: (_phase(leg), leg.key))


def renames(leg: LegKey) -> str:
    """What the two legs have in common of stock that goes under one name and comes back under another; empty for others."""
    return leg.cause or (TRANSFORM if TRANSFORM in (leg.low, leg.high) else "")


def _phase(leg: Leg) -> tuple[int, str, int]:
    comes, goes = is_stock(leg.target), is_stock(leg.source)
    if renames(leg.key):
        return 1, renames(leg.key), int(comes)  # the old name leaves before the new one comes
    return (0 if comes and not goes else 1 if comes else 2 if goes else 3), "", 0
