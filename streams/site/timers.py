"""What is due: lots that expire or were blocked, windows that lots enter, needs that waited long enough.

An index by due time keeps the work of one event bounded: at most `TIMERS_PER_EVENT` fire, the rest with the next events.
"""

from __future__ import annotations

from typing import Final

from schemas.reference import Site
from streams.contract import describe
from streams.ledger.model import CardKey, LotId
from streams.site import countback, ledger, lots, silence
from streams.site.desk import TIMER_PENDING, Desk
from streams.site.tables import Timer
from streams.times import iso_date

TIMERS_PER_EVENT: Final = 200


def run(desk: Desk) -> list[CardKey]:
    """Fire what is due; returns the cards to evaluate."""
    due = desk.clock.get(TIMER_PENDING)
    if due is None or due > desk.now_us:
        return []
    fired: list[tuple[tuple[str | int, ...], Timer]] = []
    following: int | None = None
    for key, timer in desk.timers.scan(()):
        if int(key[0]) > desk.now_us or len(fired) == TIMERS_PER_EVENT:
            following = int(key[0])
            break
        fired.append((key, timer))
    if following is None:
        desk.clock.delete(TIMER_PENDING)
    else:
        desk.clock.put(TIMER_PENDING, following)
    touched: list[CardKey] = []
    for key, timer in fired:
        desk.timers.delete(key)
        point, written = desk.state.savepoint(), len(desk.out)
        try:
            touched.extend(_fire(desk, int(key[0]), timer))
        except Exception as error:  # noqa: BLE001  # a timer that fails would otherwise fail with every event from now on
            desk.state.rollback_to(point)
            del desk.out[written:]
            desk.fault(timer.subject[0], "|".join(timer.subject), f"what was due ({timer.kind})", describe(error))
    return touched


def _fire(desk: Desk, due_us: int, timer: Timer) -> list[CardKey]:
    """Do what one timer asks for."""
    match timer.kind:
        case "mark":
            site, location, item_id, product, lot, container = timer.subject
            card: CardKey = (site, location, item_id)
            item = desk.catalog.item(item_id)
            if item is None:
                return []
            held = LotId(product, lot, container)
            ledger.mark(desk, card, due_us, held, item)
            return [card]
        case "window":
            _enter_window(desk, timer)
            return []
        case "count":
            countback.check(desk, timer)
            return []
        case "silence":
            silence.look(desk, timer)
            return []
        case "need":
            site, location, item_id = timer.subject
            return [(site, location, item_id)]
        case _:
            return []


def _enter_window(desk: Desk, timer: Timer) -> None:
    """A lot entered an expiry window: said once, with what is on hand; nothing to say when none is left."""
    site, item_id, product, lot, days = timer.subject
    held = LotId(product, lot)
    facts = desk.book.facts_of((site, "", item_id), held)
    item = desk.catalog.item(item_id)
    places = lots.places_of(desk, site, item_id, held)
    on_hand = sum(desk.book.lots.get((site, location, item_id, product, lot, container)) or 0 for location, container in places)
    if item is None or on_hand <= 0 or facts.expiry is None:
        return
    record = desk.catalog.site(site)
    if record is None or int(days) != _tightest(desk.now_us, facts.expiry, record):
        return
    text = f"{item.name}: {on_hand} {item.base_unit} of lot {facts.lot_text or lot} " + (
        f"are at their last day ({facts.expiry})" if days == "0" else f"expire within {days} days ({facts.expiry})"
    )
    desk.alert(site, "expiring", text, item_id, product, lot, days, facts.expiry, item=item_id, product=product, lot=lot)


def _tightest(now_us: int, expiry: str, site: Site) -> int:
    """The narrowest window the lot has entered: a lot that arrives inside several is spoken of once."""
    day = iso_date(expiry)
    entered = [days for days in site.expiry_windows_days if lots.window_start_us(day, days, site.zone) <= now_us]
    return min(entered, default=-1)
