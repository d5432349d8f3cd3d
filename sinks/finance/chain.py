"""The costs of one item at one site: its facts in ledger order, each with what it did to the cost pools.

A late movement is put in its place and everything behind it is derived anew, as the ledger itself does; what changed by that is
returned, so that the journal can post the difference. The result is a function of the set of movements, never of their order.

Pools are per product, apart for stock in transit. Costs of what comes in:

- from a supplier or another site, or as opening stock: the cost that was stated with it, else the one in force at that instant
  (`costs.Costs`), or unknown;
- opened, or made of the same item: what it cost before;
- from anywhere else (a return, a count's surplus, made of another item): the cost of the last unit that left, else of the last
  that came, else the one in force; moved between pools: what it cost there.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec

from sinks.finance.costs import Costs
from sinks.finance.facts import Fact, FactKey, Leg, LegKey, Move, fact_of, is_stock, place_of, renames
from sinks.finance.layers import EMPTY, Layer, Method, Pool, priced, put, take, unit_cost

IN_TRANSIT: Final = "in_transit"
INVENTORY: Final = "inventory"
SITE: Final = "site:"
"""Begins the account of another site."""
_BOUGHT: Final = frozenset({"supplier", "opening"})

PoolKey = tuple[str, str]
"""Product, and `inventory` or `in_transit`."""


class Standing(msgspec.Struct, frozen=True, gc=False):
    """What stands after a fact: the pools, and per product the last known cost of a unit that left and that came."""

    pools: Mapping[PoolKey, Pool] = {}
    left: Mapping[str, int] = {}
    came: Mapping[str, int] = {}


class Effect(msgspec.Struct, frozen=True, gc=False):
    """What a leg was worth: the exact value of its units of known cost, how many are of unknown cost, and the price variance.

    `variance` is per pool that a shortage was settled in.
    """

    leg: Leg
    value: int
    unpriced: int
    variance: tuple[tuple[PoolKey, int], ...] = ()


Effects = dict[LegKey, Effect]
Change = tuple[str, LegKey, Effect | None, Effect | None]
"""Fact, leg, what it was and what it is."""


class Chain:
    """One item at one site, by one method."""

    def __init__(self, item: str, method: Method, costs: Costs, in_transit: Callable[[str], bool]) -> None:
        """`in_transit` says of a place whether what lies there is on its way."""
        self.item = item
        self._method = method
        self._costs = costs
        self._in_transit = in_transit
        self._facts: dict[str, Fact] = {}
        self._order: list[FactKey] = []
        self._before: list[Standing] = []
        self._effects: dict[str, Effects] = {}
        self.standing = Standing()
        self._unknown = False
        self.visible: str | None = None

    def add(self, move: Move) -> list[Change]:
        """One movement more; returns every leg that is worth something else now."""
        fact = self._facts.get(fact_of(move))
        if fact is None:
            fact = self._facts[fact_of(move)] = Fact(fact_of(move))
            fact.add(move)
            return self._derive(*self._insert(fact.key()))
        old = bisect_left(self._order, fact.key())
        before = self._before[old]
        del self._order[old], self._before[old]
        fact.add(move)
        at, after_move = self._insert(fact.key())
        return self._derive(old, before) if old <= at else self._derive(at, after_move)

    def derive_all(self, moves: Iterable[Move]) -> None:
        """Many movements at once, derived once."""
        for move in moves:
            self._facts.setdefault(fact_of(move), Fact(fact_of(move))).add(move)
        self._order = sorted(fact.key() for fact in self._facts.values())
        self._before = [Standing()] * len(self._order)
        self._derive(0, Standing())

    def repriced(self, since: str) -> list[Change]:
        """Derive anew what a cost in force from an instant on can change: all of it while any unit's cost is unknown."""
        start = 0 if self._unknown else bisect_left(self._order, (since,))
        self._unknown = False if start == 0 else self._unknown
        return self._derive(start, self._before[start]) if start < len(self._order) else []

    def effects(self) -> Iterable[tuple[FactKey, Effects]]:
        """Every fact in ledger order with what its legs were worth."""
        for key in self._order:
            yield key, self._effects.get(key[2], {})

    def at(self, instant: str) -> Standing:
        """What stood before an instant, by what is known now."""
        place = bisect_left(self._order, (instant,))
        return self._before[place] if place < len(self._order) else self.standing

    def legs(self, until: str | None = None) -> Iterable[tuple[FactKey, list[Leg]]]:
        """Every fact before an instant with its legs."""
        for key in self._order:
            if until is not None and key[0] >= until:
                return
            yield key, self._facts[key[2]].legs()

    def _insert(self, key: FactKey) -> tuple[int, Standing]:
        """Make room for a fact; its place, and what stands before it."""
        at = bisect_left(self._order, key)
        before = self._before[at] if at < len(self._order) else self.standing
        self._order.insert(at, key)
        self._before.insert(at, before)
        return at, before

    def _derive(self, start: int, standing: Standing) -> list[Change]:
        """From a place on, with what stood before it."""
        changes: list[Change] = []
        for at in range(start, len(self._order)):
            occurred, _, fact_id = self._order[at]
            self._before[at] = standing
            old = self._effects.get(fact_id, {})
            new: Effects = {}
            step = _Step(self, standing, occurred)
            for leg in self._facts[fact_id].legs():
                new[leg.key] = effect = step.leg(leg)
                self._unknown = self._unknown or effect.unpriced > 0
            standing = step.standing()
            if new != old:
                self._effects[fact_id] = new
                changes += [
                    (fact_id, key, old.get(key), new.get(key)) for key in sorted({**old, **new}) if old.get(key) != new.get(key)
                ]
        self.standing = standing
        return changes

    def pool_of(self, account: str, product: str) -> PoolKey | None:
        """The pool a stock account belongs to; None for an outside account."""
        place = place_of(account)
        if place is None:
            return None
        return product, IN_TRANSIT if self._in_transit(place) else INVENTORY

    def cost_in_force(self, product: str, occurred: str) -> int | None:
        """The stated cost of a product at an instant."""
        return self._costs.at(self.item, product, occurred, self.visible)

    @property
    def method(self) -> Method:
        """FIFO or average."""
        return self._method


