"""Stage ledger: writes a resolved event's entries, publishes movements and balances, and notices what breaks a rule.

Observed facts always post. A negative balance, an expired or recalled lot given to a patient are cases, never refusals.
"""

from __future__ import annotations

from typing import Final

import msgspec

from schemas.codec import encode
from schemas.events import StockEvent
from schemas.ids import derived_id
from schemas.keys import encode_key
from schemas.kinds import EventKind, Outcome
from schemas.records import Movement
from schemas.reference import Item
from schemas.topics import MOVEMENTS
from streams.ledger.book import Posted
from streams.ledger.model import CardKey, Entry, EntryKind, Limits, LotId, OrderKey, usable_at
from streams.ledger.postings import KIND_RANK, VARIANCE, Plan, Posting, plan, stock
from streams.site import countback, lots, relabel, reports
from streams.site.desk import Desk, order_text
from streams.site.par import thresholds
from streams.site.tables import Seen, SeenEntry
from streams.site.work import Work
from streams.times import from_us, iso_date, to_us

_AFTER_DEVICES: Final = 2**62
"""A device sequence behind every real one: levels that change now judge what stands after the facts of the same instant."""
_GIVEN: Final = frozenset({EventKind.VEND, EventKind.DISPENSE, EventKind.ADMINISTER})


def post(desk: Desk, work: Work) -> list[CardKey]:
    """Post an event; returns the cards it touched."""
    event = work.event
    named = lots.newly_known(desk, work)
    touched: list[CardKey] = relabel.relabel(desk, event, work.item, named, work.product) if named else []
    lot = lots.identify(desk, work)
    order: OrderKey = (to_us(event.occurred), event.device_sequence, KIND_RANK[event.kind], event.event_key, 0)
    work, order = reports.as_total(desk, work, order)
    made = plan(event.kind, work.quantity, lot, work.location, work.other, lot_stated=bool(event.lot))
    entries: list[SeenEntry] = []
    postings = (*_counted_before(work), *made.postings)
    for number, posting in enumerate(postings):
        card: CardKey = (event.site, posting.location, work.item.id)
        place: OrderKey = (*order[:4], order[4] + number)
        partial = any(later.location == posting.location for later in postings[number + 1 :])
        _write(desk, work, card, place, posting, partial=partial)
        entries.append(SeenEntry(posting.location, work.item.id, place))
        touched.append(card)
    if touched:
        countback.watch(desk, event, work.item, (event.site, work.location, work.item.id), order, work.begin)
    _outside(desk, work, made)
    _remember(desk, event, work.item.id, made, tuple(entries))
    if event.kind in _GIVEN:
        _given_unusable(desk, work, lot)
    return list(dict.fromkeys(touched))


def _counted_before(work: Work) -> tuple[Posting, ...]:
    """A begin count that a person verified is a count of the whole place right before the event."""
    if work.begin is None or not work.event.begin_count_verified:
        return ()
    kind = EntryKind.COUNT if work.begin else EntryKind.ZERO
    return (Posting(work.location, kind, work.begin, None, VARIANCE, stock(work.location), whole_card=True),)


def _write(desk: Desk, work: Work, card: CardKey, order: OrderKey, posting: Posting, *, partial: bool) -> None:
    """One entry: the card, its lots, the movement, the balances."""
    event = work.event
    if posting.lot is not None:
        lots.first_touch(desk, card, posting.lot)
    entry = Entry(
        posting.kind, posting.amount, posting.lot, event.event_id, event.kind, posting.from_account, posting.to_account,
        whole_card=posting.whole_card, partial=partial,
    )  # fmt: skip
    posted = desk.book.post(card, order, entry, thresholds(desk, card))
    if posting.movement:
        for number, (lot, delta) in enumerate(posted.deltas):
            emit_movement(desk, work, posting, lot, delta, order[4] * 100 + number)
    settle(desk, card, posted, work.item)


def settle(desk: Desk, card: CardKey, posted: Posted, item: Item) -> None:
    """What follows from a written entry on any path: moved variances, published balances, the negative case."""
    for correction in posted.corrections:
        for lot, change in correction.changes:
            _emit_correction(desk, card, correction.order, correction.entry, lot, change, item)
    for lot in posted.touched:
        desk.balance(card, lot, item.base_unit)
    _negative(desk, card, posted, item)


def _negative(desk: Desk, card: CardKey, posted: Posted, item: Item) -> None:
    """A card below zero is a case as long as it is; reality arrived out of order, or somebody must look."""
    if (posted.before.on_hand < 0) == (posted.after.on_hand < 0):
        return
    site, location, item_id = card
    case_id = derived_id("case", "negative_stock", *card)
    if posted.after.on_hand < 0:
        text = f"{item_id} at {location} stands at {posted.after.on_hand} {item.base_unit}: something was not reported"
        desk.case_open(case_id, site, "negative_stock", text, reopen=True, location=location, item=item_id)
    elif item.schedule is None:
        desk.case_close(case_id, site, "ledger")


