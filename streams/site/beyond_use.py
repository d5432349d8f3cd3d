"""Stage expiry, for what was opened, thawed or made here: beyond-use clocks, and the instant at which the first one ends.

A container has a clock for each event that started one, and a lot that was made here has one for each transform that made it.
The earliest end counts (domain 3.4: effective expiry = min(manufacturer expiry, beyond-use date)), so that nothing that happens
later, such as a return to the fridge, makes it later: only taking an event back does. The end of a clock is what the label says,
else what the site's policy said when the event was read; a clock without either waits for a policy, with a case.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from schemas.ids import derived_id
from schemas.kinds import EventKind
from schemas.reference import Item
from schemas.transfers import TransferNotice
from streams.ledger.model import UNKNOWN_LOT, CardKey, LotId
from streams.site import destruction, given, windows
from streams.site.desk import Desk
from streams.site.preparation_tables import Clock, Subject
from streams.site.tables import Timer
from streams.site.work import Work
from streams.times import from_us, to_us

ALERT: Final = "beyond_use"


def start(desk: Desk, work: Work, lot: LotId) -> list[CardKey]:
    """An event started the clock of the container it names, or of the lot it made; returns the cards that changed."""
    event = work.event
    subject = _subject(event.site, work.item.id, work.product, lot)
    stated = None if event.beyond_use is None else to_us(event.beyond_use)
    clock = Clock(event.kind.value, work.product, to_us(event.occurred), stated)
    if stated is None:
        clock = _by_policy(desk, subject, clock)
    started = desk.prepared.clocks_of.get((event.site, event.event_key)) or ()
    desk.prepared.clocks_started.put((*subject, event.event_key, len(started)), clock)
    desk.prepared.clocks_of.put((event.site, event.event_key), (*started, subject))
    if clock.until_us is None and not (event.kind is EventKind.TRANSFORM and event.expiry is not None):
        text = f"{_name(subject, work.item)}: no policy says until when it may be used after {event.kind}: load one, or label it"
        case_id = _unknown_case(subject, event.event_key)
        desk.case_open(
            case_id, event.site, "beyond_use_unknown", text, location=work.location, item=work.item.id, event_id=event.event_id,
            raw=event.raw,
        )  # fmt: skip
    if lot.container and work.item.schedule is None:
        desk.case_close(_unopened_case(event.site, work.item.id, lot.container), event.site, event.event_key)
    return _settle(desk, subject)


def carried(desk: Desk, notice: TransferNotice, number: str) -> list[CardKey]:
    """Another site sends what it opened or made: it ends here when it ends there. A line that was taken back says nothing."""
    site, key = notice.site, f"transfer|{notice.from_site}|{notice.line}"
    touched = taken_back(desk, site, key)
    lot = LotId(notice.product, number, notice.container or "")
    if not notice.quantity or notice.beyond_use is None or (number == UNKNOWN_LOT and not lot.container):
        return touched
    subject = _subject(site, notice.item, notice.product, lot)
    clock = Clock(EventKind.TRANSFER_OUT.value, notice.product, to_us(notice.at), to_us(notice.beyond_use))
    desk.prepared.clocks_started.put((*subject, key, 0), clock)
    desk.prepared.clocks_of.put((site, key), (subject,))
    item = desk.catalog.item(notice.item)
    if lot.container and item is not None and item.schedule is None:
        desk.case_close(_unopened_case(site, notice.item, lot.container), site, key)
    return touched + _settle(desk, subject)


def used(desk: Desk, work: Work, lot: LotId) -> None:
    """Something was given of a container, or it came from another site: was it said, here or there, that it was opened?"""
    event = work.event
    if next(iter(desk.prepared.clocks_started.scan((event.site, work.item.id, "", "", lot.container))), None) is not None:
        return
    deed = f"came from {event.partner} to" if event.kind is EventKind.TRANSFER_IN else "was used at"
    text = f"{work.item.name}: container {lot.container} {deed} {work.location}, and nobody said when it was opened: say it"
    desk.case_open(
        _unopened_case(event.site, work.item.id, lot.container), event.site, "container_not_opened", text,
        location=work.location, item=work.item.id, event_id=event.event_id, raw=event.raw,
    )  # fmt: skip


def taken_back(desk: Desk, site: str, event_key: str) -> list[CardKey]:
    """An event counts no longer: the clocks that it started end without having run."""
    subjects = desk.prepared.clocks_of.get((site, event_key))
    if subjects is None:
        return []
    desk.prepared.clocks_of.delete((site, event_key))
    touched: list[CardKey] = []
    for number, subject in enumerate(subjects):
        desk.prepared.clocks_started.delete((*subject, event_key, number))
        touched += _settle(desk, subject)
    return touched


def policy_changed(desk: Desk, site: str, event: str) -> list[CardKey]:
    """A policy was loaded: clocks that waited for one have an end now. Those that have one keep it."""
    touched: list[CardKey] = []
    for key, clock in list(desk.prepared.clocks_started.scan((site,))):
        subject = (site, str(key[1]), str(key[2]), str(key[3]), str(key[4]))
        resolved = _by_policy(desk, subject, clock) if clock.until_us is None and clock.kind == event else clock
        if resolved is clock:
            continue
        desk.prepared.clocks_started.put(key, resolved)
        desk.case_close(_unknown_case(subject, str(key[5])), site, "policy")
        touched += _settle(desk, subject)
    return touched


def expire(desk: Desk, due_us: int, subject: Subject) -> None:
    """A beyond-use instant has come: said once, with what is left; nothing to say when none is, or the instant is another now."""
    site, item_id = subject[:2]
    item = desk.catalog.item(item_id)
    if item is None or desk.book.beyond.get(subject) != due_us:
        return
    left: dict[str, int] = {}
    for card, lot in _holding(desk, subject):
        quantity = desk.book.lots.get((*card, lot.product, lot.lot, lot.container)) or 0
        if quantity > 0:
            left[card[1]] = left.get(card[1], 0) + quantity
    if left:
        where = ", ".join(f"{quantity} {item.base_unit} at {place}" for place, quantity in sorted(left.items()))
        text = f"{_name(subject, item)} is beyond its use-by time ({from_us(due_us).isoformat()}): discard {where}"
        desk.alert(site, ALERT, text, *subject[1:], str(due_us), item=item_id, lot=subject[3] or subject[4])


# ---- inside ----------------------------------------------------------------------------------------------------------


def _subject(site: str, item: str, product: str, lot: LotId) -> Subject:
    """What has the clock. Of a lot the product is the stated one: which other one it may be can change."""
    return (site, item, "", "", lot.container) if lot.container else (site, item, product, lot.lot, "")


def _by_policy(desk: Desk, subject: Subject, clock: Clock) -> Clock:
    item = desk.catalog.item(subject[1])
    policy = None if item is None else desk.catalog.beyond_use(subject[0], clock.kind, clock.product, item)
    return clock if policy is None else msgspec.structs.replace(clock, until_us=clock.started_us + policy.duration_us())


def _settle(desk: Desk, subject: Subject) -> list[CardKey]:
    """Bring the beyond-use instant of a container or lot up to its clocks; returns the cards that changed."""
    ends = [clock.until_us for _, clock in desk.prepared.clocks_started.scan(subject) if clock.until_us is not None]
    old, new = desk.book.beyond.get(subject), min(ends, default=None)
    if old == new:
        return []
    desk.book.set_beyond(subject, new)
    if new is not None:
        desk.schedule(new, Timer("beyond", subject))
    item = desk.catalog.item(subject[1])
    touched: list[CardKey] = []
    for card, lot in _holding(desk, subject) if item is not None else ():
        facts = desk.book.lot_facts(card, lot)
        destruction.schedule(desk, card, lot, facts)
        if not subject[4]:
            windows.schedule(desk, card[0], card[2], LotId(lot.product, lot.lot), facts, since_us=desk.now_us)
        for instant in dict.fromkeys((old, new, facts.expires)):
            if instant is not None:
                desk.schedule(instant, Timer("mark", (*card, lot.product, lot.lot, lot.container)))
        desk.balance(card, lot, item.base_unit if item is not None else "")
        if item is not None and new is not None and (old is None or new < old):
            given.since_expiry(desk, card, lot, facts, item)
        touched.append(card)
    return touched


def _holding(desk: Desk, subject: Subject) -> Iterator[tuple[CardKey, LotId]]:
    """Cards that ever held the container, or the lot and any container of it."""
    site, item, product, number, container = subject
    if container:
        for key, _ in list(desk.prepared.container_places.scan((site, item, container))):
            yield (site, str(key[5]), item), LotId(str(key[3]), str(key[4]), container)
        return
    for key, _ in list(desk.lot_places.scan((site, item, product, number) if product else (site, item))):
        if str(key[3]) == number != UNKNOWN_LOT:
            yield (site, str(key[4]), item), LotId(str(key[2]), number, str(key[5]))


def _name(subject: Subject, item: Item) -> str:
    return f"{item.name}, " + (f"container {subject[4]}" if subject[4] else f"lot {subject[3]}")


def _unknown_case(subject: Subject, event_key: str) -> str:
    return derived_id("case", "beyond_use_unknown", *subject, event_key)


def _unopened_case(site: str, item: str, container: str) -> str:
    return derived_id("case", "container_not_opened", site, item, container)
