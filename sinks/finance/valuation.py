"""What stock is worth at an instant: by product, by lot and place, and how often it turned over. Reads chains; changes nothing.

Cost layers belong to a product at a site. The value of a pool is shared out to its lots and places by quantity, to the cent: the
rows of a pool add up to its value, and the pools to the accounts of the journal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta
from typing import Final

import msgspec

from sinks.finance.chain import Chain, Effect, PoolKey, Standing
from sinks.finance.facts import is_stock, place_of
from sinks.finance.money import cents, divided, shared_out

WINDOW_DAYS_MAX: Final = 3_660
YEAR_DAYS: Final = 365
_PATIENT: Final = "patient"
_WASTE: Final = "waste"


class ProductValue(msgspec.Struct, frozen=True, gc=False):
    """A pool: `value` is in cents, of the units whose cost is known; None when none is."""

    item: str
    product: str
    account: str
    quantity: int
    unpriced: int
    unit_cost: int | None
    value: int | None


class LotValue(msgspec.Struct, frozen=True, gc=False):
    """A lot at a place: its share of the pool's value in cents, None where a part of the pool has no known cost."""

    item: str
    product: str
    account: str
    location: str
    lot: str
    container: str
    quantity: int
    value: int | None


class Turnover(msgspec.Struct, frozen=True, gc=False):
    """A window: cost of goods used, and the average of the opening value and the value at the end of each day. All exact.

    `unpriced` counts used base units of unknown cost, which are in neither.
    """

    days: int
    cogs: int
    waste: int
    opening: int
    closing: int
    average: int
    unpriced: int


def product_values(chain: Chain, until: str | None = None) -> list[ProductValue]:
    """The pools of an item before an instant (None: now), by product."""
    standing = _standing(chain, until)
    return [_product_value(chain.item, key, standing) for key in sorted(standing.pools)]


def _product_value(item: str, key: PoolKey, standing: Standing) -> ProductValue:
    pool = standing.pools[key]
    known = pool.quantity - pool.unpriced
    nothing_known = pool.unpriced == pool.quantity and not pool.value
    unit = divided(pool.value, known) if known > 0 else divided(-pool.value, -known) if known else None
    return ProductValue(item, *key, pool.quantity, pool.unpriced, unit, None if nothing_known else cents(pool.value))


def lot_values(chain: Chain, until: str | None = None) -> list[LotValue]:
    """The lots of an item at places, before an instant (None: now)."""
    held: dict[PoolKey, dict[tuple[str, str, str], int]] = {}
    for _, legs in chain.legs(until):
        for leg in legs:
            for account, sign in ((leg.source, -1), (leg.target, 1)):
                pool = chain.pool_of(account, leg.key.product)
                if pool is not None:
                    lots = held.setdefault(pool, {})
                    name = (place_of(account) or "", leg.key.lot, leg.key.container)
                    lots[name] = lots.get(name, 0) + sign * leg.quantity
    standing = _standing(chain, until)
    rows: list[LotValue] = []
    for key in sorted(held):
        names = sorted(name for name, quantity in held[key].items() if quantity)
        quantities = [held[key][name] for name in names]
        values = _shared(key, standing, quantities)
        rows += [
            LotValue(chain.item, *key, *name, quantity, value)
            for name, quantity, value in zip(names, quantities, values, strict=True)
        ]
    return rows


def _shared(key: PoolKey, standing: Standing, quantities: list[int]) -> Sequence[int | None]:
    """The value of a pool shared out by quantity."""
    pool = standing.pools.get(key)
    product = key[0]
    last = standing.left.get(product, standing.came.get(product))
    if pool is not None and (pool.unpriced or not pool.quantity):
        return [None] * len(quantities)
    if pool is None:
        return [None] * len(quantities) if last is None else shared_out(0, [quantity * last for quantity in quantities])
    total = pool.quantity
    parts = [divided(pool.value * quantity * (1 if total > 0 else -1), abs(total)) for quantity in quantities]
    return shared_out(cents(pool.value), parts)


def turnover(chains: Iterable[Chain], window: tuple[date, date], starts: Callable[[date], str]) -> Turnover:
    """Use and average value between two dates, both included. `starts` gives the instant at which a date begins at the site.

    Raises `ValueError` for a window that ends before it begins or has more than `WINDOW_DAYS_MAX` days.
    """
    first, last = window
    days = (last - first).days + 1
    if not 1 <= days <= WINDOW_DAYS_MAX:
        msg = f"the window has {days} days: it has 1 to {WINDOW_DAYS_MAX}"
        raise ValueError(msg)
    ends = [starts(first + timedelta(days=number)) for number in range(days + 1)]
    values = [0] * (days + 1)
    used = wasted = unpriced = 0
    for chain in chains:
        for number, instant in enumerate(ends):
            values[number] += sum(pool.value for pool in chain.at(instant).pools.values())
        for key, effects in chain.effects():
            if ends[0] <= key[0] < ends[-1]:
                for effect in effects.values():
                    used += _flow(effect, _PATIENT)
                    wasted += _flow(effect, _WASTE)
                    unpriced += effect.unpriced if is_stock(effect.leg.source) and effect.leg.target == _PATIENT else 0
    average = divided(sum(values), len(values))
    return Turnover(days, used, wasted, values[0], values[-1], average, unpriced)


def _flow(effect: Effect, account: str) -> int:
    """What an effect added to an outside account."""
    return effect.value * ((effect.leg.target == account) - (effect.leg.source == account))


def _standing(chain: Chain, until: str | None) -> Standing:
    return chain.standing if until is None else chain.at(until)