def emit_movement(desk: Desk, work: Work, posting: Posting, lot: LotId, delta: int, number: int) -> None:
    """Publish a movement; a negative delta of a count runs from the place to the variance account."""
    event = work.event
    source, target = posting.from_account, posting.to_account
    if posting.kind is not EntryKind.DELTA and delta < 0:
        source, target = target, source
    movement(
        desk, event.site, work.item, lot, abs(delta), source, target, event_id=event.event_id, kind=event.kind,
        occurred_us=to_us(event.occurred), cause=event.event_key, number=number, event=event,
    )  # fmt: skip


def movement(
    desk: Desk,
    site: str,
    item: Item,
    lot: LotId,
    quantity: int,
    source: str,
    target: str,
    *,
    event_id: str,
    kind: str,
    occurred_us: int,
    cause: str,
    number: int,
    corrects: str | None = None,
    event: StockEvent | None = None,
) -> None:
    """Publish one ledger entry and add it to the outside accounts' totals."""
    facts = desk.book.facts_of((site, "", item.id), lot)
    record = Movement(
        movement_id=derived_id("movement", event_id, number, corrects, cause), site=site, event_id=event_id, kind=kind,
        item=item.id, product=lot.product, lot=facts.lot_text or lot.lot, quantity=quantity, unit=item.base_unit,
        from_account=source, to_account=target, occurred=from_us(occurred_us), cause=cause,
        expiry=None if facts.expiry is None else iso_date(facts.expiry), container=lot.container or None, corrects=corrects,
        actor=event.actor if event else None, witness=event.witness if event else None,
        patient=event.patient if event else None, order_id=event.order_id if event else None,
        raw=event.raw if event else None,
    )  # fmt: skip
    desk.emit(MOVEMENTS, encode_key((site, record.movement_id)), encode(record), "Movement", site)
    for account, sign in ((source, -1), (target, 1)):
        if not account.startswith("stock:"):
            key = (site, item.id, account)
            desk.accounts.put(key, (desk.accounts.get(key) or 0) + sign * quantity)


def _emit_correction(desk: Desk, card: CardKey, order: OrderKey, entry: Entry, lot: LotId, change: int, item: Item) -> None:
    """A count behind a late event moves its variance; the new movement names the count it corrects."""
    source, target = (VARIANCE, stock(card[1])) if change > 0 else (stock(card[1]), VARIANCE)
    key = (*card, order_text(order), lot.product, lot.lot, lot.container)
    number = (desk.corrections.get(key) or 0) + 1
    desk.corrections.put(key, number)
    corrects = "|".join((entry.event_id, lot.product, lot.lot, lot.container))
    movement(
        desk, card[0], item, lot, abs(change), source, target, event_id=entry.event_id, kind="variance",
        occurred_us=order[0], cause=order_text(order), number=number, corrects=corrects,
    )  # fmt: skip


def _outside(desk: Desk, work: Work, made: Plan) -> None:
    """Movements between outside accounts: the dose was removed before, now it is destroyed."""
    event = work.event
    for number, (source, target, quantity, lot) in enumerate(made.outside):
        if quantity:
            movement(
                desk, event.site, work.item, lot, quantity, source, target, event_id=event.event_id, kind=event.kind,
                occurred_us=to_us(event.occurred), cause=event.event_key, number=10_000 + number, event=event,
            )  # fmt: skip


def _remember(desk: Desk, event: StockEvent, item: str, made: Plan, entries: tuple[SeenEntry, ...]) -> None:
    """Note what the key posted, so that a reversal finds it."""
    key = (event.site, event.event_key)
    seen = desk.seen.get(key)
    raw = (event.raw.partition, event.raw.offset, event.raw.index)
    outside = tuple((source, target, lot.product, lot.lot, item, quantity) for source, target, quantity, lot in made.outside)
    fingerprint, control = (seen.fingerprint, seen.control) if seen else ("", "")
    desk.seen.put(key, Seen(fingerprint, event.event_id, raw, event.kind, "posted", entries, outside, control=control))


def _given_unusable(desk: Desk, work: Work, lot: LotId) -> None:
    """A lot that may not be given was given: the ledger says so, and somebody must look."""
    event = work.event
    facts = desk.book.facts_of((event.site, work.location, work.item.id), lot)
    if usable_at(facts, to_us(event.occurred)):
        return
    case_id = derived_id("case", "unusable_given", event.site, event.event_key)
    text = f"{work.item.name}: lot {facts.lot_text or lot.lot} was given although it was expired or recalled"
    desk.case_open(
        case_id, event.site, "unusable_given", text, location=work.location, item=work.item.id, event_id=event.event_id,
        raw=event.raw,
    )  # fmt: skip


