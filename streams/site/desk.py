"""The desk the stages work at: one state's tables, the event's outputs, and the few ways to write them.

It decides nothing about stock. Every record that leaves the site processor is made here.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import msgspec

from schemas.codec import encode
from schemas.events import ItemOutcome
from schemas.ids import derived_id
from schemas.keys import encode_key
from schemas.kinds import BalanceStatus, Feed, Outcome
from schemas.log import Output
from schemas.records import Alert, Balance, Case, Hold
from schemas.topics import ALERTS, BALANCES, CASES, HOLDS, OUTCOMES
from streams.catalog import Catalog
from streams.contract import raw_key
from streams.ledger.book import AccountKey, Book
from streams.ledger.model import ISOLATED, CardKey, Demand, LotFacts, LotId, OrderKey, is_blocked
from streams.site import tables
from streams.site.preparation_tables import Left, Prepared
from streams.site.shelf_tables import Shelf
from streams.site.tables import (
    Dose,
    Doubt,
    FeedState,
    Held,
    LotUnstated,
    Memory,
    Mention,
    Need,
    ReportTotal,
    ReturnedLine,
    Seen,
    SourceState,
    Timer,
    TransferLine,
)
from streams.site.tables import Version as FactVersion
from streams.state import State, Table
from streams.times import from_us, iso_date

NOW: Final = ("now",)
TIMER_PENDING: Final = ("next_due",)


Point = tuple[int, int, dict[AccountKey, int], Left]
"""Within an event: the state's savepoint, how much was written, what was moved, and what is left to do at its end."""


