"""A second ledger, from the design alone: remembers what was told, and adds all of it up anew for every question.

Independent of the processors and of `reference_ledger.py`. It covers several items and products, double entry with every account,
identity, versions, begin counts, recalls and the cases that follow from them. Rules and where they stand: identity, reversals and
order in design §2 and §3; what a kind posts in docs/contracts.md; expiry and recall in design §1 and ADR 5; beyond-use dates in
domain §3.4; openings and transforms in ADR 19. What it does not know: serial numbers, holds, needs.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from schemas.kinds import EventKind, Feed

UNKNOWN: Final = "unknown"
GIVEN: Final = frozenset({"vend", "dispense", "administer"})
LEAVES_TO: Final = {
    "vend": "patient", "dispense": "patient", "administer": "patient", "discard": "waste", "expire": "waste", "adjust_out": "suspense",
}  # fmt: skip
COMES_FROM: Final = {"return": "patient", "receive": "supplier", "adjust_in": "suspense"}
STATES_ITSELF: Final = frozenset({"count", "load"})
"""Kinds that state what the place holds; a begin count beside them says nothing more."""
OPENINGS: Final = frozenset({"open", "puncture", "thaw", "out_of_fridge"})
RANK: Final = {str(kind): number for number, kind in enumerate(EventKind)}

_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)

Accounts = Counter[tuple[str, str, "Lot"]]
"""Base units by account, item and lot. A place is the account `stock:<path>`; without that prefix it is outside."""


class Lot(NamedTuple):
    """A lot of a product, or a container of it; the product is empty where nobody said it."""

    product: str
    number: str
    container: str = ""

    @property
    def unopened(self) -> Lot:
        """What a container of it is opened from."""
        return Lot("", UNKNOWN) if self.number == UNKNOWN else Lot(self.product, self.number)


@dataclass(frozen=True)
class Told:
    """One fact as its sender states it, quantities in base units."""

    key: str
    kind: str
    occurred: datetime
    item: str = ""
    place: str = ""
    quantity: int = 0
    product: str = ""
    lot: str | None = None
    expiry: date | None = None
    to: str | None = None
    feed: Feed = Feed.CABINET
    sequence: int = 0
    begin: int | None = None
    begin_verified: bool = False
    undoes: str | None = None
    replaces: str | None = None
    version: int = 0
    witness: str | None = None
    container: str = ""
    until: datetime | None = None
    """What its label says: the instant until which it may be used."""
    parts: tuple[Told, ...] = ()
    """The lines of a transform; of a count of a whole place, what was found of each lot."""
    made: bool = False


@dataclass(frozen=True)
class Notice:
    """A recall: all lots, or these, of a product; `released` ends it."""

    id: str
    classification: str
    product: str
    lots: tuple[str, ...] = ()
    released: bool = False


@dataclass(frozen=True)
class Place:
    """What the ledger must know of a place."""

    authority: Feed
    refill_from: str | None = None
    quarantine: bool = False


@dataclass
class PlainLedger:
    """Everything told of one site."""

    zone: str
    places: Mapping[str, Place]
    products: Mapping[str, tuple[str, ...]]
    """Products of each item."""
    controlled: frozenset[str] = frozenset()
    policies: Mapping[str, timedelta] = field(default_factory=dict)
    """How long something may be used after an event of a kind, where its label says nothing."""
    now: datetime = _LONG_AGO
    facts: dict[str, Told] = field(default_factory=dict)
    conflicts: set[Told] = field(default_factory=set)
    notices: dict[str, Notice] = field(default_factory=dict)
    is_calm: bool = True
    """No fact came after a tick later than the first one: nothing was looked at before all was told."""
    ticks: int = 0
    inspections: dict[str, set[tuple[str, str]]] = field(default_factory=dict)
    """By notice: places and items that held stock of an unknown lot when it was read. None of one that is over."""

    # ---- what arrives --------------------------------------------------------------------------------------------

    def tick(self, at: datetime) -> None:
        """Time passes, never back."""
        self.now = max(self.now, at)
        self.ticks += 1

    def hear(self, told: Told) -> None:
        """One business key posts once: the first version stands, another one is a conflict."""
        self.is_calm = self.is_calm and self.ticks <= 1
        if self.facts.setdefault(told.key, told) != told:
            self.conflicts.add(told)

    def learn(self, notice: Notice) -> None:
        """The last version of a notice is in force, from now on."""
        before = self.notices.get(notice.id)
        self.notices[notice.id] = notice
        if notice.released or (before is not None and before.classification == "I" != notice.classification):
            self.inspections.pop(notice.id, None)
        else:
            items = {item for item, products in self.products.items() if notice.product in products}
            self.inspections[notice.id] = self.inspections.get(notice.id, set()) | {
                (place, item) for (place, item, lot, _), quantity in self.balances().items()
                if item in items and lot == UNKNOWN and quantity > 0
            }  # fmt: skip

    @property
    def inspected(self) -> set[tuple[str, str]]:
        """Places and items that a person is to inspect for any notice."""
        return {card for cards in self.inspections.values() for card in cards}

    # ---- which facts count -----------------------------------------------------------------------------------------

    def counting(self) -> list[Told]:
        """Facts that move stock, in ledger order: not taken back, not replaced, of the feed that has the say."""
        reversals = {told.key for told in self.facts.values() if told.kind == "reversal"}
        taken_back = {told.undoes for told in self.facts.values() if told.kind == "reversal"} - reversals
        newest: dict[str, Told] = {}
        for told in self.facts.values():
            root = told.replaces or told.key
            if told.kind != "reversal" and root not in taken_back and told.key not in taken_back:
                newest[root] = max(newest.get(root, told), told, key=lambda one: one.version)
        found = [told for told in newest.values() if self._may_post(told)]
        return sorted(found, key=lambda one: (one.occurred, one.sequence, RANK[one.kind], one.key))

    def _may_post(self, told: Told) -> bool:
        return told.kind not in GIVEN or told.feed is self.places[told.place].authority

    def speaking(self) -> list[Told]:
        """Facts and lines whose word on a lot counts: all of the right feed, also those that were taken back (ADR 5)."""
        facts = [told for told in self.facts.values() if told.kind != "reversal" and self._may_post(told)]
        return [line for told in facts for line in told.parts or (told,)]

    def lot_of(self, told: Told) -> Lot:
        """The lot a fact speaks of: of the product it names, else of the only one named with the number, else of the only one."""
        if not told.lot:
            return Lot(told.product if told.container else "", UNKNOWN, told.container)
        number = comparable(told.lot)
        if told.product:
            return Lot(told.product, number, told.container)
        possible = self.named(told.item, number) or set(self.products[told.item])
        return Lot(possible.pop() if len(possible) == 1 else "", number, told.container)

    def named(self, item: str, number: str) -> set[str]:
        """The products that were named with a lot number."""
        return {
            one.product for one in self.speaking() if one.product and one.item == item and one.lot and comparable(one.lot) == number
        }  # fmt: skip

    # ---- adding up -------------------------------------------------------------------------------------------------

    def accounts(self, at: datetime | None = None) -> Accounts:
        """Every account in the end, or at an instant as it is known now."""
        held: Accounts = Counter()
        for told in self.counting():
            if at is not None and told.occurred > at:
                break
            self._apply(told, held)
        return Counter({key: quantity for key, quantity in held.items() if quantity})

    def _apply(self, told: Told, held: Accounts) -> None:
        """Take what one fact moves from one account to the other."""
        for line in told.parts if told.kind == "transform" else ():
            here, lot = f"stock:{line.place}", self.lot_of(line)
            held["transform", line.item, lot] += -line.quantity if line.made else line.quantity
            held[here, line.item, lot] += line.quantity if line.made else -line.quantity
        for source, target, lot, quantity in () if told.kind == "transform" else self._entries(told, held):
            held[source, told.item, lot] -= quantity
            held[target, told.item, lot] += quantity

    def _entries(self, told: Told, held: Accounts) -> Iterator[tuple[str, str, Lot, int]]:
        """What one fact moves, given what was there: from, to, lot, quantity (a negative one the other way round)."""
        told = self._set_aside(told)
        here, lot = f"stock:{told.place}", self.lot_of(told)
        if told.begin is not None and told.begin_verified and told.kind not in STATES_ITSELF:
            yield from self._counted(told, held, Lot("", UNKNOWN), told.begin)
        source = self.places[told.place].refill_from
        outside = f"stock:{source}" if source else "suspense"
        if told.kind == "count":
            yield from self._counted_by_lot(told, held) if told.parts else self._counted(told, held, lot, told.quantity)
        elif told.kind in LEAVES_TO:
            yield here, LEAVES_TO[told.kind], lot, told.quantity
        elif told.kind in COMES_FROM:
            yield COMES_FROM[told.kind], here, lot, told.quantity
        elif told.kind == "waste":
            yield "patient", "waste", lot, told.quantity
        elif told.kind in OPENINGS:
            if lot.container and _lots(held, told)[lot] <= 0:
                yield here, "transform", lot.unopened, told.quantity
                yield "transform", here, lot, told.quantity
        elif told.kind in {"put_away", "pick"}:
            yield here, f"stock:{told.to or 'transit'}", lot, told.quantity
        elif told.kind == "refill":
            yield outside, here, lot, told.quantity
        elif told.kind == "load":
            yield from self._emptied(told, held)
            yield outside, here, lot, told.quantity
        elif told.kind == "unload":
            yield here, outside, lot, told.quantity
            yield from self._emptied(told, held)

    def _set_aside(self, told: Told) -> Told:
        """A receipt of what has expired stands at the first quarantine place (domain §3.4): a count of the other place says nothing."""
        isolated = sorted(name for name, place in self.places.items() if place.quarantine)
        if told.kind != "receive" or told.expiry is None or not isolated:
            return told
        over = datetime.combine(told.expiry + timedelta(days=1), time(), ZoneInfo(self.zone))
        return replace(told, place=isolated[0], begin=None) if told.occurred >= over else told

    def _counted(self, told: Told, held: Accounts, lot: Lot, counted: int) -> Iterator[tuple[str, str, Lot, int]]:
        """A count is absolute: of a container, of its lot with all containers, or of the place; nothing there is nothing of any."""
        there = _lots(held, told)
        if lot.number != UNKNOWN or lot.container:
            own = [] if counted or lot.container else [one for one in there if one[:2] == lot[:2]]
            for one in own:
                yield f"stock:{told.place}", "variance", one, there[one]
            left = _of_lot(there, lot) - sum(there[one] for one in own)
            yield "variance", f"stock:{told.place}", lot, counted - left
            yield f"stock:{told.place}", "variance", Lot("", UNKNOWN), _moved_before(there, lot, counted)
        elif counted == 0:
            yield from self._emptied(told, held)
        else:
            yield "variance", f"stock:{told.place}", lot, counted - sum(there.values())

    def _counted_by_lot(self, told: Told, held: Accounts) -> Iterator[tuple[str, str, Lot, int]]:
        """Every lot is what was found of it, its containers included; what was not found is not there (ADR 24)."""
        there, found = _lots(held, told), Counter[Lot]()
        for line in told.parts:
            found[self.lot_of(line)] += line.quantity
        opened = {one for one in there if one.container and found[one.unopened] > 0}
        for lot in {*there, *found} - opened:
            inside = sum(there[one] for one in opened if one.unopened == lot)
            yield "variance", f"stock:{told.place}", lot, found[lot] - inside - there[lot]

    @staticmethod
    def _emptied(told: Told, held: Accounts) -> Iterator[tuple[str, str, Lot, int]]:
        for lot, quantity in _lots(held, told).items():
            yield f"stock:{told.place}", "variance", lot, quantity

    # ---- what may be given -----------------------------------------------------------------------------------------

    def expiries(self) -> dict[tuple[str, Lot], set[date]]:
        """Dates reported for each lot. The earliest is used.

        A date told without a product holds for every product that has the number; of a number nobody can tell the product of, the
        dates of all its products hold.
        """
        found: dict[tuple[str, Lot], set[date]] = defaultdict(set)
        for told in self.speaking():
            if told.lot and told.expiry:
                lot = self.lot_of(told).unopened
                found[told.item, lot].add(told.expiry)
                others = {""} if told.product else self.named(told.item, lot.number)
                for product in others:
                    found[told.item, Lot(product, lot.number)].add(told.expiry)
        return found

    def beyond(self, item: str, lot: Lot) -> datetime | None:
        """Until when what was opened or made may be used: the first end counts, and only what was taken back ends later."""
        ends = []
        for told in self.counting():
            for one in told.parts or (told,):
                if one.item != item or not (one.made or one.kind in OPENINGS):
                    continue
                here = Lot(one.product, comparable(one.lot)) if one.lot and not one.container else None
                same = one.container == lot.container if one.container else here in {Lot(lot.product, lot.number), Lot("", lot.number)}
                policy = self.policies.get(told.kind)
                until = one.until or (None if policy is None else told.occurred + policy)
                if same and until is not None:
                    ends.append(until)
        return min(ends, default=None)

    def is_expired(self, item: str, lot: Lot, at: datetime) -> bool:
        """A lot dated D is usable through D at the site, and not beyond the use-by instant of what was opened or made."""
        until = self.beyond(item, lot)
        if until is not None and at >= until:
            return True
        dates = self.expiries().get((item, lot.unopened)) if lot.number != UNKNOWN else None
        if not dates:
            return False
        return at >= datetime.combine(min(dates) + timedelta(days=1), time(), ZoneInfo(self.zone))

    def is_recalled(self, item: str, lot: Lot) -> bool:
        """Whether a notice in force covers a lot, or anything it was made of."""
        return self._is_named(item, lot, by_item=True) or any(self._is_named(*one) for one in self._origins(item, lot))

    def _origins(self, item: str, lot: Lot) -> set[tuple[str, Lot]]:
        """A lot and everything it was made of, in however many steps."""
        ahead = [(item, Lot(lot.product, lot.number))] if lot.number != UNKNOWN else []
        found: set[tuple[str, Lot]] = set()
        while ahead:
            item, lot = ahead.pop()
            for told in self.counting():
                made = [self.lot_of(line) for line in told.parts if line.made and line.item == item]
                if not any(one.number == lot.number and (one.product == lot.product or "" in {one.product, lot.product}) for one in made):
                    continue
                for line in told.parts:
                    of = self.lot_of(line)
                    origin = (line.item, Lot(line.product if of.number == UNKNOWN else of.product, of.number))
                    if not line.made and origin not in found:
                        found.add(origin)
                        ahead += [origin] if of.number != UNKNOWN else []
        return found

    def _is_named(self, item: str, lot: Lot, *, by_item: bool = False) -> bool:
        """Whether a notice names a lot. Of an unknown lot nobody knows: it is inspected, and class I covers it till then.

        Stock of an unknown lot is inspected whatever its product (`by_item`); what went into a preparation may be known better.
        """
        for notice in self.notices.values():
            possible = {lot.product} if lot.product and not by_item else set(self.products[item])
            if lot.number == UNKNOWN and notice.classification == "I" and not notice.released:
                if notice.product in possible:
                    return True
                continue
            if lot.number == UNKNOWN and not by_item and not (notice.lots or notice.released) and possible == {notice.product}:
                return True
            numbers = {comparable(number) for number in notice.lots}
            of_product = lot.product == notice.product or (not lot.product and notice.product in self.products[item])
            if not notice.released and of_product and lot.number != UNKNOWN and (not numbers or lot.number in numbers):
                return True
        return False

    def status(self, place: str, item: str, lot: Lot) -> str:
        """Status of a balance now. A recall outranks quarantine, that an expiry."""
        if self.is_recalled(item, lot):
            return "recalled"
        if place in self.places and self.places[place].quarantine:
            return "quarantined"
        return "expired" if self.is_expired(item, lot, self.now) else "available"

    def balances(self) -> Counter[tuple[str, str, str, str]]:
        """Base units by place, item, lot number and status."""
        found: Counter[tuple[str, str, str, str]] = Counter()
        for (account, item, lot), quantity in self.accounts().items():
            if account.startswith("stock:"):
                place = account.removeprefix("stock:")
                found[place, item, lot.number, self.status(place, item, lot)] += quantity
        return found

    def usable(self) -> Counter[tuple[str, str]]:
        """What may be given now, by place and item: lots that are available, less what is missing of any lot at the place."""
        found: Counter[tuple[str, str]] = Counter()
        for (account, item, lot), quantity in self.accounts().items():
            if account.startswith("stock:"):
                place = account.removeprefix("stock:")
                found[place, item] += quantity if self.status(place, item, lot) == "available" else min(0, quantity)
        return found

    # ---- what a person must look at ----------------------------------------------------------------------------------

    def negative(self) -> set[tuple[str, str]]:
        """Places and items below zero now."""
        cards: Counter[tuple[str, str]] = Counter()
        for (place, item, _, _), quantity in self.balances().items():
            cards[place, item] += quantity
        return {card for card, quantity in cards.items() if quantity < 0}

    def reversals_of_reversals(self) -> set[str]:
        """Reversals that name a reversal."""
        return {
            told.key for told in self.facts.values()
            if told.kind == "reversal" and (named := self.facts.get(told.undoes or "")) and named.kind == "reversal"
        }  # fmt: skip

    def unwitnessed(self) -> set[str]:
        """Controlled wastes without a second person; the actor is always nurse-1."""
        return {
            told.key for told in self.facts.values()
            if told.item in self.controlled and told.kind in {"waste", "discard"} and told.witness in {None, "nurse-1"}
        }  # fmt: skip

    def expired_given(self) -> set[str]:
        """Facts that gave a patient of a lot after its last day, by the key of their first version."""
        given = [told for told in self.counting() if told.kind in GIVEN and (told.lot or told.container) and told.quantity]
        return {told.replaces or told.key for told in given if self.is_expired(told.item, self.lot_of(told), told.occurred)}

    def expired_used(self) -> set[str]:
        """Transforms that made something of a lot after its end."""
        used = [(told, line) for told in self.counting() for line in told.parts if line.kind == "transform" and not line.made and line.quantity]
        return {told.key for told, line in used if self.is_expired(line.item, self.lot_of(line), told.occurred)}

    def recalled_items(self) -> set[str]:
        """Items with a lot that a notice in force covers."""
        lots = {(told.item, self.lot_of(told).unopened) for told in self.speaking() if told.lot}
        return {item for item, lot in lots if self.is_recalled(item, lot)}

    def differences(self) -> dict[str, int]:
        """By how much each count, or stated begin count, of a controlled item differs from what was added up before it."""
        held: Accounts = Counter()
        found = {}
        for told in self.counting():
            there = _lots(held, told)
            if told.item in self.controlled and told.kind == "count":
                lot = self.lot_of(told)
                found[told.key] = told.quantity - (_of_lot(there, lot) if told.lot or told.container else sum(there.values()))
                found[told.key] -= _moved_before(there, lot, told.quantity)
            elif told.item in self.controlled and told.begin is not None:
                found[told.key] = told.begin - sum(there.values())
            self._apply(told, held)
        return {key: difference for key, difference in found.items() if difference}


def comparable(number: str) -> str:
    """A lot number as lots are compared (domain §3.8): upper case, without blanks and hyphens, zeros kept."""
    return number.upper().replace(" ", "").replace("-", "")


def _lots(held: Accounts, told: Told) -> Counter[Lot]:
    """What lies at a fact's place of its item, by lot."""
    account = f"stock:{told.place}"
    return Counter({lot: quantity for (where, item, lot), quantity in held.items() if (where, item) == (account, told.item)})


def _moved_before(there: Counter[Lot], lot: Lot, counted: int) -> int:
    """How much of what a count of a lot is off by came or left before without lot: as far as both have one sign.

    Of other lots that more left of than came, so much must have come without lot.
    """
    off, nameless = counted - _of_lot(there, lot), there.get(Lot("", UNKNOWN), 0)
    for one, held in there.items():
        if held < 0 and one.number != UNKNOWN and not _of_lot(Counter({one: 1}), lot):
            nameless += held
    return min(off, nameless, key=abs) if lot.number != UNKNOWN and off * nameless > 0 else 0


def _of_lot(there: Counter[Lot], lot: Lot) -> int:
    """How much there is of a container, or of a lot in all containers; where nobody can tell its product, of its number."""
    open_name = not lot.product and lot.number != UNKNOWN
    return sum(
        held for one, held in there.items()
        if one.number == lot.number and (open_name or one.product == lot.product) and lot.container in {"", one.container}
    )  # fmt: skip