def reverse(desk: Desk, event: StockEvent) -> tuple[str, str, list[CardKey]]:
    """Take back the event `event.reverses` names. Returns a reason code, a sentence, and the cards that changed.

    The original's entries keep their place and do nothing any more; a count behind them absorbs the change. A reversal that
    arrives first is remembered, and the original then posts nothing.
    """
    original_key = (event.site, event.reverses or "")
    seen = desk.seen.get(original_key)
    if seen is None:
        desk.seen.put(original_key, Seen("", "", (0, 0, 0), "", "reversed_early"))
        return "reversal_first", "the event it takes back has not arrived yet; when it does, nothing moves", []
    if seen.status in ("reversed", "reversed_early"):
        return "already_reversed", "the event it takes back was taken back before: nothing moves", []
    if seen.kind == EventKind.REVERSAL:
        return _not_a_fact(desk, event)
    if seen.status == "held":
        _drop_hold(desk, event, seen)
        desk.seen.put(original_key, _with_status(seen, "reversed"))
        return "reversed", "the event it takes back was waiting and is dropped", []
    touched = [_void(desk, event, entry) for entry in seen.entries]
    for number, (source, target, product, lot, item_id, quantity) in enumerate(seen.outside):
        item = desk.catalog.item(item_id)
        if item is not None and quantity:
            movement(
                desk, event.site, item, LotId(product, lot), quantity, target, source, event_id=event.event_id,
                kind="reversal", occurred_us=to_us(event.occurred), cause=event.event_key, number=20_000 + number,
                corrects=seen.event_id, event=event,
            )  # fmt: skip
    desk.seen.put(original_key, _with_status(seen, "reversed"))
    return "reversed", f"took back {seen.kind} {seen.event_id}", [card for card in touched if card is not None]


def _not_a_fact(desk: Desk, event: StockEvent) -> tuple[str, str, list[CardKey]]:
    """A reversal takes back a fact, never another reversal."""
    reason = "it takes back a reversal, and only facts can be taken back: send the fact again if it did happen"
    case_id = derived_id("case", "reversal_of_reversal", event.site, event.event_key)
    desk.case_open(case_id, event.site, "reversal_of_reversal", reason, event_id=event.event_id, raw=event.raw)
    return "reversal_of_reversal", reason, []


def _void(desk: Desk, event: StockEvent, entry: SeenEntry) -> CardKey | None:
    """Void one entry of the original and publish the linked reversal movements."""
    card: CardKey = (event.site, entry.location, entry.item)
    item = desk.catalog.item(entry.item)
    old = desk.book.history.get((*card, *entry.order))
    if item is None or old is None:
        return None
    posted = desk.book.void(card, entry.order, thresholds(desk, card))
    if posted is None:
        return None
    carries = old.kind is not EntryKind.DELTA or old.amount > 0 or not old.to_account.startswith("stock:")
    if carries:
        for number, (lot, delta) in enumerate(old.deltas):
            source, target = old.to_account, old.from_account
            if old.kind is not EntryKind.DELTA and delta < 0:
                source, target = target, source
            movement(
                desk, event.site, item, lot, abs(delta), source, target, event_id=event.event_id, kind="reversal",
                occurred_us=entry.order[0], cause=event.event_key, number=entry.order[4] * 100 + number,
                corrects=old.event_id, event=event,
            )  # fmt: skip
    settle(desk, card, posted, item)
    return card


def _drop_hold(desk: Desk, event: StockEvent, seen: Seen) -> None:
    held = desk.held.get((event.site, seen.event_id))
    if held is not None:
        for wait in held.waits_for:
            desk.waiting.delete((*wait.split("\x1f"), event.site, seen.event_id))
        desk.held.delete((event.site, seen.event_id))
        desk.unhold(event.site, seen.event_id)
        items, desk.items = desk.items, held.items
        desk.outcome(
            held.event, Outcome.ACCEPTED, "reversed_while_held", "it was taken back while it waited: nothing moves",
            was=Outcome.HELD, event_ids=(held.event.event_id,), kinds=(held.event.kind,),
        )  # fmt: skip
        desk.items = items


def _with_status(seen: Seen, status: str) -> Seen:
    return msgspec.structs.replace(seen, status=status)


def mark(desk: Desk, card: CardKey, us: int, lot: LotId, item: Item) -> None:
    """Note on a card that at an instant a lot became usable or unusable."""
    order: OrderKey = (us, 0, 0, f"mark|{lot.product}|{lot.lot}|{lot.container}", 0)
    posted = desk.book.post(card, order, Entry(EntryKind.MARK, 0, lot, "", "mark", "", ""), thresholds(desk, card))
    settle(desk, card, posted, item)


def mark_policy(desk: Desk, card: CardKey, item: Item, old: Limits | None) -> None:
    """Note on a card that its levels changed now; entries before keep the levels they were judged by."""
    revision = desk.catalog.revision("par_policy", "|".join(card))
    order: OrderKey = (desk.now_us, _AFTER_DEVICES, 0, f"mark|policy|{revision:020d}", 0)
    entry = Entry(EntryKind.MARK, 0, None, "", "mark", "", "", old_limits=old)
    posted = desk.book.post(card, order, entry, thresholds(desk, card))
    settle(desk, card, posted, item)
