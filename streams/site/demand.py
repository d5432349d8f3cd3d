"""Stage demand: net consumption per card, smoothed day by day in O(1).

Simple exponential smoothing, α = 1/8, in thousandths of a base unit a day, integers only: a forecast never carries a float.
Decision support: it informs positions and proofs and triggers nothing.
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import Final

from schemas.kinds import EventKind
from streams.ledger.model import Card, CardKey, Demand
from streams.site.desk import Desk
from streams.times import DAY_US

ALPHA_INVERSE: Final = 8
IDLE_DAYS_MAX: Final = 60
"""Days without demand after which the level is nothing; also the bound of the catch-up loop."""

_SIGNS: Final = {
    EventKind.VEND: 1, EventKind.DISPENSE: 1, EventKind.ADMINISTER: 1, EventKind.PICK: 1, EventKind.RETURN: -1,
}  # fmt: skip
_EMPTY: Final = Demand()


def note(desk: Desk, card: CardKey, kind: EventKind, quantity: int, occurred_us: int) -> None:
    """Add a posted consumption (or a return) to the day it happened on; what is late counts for the day being summed."""
    sign = _SIGNS.get(kind)
    if sign is None:
        return
    standing = desk.book.cards.get(card)
    held = (standing.demand if standing is not None else None) or desk.demand.get(card) or _EMPTY
    day = occurred_us // DAY_US
    if held.day == 0:
        held = Demand(day, 0, 0, 0)
    elif day > held.day:
        held = advance(held, day)
    noted = Demand(held.day, held.today + sign * quantity, held.level, held.days)
    if standing is None:
        desk.demand.put(card, noted)
        return
    desk.book.cards.put(card, Card(standing.on_hand, standing.usable, standing.armed, standing.turned, standing.last, noted))


def advance(held: Demand, day: int) -> Demand:
    """Close the summed day and the idle days after it."""
    closed = min(day - held.day, IDLE_DAYS_MAX)
    observed = max(held.today, 0) * 1_000
    level = observed if held.days == 0 else held.level + (observed - held.level) // ALPHA_INVERSE
    for _ in range(closed - 1):
        if not level:
            break
        level += -level // ALPHA_INVERSE
    return Demand(day, 0, level, held.days + closed)


def daily(desk: Desk, card: CardKey) -> Decimal:
    """Forecast base units a day, to three places."""
    held = desk.book.card(card).demand or desk.demand.get(card)
    return _in_units(held.level if held else 0)


@lru_cache(maxsize=65_536)
def _in_units(level: int) -> Decimal:
    return Decimal(level).scaleb(-3)


@lru_cache(maxsize=65_536)
def days_left(usable: int, daily_demand: Decimal) -> Decimal | None:
    """Days until usable stock is used up at the forecast rate, to one place; None without demand."""
    if daily_demand <= 0:
        return None
    return (Decimal(max(usable, 0)) / daily_demand).quantize(Decimal("0.1"))
