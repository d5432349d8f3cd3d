"""The book: cards, lots and histories in tables, with the two ways to write an entry.

An entry behind the card's last one is appended: constant work. Any other entry is put in its place and all later entries are
folded again; counts behind it absorb it by moving their variance, which is reported so that it can be published.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

import msgspec

from schemas.keys import Key
from streams.ledger.fold import Standing, deltas_of, step, usable_change
from streams.ledger.model import (
    NO_FACTS,
    UNKNOWN_LOT,
    Block,
    Card,
    CardKey,
    Entry,
    EntryKind,
    Limits,
    LotFacts,
    LotId,
    OrderKey,
    Suspicion,
    history_key,
    isolated,
    limited,
    order_of,
    suspected,
)
from streams.state import State, Table, TableSpec

CARDS: Final = TableSpec("cards", Card)
LOTS: Final = TableSpec("lots", int, group=3)
HISTORY: Final = TableSpec("history", Entry)
FACTS: Final = TableSpec("lot_facts", LotFacts)
SUSPICIONS: Final = TableSpec("suspicions", tuple[Suspicion, ...])
LIFTS: Final = TableSpec("lifts", tuple[Block, ...], sparse=True)
BEYOND: Final = TableSpec("beyond", int)
"""Beyond-use instants, by site, item and container (product and lot empty), or by site, item, product and lot (no container)."""
LEDGER_TABLES: Final = (CARDS, LOTS, HISTORY, FACTS, SUSPICIONS, LIFTS, BEYOND)
_ANY: Final = ("", "", "", "", "")
"""Stands among the beyond-use instants once there was one: most hubs have none, and each lookup of a lot asks."""
ALL: Final = ("all",)
"""The one row of the suspicions: there are few, and each lookup of an unknown lot asks for them."""

_EMPTY_CARD: Final = Card()

AccountKey = tuple[str, str, LotId]
"""Site, item and lot: what all accounts together are 0 of."""


class LedgerBrokenError(Exception):
    """An invariant of the ledger does not hold: a defect, never bad input."""


class Correction(msgspec.Struct, frozen=True, gc=False):
    """A later entry that now does something else than before: by how much, per lot."""

    order: OrderKey
    entry: Entry
    changes: tuple[tuple[LotId, int], ...]


class Posted(msgspec.Struct, frozen=True, gc=False):
    """What writing one entry did to its card."""

    deltas: tuple[tuple[LotId, int], ...]
    before: Card
    after: Card
    late: bool
    corrections: tuple[Correction, ...] = ()
    touched: tuple[LotId, ...] = ()


class _LotView(Mapping[LotId, int]):
    """The lots of one card, read from the table as they are asked for."""

    __slots__ = ("_card", "_table")

    def __init__(self, table: Table[int], card: CardKey) -> None:
        self._table = table
        self._card = card

    def __getitem__(self, lot: LotId) -> int:
        return self._table.get((*self._card, lot.product, lot.lot, lot.container)) or 0

    def get(self, lot: LotId, default: int = 0) -> int:  # type: ignore[override]  # quantities only
        """The quantity of a lot."""
        return self._table.get((*self._card, lot.product, lot.lot, lot.container)) or default

    def __iter__(self) -> Iterator[LotId]:
        for key, _ in self._table.scan(self._card):
            yield LotId(str(key[3]), str(key[4]), str(key[5]))

    def __len__(self) -> int:
        return sum(1 for _ in self._table.scan(self._card))


class _FactsView(Mapping[LotId, LotFacts]):
    """The facts of an item's lots on a card."""

    __slots__ = ("_book", "_card")

    def __init__(self, book: Book, card: CardKey) -> None:
        self._book = book
        self._card = card

    def __getitem__(self, lot: LotId) -> LotFacts:
        return self._book.facts_of(self._card, lot)

    def __iter__(self) -> Iterator[LotId]:
        return iter(())

    def __len__(self) -> int:
        return 0


