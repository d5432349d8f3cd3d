"""From a resolved stock event to ledger entries: which card, what kind of entry, between which accounts.

The table of effects is `domain` §4 (message → stock movement map) in the hub's words; every quantity is in base units.
"""

from __future__ import annotations

from typing import Final

import msgspec

from schemas.kinds import OPENING_KINDS, EventKind
from streams.ledger.model import EntryKind, Found, LotId

SUPPLIER: Final = "supplier"
PATIENT: Final = "patient"
WASTE: Final = "waste"
VARIANCE: Final = "variance"
SUSPENSE: Final = "suspense"
OPENING: Final = "opening"
TRANSIT: Final = "transit"
DISTRIBUTOR: Final = "reverse_distributor"
_SITE: Final = "site:"
TRANSFORM: Final = "transform"
"""Where stock goes that is opened or made into other stock, and where that comes from."""

KIND_RANK: Final[dict[EventKind, int]] = {kind: rank for rank, kind in enumerate(EventKind, start=1)}
"""Order of events of one device at one instant that carry no sequence: the order of the vocabulary. Marks come first (0)."""


_LEAVES_TO: Final = {
    EventKind.VEND: PATIENT, EventKind.DISPENSE: PATIENT, EventKind.ADMINISTER: PATIENT, EventKind.EXPIRE: WASTE,
    EventKind.DISCARD: WASTE, EventKind.ADJUST_OUT: SUSPENSE, EventKind.RETURN_SUPPLIER: SUPPLIER,
    EventKind.RETURN_DISTRIBUTOR: DISTRIBUTOR,
}  # fmt: skip
_COMES_FROM: Final = {EventKind.RETURN: PATIENT, EventKind.RECEIVE: SUPPLIER, EventKind.ADJUST_IN: SUSPENSE}
"""Kinds with one leg, and the account on its other side."""
_ABSOLUTE: Final = frozenset({EventKind.COUNT, EventKind.LOAD, EventKind.UNLOAD, EventKind.TRANSFER_LOSS})


def stock(location: str) -> str:
    """The account of a place."""
    return f"stock:{location}"


def other_site(site: str) -> str:
    """The account of another site: what was handed over to it less what it handed over. The two sites' accounts cancel out."""
    return f"{_SITE}{site}"


def way_to(site: str, shipment: str) -> str:
    """The place of what is on its way to another site under one number. A `/` in a part is written otherwise."""
    parts = (part.replace("%", "%25").replace("/", "%2F") for part in (site, shipment))
    return "/".join((TRANSIT, *parts))


def is_on_its_way(location: str) -> bool:
    """Whether a place is that of a transfer between sites."""
    return location.startswith(f"{TRANSIT}/")


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
    found: tuple[Found, ...] = ()


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
    """The plan of one event. Kinds without stock effect give an empty plan.

    `other` is where it went (pick, put-away, transfer_out; a dispense to fill a cabinet), where refills come from (refill, load,
    unload), or the other site (transfer_in, transfer_received).
    """
    postings: tuple[Posting, ...] = ()
    outside: tuple[tuple[str, str, int, LotId], ...] = ()
    match kind:
        case _ if kind in _LEAVES_TO:
            leaves = (_out(location, _LEAVES_TO[kind], quantity, lot),)
            postings = _between(location, other, quantity, lot) if other else leaves
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
        case EventKind.PUT_AWAY | EventKind.PICK | EventKind.TRANSFER_OUT:
            postings = _between(location, other or TRANSIT, quantity, lot)
        case _:
            postings = _special(kind, quantity, lot, location, other)
    if kind not in _ABSOLUTE and quantity == 0:
        return Plan()
    return Plan(tuple(posting for posting in postings if posting.amount or posting.kind is not EntryKind.DELTA), outside)


def _special(kind: EventKind, quantity: int, lot: LotId, location: str, other: str | None) -> tuple[Posting, ...]:
    """Between sites, and what is opened."""
    match kind:
        case EventKind.TRANSFER_IN | EventKind.TRANSFER_RECEIVED:
            over = _in if kind is EventKind.TRANSFER_IN else _out
            return (over(location, other_site(other or ""), quantity, lot),)
        case EventKind.TRANSFER_LOSS:
            return (_zero(location),)
        case _ if kind in OPENING_KINDS and lot.container:
            return (Posting(location, EntryKind.SPLIT, quantity, lot, TRANSFORM, stock(location)),)
        case _:
            return ()


def part(location: str, quantity: int, lot: LotId, *, made: bool) -> Posting:
    """One line of a transform."""
    return _in(location, TRANSFORM, quantity, lot) if made else _out(location, TRANSFORM, quantity, lot)


def counted_by_lot(location: str, found: tuple[Found, ...], account: str) -> Plan:
    """A count of a whole place, lot by lot: what is not found is not there. The difference is of `account`."""
    total = sum(one.quantity for one in found)
    return Plan((Posting(location, EntryKind.SET, total, None, account, stock(location), whole_card=True, found=found),))


def _filled(location: str, source: str | None, quantity: int, lot: LotId) -> tuple[Posting, ...]:
    """A fill from the place refills come from; from suspense where none is named."""
    return _between(source, location, quantity, lot) if source else (_in(location, SUSPENSE, quantity, lot),)


def _count(location: str, quantity: int, lot: LotId | None) -> Posting:
    """An absolute count: of one lot, or of the whole card; nothing there at all is certain for every lot."""
    if lot is None and quantity == 0:
        return _zero(location)
    return Posting(location, EntryKind.COUNT, quantity, lot, VARIANCE, stock(location), whole_card=lot is None)
