"""Stage ledger: writes a resolved event's entries, publishes movements and balances, and notices what breaks a rule.

Observed facts always post. What breaks a rule is a case, never a refusal.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import msgspec

from schemas.codec import encode
from schemas.events import StockEvent
from schemas.ids import derived_id
from schemas.keys import encode_key
from schemas.kinds import OPENING_KINDS, EventKind, Outcome
from schemas.raw import RawRef
from schemas.records import Movement
from schemas.reference import Item
from schemas.topics import MOVEMENTS
from streams.ledger.book import Posted
from streams.ledger.fold import UNKNOWN_LOT_ID
from streams.ledger.model import UNKNOWN_LOT, CardKey, Entry, EntryKind, Found, Limits, LotId, OrderKey, unopened
from streams.ledger.postings import KIND_RANK, OPENING, VARIANCE, Plan, Posting, is_on_its_way, plan, stock
from streams.site import (
    allocation,
    beyond_use,
    closure,
    countback,
    destruction,
    genealogy,
    given,
    lot_names,
    lots,
    relabel,
    reports,
    returns,
    shifts,
    shipments,
    suspicion,
    windows,
)
from streams.site.desk import Desk, order_text
from streams.site.par import thresholds
from streams.site.tables import Seen, SeenEntry
from streams.site.work import Work
from streams.times import from_us, iso_date, to_us

_NOT_YET: Final = (
    "the event it takes back has not arrived yet; when it does, nothing moves (one that came more than 400 days ago is not known "
    "any more: then count the place)"
)
_AFTER_DEVICES: Final = 2**62
"""A device sequence behind every real one: levels that change now judge what stands after the facts of the same instant."""


_NOTHING_OUTSIDE: Final = Plan()
_OF: Final = "\x1f"
"""Between lot and container, where what moved between outside accounts was of a container."""


def post(desk: Desk, work: Work) -> list[CardKey]:
    """Post an event; returns the cards it touched."""
    event = work.event
    lot, touched = hear_of_lot(desk, work)
    order: OrderKey = (to_us(event.occurred), event.device_sequence, KIND_RANK[event.kind], event.event_key, 0)
    work, order = reports.as_total(desk, work, order)
    made = plan(event.kind, work.quantity, lot, work.location, work.other, lot_stated=bool(event.lot or event.container))
    entries, moved = _enter(desk, work, made, order)
    touched += moved
    here = next((one.order for one in entries if one.location == work.location), order)
    countback.watch(desk, event, work.item, (event.site, work.location, work.item.id), here, work.begin)
    _outside(desk, work, made)
    remember(desk, event, [work.item], entries, made)
    if event.kind in OPENING_KINDS and lot.container:
        touched += beyond_use.start(desk, work, lot)
    if event.kind in given.GIVEN:
        given.check(desk, work, lot)
    if lot.container and (event.kind in given.GIVEN or event.kind is EventKind.TRANSFER_IN):
        beyond_use.used(desk, work, lot)
    shipments.posted(desk, work, lot)
    returns.posted(desk, work)
    destruction.check(desk, work, lot)
    return list(dict.fromkeys(touched))


def post_count(desk: Desk, work: Work, made: Plan) -> list[CardKey]:
    """Post a count of a whole place by lot, whose lots were heard of before; returns the cards it touched."""
    event = work.event
    order: OrderKey = (to_us(event.occurred), event.device_sequence, KIND_RANK[event.kind], event.event_key, 0)
    entries, touched = _enter(desk, work, made, order)
    countback.watch(desk, event, work.item, (event.site, work.location, work.item.id), order, None)
    remember(desk, event, [work.item], entries, made)
    return touched


def _enter(desk: Desk, work: Work, made: Plan, order: OrderKey) -> tuple[tuple[SeenEntry, ...], list[CardKey]]:
    """Write a plan's entries; where they stand, and the cards they touched."""
    event = work.event
    entries: list[SeenEntry] = []
    touched: list[CardKey] = []
    postings = (*_counted_before(work), *made.postings)
    for number, posting in enumerate(postings):
        card: CardKey = (event.site, posting.location, work.item.id)
        place: OrderKey = (*order[:4], order[4] + number)
        later = postings[number + 1 :]
        partial = bool(later) and any(one.location == posting.location for one in later)
        write(desk, work, card, place, posting, partial=partial)
        entries.append(SeenEntry(posting.location, work.item.id, place))
        touched.append(card)
    return tuple(entries), touched


def hear_of_lot(desk: Desk, work: Work) -> tuple[LotId, list[CardKey]]:
    """The lot an event speaks of, with what it says of the lot taken in, and the cards on which the lot got its product.

    It holds whether the event posts or not: of a fact that was taken back before it came as of one that was taken back after.
    """
    genealogy.hears(desk, work)
    named = lot_names.newly_named(desk, work)
    touched = relabel.relabel(desk, work.event, work.item, named) if named is not None else []
    return lots.identify(desk, work), touched


