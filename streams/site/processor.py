"""The site processor: one event in, through the line of stages, records out. Control flow lives here, rules in the stages."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from schemas import events
from schemas.codec import Codec
from schemas.events import Decision, OrderAnswer, Proposal, ReferenceChange, StockEvent, Tick, Watermark
from schemas.kinds import EventKind, Outcome
from schemas.log import LogRecord, Output
from schemas.reference import REFERENCE_KINDS, ParPolicy
from schemas.topics import SITE_LOG
from streams.contract import describe
from streams.ledger.model import CardKey
from streams.site import (
    authority,
    clockfold,
    controlled,
    countback,
    demand,
    holds,
    identity,
    kpi,
    ledger,
    network_feed,
    orders,
    par,
    recall,
    serials,
    silence,
    timers,
    versions,
)
from streams.site.desk import NOW, Desk
from streams.site.resolve import Missing, base_units, resolve_item, resolve_place
from streams.site.tables import SITE_TABLES, Held, Seen, SourceState
from streams.site.work import Work
from streams.state import State
from streams.times import to_us

_TARGETED: Final = frozenset({EventKind.PUT_AWAY, EventKind.PICK})
_SOURCED: Final = frozenset({EventKind.REFILL, EventKind.LOAD, EventKind.UNLOAD})


class SiteProcessor:
    """Folds `site.log` into the stock of the sites of one partition."""

    name = "site"
    input_topic = SITE_LOG
    tables = SITE_TABLES

    def __init__(self) -> None:
        """Holds no state of its own: the desk is only the bound form of the state it was last given."""
        self._desk: Desk | None = None
        self._handlers: dict[str, tuple[Codec[Any], Callable[[Desk, Any], None]]] = {
            "StockEvent": (events.STOCK_EVENT, self._stock_event),
            "Tick": (events.TICK, self._tick),
            "ReferenceChange": (events.REFERENCE_CHANGE, self._reference),
            "Watermark": (events.WATERMARK, self._watermark),
            "Decision": (events.DECISION, self._decision),
            "OrderAnswer": (events.ORDER_ANSWER, self._answer),
            "Proposal": (events.PROPOSAL, self._proposal),
        }

    def forget(self) -> None:
        """Bind anew with the next event."""
        self._desk = None

    def handle(self, record: LogRecord, state: State) -> Iterable[Output]:
        """Fold one record of the site log. Raises `KeyError` for a type this release does not know."""
        desk = self._desk
        if desk is None or desk.state is not state:
            desk = self._desk = Desk(state)
        headers = dict(record.headers)
        codec, handler = self._handlers[headers["ce_type"]]
        desk.begin(record.partition, headers)
        handler(desk, codec.decode(record.value or b""))
        return desk.out

    # ---- stock -------------------------------------------------------------------------------------------------

    def _stock_event(self, desk: Desk, event: StockEvent) -> None:
        desk.count(event.site, "items")
        silence.heard(desk, event.site, event.source, to_us(event.received_at))
        if event.test:
            # Test traffic claims no business key: the real fact may come later under the same one.
            self._apply(desk, event, was=desk.was)
        elif identity.admit(desk, event):
            self._apply(desk, event, was=desk.was)
        else:
            self._settle(desk, [])

    def _apply(self, desk: Desk, event: StockEvent, was: Outcome | None) -> None:
        """The stages after identity, for a new event or one that waited."""
        touched: list[CardKey] = []
        enriches = authority.before_place(event)
        if enriches is not None:
            if event.replaces and not event.test:
                _, touched = versions.supersede(desk, event)
            self._accept(desk, event, enriches.code, enriches.reason, was)
        elif event.kind is EventKind.REVERSAL:
            code, reason, touched = versions.take_back(desk, event)
            self._accept(desk, event, code, reason, was)
        else:
            touched = self._move(desk, event, was)
        self._settle(desk, touched)

    def _move(self, desk: Desk, event: StockEvent, was: Outcome | None) -> list[CardKey]:
        """Resolve, ask for authority, post. A missing fact holds the event."""
        place = resolve_place(desk.catalog, event, event.location_codes, event.pocket)
        if isinstance(place, Missing):
            return self._hold(desk, event, place, was)
        may = authority.at_place(event, desk.catalog.location(event.site, place))
        if isinstance(may, authority.Enriches):
            self._accept(desk, event, may.code, may.reason, was)
            return []
        resolved = resolve_item(desk.catalog, event)
        if isinstance(resolved, Missing):
            return self._hold(desk, event, resolved, was)
        quantity = base_units(desk.catalog, event, resolved, place)
        if isinstance(quantity, Missing):
            return self._hold(desk, event, quantity, was)
        other = self._other_place(desk, event, place)
        if isinstance(other, Missing):
            return self._hold(desk, event, other, was)
        again = serials.received_again(desk, event, resolved)
        if again is not None:
            self._accept(desk, event, "serial_again", again, was, Outcome.DUPLICATE)
            return []
        touched: list[CardKey] = []
        if event.replaces:
            stays, touched = versions.supersede(desk, event)
            if stays is not None:
                self._accept(desk, event, *stays, was)
                return touched
        begin = countback.begin_units(desk, event, resolved, place)
        work = Work(event, resolved.item, resolved.product, place, other, quantity, begin)
        touched = [*touched, *ledger.post(desk, work)]
        controlled.check(desk, event, resolved.item, place)
        clockfold.check(desk, event, resolved.item, place)
        demand.note(desk, (event.site, place, resolved.item.id), event.kind, quantity, to_us(event.occurred))
        self._accept(desk, event, "posted", f"{event.kind} of {quantity} {resolved.item.base_unit} at {place}", was)
        desk.count(event.site, "posted")
        return touched

    def _other_place(self, desk: Desk, event: StockEvent, place: str) -> str | Missing | None:
        """Where it went, or where refills of the place come from."""
        if event.kind in _TARGETED and event.to_location_codes:
            return resolve_place(desk.catalog, event, event.to_location_codes, event.to_pocket)
        if event.kind in _SOURCED:
            governing = desk.catalog.location(event.site, place)
            return governing.refill_from if governing is not None else None
        return None

    def _hold(self, desk: Desk, event: StockEvent, missing: Missing, was: Outcome | None) -> list[CardKey]:
        key = (event.site, event.event_key)
        seen = desk.seen.get(key)
        if seen is not None and seen.status != "held":
            desk.seen.put(key, msgspec.structs.replace(seen, status="held"))
        holds.hold(desk, event, missing, was=was)
        return []

    def _accept(
        self,
        desk: Desk,
        event: StockEvent,
        code: str,
        reason: str,
        was: Outcome | None,
        outcome: Outcome = Outcome.ACCEPTED,
    ) -> None:
        """How an event ended that was understood."""
        if was is not None:
            key = (event.site, event.event_key)
            seen = desk.seen.get(key)
            if seen is not None and seen.status == "held":
                desk.seen.put(key, msgspec.structs.replace(seen, status="done"))
        ids, kinds = (event.event_id,), (event.kind,)
        desk.outcome(event, outcome, code, reason, was=was, event_ids=ids, kinds=kinds)

    def _settle(self, desk: Desk, touched: list[CardKey]) -> None:
        """Fire what is due, then look at every card that changed."""
        touched.extend(timers.run(desk))
        for card in dict.fromkeys(touched):
            par.evaluate(desk, card)

    # ---- time, reference, people -------------------------------------------------------------------------------

    def _tick(self, desk: Desk, tick: Tick) -> None:
        at = to_us(tick.at)
        if at > desk.now_us:
            desk.clock.put(NOW, at)
            desk.tick()
        self._settle(desk, [])
        kpi.publish(desk)
        network_feed.send_changed(desk)

    def _watermark(self, desk: Desk, mark: Watermark) -> None:
        held = desk.sources.get((mark.site, mark.source))
        at = to_us(mark.complete_to)
        if held is None or at > held.complete_to_us:
            desk.sources.put((mark.site, mark.source), SourceState(at))
        silence.heard(desk, mark.site, mark.source, at)

    def _reference(self, desk: Desk, change: ReferenceChange) -> None:
        before = desk.catalog.record(change) if change.kind in REFERENCE_KINDS else None
        if not desk.catalog.apply(change):
            return
        touched: list[CardKey] = []
        if change.kind == "recall" and change.record is not None:
            touched.extend(recall.apply(desk, desk.catalog.record(change)))
        if change.kind == "par_policy":
            touched.extend(self._policy_changed(desk, change, before))
        if change.kind == "feed_watch":
            site, source = change.id.split("|")
            if change.record is None:
                silence.ended(desk, site, source)
            else:
                silence.watch(desk, site, source)
        for held in holds.released_by(desk, change, before):
            self._release(desk, held)
        self._settle(desk, touched)

    def _policy_changed(self, desk: Desk, change: ReferenceChange, before: ParPolicy | None) -> list[CardKey]:
        """A card that has a history is folded on with the new levels from now."""
        site, location, item_id = change.id.split("|")
        card: CardKey = (site, location, item_id)
        item = desk.catalog.item(item_id)
        if item is None or desk.book.cards.get(card) is None:
            return []
        ledger.mark_policy(desk, card, item, par.limits_of(before))
        return [card]

    def _release(self, desk: Desk, held: Held) -> None:
        """Try a held event again; it is accepted now, or waits for what is still missing.

        One that fails is taken back alone and stays held, with a case: it must not undo the reference change. One that another
        event, let go by the same change, has taken back or replaced meanwhile is gone.
        """
        if desk.held.get((held.event.site, held.event.event_id)) is None:
            return
        point, written = desk.state.savepoint(), len(desk.out)
        items, desk.items, desk.since_us = desk.items, held.items, held.since_us
        try:
            holds.drop(desk, held)
            self._apply(desk, held.event, was=Outcome.HELD)
        except Exception as error:  # noqa: BLE001  # the fold's rule, for one event inside another
            desk.state.rollback_to(point)
            del desk.out[written:]
            desk.fault(held.event.site, held.event.event_id, f"held event {held.event.event_id}", describe(error))
        finally:
            desk.items, desk.since_us = items, None

    def _decision(self, desk: Desk, decision: Decision) -> None:
        key = (decision.site, f"decision|{decision.decision_id}")
        if desk.seen.get(key) is not None:
            self._answered(desk, decision, "duplicate", "this decision was received before")
            return
        desk.seen.put(key, Seen("", decision.decision_id, (0, 0, 0), "decision", "done"))
        if desk.commands.get((decision.site, decision.target)) is None and decision.action == "close":
            closed = desk.case_close(decision.target, decision.site, decision.actor)
            code, reason = ("closed", "the case is closed") if closed else ("unknown_target", "no open case has this id")
        else:
            code, reason = orders.decide(desk, decision)
        self._answered(desk, decision, code, reason)

    def _answer(self, desk: Desk, reply: OrderAnswer) -> None:
        code, reason = orders.answer(desk, reply)
        self._answered(desk, reply, code, reason)

    def _answered(self, desk: Desk, said: Decision | OrderAnswer, code: str, reason: str) -> None:
        if said.raw is not None:
            outcome = Outcome.DUPLICATE if code == "duplicate" else Outcome.ACCEPTED
            desk.outcome(_Said(said.raw, said.site), outcome, code, reason, kinds=(type(said).__name__,))
        self._settle(desk, [])

    def _proposal(self, desk: Desk, proposal: Proposal) -> None:
        orders.take_proposal(desk, proposal)


class _Said(msgspec.Struct, frozen=True):
    """The part of a decision or answer that an outcome needs."""

    raw: Any
    site: str
    source: str = ""
