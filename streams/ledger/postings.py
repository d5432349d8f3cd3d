"""From a resolved stock event to ledger entries: which card, what kind of entry, between which accounts.

The table of effects is `domain` §4 (message → stock movement map) in the hub's words; every quantity is in base units.
"""

from __future__ import annotations

from typing import Final

import msgspec

from schemas.kinds import EventKind
from streams.ledger.model import EntryKind, LotId

SUPPLIER: Final = "supplier"
PATIENT: Final = "patient"
WASTE: Final = "waste"
VARIANCE: Final = "variance"
SUSPENSE: Final = "suspense"
TRANSIT: Final = "transit"

KIND_RANK: Final[dict[EventKind, int]] = {kind: rank for rank, kind in enumerate(EventKind, start=1)}
"""Order of events of one device at one instant that carry no sequence: the order of the vocabulary. Marks come first (0)."""


_LEAVES_TO: Final = {
    EventKind.VEND: PATIENT, EventKind.DISPENSE: PATIENT, EventKind.ADMINISTER: PATIENT, EventKind.EXPIRE: WASTE,
    EventKind.DISCARD: WASTE, EventKind.ADJUST_OUT: SUSPENSE,
}  # fmt: skip
_COMES_FROM: Final = {EventKind.RETURN: PATIENT, EventKind.RECEIVE: SUPPLIER, EventKind.ADJUST_IN: SUSPENSE}
"""Kinds with one leg, and the account on its other side."""


def stock(location: str) -> str:
    """The account of a place."""
    return f"stock:{location}"


class Posting(msgspec.Struct, frozen=True, gc=False):
    """One entry to write: at a place, with the accounts its movement runs between.

    For a delta `amount` is signed. For a count it is absolute, and the accounts are named for a surplus.
    """

    location: str
    kind: EntryKind
    amount: int
    lot: LotId | None
    from_account: str
    to_account: str
    movement: bool = True
    whole_card: bool = False


class Plan(msgspec.Struct, frozen=True, gc=False):
    """The entries of one event, and movements between outside accounts that touch no card (waste of a removed dose)."""

    postings: tuple[Posting, ...] = ()
    outside: tuple[tuple[str, str, int, LotId], ...] = ()


def _out(location: str, to: str, quantity: int, lot: LotId) -> Posting:
    return Posting(location, EntryKind.DELTA, -quantity, lot, stock(location), to)


def _in(location: str, source: str, quantity: int, lot: LotId) -> Posting:
    return Posting(location, EntryKind.DELTA, quantity, lot, source, stock(location))


def _between(source: str, target: str, quantity: int, lot: LotId) -> tuple[Posting, ...]:
    """Two cards, one movement: the second leg carries it."""
    leaving = Posting(source, EntryKind.DELTA, -quantity, lot, stock(source), stock(target), movement=False)
    return (leaving, _in(target, stock(source), quantity, lot))


def _zero(location: str) -> Posting:
    return Posting(location, EntryKind.ZERO, 0, None, VARIANCE, stock(location))


def plan(kind: EventKind, quantity: int, lot: LotId, location: str, other: str | None, *, lot_stated: bool) -> Plan:
    """The plan of one event. `other` is where it went (pick, put-away) or where refills come from (refill, load, unload).

    Kinds without stock effect give an empty plan.
    """
    postings: tuple[Posting, ...] = ()
    outside: tuple[tuple[str, str, int, LotId], ...] = ()
    match kind:
        case _ if kind in _LEAVES_TO:
            postings = (_out(location, _LEAVES_TO[kind], quantity, lot),)
        case _ if kind in _COMES_FROM:
            postings = (_in(location, _COMES_FROM[kind], quantity, lot),)
        case EventKind.WASTE:
            outside = ((PATIENT, WASTE, quantity, lot),)
        case EventKind.COUNT:
            postings = (_count(location, quantity, lot if lot_stated else None),)
        case EventKind.REFILL:
            postings = _filled(location, other, quantity, lot)
        case EventKind.LOAD:
            postings = (_zero(location), *_filled(location, other, quantity, lot))
        case EventKind.UNLOAD:
            leaving = _between(location, other, quantity, lot) if other else (_out(location, SUSPENSE, quantity, lot),)
            postings = (*leaving, _zero(location))
        case EventKind.PUT_AWAY | EventKind.PICK:
            postings = _between(location, other or TRANSIT, quantity, lot)
        case _:
            pass
    if kind not in (EventKind.COUNT, EventKind.LOAD, EventKind.UNLOAD) and quantity == 0:
        return Plan()
    return Plan(tuple(posting for posting in postings if posting.amount or posting.kind is not EntryKind.DELTA), outside)


def _filled(location: str, source: str | None, quantity: int, lot: LotId) -> tuple[Posting, ...]:
    """A fill from the place refills come from; from suspense where none is named."""
    return _between(source, location, quantity, lot) if source else (_in(location, SUSPENSE, quantity, lot),)


def _count(location: str, quantity: int, lot: LotId | None) -> Posting:
    """An absolute count: of one lot, or of the whole card; nothing there at all is certain for every lot."""
    if lot is None and quantity == 0:
        return _zero(location)
    return Posting(location, EntryKind.COUNT, quantity, lot, VARIANCE, stock(location), whole_card=lot is None)
