"""A site of any size and age, and the traffic of its days: what `growth.py` measures on.

A store with three lots an item, and cabinets whose pockets hold two (in every tenth cabinet nobody states lots). Levels stand
anywhere between minimum and par, so that the share of events that empty a pocket, and with it of refills, needs, purchases and
receipts, is the same however many pockets share the traffic. A fifth of the pockets is never counted.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, Final, NamedTuple

from schemas.codec import encode
from schemas.codes import Code, gtin_check_digit
from schemas.events import ReferenceChange, StockEvent, Tick
from schemas.ids import derived_id
from schemas.keys import encode_key
from schemas.kinds import CommandKind, EventKind, Feed, LocationKind
from schemas.log import LogRecord
from schemas.raw import RawRef
from schemas.reference import REFERENCE_KINDS, Item, Location, ParPolicy, Product, Role, Site
from schemas.topics import SITE_LOG
from topology.outgoing import RECORD_SCHEMA, broadcast_record
from topology.reference_files import reference_changes

SITE: Final = "north"
MAIN: Final = "main"
START: Final = datetime(2026, 1, 5, 5, 0, tzinfo=UTC)
PAR, MINIMUM, CRITICAL = 20, 6, 2
STORE_PAR, STORE_MINIMUM = 300, 100
REFILLED_AFTER, RECEIVED_AFTER, GIVEN_AFTER = 150, 400, 20
"""Events between a level and what brings supply, and between a removal and its dose."""
RESTED_DAYS: Final = 700
"""How long the lots of the opening stock live at least."""
_OPENING_STEP: Final = timedelta(milliseconds=100)
_MIX: Final = (
    ("vend", 52), ("order", 14), ("return", 5), ("dispense", 5), ("count", 4), ("late", 2), ("again", 2), ("request", 1),
    ("reversal", 1),
)  # fmt: skip
"""What happens, of so many; refills, receipts and doses follow from it."""


class Busy(NamedTuple):
    """Which pockets are busier than others: every so-many-th one, with this share of the events among them."""

    every: int
    share: float


EVENLY: Final = Busy(1, 1.0)
"""No pocket is busier: hardest for caches, since hardly any two events of a batch meet."""
BY_CLASS: Final = Busy(5, 0.8)
"""A fifth of the pockets has four fifths of the movements, as ABC analyses of hospital stock find."""


class Size(NamedTuple):
    """How much of everything a site has."""

    items: int
    cabinets: int
    pockets: int


class Card:
    """What the generator knows of one item at one place: its lots, oldest first, and when it was last counted."""

    __slots__ = ("counted", "counted_at", "device", "item", "lots", "pocket", "refilling")

    def __init__(self, item: int, device: str, pocket: str | None, lots: list[list[Any]], *, counted: bool) -> None:
        """`lots` are pairs of number (None: nobody states it) and quantity."""
        self.item, self.device, self.pocket, self.lots, self.counted = item, device, pocket, lots, counted
        self.counted_at = START
        self.refilling = False

    @property
    def quantity(self) -> int:
        """All lots together."""
        return sum(quantity for _, quantity in self.lots)

    def is_shut(self, occurred: datetime) -> bool:
        """Whether a count of the place stands behind an instant whose lots it could not tell: they would differ for good."""
        return occurred < self.counted_at and self.lots[0][0] is not None

    def take(self, number: str | None, quantity: int) -> None:
        """Remove (or, below zero, bring) some of a lot; one that is used up is gone."""
        lot = next((one for one in self.lots if one[0] == number), None)
        if lot is None:
            self.lots.append([number, -quantity])
            return
        lot[1] -= quantity
        if not lot[1] and len(self.lots) > 1:
            self.lots.remove(lot)


class GrowingSite:
    """The site, and an endless day of it."""

    def __init__(self, size: Size, *, events_a_day: int, tick_every: int, busy: Busy = BY_CLASS) -> None:
        """Reference data and stock are the same for the same size; nothing has happened yet."""
        self.size = size
        self.busy = busy
        self.now = START
        self._random = Random(f"{size}")  # reproducible traffic, nothing secret
        self._step = timedelta(days=1) / events_a_day
        self._tick_every = tick_every
        self._number = 0
        self._due: list[tuple[int, int, Callable[[], StockEvent]]] = []
        self._vended: deque[tuple[StockEvent, Card]] = deque(maxlen=200)
        self._last: StockEvent | None = None
        self._receipts = [0] * size.items
        self.store = [
            Card(item, "MAIN", None, [[_lot(item, lot), self._random.randint(34, 100)] for lot in range(3)], counted=True)
            for item in range(size.items)
        ]
        self.pockets = [self._pocket(cabinet, pocket) for cabinet in range(size.cabinets) for pocket in range(size.pockets)]

    def _pocket(self, cabinet: int, pocket: int) -> Card:
        item = (cabinet * 7 + pocket) % self.size.items
        total = self._random.randint(MINIMUM + 1, PAR)
        first = max(MINIMUM + 1, total - total // 2)  # never at the minimum while it is filled: no need opens
        known = [[_lot(item, cabinet % 3), first], [_lot(item, (cabinet + 1) % 3), total - first]][: 1 if total == first else 2]
        lots = [[None, total]] if cabinet % 10 == 9 else known
        where = f"d{pocket // 12 + 1}/p{pocket % 12 + 1:02d}"
        return Card(item, _device(cabinet), where, lots, counted=(cabinet + pocket) % 5 != 0)

    # ---- what the site is ------------------------------------------------------------------------------------------

    def reference(self) -> Iterator[LogRecord]:
        """Item master, places and levels."""
        records = [(name, REFERENCE_KINDS[name].id_of(one), one) for name, one in self._reference()]
        for change in reference_changes(records, 1):
            yield broadcast(change)

    def _reference(self) -> Iterator[tuple[str, Any]]:
        yield "site", Site(id=SITE, name="North", zone="America/New_York")
        yield "role", Role(person="ph-1", role="pharmacist")
        yield "location", Location(site=SITE, path=MAIN, kind=LocationKind.STORE, codes=("MAIN",), authority=Feed.DISPENSE)
        for cabinet in range(self.size.cabinets):
            yield "location", Location(
                site=SITE, path=_place(cabinet), kind=LocationKind.CABINET, codes=(_device(cabinet),), refill_from=MAIN
            )
        for number in range(self.size.items):
            schedule = 2 if _is_controlled(number) else None
            local = Code(system="local", value=f"C{number:05d}")
            yield "item", Item(id=_item(number), name=f"Item {number}", base_unit="tablet", schedule=schedule, codes=(local,))
            yield "product", Product(id=product_of(number), item=_item(number), labeler="Lab", package_quantity=100, gtin=_gtin(number))
            yield "par_policy", ParPolicy(
                site=SITE, location=MAIN, item=_item(number), minimum=STORE_MINIMUM, par=STORE_PAR, maximum=2 * STORE_PAR, critical=5,
                kind=CommandKind.PURCHASE, satisfied_at=STORE_MINIMUM + 20,
            )  # fmt: skip
        for at, card in enumerate(self.pockets):
            place = f"{_place(at // self.size.pockets)}/{card.pocket}"
            yield "par_policy", ParPolicy(
                site=SITE, location=place, item=_item(card.item), minimum=MINIMUM, par=PAR, maximum=PAR + 5, critical=CRITICAL,
                source=MAIN,
            )  # fmt: skip

    def opening(self) -> Iterator[LogRecord]:
        """The opening stock: receipts of all that there is, and refills of the pockets from the store."""
        needed: dict[tuple[int, str], int] = {}
        unknown = [0] * self.size.items
        for card in self.pockets:
            for number, quantity in card.lots:
                if number is None:
                    unknown[card.item] += quantity
                else:
                    needed[card.item, number] = needed.get((card.item, number), 0) + quantity
        for card in self.store:
            for number, quantity in card.lots:
                yield self._record(self._receipt(card, number, quantity + needed.get((card.item, number), 0)))
            if unknown[card.item]:
                yield self._record(self._receipt(card, None, unknown[card.item]))
        yield self._tick()
        for card in self.pockets:
            self.now += _OPENING_STEP  # at one instant the order of keys would decide, and each would be put in among the others
            for number, quantity in card.lots:
                yield self._record(self._event(EventKind.REFILL, card, quantity, number))
        yield self._tick()

    # ---- what happens ----------------------------------------------------------------------------------------------

    def traffic(self, events: int) -> list[LogRecord]:
        """The next so many events, with their ticks."""
        records = []
        for _ in range(events):
            self.now += self._step
            self._last = self._next()
            records.append(self._record(self._last))
            if self._number % self._tick_every == 0:
                records.append(self._tick())
        return records

    def late(self, events: int, age: timedelta) -> list[LogRecord]:
        """So many removals that are told so late. The stock is theirs alone: the generator forgets them."""
        found = []
        for _ in range(events):
            card = self._pick()
            occurred = max(self.now - age, START + timedelta(seconds=1))
            found.append(self._record(self._event(EventKind.VEND, card, 1, card.lots[0][0], occurred=occurred)))
        return found

    def _next(self) -> StockEvent:
        if self._due and self._due[0][0] <= self._number:
            return heapq.heappop(self._due)[2]()
        names, weights = zip(*_MIX, strict=True)
        what = self._random.choices(names, weights)[0]
        made: StockEvent | None = getattr(self, f"_make_{what}")()
        return made if made is not None else self._make_order()

    def _after(self, events: int, make: Callable[[], StockEvent]) -> None:
        heapq.heappush(self._due, (self._number + events, self._number, make))

    def _pick(self) -> Card:
        every = self.busy.every if self._random.random() < self.busy.share else 1
        return self.pockets[self._random.randrange(len(self.pockets) // every) * every]

    def _make_vend(self, occurred: datetime | None = None) -> StockEvent | None:
        card = self._pick()
        number, held = self._random.choice(card.lots)
        quantity = min(held, self._random.choice((1, 1, 1, 2)))
        if quantity <= 0 or (occurred is not None and card.is_shut(occurred)):
            return None
        controlled = _is_controlled(card.item)
        about: dict[str, Any] = {"patient": self._patient(), "order_id": f"o{self._number}"}
        if controlled and occurred is None:
            verified = card.counted and self._random.random() < 0.5
            about |= {"begin_count": Decimal(card.quantity), "begin_count_verified": verified}
            card.counted_at = self.now if verified else card.counted_at
        event = self._event(EventKind.VEND, card, quantity, number, occurred=occurred, **about)
        if event.occurred >= card.counted_at:
            card.take(number, quantity)
        if not controlled:
            self._vended.append((event, card))
        if controlled or self._random.random() < 0.4:
            self._after(GIVEN_AFTER, lambda: self._dose(event))
        if card.quantity <= MINIMUM and not card.refilling:
            card.refilling = True
            self._after(REFILLED_AFTER, lambda: self._refill(card))
        return event

    def _make_late(self) -> StockEvent | None:
        return self._make_vend(self.now - timedelta(minutes=self._random.randint(5, 30)))

    def _dose(self, vend: StockEvent) -> StockEvent:
        """What became of a removal: given, or in one of ten wasted before a witness."""
        is_wasted = self._random.random() < 0.1
        kind, feed = (EventKind.WASTE, Feed.CABINET) if is_wasted else (EventKind.ADMINISTER, Feed.ADMINISTRATION)
        witness = "rn-2" if is_wasted else None
        about: dict[str, Any] = {"begin_count": None, "begin_count_verified": False, "witness": witness}
        return self._numbered(replace(vend, kind=kind, feed=feed, occurred=self.now, received_at=self.now, **about))

    def _refill(self, card: Card) -> StockEvent:
        card.refilling = False
        store = self.store[card.item]
        wanted = max(1, PAR - card.quantity)
        number = self._lot_for(card, store)
        card.take(number, -wanted)
        store.take(number, wanted)
        if store.quantity <= STORE_MINIMUM and not store.refilling:
            store.refilling = True
            self._after(RECEIVED_AFTER, lambda: self._receive(store))
        return self._event(EventKind.REFILL, card, wanted, number)

    def _lot_for(self, card: Card, store: Card) -> str | None:
        """The lot that a refill brings: another one while the pocket has only one, else more of one it has."""
        here = [number for number, _ in card.lots]
        if here[0] is None:
            return None
        there = [number for number, quantity in store.lots if quantity > 0]
        found = [number for number in there if (number in here) == (len(here) > 1)]
        return self._random.choice(found or there or here)

    def _receive(self, card: Card) -> StockEvent:
        """A purchase arrives: a lot that was not here before."""
        card.refilling = False
        self._receipts[card.item] += 1
        number, quantity = _lot(card.item, 2 + self._receipts[card.item]), STORE_PAR - card.quantity
        card.take(number, -quantity)
        return self._receipt(card, number, quantity)

    def _make_return(self) -> StockEvent | None:
        card = self._pick()
        if card.quantity >= PAR or _is_controlled(card.item):
            return None
        number = card.lots[-1][0]
        card.take(number, -1)
        return self._event(EventKind.RETURN, card, 1, number, patient=self._patient())

    def _make_dispense(self) -> StockEvent | None:
        """From the store, by a feed that names no place."""
        card = self.store[self._random.randrange(len(self.store))]
        number = next((number for number, held in card.lots if held > 1), None)
        if number is None:
            return None
        card.take(number, 1)
        event = self._event(EventKind.DISPENSE, card, 1, number, feed=Feed.DISPENSE, patient=self._patient())
        return replace(event, location_codes=())

    def _make_count(self) -> StockEvent | None:
        """Of a whole pocket as it is; in one of ten, of a lot that is one short."""
        card = self._pick()
        if not card.counted:
            return None
        number, held = card.lots[0]
        if self._random.random() < 0.1 and held > 1 and number is not None:
            card.take(number, 1)
            card.counted_at = self.now
            return self._event(EventKind.COUNT, card, held - 1, number)
        card.counted_at = self.now
        return self._event(EventKind.COUNT, card, card.quantity, None)

    def _make_again(self) -> StockEvent | None:
        """The last event, sent again."""
        self._number += 1
        return None if self._last is None else replace(self._last, raw=RawRef(partition=0, offset=self._number))

    def _make_request(self) -> StockEvent | None:
        return self._event(EventKind.REQUEST, self._pick(), PAR, None)

    def _make_reversal(self) -> StockEvent | None:
        if not self._vended:
            return None
        event, card = self._vended.popleft()
        if card.is_shut(event.occurred):
            return None
        if event.occurred >= card.counted_at:
            card.take(event.lot, -int(event.quantity or 0))
        return replace(
            self._event(EventKind.REVERSAL, card, 0, None), codes=(), quantity=None, unit=None, reverses=event.event_key
        )

    def _make_order(self) -> StockEvent:
        kind = self._random.choice((EventKind.ORDER, EventKind.CENSUS))
        return replace(self._event(kind, self._pick(), 1, None, patient=self._patient()), feed=Feed(kind.value), location_codes=())

    def _patient(self) -> str:
        """One of some hundred who are here this week."""
        week = (self.now - START).days // 7
        return f"{week:04x}{self._random.randrange(400):028x}"

    # ---- records ---------------------------------------------------------------------------------------------------

    def _receipt(self, card: Card, number: str | None, quantity: int) -> StockEvent:
        return self._event(EventKind.RECEIVE, card, quantity, number, feed=Feed.SCAN, expiry=self._expiry(number))

    def _expiry(self, number: str | None) -> date | None:
        return None if number is None else (self.now + timedelta(days=RESTED_DAYS)).date()

    def _event(self, kind: EventKind, card: Card, quantity: int, lot: str | None, **about: Any) -> StockEvent:
        scanned = kind is EventKind.RECEIVE or self._number % 2 == 0
        code = Code(system="gtin", value=_gtin(card.item)) if scanned else Code(system="local", value=f"C{card.item:05d}")
        occurred = about.pop("occurred", None) or self.now
        fields: dict[str, Any] = {
            "feed": Feed.CABINET, "codes": (code,), "quantity": Decimal(quantity), "unit": "tablet", "lot": lot,
            "location_codes": (card.device,), "pocket": card.pocket, "actor": "rn-1",
        }  # fmt: skip
        bare = StockEvent(
            event_id="", event_key="-", kind=kind, site=SITE, source="cabinets", raw=RawRef(partition=0, offset=0),
            occurred=occurred, received_at=max(self.now, occurred), **{**fields, **about},
        )  # fmt: skip
        return self._numbered(bare)

    def _numbered(self, event: StockEvent) -> StockEvent:
        """The event under a key and an id of its own."""
        self._number += 1
        key = f"{event.kind.value}|{(event.location_codes or ('-',))[0]}|{self._number}"
        return replace(
            event, event_key=key, event_id=derived_id("event", SITE, key), raw=RawRef(partition=0, offset=self._number),
            transaction_id=str(self._number),
        )  # fmt: skip

    def _record(self, event: StockEvent) -> LogRecord:
        trace = f"raw-0-{event.raw.offset}"
        headers = (
            ("ce_id", f"{trace}-0"), ("ce_type", "StockEvent"), ("ce_subject", SITE), ("ce_source", "normalise"),
            ("schema", RECORD_SCHEMA), ("trace", trace), ("ce_time", event.received_at.isoformat()), ("items", "1"),
            ("source", event.source),
        )  # fmt: skip
        return LogRecord(SITE_LOG, 0, event.raw.offset, encode_key((SITE,)), encode(event), headers)

    def _tick(self) -> LogRecord:
        return tick_at(self.now)


def tick_at(at: datetime) -> LogRecord:
    """What time it is, as the broadcaster says it."""
    return broadcast(Tick(at=at))


def broadcast(change: ReferenceChange | Tick) -> LogRecord:
    """A change as the broadcaster writes it to the site log."""
    key, value, headers = broadcast_record(change)
    return LogRecord(SITE_LOG, 0, 0, key, value, headers)


def _item(number: int) -> str:
    return f"item-{number:05d}-10mg-tablet"


def _is_controlled(item: int) -> bool:
    return item % 7 == 0


def product_of(item: int) -> str:
    """The one product of an item."""
    return f"{_item(item)}-1"


def _gtin(number: int) -> str:
    body = f"00301{number:08d}"
    return body + gtin_check_digit(body)


def _lot(item: int, number: int) -> str:
    return f"L{item:05d}{number:03d}"


def _device(cabinet: int) -> str:
    return f"UNIT{cabinet:03d}-CAB1"


def _place(cabinet: int) -> str:
    return f"unit{cabinet:03d}/cab1"