class Book:
    """The ledger tables of one state."""

    __slots__ = ("_has_beyond", "_is_quarantine", "beyond", "cards", "facts", "history", "lifts", "lots", "moved", "suspicions")

    def __init__(self, state: State, is_quarantine: Callable[[str, str], bool] = lambda _site, _location: False) -> None:
        """Binds the ledger's tables. `is_quarantine` says whether a place of a site is for what may not be used."""
        self._is_quarantine = is_quarantine
        self._has_beyond: bool | None = None  # not looked yet; once it is so it stays so
        self.cards: Table[Card] = state.table(CARDS)
        self.lots: Table[int] = state.table(LOTS)
        self.history: Table[Entry] = state.table(HISTORY)
        self.facts: Table[LotFacts] = state.table(FACTS)
        self.suspicions: Table[tuple[Suspicion, ...]] = state.table(SUSPICIONS)
        self.lifts: Table[tuple[Block, ...]] = state.table(LIFTS)
        self.beyond: Table[int] = state.table(BEYOND)
        self.moved: dict[AccountKey, int] = {}
        """By how much the event at hand has changed all accounts together: places here, the others by `move`."""

    def move(self, site: str, item: str, lot: LotId, quantity: int) -> None:
        """An account outside the places changed by a quantity."""
        key = (site, item, lot)
        self.moved[key] = self.moved.get(key, 0) + quantity

    def check(self) -> None:
        """Nothing appears and nothing disappears: an event leaves the sum of all accounts where it was.

        Raises `LedgerBrokenError`; the event is then taken back and kept in quarantine.
        """
        for (site, item, lot), quantity in self.moved.items():
            if quantity:
                msg = f"all accounts of {item} at {site} together changed by {quantity} (product {lot.product}, lot {lot.lot})"
                raise LedgerBrokenError(msg)

    def card(self, card: CardKey) -> Card:
        """Where a card stands; an empty card when nothing was ever posted."""
        return self.cards.get(card) or _EMPTY_CARD

    def lot_quantities(self, card: CardKey) -> dict[LotId, int]:
        """Quantities of all lots of a card that are not zero."""
        return dict(_LotView(self.lots, card).items())

    def facts_of(self, card: CardKey, lot: LotId) -> LotFacts:
        """What is known of a lot, as it is at the card's place."""
        facts = self.lot_facts(card, lot)
        return isolated(facts) if self._is_quarantine(card[0], card[1]) else facts

    def lot_facts(self, card: CardKey, lot: LotId) -> LotFacts:
        """What is known of a lot, wherever it lies; of the unknown lot, which recalls it may fall under at the card's place."""
        if lot.lot == UNKNOWN_LOT:
            facts = self._unknown_facts(card)
        else:
            facts = self.facts.get((card[0], card[2], lot.product, lot.lot)) or NO_FACTS
        if self._has_beyond is None:
            self._has_beyond = self.beyond.get(_ANY) is not None
        until = self._beyond(card[0], card[2], lot) if self._has_beyond else None
        return facts if until is None else limited(facts, until)

    def set_beyond(self, subject: tuple[str, str, str, str, str], until: int | None) -> None:
        """Set or end the beyond-use instant of a container, or of a lot that was made here."""
        self._has_beyond = True
        self.beyond.put(_ANY, 1)
        if until is None:
            self.beyond.delete(subject)
        else:
            self.beyond.put(subject, until)

    def _beyond(self, site: str, item: str, lot: LotId) -> int | None:
        """The earliest beyond-use instant of a container and its lot."""
        subjects = [("", "", lot.container)] if lot.container else []
        if lot.lot != UNKNOWN_LOT:
            subjects += [(product, lot.lot, "") for product in dict.fromkeys((lot.product, ""))]
        found = [until for one in subjects if (until := self.beyond.get((site, item, *one))) is not None]
        return min(found, default=None)

    def _unknown_facts(self, card: CardKey) -> LotFacts:
        suspicions = self.suspicions.get(ALL)
        if suspicions is None:
            return NO_FACTS
        blocks = suspected(suspicions, card[2], self.lifts.get(card) or ())
        return LotFacts(blocks=blocks) if blocks else NO_FACTS

    def post(self, card: CardKey, order: OrderKey, entry: Entry, limits: Limits | None) -> Posted:
        """Write an entry at its place in the ledger."""
        before = self.cards.get(card)
        if before is None or before.last is None or order > before.last:
            return self._append(card, order, entry, limits, before or _EMPTY_CARD)
        return self._insert(card, order, entry, limits, before)

    def void(self, card: CardKey, order: OrderKey, limits: Limits | None) -> Posted | None:
        """Take an entry back: it keeps its place and does nothing. None when there is no such entry or it is void already."""
        entry = self.history.get(history_key(card, order))
        if entry is None or entry.kind is EntryKind.VOID:
            return None
        voided = msgspec.structs.replace(entry, kind=EntryKind.VOID)
        return self._insert(card, order, voided, limits, self.card(card))

    def _append(self, card: CardKey, order: OrderKey, entry: Entry, limits: Limits | None, before: Card) -> Posted:
        lots = _LotView(self.lots, card)
        deltas = deltas_of(entry, lots, before.on_hand)
        usable = usable_change(entry, deltas, lots, _FactsView(self, card), order[0])
        start = Standing(before.on_hand, before.usable, before.armed, before.turned)
        standing = step(start, order, entry, sum(delta for _, delta in deltas), usable, limits)
        self._write(card, order, entry, deltas, standing)
        for lot, delta in deltas:
            self._add_to_lot(card, lot, delta)
        after = Card(standing.on_hand, standing.usable, standing.armed, standing.turned, order, before.demand)
        self.cards.put(card, after)
        touched = tuple(lot for lot, _ in deltas) or ((entry.lot,) if entry.lot is not None else ())
        return Posted(deltas, before, after, late=False, touched=touched)

    def _insert(self, card: CardKey, order: OrderKey, entry: Entry, limits: Limits | None, before: Card) -> Posted:
        later = [(order_of(key), old) for key, old in self.history.scan(card, start=history_key(card, order))]
        lots = self.lot_quantities(card)
        final = dict(lots)
        for _, old in later:
            for lot, delta in old.deltas:
                lots[lot] = lots.get(lot, 0) - delta
        replaced = later[0][1] if later and later[0][0] == order else None
        if replaced is not None:
            later = later[1:]
            if replaced.kind is entry.kind is EntryKind.MARK:
                entry = replaced
        standing = self._standing_before(card, order)
        corrections: list[Correction] = []
        first: tuple[tuple[LotId, int], ...] = ()
        facts = _FactsView(self, card)
        folded = [(order, entry), *later]
        in_force = _limits_of(folded, limits)
        for at, (place, old) in enumerate(folded):
            deltas = deltas_of(old, lots, standing.on_hand)
            usable = usable_change(old, deltas, lots, facts, place[0])
            standing = step(standing, place, old, sum(delta for _, delta in deltas), usable, in_force[at])
            for lot, delta in deltas:
                lots[lot] = lots.get(lot, 0) + delta
            if at == 0:
                first = deltas if replaced is None else _difference(replaced.deltas, deltas)
            elif deltas != old.deltas:
                corrections.append(Correction(place, old, _difference(old.deltas, deltas)))
            self._write(card, place, old, deltas, standing)
        touched = tuple(lot for lot in {**final, **lots} if lots.get(lot, 0) != final.get(lot, 0))
        for lot in touched:
            self.set_lot(card, lot, lots.get(lot, 0))
        if sum(lots.values()) != standing.on_hand:
            msg = f"the lots of card {card} add up to {sum(lots.values())}, its history to {standing.on_hand}"
            raise LedgerBrokenError(msg)
        last = max(order, before.last) if before.last is not None else order
        after = Card(standing.on_hand, standing.usable, standing.armed, standing.turned, last, before.demand)
        self.cards.put(card, after)
        touched = tuple(dict.fromkeys((*touched, *(lot for lot, _ in first), *((entry.lot,) if entry.lot else ()))))
        return Posted(first, before, after, late=True, corrections=tuple(corrections), touched=touched)

    def refold(self, card: CardKey, limits: Limits | None) -> Posted | None:
        """Fold the whole history again, after something it depends on (facts of a lot, its name) became known differently.

        What that changes of the first entry is a correction, as of any other.
        """
        first = next(iter(self.history.scan(card)), None)
        if first is None:
            return None
        key, entry = first
        order = order_of(key)
        posted = self._insert(card, order, entry, limits, self.card(card))
        if not posted.deltas:
            return posted
        corrections = (Correction(order, entry, posted.deltas), *posted.corrections)
        return msgspec.structs.replace(posted, deltas=(), corrections=corrections)

    def _standing_before(self, card: CardKey, order: OrderKey) -> Standing:
        for _, entry in self.history.scan(card, start=history_key(card, order), reverse=True):
            return Standing(entry.on_hand, entry.usable, entry.armed, entry.turned)
        return Standing()

    def _write(
        self,
        card: CardKey,
        order: OrderKey,
        entry: Entry,
        deltas: tuple[tuple[LotId, int], ...],
        standing: Standing,
    ) -> None:
        """Store an entry with what it did and what stood after it; an unchanged one is left alone."""
        if (
            entry.deltas == deltas
            and (entry.on_hand, entry.usable, entry.armed, entry.turned)
            == (standing.on_hand, standing.usable, standing.armed, standing.turned)
            and self.history.get(history_key(card, order)) == entry
        ):
            return
        written = Entry(
            entry.kind, entry.amount, entry.lot, entry.event_id, entry.movement_kind, entry.from_account, entry.to_account,
            deltas, standing.on_hand, standing.usable, standing.armed, standing.turned, entry.whole_card, entry.partial,
            entry.old_limits, entry.unstated, entry.found,
        )  # fmt: skip
        self.history.put(history_key(card, order), written)

    def set_lot(self, card: CardKey, lot: LotId, quantity: int) -> None:
        """The quantity of a lot on a card, from now on."""
        key = (*card, lot.product, lot.lot, lot.container)
        self._change_lot(card, lot, key, quantity - (self.lots.get(key) or 0), quantity)

    def _add_to_lot(self, card: CardKey, lot: LotId, delta: int) -> None:
        key = (*card, lot.product, lot.lot, lot.container)
        self._change_lot(card, lot, key, delta, (self.lots.get(key) or 0) + delta)

    def _change_lot(self, card: CardKey, lot: LotId, key: Key, change: int, quantity: int) -> None:
        self.move(card[0], card[2], lot, change)
        if quantity:
            self.lots.put(key, quantity)
        else:
            self.lots.delete(key)


def _difference(old: tuple[tuple[LotId, int], ...], new: tuple[tuple[LotId, int], ...]) -> tuple[tuple[LotId, int], ...]:
    """New minus old, per lot, without zeros."""
    changes = dict(new)
    for lot, delta in old:
        changes[lot] = changes.get(lot, 0) - delta
    return tuple((lot, change) for lot, change in changes.items() if change)


def _limits_of(folded: list[tuple[OrderKey, Entry]], now: Limits | None) -> list[Limits | None]:
    """The levels in force at each entry: today's, or those before the next change of the policy behind it."""
    found: list[Limits | None] = []
    limits = now
    for _, entry in reversed(folded):
        found.append(limits)
        if entry.kind is EntryKind.MARK and entry.lot is None:
            limits = entry.old_limits
    found.reverse()
    return found
