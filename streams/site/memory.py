"""Stage identity, its memory: how old a fact may be, how long a business key is remembered, and forgetting it afterwards.

A fact older than its horizon can't be told from a duplicate. The horizon of controlled substances is three years; reversals name
no item, so theirs is the longer one. A key is remembered for a horizon from when it happened, or was received by the hub's clock,
whichever is later. Forgetting goes on in small steps at ticks, and what may be forgotten from an instant on is a function of the
ticks alone: a fact of that time whose key is not known is too old, whoever brings it again and whenever it says it was received.

Never forgotten are keys of packages with a serial number, which is unique for ever, and of requests, which no horizon stops.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import msgspec

from schemas.events import StockEvent
from schemas.kinds import STOCK_KINDS, EventKind
from schemas.reference import Item
from streams.site import closure
from streams.site.desk import Desk
from streams.site.resolve import Resolved, resolve_item
from streams.site.tables import Memory, Seen
from streams.times import DAY_US, to_us

HORIZON_DAYS: Final = 400
_HORIZON: Final = timedelta(days=HORIZON_DAYS)
CONTROLLED_HORIZON_DAYS: Final = 3 * 365
FORGETS_EVERY_DAYS: Final = 30
"""How often keys are looked through: those that could have gone that much earlier go then."""
KEYS_PER_TICK: Final = 1_000
"""Keys looked at with one tick, so that a tick stays short."""
_ROW: Final = ("seen",)
_CONTROLLED_SINCE: Final = "controlled_since"
"""Among the instants of the clock: when an item that was not controlled became so."""


def too_old(desk: Desk, event: StockEvent, known: Seen | None) -> str | None:
    """Why a fact is too old to be told from a duplicate; None when it is not."""
    if event.kind not in STOCK_KINDS:
        return None
    row = desk.memory.get(_ROW) if known is None else None
    is_young = event.received_at - event.occurred < _HORIZON
    if is_young and (row is None or not row.forgotten_us):
        return None
    occurred = to_us(event.occurred)
    age = to_us(event.received_at) - occurred
    forgotten = row.forgotten_us - occurred if row is not None and row.forgotten_us else -1
    if is_young and forgotten < HORIZON_DAYS * DAY_US:
        return None
    days = _horizon_days(desk, event, occurred)
    if age > days * DAY_US:
        return f"happened {event.occurred.date().isoformat()}, more than {days} days before it was received"
    if forgotten >= days * DAY_US:
        return f"happened {event.occurred.date().isoformat()}, and what the hub received of that time it knows for {days} days"
    return None


def _horizon_days(desk: Desk, event: StockEvent, occurred_us: int) -> int:
    """The horizon of a fact. One whose codes name no item is not known to be controlled."""
    if event.kind is EventKind.REVERSAL:
        return CONTROLLED_HORIZON_DAYS
    resolved = resolve_item(desk.catalog, event)
    if not isinstance(resolved, Resolved) or resolved.item.schedule is None:
        return HORIZON_DAYS
    since = desk.clock.get((_CONTROLLED_SINCE, resolved.item.id))
    if since is not None and occurred_us + HORIZON_DAYS * DAY_US <= since:
        return HORIZON_DAYS  # its key may have been forgotten before the item was scheduled
    return CONTROLLED_HORIZON_DAYS


def kept_us(desk: Desk, event: StockEvent) -> int:
    """From when the horizon of a key counts (µs); 0: it is never forgotten."""
    if event.serial or event.kind is EventKind.REQUEST:
        return 0
    return max(to_us(event.occurred), desk.now_us)


def is_controlled(desk: Desk, event: StockEvent) -> None:
    """Note that an event which moved nothing was about a controlled substance."""
    seen = desk.seen.get((event.site, event.event_key))
    if seen is not None and not seen.controlled:
        desk.seen.put((event.site, event.event_key), msgspec.structs.replace(seen, controlled=True))


def item_changed(desk: Desk, before: Item | None, after: Item | None) -> None:
    """An item that was not controlled is now: keys of its facts may have been forgotten already."""
    if before is not None and after is not None and before.schedule is None and after.schedule is not None:
        desk.clock.put((_CONTROLLED_SINCE, after.id), desk.now_us)


def forget(desk: Desk) -> None:
    """With a tick: look through the next keys, where it is time to."""
    row = desk.memory.get(_ROW)
    if row is None:
        desk.memory.put(_ROW, Memory(desk.now_us + (HORIZON_DAYS + FORGETS_EVERY_DAYS) * DAY_US))
        return
    if desk.now_us >= row.next_us:
        missed = (desk.now_us - row.next_us) // (FORGETS_EVERY_DAYS * DAY_US)
        following = row.next_us + (missed + 1) * FORGETS_EVERY_DAYS * DAY_US
        row = msgspec.structs.replace(row, next_us=following, forgotten_us=desk.now_us, rounds=2)
        desk.memory.put(_ROW, row)
    if row.rounds:
        desk.memory.put(_ROW, _look_through(desk, row))


def _look_through(desk: Desk, row: Memory) -> Memory:
    """Forget what is due among the next keys; behind the last one a round is over.

    Two rounds: the one that was under way, and a whole one.
    """
    looked: list[tuple[str, str]] = []
    due: list[tuple[tuple[str, str], Seen]] = []
    for key, seen in desk.seen.scan((), start=row.cursor or None):
        if len(looked) == KEYS_PER_TICK:
            return _gone(desk, due, msgspec.structs.replace(row, cursor=(str(key[0]), str(key[1]))))
        place = (str(key[0]), str(key[1]))
        looked.append(place)
        if seen.kept_us and seen.status != "held" and seen.kept_us + _remembered_us(desk, seen) <= row.forgotten_us:
            due.append((place, seen))
    return _gone(desk, due, msgspec.structs.replace(row, cursor=(), rounds=row.rounds - 1 if row.cursor else 0))


def _remembered_us(desk: Desk, seen: Seen) -> int:
    item = desk.catalog.item(seen.entries[0].item) if seen.entries else None
    is_long = seen.controlled or (item is not None and item.schedule is not None)
    return (CONTROLLED_HORIZON_DAYS if is_long else HORIZON_DAYS) * DAY_US


def _gone(desk: Desk, due: list[tuple[tuple[str, str], Seen]], row: Memory) -> Memory:
    for key, seen in due:
        if seen.status.startswith("reversed"):
            closure.forgotten(desk, *key)
        desk.seen.delete(key)
    return row