def _counted_before(work: Work) -> tuple[Posting, ...]:
    """A begin count that a person verified is a count of the whole place right before the event."""
    if work.begin is None or not countback.is_posted(work.event):
        return ()
    kind = EntryKind.COUNT if work.begin else EntryKind.ZERO
    return (Posting(work.location, kind, work.begin, None, VARIANCE, stock(work.location), whole_card=True),)


def write(desk: Desk, work: Work, card: CardKey, order: OrderKey, posting: Posting, *, partial: bool) -> None:
    """One entry: the card, its lots, the movement, the balances."""
    event = work.event
    if posting.whole_card or posting.kind is EntryKind.COUNT:  # one of a lot takes up what moved without lot
        lots.first_touch(desk, card, UNKNOWN_LOT_ID)
    for one in posting.found:
        lots.first_touch(desk, card, one.lot)
    if posting.lot is not None:
        lots.first_touch(desk, card, posting.lot)
        if posting.kind is EntryKind.SPLIT:
            lots.first_touch(desk, card, unopened(posting.lot))
        if posting.lot.lot == UNKNOWN_LOT and posting.kind is EntryKind.DELTA and posting.amount > 0:
            suspicion.came(desk, card, order[0], posting.amount)
        if posting.amount > 0:
            allocation.came(desk, card, posting.lot, order[0])
            windows.came(desk, card, posting.lot)
    entry = Entry(
        posting.kind, posting.amount, posting.lot, event.event_id, event.kind, posting.from_account, posting.to_account,
        whole_card=posting.whole_card, partial=partial, found=posting.found,
        unstated=posting.lot is not None and bool(event.lot) and not work.product,
    )  # fmt: skip
    posted = desk.book.post(card, order, entry, thresholds(desk, card))
    if posting.whole_card:
        suspicion.found(desk, card)
    if posting.movement:
        for number, (lot, delta) in enumerate(posted.deltas):
            emit_movement(desk, work, posting, lot, delta, order[4] * 100 + number)
    shifts.note(desk, card, order, work.item, event)
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
    """A card below zero is a case as long as it is; reality arrived out of order, or somebody must look.

    Of what is on its way to another site `shipments` says it. At a place in transit more was filled than was issued to it.
    """
    site, location, item_id = card
    if (posted.before.on_hand < 0) == (posted.after.on_hand < 0) or is_on_its_way(location):
        return
    kind = "unmatched_refill" if desk.catalog.is_transit(site, location) else "negative_stock"
    case_id = derived_id("case", kind, *card)
    if posted.after.on_hand < 0:
        text = f"{item_id} at {location} stands at {posted.after.on_hand} {item.base_unit}: something was not reported"
        if kind == "unmatched_refill":
            text = f"{-posted.after.on_hand} {item.base_unit} of {item_id} came from {location} and no issue to it is known"
        desk.case_open(case_id, site, kind, text, reopen=True, location=location, item=item_id)
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
        unit_cost=_cost_of(posting.found, lot),
    )  # fmt: skip


def _cost_of(found: tuple[Found, ...], lot: LotId) -> Decimal | None:
    """The cost that a count stated of a lot."""
    text = next((one.unit_cost for one in found if one.lot == lot), "")
    return Decimal(text) if text else None


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
    sequence: int = 0,
    unit_cost: Decimal | None = None,
) -> None:
    """Publish one ledger entry."""
    facts = desk.book.lot_facts((site, "", item.id), lot)
    record = Movement(
        movement_id=derived_id("movement", event_id, str(number), corrects or "", cause), site=site, event_id=event_id, kind=kind,
        item=item.id, product=lot.product, lot=facts.lot_text or lot.lot, quantity=quantity, unit=item.base_unit,
        from_account=source, to_account=target, occurred=from_us(occurred_us), cause=cause,
        expiry=None if facts.expiry is None else iso_date(facts.expiry), container=lot.container or None, corrects=corrects,
        actor=event.actor if event else None, witness=event.witness if event else None,
        patient=event.patient if event else None, order_id=event.order_id if event else None,
        raw=event.raw if event else None, device_sequence=sequence or (event.device_sequence if event else 0) or None,
        unit_cost=unit_cost,
    )  # fmt: skip
    desk.emit(MOVEMENTS, encode_key((site, record.movement_id)), encode(record), "Movement", site)
    for account, sign in ((source, -1), (target, 1)):
        if not account.startswith("stock:"):
            desk.book.move(site, item.id, lot, sign * quantity)