class _Step:
    """One fact at work on the pools."""

    def __init__(self, chain: Chain, before: Standing, occurred: str) -> None:
        self._chain = chain
        self._occurred = occurred
        self._pools = dict(before.pools)
        self._left = dict(before.left)
        self._came = dict(before.came)
        self._renamed: dict[str, tuple[Layer, ...]] = {}

    def standing(self) -> Standing:
        """What stands now; pools that are empty are left out."""
        return Standing({key: pool for key, pool in self._pools.items() if pool != EMPTY}, self._left, self._came)

    def leg(self, leg: Leg) -> Effect:
        """Move the value of one leg."""
        product = leg.key.product
        source = self._chain.pool_of(leg.source, product)
        target = self._chain.pool_of(leg.target, product)
        if source is not None and source == target:
            layers = take(self._pools.get(source, EMPTY), leg.quantity, self._last(product))[1]
            return _effect(leg, layers)
        layers = self._out(source, product, leg.quantity) if source is not None else self._from_outside(leg)
        if renames(leg.key) and source is not None:
            self._renamed[renames(leg.key)] = (*self._renamed.get(renames(leg.key), ()), *layers)
        if target is None:
            return _effect(leg, layers)
        variance = self._in(target, product, layers)
        return _effect(leg, layers, ((target, variance),) if variance else ())

    def _out(self, pool: PoolKey, product: str, quantity: int) -> tuple[Layer, ...]:
        self._pools[pool], layers = take(self._pools.get(pool, EMPTY), quantity, self._last(product))
        cost = unit_cost(layers)
        if cost is not None:
            self._left[product] = cost
        return layers

    def _in(self, pool: PoolKey, product: str, layers: tuple[Layer, ...]) -> int:
        variance = 0
        for layer in layers:
            self._pools[pool], settled = put(self._pools.get(pool, EMPTY), layer, self._chain.method)
            variance += settled
        cost = unit_cost(layers)
        if cost is not None:
            self._came[product] = cost
        return variance

    def _from_outside(self, leg: Leg) -> tuple[Layer, ...]:
        product = leg.key.product
        renamed = self._renamed.get(renames(leg.key)) if renames(leg.key) else None
        if renamed is not None and sum(layer.quantity for layer in renamed) >= leg.quantity:
            rest, layers = take(Pool(renamed), leg.quantity, None)
            self._renamed[renames(leg.key)] = rest.layers
            return layers
        if (leg.source in _BOUGHT or leg.source.startswith(SITE)) and is_stock(leg.target):
            if leg.cost is not None:
                return (priced(leg.quantity, leg.cost),)
            return (priced(leg.quantity, self._chain.cost_in_force(product, self._occurred)),)
        return (priced(leg.quantity, self._last(product)),)

    def _last(self, product: str) -> int | None:
        """The last known cost of a unit."""
        known = self._left.get(product, self._came.get(product))
        return self._chain.cost_in_force(product, self._occurred) if known is None else known


def _effect(leg: Leg, layers: tuple[Layer, ...], variance: tuple[tuple[PoolKey, int], ...] = ()) -> Effect:
    value = sum(layer.value or 0 for layer in layers)
    return Effect(leg, value, sum(layer.quantity for layer in layers if layer.value is None), variance)
