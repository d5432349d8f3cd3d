"""The site processor: one event in, through the line of stages, records out. Control flow lives here, rules in the stages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import msgspec

from schemas import events
from schemas.codec import Codec
from schemas.events import Decision, OrderAnswer, Proposal, ReferenceChange, StockEvent, Tick, Watermark
from schemas.kinds import STOCK_KINDS, EventKind, Outcome
from schemas.log import LogRecord, Output
from schemas.notices import NOTICE, Notice
from schemas.reference import REFERENCE_KINDS, ParPolicy
from schemas.topics import SITE_LOG
from schemas.transfers import TRANSFER_NOTICE, TransferNotice
from streams.contract import describe
from streams.ledger.model import CardKey
from streams.ledger.postings import way_to
from streams.site import (
    allocation,
    authority,
    beyond_use,
    casework,
    clockfold,
    clocks,
    closure,
    containers,
    controlled,
    controls,
    countback,
    demand,
    destruction,
    golive,
    holds,
    identity,
    kpi,
    ledger,
    memory,
    network_feed,
    notices,
    orders,
    overrides,
    par,
    places,
    preparation,
    readings,
    recall,
    receiving,
    requests,
    returns,
    serials,
    shelf,
    silence,
    timers,
    transfers,
    transform,
    versions,
    wholecount,
)
from streams.site.desk import NOW, Desk
from streams.site.resolve import Missing, Resolved, base_units, resolve_item, resolve_place
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
            "Notice": (NOTICE, self._notice),
            "Watermark": (events.WATERMARK, self._watermark),
            "Decision": (events.DECISION, self._decision),
            "OrderAnswer": (events.ORDER_ANSWER, self._answer),
            "Proposal": (events.PROPOSAL, self._proposal),
            "TransferNotice": (TRANSFER_NOTICE, self._transfer),
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
        desk.book.check()
        return desk.out

    # ---- stock -------------------------------------------------------------------------------------------------

    def _stock_event(self, desk: Desk, event: StockEvent) -> None:
        desk.count(event.site, "items")
        silence.heard(desk, event.site, event.source, event.received_at)
        if event.test:
            # Test traffic claims no business key: the real fact may come later under the same one.
            self._apply(desk, event, was=desk.was)
        else:
            admission = identity.admit(desk, event)
            if admission is identity.Admission.NEW:
                self._apply(desk, event, was=desk.was)
            else:
                self._settle(desk, self._hear_of_lot(desk, event) if admission is identity.Admission.TAKEN_BACK else [])

    def _hear_of_lot(self, desk: Desk, event: StockEvent) -> list[CardKey]:
        """What an event that was taken back before it came says of its lot; the cards that it changed.

        Had the event come first, its expiry date would stand: the order of arrival must not decide what is usable.
        """
        if not (event.lot or event.found or event.parts) or event.kind not in STOCK_KINDS or event.no_effect:
            return []
        place = resolve_place(desk.catalog, event, event.location_codes, event.pocket)
        if isinstance(place, Missing):
            return []
        if event.kind is EventKind.TRANSFORM:
            parts = transform.understood(desk, event, place, self._work)
            return [] if isinstance(parts, Missing) else transform.hear_of_lots(desk, parts)
        may = authority.at_place(event, desk.catalog.location(event.site, place))
        works = [self._work(desk, part, place) for part in wholecount.parts_of(event) if part.lot]
        if isinstance(may, authority.Enriches):
            return []
        return [card for work in works if not isinstance(work, Missing) for card in ledger.hear_of_lot(desk, work)[1]]

    def _apply(self, desk: Desk, event: StockEvent, was: Outcome | None) -> None:
        """The stages after identity, for a new event or one that waited."""
        touched: list[CardKey] = []
        enriches = None if _asks(event) else authority.before_place(event)
        if enriches is not None:
            if event.replaces and not event.test:
                _, touched = versions.supersede(desk, event)
            self._accept(desk, event, enriches.code, enriches.reason, was)
        elif event.kind is EventKind.REQUEST:
            touched = self._request(desk, event, was)
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
            return self._enrich(desk, event, may, place, was)
        if event.kind is EventKind.TRANSFORM or wholecount.is_whole(event):
            return self._in_parts(desk, event, place, was)
        sscc = containers.sscc_of(event)
        if sscc is not None:
            return self._open(desk, event, sscc, place, was)
        work = self._work(desk, event, place)
        if isinstance(work, Missing):
            part = authority.part_wasted(event, work)
            return self._hold(desk, event, work, was) if part is None else self._enrich(desk, event, part, place, was)
        again = serials.received_again(desk, event, Resolved(work.item, work.product))
        if again is not None:
            self._accept(desk, event, "serial_again", again, was, Outcome.DUPLICATE)
            return []
        touched: list[CardKey] = []
        if event.replaces:
            stays, touched = versions.supersede(desk, event)
            if stays is not None:
                self._accept(desk, event, *stays, was)
                return [*touched, *ledger.hear_of_lot(desk, work)[1]]
        posted, text = self._post(desk, work)
        self._accept(desk, event, "posted", text, was)
        return [*touched, *posted]

    def _enrich(
        self, desk: Desk, event: StockEvent, why: authority.Enriches, place: str, was: Outcome | None
    ) -> list[CardKey]:
        """An event that moves no stock here, and says more about what did."""
        stays, touched = versions.supersede(desk, event) if event.replaces else (None, [])
        resolved = resolve_item(desk.catalog, event)
        if stays is None and isinstance(resolved, Resolved):
            closure.note(desk, event, resolved, place)
            controlled.check(desk, event, resolved.item, place)
            if resolved.item.schedule is not None:
                memory.is_controlled(desk, event)
        self._accept(desk, event, *(stays or (why.code, why.reason)), was)
        return touched

    def _request(self, desk: Desk, event: StockEvent, was: Outcome | None) -> list[CardKey]:
        """A request for supply: it moves nothing, and joins or opens the need of the place it is for."""
        touched = versions.supersede(desk, event)[1] if event.replaces else []
        if event.quantity is None:
            self._accept(desk, event, "noted", "the request states no quantity", was)
            return touched
        where = (event.to_location_codes, event.to_pocket) if event.to_location_codes else (event.location_codes, event.pocket)
        place = resolve_place(desk.catalog, event, *where)
        if isinstance(place, Missing):
            return self._hold(desk, event, place, was)
        work = self._work(desk, event, place)
        if isinstance(work, Missing):
            return self._hold(desk, event, work, was)
        code, reason = requests.take(desk, event, work.item, place, work.quantity)
        self._accept(desk, event, code, reason, was)
        return touched

    def _open(self, desk: Desk, event: StockEvent, sscc: str, place: str, was: Outcome | None) -> list[CardKey]:
        """Receive what is in a container: all of it or, while a package is not known, nothing."""
        receipts = containers.opened(desk, event, sscc)
        if isinstance(receipts, Missing):
            return self._hold(desk, event, receipts, was)
        works = [self._work(desk, one, place) for one in receipts]
        missing = next((one for one in works if isinstance(one, Missing)), None)
        if missing is not None:
            return self._hold(desk, event, missing, was)
        touched: list[CardKey] = []
        count = 0
        for work in works:
            if isinstance(work, Work) and serials.received_again(desk, work.event, Resolved(work.item, work.product)) is None:
                touched += self._post(desk, work)[0]
                count += 1
        self._accept(desk, event, "posted", f"container {sscc}: {count} packages or lots received at {place}", was)
        return touched

    def _in_parts(self, desk: Desk, event: StockEvent, place: str, was: Outcome | None) -> list[CardKey]:
        """Post a count by lot or a transform: all of its lots or lines or, while a fact is missing of one, nothing."""
        if event.kind is EventKind.TRANSFORM:
            lines = transform.understood(desk, event, place, self._work)
            if isinstance(lines, Missing):
                return self._hold(desk, event, lines, was)
            touched, text = transform.post(desk, event, lines)
        else:
            counted = wholecount.understood(desk, event, place, self._work)
            if isinstance(counted, Missing):
                return self._hold(desk, event, counted, was)
            touched, text = wholecount.post(desk, *counted)
            desk.count(event.site, "posted")
        self._accept(desk, event, "posted", text, was)
        return touched

    def _work(self, desk: Desk, event: StockEvent, place: str) -> Work | Missing:
        """The event in the hub's terms; what is missing for that."""
        resolved = resolve_item(desk.catalog, event)
        if isinstance(resolved, Missing):
            return resolved
        quantity = base_units(desk.catalog, event, resolved, place)
        if isinstance(quantity, Missing):
            return quantity
        other = self._other_place(desk, event, place)
        if isinstance(other, Missing):
            return other
        begin = countback.begin_units(desk, event, resolved, place)
        return Work(event, resolved.item, resolved.product, place, other, quantity, begin)

    def _post(self, desk: Desk, work: Work) -> tuple[list[CardKey], str]:
        """Post an event whose facts are all known; returns the cards it touched, and what it did in words."""
        event, resolved = work.event, Resolved(work.item, work.product)
        unfit, suspect = receiving.unfit(desk, event), notices.doubt(desk, event)
        place = work.location
        if unfit is not None:
            work = msgspec.structs.replace(work, location=receiving.set_aside(desk, event, work.item, place, unfit), begin=None)
        if suspect is not None:
            work = msgspec.structs.replace(work, location=notices.set_aside(desk, event, resolved, place, suspect), begin=None)
        place = work.location
        touched = ledger.post(desk, work)
        closure.note(desk, event, resolved, place, left=work.quantity)
        controlled.check(desk, event, work.item, place)
        serials.note(desk, event, resolved)
        notices.arrived(desk, event)
        receiving.compare(desk, work)
        allocation.brought(desk, work)
        requests.brought(desk, work)
        clockfold.check(desk, event, work.item, place)
        clocks.check(desk, event)
        if event.override:
            overrides.note(desk, event, work.item, place)
        at = to_us(event.occurred)
        demand.note(desk, (event.site, place, work.item.id), event.kind, work.quantity, at)
        if event.kind in _SOURCED and work.other is not None:  # for a store, what it hands on is its consumption
            handed = EventKind.RETURN if event.kind is EventKind.UNLOAD else EventKind.PICK
            demand.note(desk, (event.site, work.other, work.item.id), handed, work.quantity, at)
        desk.count(event.site, "posted")
        text = f"{event.kind} of {work.quantity} {work.item.base_unit} at {place}"
        return touched, ": ".join([text, *filter(None, (unfit, suspect))])

    def _other_place(self, desk: Desk, event: StockEvent, place: str) -> str | Missing | None:
        """Where it went, or where refills of the place come from; of a transfer its way, or the other site."""
        if event.kind is EventKind.TRANSFER_OUT:
            return way_to(event.partner or "", event.shipment or "")
        if event.kind is EventKind.TRANSFER_IN:
            return event.partner or ""
        if event.kind in _TARGETED and event.to_location_codes:
            return places.way_to_cabinet(
                desk, event.site, resolve_place(desk.catalog, event, event.to_location_codes, event.to_pocket)
            )
        if event.kind is EventKind.DISPENSE and event.to_location_codes:
            return places.dispensed_to(desk, event)
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
        touched.extend(preparation.settle(desk))
        touched.extend(timers.run(desk))
        cards = dict.fromkeys(touched)
        desk.planned.clear()
        for card in cards:
            par.evaluate(desk, card)
        orders.reallocate(desk, cards)
        for card in cards:
            destruction.look(desk, card)

    # ---- time, reference, people -------------------------------------------------------------------------------

    def _tick(self, desk: Desk, tick: Tick) -> None:
        at = to_us(tick.at)
        if at > desk.now_us:
            desk.clock.put(NOW, at)
            desk.tick()
            memory.forget(desk)
        readings.catch_up(desk)
        self._settle(desk, [])
        kpi.publish(desk)
        network_feed.send_changed(desk)

    def _watermark(self, desk: Desk, mark: Watermark) -> None:
        held = desk.sources.get((mark.site, mark.source))
        at = to_us(mark.complete_to)
        if held is None or at > held.complete_to_us:
            desk.sources.put((mark.site, mark.source), SourceState(at))
        silence.heard(desk, mark.site, mark.source, mark.complete_to)

    def _reference(self, desk: Desk, change: ReferenceChange) -> None:
        before = desk.catalog.record(change) if change.kind in REFERENCE_KINDS else None
        if not desk.catalog.apply(change):
            return
        touched: list[CardKey] = []
        if change.kind == "item":
            memory.item_changed(desk, before, desk.catalog.record(change))
        if change.kind == "recall" and change.record is not None:
            touched.extend(recall.apply(desk, desk.catalog.record(change)))
        if change.kind == "par_policy":
            touched.extend(self._policy_changed(desk, change, before))
        if change.kind == "go_live":
            golive.changed(desk, change, before)
        if change.kind == "location":
            touched.extend(places.changed(desk, change, before))
        if change.kind == "beyond_use_policy" and change.record is not None:
            touched.extend(beyond_use.policy_changed(desk, *change.id.split("|")[:2]))
        if change.kind == "feed_watch":
            site, source = change.id.split("|")
            if change.record is None:
                silence.ended(desk, site, source)
            else:
                silence.watch(desk, site, source)
        controls.reference_changed(desk, change)
        touched.extend(shelf.changed(desk, change, before))
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
        point, items = desk.savepoint(), desk.items
        desk.items, desk.since_us = held.items, held.since_us
        try:
            holds.drop(desk, held)
            self._apply(desk, held.event, was=Outcome.HELD)
        except Exception as error:  # noqa: BLE001  # the fold's rule, for one event inside another
            desk.rollback_to(point)
            desk.fault(held.event.site, held.event.event_id, f"held event {held.event.event_id}", describe(error))
        finally:
            desk.items, desk.since_us = items, None

    def _notice(self, desk: Desk, notice: Notice) -> None:
        desk.count(notice.site, "items")
        silence.heard(desk, notice.site, notice.source, notice.received_at)
        for held in containers.known_by_now(desk, notice.site) if notices.take(desk, notice) else ():
            self._release(desk, held)
        self._settle(desk, [])

    def _decision(self, desk: Desk, decision: Decision) -> None:
        key = (decision.site, f"decision|{decision.decision_id}")
        if desk.seen.get(key) is not None:
            self._answered(desk, decision, "duplicate", "this decision was received before")
            return
        desk.seen.put(key, Seen("", decision.decision_id, (0, 0, 0), "decision", "done"))
        self._answered(desk, decision, *casework.decide(desk, decision))

    def _transfer(self, desk: Desk, notice: TransferNotice) -> None:
        self._settle(desk, transfers.take(desk, notice))

    def _answer(self, desk: Desk, reply: OrderAnswer) -> None:
        code, reason = returns.credited(desk, reply) if reply.status == "credited" else orders.answer(desk, reply)
        self._answered(desk, reply, code, reason)

    def _answered(
        self, desk: Desk, said: Decision | OrderAnswer, code: str, reason: str, touched: Sequence[CardKey] = ()
    ) -> None:
        if said.raw is not None:
            outcome = Outcome.DUPLICATE if code == "duplicate" else Outcome.ACCEPTED
            desk.outcome(_Said(said.raw, said.site), outcome, code, reason, kinds=(type(said).__name__,))
        self._settle(desk, list(touched))

    def _proposal(self, desk: Desk, proposal: Proposal) -> None:
        orders.take_proposal(desk, proposal)


def _asks(event: StockEvent) -> bool:
    """Whether an event is a request for supply that counts."""
    return event.kind is EventKind.REQUEST and not event.test and not event.no_effect


class _Said(msgspec.Struct, frozen=True):
    """The part of a decision or answer that an outcome needs."""

    raw: Any
    site: str
    source: str = ""