def _emit_correction(desk: Desk, card: CardKey, order: OrderKey, entry: Entry, lot: LotId, change: int, item: Item) -> None:
    """A count behind a late event moves its variance; the new movement names the count it corrects. So does an opening."""
    is_split = entry.kind is EntryKind.SPLIT
    account = entry.from_account if is_split or entry.from_account == OPENING else VARIANCE
    source, target = (account, stock(card[1])) if change > 0 else (stock(card[1]), account)
    key = (*card, order_text(order), lot.product, lot.lot, lot.container)
    number = (desk.corrections.get(key) or 0) + 1
    desk.corrections.put(key, number)
    corrects = "|".join((entry.event_id, lot.product, lot.lot, lot.container))
    movement(
        desk, card[0], item, lot, abs(change), source, target, event_id=entry.event_id,
        kind=entry.movement_kind if is_split else account,
        occurred_us=order[0], cause=order_text(order), number=number, corrects=corrects, sequence=order[1],
        unit_cost=_cost_of(entry.found, lot),
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


def remember(
    desk: Desk, event: StockEvent, items: Sequence[Item], entries: tuple[SeenEntry, ...], made: Plan = _NOTHING_OUTSIDE
) -> None:
    """Note what the key posted, so that a reversal finds it."""
    key = (event.site, event.event_key)
    seen = desk.seen.get(key)
    raw = (event.raw.partition, event.raw.offset, event.raw.index)
    outside = tuple(
        (source, target, lot.product, _OF.join(filter(None, (lot.lot, lot.container))), items[0].id, quantity)
        for source, target, quantity, lot in made.outside
    )
    fingerprint, control, kept_us = (seen.fingerprint, seen.control, seen.kept_us) if seen else ("", "", 0)
    posted = Seen(
        fingerprint, event.event_id, raw, event.kind, "posted", entries, outside, control=control, kept_us=kept_us,
        controlled=any(item.schedule is not None for item in items),
    )  # fmt: skip
    desk.seen.put(key, posted)


def reverse(desk: Desk, event: StockEvent) -> tuple[str, str, list[CardKey]]:
    """Take back the event `event.reverses` names. Returns a reason code, a sentence, and the cards that changed.

    The original's entries keep their place and do nothing any more; a count behind them absorbs the change. A reversal that
    arrives first is remembered, and the original then posts nothing.
    """
    original_key = (event.site, event.reverses or "")
    seen = desk.seen.get(original_key)
    if seen is None:
        raw = (event.raw.partition, event.raw.offset, event.raw.index)
        early = Seen(
            "", event.event_id, raw, "", "reversed_early", taken_back_by=event.event_key, controlled=True,
            kept_us=max(to_us(event.occurred), desk.now_us),
        )  # fmt: skip
        desk.seen.put(original_key, early)
        return "reversal_first", _NOT_YET, []
    if seen.status in ("reversed", "reversed_early"):
        return "already_reversed", "the event it takes back was taken back before: nothing moves", []
    if seen.kind == EventKind.REVERSAL:
        return _not_a_fact(desk, event)
    if seen.status == "held":
        _drop_hold(desk, event, seen)
        desk.seen.put(original_key, _with_status(seen, "reversed"))
        return "reversed", "the event it takes back was waiting and is dropped", []
    touched = [_void(desk, event, entry) for entry in seen.entries]
    for number, (source, target, product, named, item_id, quantity) in enumerate(seen.outside):
        item = desk.catalog.item(item_id)
        lot, _, container = named.partition(_OF)
        if item is not None and quantity:
            movement(
                desk, event.site, item, LotId(product, lot, container), quantity, target, source, event_id=event.event_id,
                kind="reversal", occurred_us=to_us(event.occurred), cause=event.event_key, number=20_000 + number,
                corrects=seen.event_id, event=event,
            )  # fmt: skip
    desk.seen.put(original_key, _with_status(seen, "reversed"))
    desk.prepared.taken_back.append(original_key)
    closure.taken_back(desk, *original_key)
    shipments.taken_back(desk, *original_key)
    returns.taken_back(desk, *original_key)
    return "reversed", f"took back {seen.kind} {seen.event_id}", [card for card in touched if card is not None]


def _not_a_fact(desk: Desk, event: StockEvent) -> tuple[str, str, list[CardKey]]:
    """A reversal takes back a fact, never another reversal."""
    return "reversal_of_reversal", not_a_fact(desk, event.site, event.event_key, event.event_id, event.raw), []


def not_a_fact(desk: Desk, site: str, event_key: str, event_id: str, raw: RawRef) -> str:
    """Open the case of a reversal that named another one, whichever came first; returns it in words."""
    reason = "it takes back a reversal, and only facts can be taken back: send the fact again if it did happen"
    case_id = derived_id("case", "reversal_of_reversal", site, event_key)
    desk.case_open(case_id, site, "reversal_of_reversal", reason, event_id=event_id, raw=raw)
    return reason


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
    if old.lot is not None and old.amount > 0:
        allocation.went(desk, card, old.lot, entry.order)
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
    shifts.note(desk, card, entry.order, item)
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
