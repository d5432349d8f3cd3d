"""What is due: lots that expire or were blocked, windows that lots enter, needs that waited long enough.

An index by due time keeps the work of one event bounded: at most `TIMERS_PER_EVENT` fire, the rest with the next events.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from streams.contract import describe
from streams.ledger.model import CardKey, LotId
from streams.site import (
    beyond_use,
    closure,
    controlled,
    controls,
    countback,
    destruction,
    golive,
    ledger,
    notices,
    receiving,
    shipments,
    silence,
    windows,
)
from streams.site.desk import Desk
from streams.site.tables import Timer

TIMERS_PER_EVENT: Final = 200
_CLOSURE: Final = "closure"


def run(desk: Desk) -> list[CardKey]:
    """Fire what is due; returns the cards to evaluate."""
    due = desk.due_us
    if due is None or due > desk.now_us:
        return []
    fired: list[tuple[tuple[str | int, ...], Timer]] = []
    following: int | None = None
    for key, timer in desk.timers.scan((), start=(due,)):  # not from the beginning: a store walks over all that ever fired
        if int(key[0]) > desk.now_us or len(fired) == TIMERS_PER_EVENT:
            following = int(key[0])
            break
        fired.append((key, timer))
    desk.first_due(following)
    touched: list[CardKey] = []
    looked: set[Timer] = set()
    for key, timer in fired:
        desk.timers.delete(key)
        if timer.kind == _CLOSURE:
            if timer in looked:
                continue  # all that is due by now was looked at with the first timer of the account
            looked.add(timer)
        point = desk.savepoint()
        try:
            touched.extend(_fire(desk, int(key[0]), timer))
        except Exception as error:  # noqa: BLE001  # a timer that fails would otherwise fail with every event from now on
            desk.rollback_to(point)
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
            ledger.mark(desk, card, due_us, LotId(product, lot, container), item)
            return [card]
        case "need" | "shelf":
            site, location, item_id = timer.subject
            return [(site, location, item_id)]
        case "destroy":
            return [destruction.fell_due(desk, timer)]
        case "beyond":
            site, item_id, product, lot, container = timer.subject
            beyond_use.expire(desk, due_us, (site, item_id, product, lot, container))
        case kind if kind in controls.TIMERS:
            controls.fire(desk, timer)
        case kind if kind in _LOOKS:
            _LOOKS[kind](desk, timer)
    return []


def _transfer(desk: Desk, timer: Timer) -> None:
    site, *transfer = timer.subject
    shipments.look(desk, site, tuple(transfer))  # type: ignore[arg-type]  # a timer's subject is any number of texts


_LOOKS: Final[dict[str, Callable[[Desk, Timer], None]]] = {
    "window": windows.enter,
    "count": countback.check,
    "delivery": lambda desk, timer: notices.look_at_delivery(desk, *timer.subject),
    "receipt": lambda desk, timer: receiving.look(desk, *timer.subject),
    _CLOSURE: lambda desk, timer: closure.look(desk, *timer.subject),
    "overdue": lambda desk, timer: controlled.overdue(desk, *timer.subject),
    "transfer": _transfer,
    "silence": silence.look,
    "mode": lambda desk, timer: golive.step(desk, *timer.subject),
}
"""What looks at something when it is due, and changes no card by itself."""