class Desk:
    """One site partition's tables and the outputs of the event at hand."""

    may_be_changed: set[CardKey] | None = None
    """Positions that may be due to the network; none yet where the table was not read since the desk was bound."""

    def __init__(self, state: State) -> None:
        """Binds every table once; a desk lives as long as its state."""
        self.state = state
        self.catalog = Catalog(state)
        self.book = Book(state, self.catalog.is_quarantine)
        self.shelf = Shelf(state)
        self.seen: Table[Seen] = state.table(tables.SEEN)
        self.held: Table[Held] = state.table(tables.HELD)
        self.waiting: Table[int] = state.table(tables.WAITING)
        self.timers: Table[Timer] = state.table(tables.TIMERS)
        self.needs: Table[Need] = state.table(tables.NEEDS)
        self.commands: Table[Any] = state.table(tables.COMMANDS_TABLE)
        self.cases: Table[Case] = state.table(tables.CASES_TABLE)
        self.lot_places: Table[int] = state.table(tables.LOT_PLACES)
        self.lot_products: Table[tuple[str, ...]] = state.table(tables.LOT_PRODUCTS)
        self.lot_unstated: Table[LotUnstated] = state.table(tables.LOT_UNSTATED)
        self.demand: Table[Demand] = state.table(tables.DEMAND)
        self.counters: Table[int] = state.table(tables.COUNTERS)
        self.clock: Table[int] = state.table(tables.CLOCK)
        self.sources: Table[SourceState] = state.table(tables.SOURCES)
        self.feeds: Table[FeedState] = state.table(tables.FEEDS)
        self.changed: Table[int] = state.table(tables.CHANGED)
        self.corrections: Table[int] = state.table(tables.CORRECTIONS)
        self.versions: Table[FactVersion] = state.table(tables.VERSIONS)
        self.aliases: Table[str] = state.table(tables.ALIASES)
        self.serials: Table[str] = state.table(tables.SERIALS)
        self.clocks_ahead: Table[int] = state.table(tables.CLOCKS_AHEAD)
        self.requested: Table[str] = state.table(tables.REQUESTED)
        self.notices: Table[str] = state.table(tables.NOTICES)
        self.mentions: Table[tuple[Mention, ...]] = state.table(tables.MENTIONS)
        self.announced_gtins: Table[int] = state.table(tables.ANNOUNCED_GTINS)
        self.contents: Table[tuple[str, ...]] = state.table(tables.CONTENTS)
        self.shipped: Table[tuple[str, ...]] = state.table(tables.SHIPPED)
        self.doubts: Table[tuple[Doubt, ...]] = state.table(tables.DOUBTS)
        self.arrivals: Table[str] = state.table(tables.ARRIVALS)
        self.deliveries: Table[int] = state.table(tables.DELIVERIES)
        self.serial_moves: Table[tuple[tuple[str, str], ...]] = state.table(tables.SERIAL_MOVES)
        self.doses: Table[Dose] = state.table(tables.DOSES)
        self.dosed: Table[tuple[str, str]] = state.table(tables.DOSED)
        self.receipts: Table[tuple[tuple[str, int], ...]] = state.table(tables.RECEIPTS)
        self.closed_to: Table[int] = state.table(tables.CLOSED_TO)
        self.inspections: Table[tuple[str, str, str]] = state.table(tables.INSPECTIONS)
        self.reports: Table[ReportTotal] = state.table(tables.REPORTS)
        self.memory: Table[Memory] = state.table(tables.MEMORY)
        self.transfer_lines: Table[TransferLine] = state.table(tables.TRANSFER_LINES)
        self.transfer_facts: Table[tuple[str, ...]] = state.table(tables.TRANSFER_FACTS)
        self.transfer_cases: Table[tuple[str, str, str, str]] = state.table(tables.TRANSFER_CASES)
        self.returned: Table[ReturnedLine] = state.table(tables.RETURNED)
        self.credits: Table[str] = state.table(tables.CREDITS)
        self._start(state)

    def _start(self, state: State) -> None:
        """What holds for the event at hand."""
        self.prepared = Prepared(state)
        self.out: list[Output] = []
        self.planned: set[CardKey] = set()
        """Stores whose open commands were given their lots since all that the event moved was posted."""
        self.partition = 0
        self.items = 1
        self.was: Outcome | None = None
        self.source = ""
        self.since_us: int | None = None
        self.now_us = 0
        self.at: datetime = from_us(0)
        self.due_us: int | None = None
        """When the first timer is due, at the earliest."""
        self.tick()

    def begin(self, partition: int, headers: dict[str, str]) -> None:
        """Begin an event: empty outputs, the time of the highest tick seen, what its message declared."""
        self.out = []
        self.book.moved.clear()
        self.prepared.begin()
        self.partition = partition
        self.items = int(headers.get("items", "1"))
        self.was = Outcome(headers["was"]) if "was" in headers else None
        self.source = headers.get("source", "")

    def tick(self) -> None:
        """Take over the time of the highest tick seen, and when the first timer is due, as the state has them."""
        self.now_us = self.clock.get(NOW) or 0
        self.at = from_us(self.now_us)
        self.due_us = self.clock.get(TIMER_PENDING)

    def emit(self, topic: str, key: bytes, value: bytes | None, type_: str, subject: str = "") -> None:
        """Write a record to the partition the event came from."""
        self.out.append(Output(topic, key, value, type_, partition=self.partition, subject=subject))

    def count(self, site: str, name: str, add: int = 1) -> None:
        """Add to a counter of a site."""
        self.counters.add((site, name), add)

    def savepoint(self) -> Point:
        """A point within an event to which writes, outputs, what was moved and what is left to do can be taken back."""
        return self.state.savepoint(), len(self.out), dict(self.book.moved), self.prepared.left()

    def rollback_to(self, point: Point) -> None:
        """Take back what was done since a point."""
        self.state.rollback_to(point[0])
        del self.out[point[1] :]
        self.book.moved = point[2]
        self.prepared.begin(*point[3])
        self.tick()

    # ---- time --------------------------------------------------------------------------------------------------

    def schedule(self, due_us: int, timer: Timer) -> None:
        """Make something due at an instant. The same timer at the same instant is one timer."""
        self.timers.put((due_us, timer.kind, *timer.subject), timer)
        if self.due_us is None or due_us < self.due_us:
            self.first_due(due_us)

    def first_due(self, due_us: int | None) -> None:
        """Note when the first timer is due; None when there is none."""
        self.due_us = due_us
        if due_us is None:
            self.clock.delete(TIMER_PENDING)
        else:
            self.clock.put(TIMER_PENDING, due_us)

    # ---- what people see ---------------------------------------------------------------------------------------

    def outcome(
        self,
        event: Any,  # stock event, decision or answer: all have raw, site, source
        outcome: Outcome,
        code: str,
        reason: str,
        *,
        was: Outcome | None = None,
        event_ids: tuple[str, ...] = (),
        kinds: tuple[str, ...] = (),
    ) -> None:
        """State how an item ended."""
        record = ItemOutcome(
            source=event.source or self.source, raw=event.raw, items=self.items, outcome=outcome, code=code, reason=reason,
            at=self.at, site=event.site, event_ids=event_ids, kinds=kinds, was=was,
            event_key=event.event_key if getattr(event, "feed", None) is Feed.SCAN else None,
        )  # fmt: skip
        key = raw_key(event.raw)
        where = event.raw.partition
        self.out.append(Output(OUTCOMES, key, encode(record), "ItemOutcome", partition=where, subject=event.site))

    def balance(self, card: CardKey, lot: LotId, unit: str) -> None:
        """Publish the balance of a lot at a place; zero is a tombstone."""
        site, location, item = card
        key = encode_key((site, location, item, lot.product, lot.lot, lot.container))
        quantity = self.book.lots.get((*card, lot.product, lot.lot, lot.container)) or 0
        if not quantity:
            self.emit(BALANCES, key, None, "Balance", site)
            return
        facts = self.book.facts_of(card, lot)
        last = self.book.card(card).last
        record = Balance(
            site=site, location=location, item=item, product=lot.product, lot=facts.lot_text or lot.lot, quantity=quantity,
            unit=unit, status=status_at(facts, self.now_us), as_of=from_us(max(self.now_us, last[0] if last else 0)),
            expiry=None if facts.expiry is None else iso_date(facts.expiry),
            container=lot.container or None, beyond_use=None if facts.beyond is None else from_us(facts.beyond),
        )  # fmt: skip
        self.emit(BALANCES, key, encode(record), "Balance", site)

    def alert(self, site: str, kind: str, text: str, *parts: str, **about: str) -> None:
        """Say something once. The id is made of kind and parts, so that a replay says it under the same id."""
        alert_id = derived_id("alert", site, kind, *parts)
        shadow = not self.catalog.is_live(site)
        record = Alert(alert_id=alert_id, site=site, kind=kind, text=text, at=self.at, shadow=shadow, **about)
        self.emit(ALERTS, encode_key((site, alert_id)), encode(record), "Alert", site)

    def case_open(self, case_id: str, site: str, kind: str, text: str, *, reopen: bool = False, **about: Any) -> None:
        """Open a case, or leave it alone when it is open already.

        A case about one event stays closed once closed; one about a state opens again when the state comes back (`reopen`).
        """
        held = self.cases.get((site, case_id))
        if held is not None and (held.state == "open" or not reopen):
            return
        case = Case(
            case_id=case_id, site=site, kind=kind, state="open", text=text, opened_at=self.at, updated_at=self.at, **about
        )
        self._put_case(case)
        self.count(site, "cases_opened")

    def fault(self, site: str, subject: str, what: str, error: str) -> None:
        """Something inside an event failed and was taken back alone: a person has to look."""
        text = f"the hub failed on {what} ({error}); it is left as it was"
        self.case_open(derived_id("case", "handler_fault", site, subject), site, "handler_fault", text)

    def case_close(self, case_id: str, site: str, closed_by: str, **changes: Any) -> bool:
        """Close an open case, with what else changes in it; False when there is none."""
        held = self.cases.get((site, case_id))
        if held is None or held.state != "open":
            return False
        self._put_case(replace(held, state="closed", updated_at=self.at, closed_by=closed_by, **changes))
        return True

    def case_end(self, case_id: str, site: str, closed_by: str, why: str) -> bool:
        """Close an open case whose cause is gone, and say so in its text; False when there is none."""
        held = self.cases.get((site, case_id))
        if held is None or held.state != "open":
            return False
        text = f"{held.text}. Ended: {why}"
        self._put_case(replace(held, state="closed", text=text, updated_at=self.at, closed_by=closed_by))
        return True

    def case_note(self, case_id: str, site: str, text: str, facts: dict[str, Any]) -> None:
        """Write what is known now into an open case."""
        held = self.cases.get((site, case_id))
        if held is None or held.state != "open" or (held.text, held.facts) == (text, facts):
            return
        self._put_case(replace(held, text=text, facts=facts, updated_at=self.at))

    def case_decided(self, held: Case, **changes: Any) -> None:
        """Write what a person decided into a case."""
        self._put_case(replace(held, updated_at=self.at, **changes))

    def case_said_again(self, case: Case) -> None:
        """Say an open case with the mark of the site's mode, where it was said with the other one."""
        if case.state == "open" and case.shadow == self.catalog.is_live(case.site):
            self._put_case(replace(case, updated_at=self.at))

    def _put_case(self, case: Case) -> None:
        if case.shadow == self.catalog.is_live(case.site):
            case = replace(case, shadow=not case.shadow)
        self.cases.put((case.site, case.case_id), case)
        self.emit(CASES, encode_key((case.site, case.case_id)), encode(case), "Case", case.site)

    def hold(self, held: Held, reason: str) -> None:
        """Publish that an event waits."""
        event = held.event
        fact = held.waits_for[0].replace("\x1f", " ").strip()
        record = Hold(
            event_id=event.event_id, site=event.site, waits_for=fact, reason=reason, since=from_us(held.since_us), raw=event.raw,
            source=event.source, kind=event.kind,
        )  # fmt: skip
        self.emit(HOLDS, encode_key((event.site, event.event_id)), encode(record), "Hold", event.site)

    def unhold(self, site: str, event_id: str) -> None:
        """Publish that an event waits no longer."""
        self.emit(HOLDS, encode_key((site, event_id)), None, "Hold", site)


def status_at(facts: LotFacts, us: int) -> BalanceStatus:
    """The status of a lot at an instant. A recall outranks quarantine, and both outrank expiry: they must be seen first."""
    if is_blocked(facts, us):
        by = {notice for start, end, notice in facts.blocks if start <= us and (end is None or us < end)}
        return BalanceStatus.QUARANTINED if by == {ISOLATED} else BalanceStatus.RECALLED
    if facts.expires is not None and facts.expires <= us:
        return BalanceStatus.EXPIRED
    return BalanceStatus.AVAILABLE


def no_exponent(value: Any) -> str:  # Decimal or None
    """A decimal as plain digits, equal amounts as equal text."""
    if value is None:
        return ""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def order_text(order: OrderKey | None) -> str:
    """An order key as text for a proof or an id."""
    return "" if order is None else "|".join(str(part) for part in order)


def replace(record: Any, **changes: Any) -> Any:
    """A copy of a contract record with changes."""
    if isinstance(record, msgspec.Struct):
        return msgspec.structs.replace(record, **changes)
    fields = {name: getattr(record, name) for name in record.__dataclass_fields__}
    return type(record)(**{**fields, **changes})
