"""The posting feed: one balanced pair (debit = credit) a movement, in the order in which the hub came to know of them.

A posting is never changed. It belongs to the site's date on which its movement became known, not to the one on which it happened:
what comes late, corrects or takes back posts in an open period. When that changes what an earlier movement was worth, an
adjustment posts the difference in the same period. So at any moment the postings to a pool add up to its value, to the cent, and
an id once posted means the same for ever.

Cents: a pool's account always stands at its exact value, rounded. A posting carries the remainders of those before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from schemas.ids import derived_id
from sinks.finance.accounts import PRICE_VARIANCE, ROUNDING, ledger_account
from sinks.finance.chain import IN_TRANSIT, INVENTORY, Chain, Change, Effect, PoolKey
from sinks.finance.costs import Costs
from sinks.finance.facts import LegKey, Move, fact_of, leg_of, place_of
from sinks.finance.layers import Method
from sinks.finance.money import cents

_UNKNOWN: Final = "cost_known"
"""Reason of a posting that values what had no known cost before."""


class Posting(msgspec.Struct, frozen=True, gc=False):
    """A debit and a credit of one amount (cents; None: the cost is unknown, and a later posting brings it).

    `reason` is `movement`, `reversal`, `adjustment` (a late movement changed what this one was worth), `cost_known`,
    `price_variance` (a shortage was settled at another cost) or `rounding`. `unpriced` are base units without a known cost.
    """

    posting_id: str
    site: str
    known: str
    occurred: str
    movement_id: str | None
    event_id: str
    kind: str
    reason: str
    item: str
    product: str
    lot: str
    quantity: int
    unpriced: int
    debit: str
    credit: str
    debit_location: str | None
    credit_location: str | None
    amount: int | None


class _Sum:
    """An exact amount, and the cents of it that are posted."""

    __slots__ = ("exact", "posted")

    def __init__(self) -> None:
        self.exact = 0
        self.posted = 0

    def post(self, amount: int) -> int:
        """The cents to post so that what is posted is the exact sum, rounded."""
        self.exact += amount
        due = cents(self.exact) - self.posted
        self.posted += due
        return due


class Journal:
    """The postings of one site by one method."""

    def __init__(self, site: str, method: Method, costs: Costs, in_transit: Callable[[str], bool]) -> None:
        """`in_transit` says of a place whether what lies there is on its way."""
        self._site = site
        self._method = method
        self._costs = costs
        self._in_transit = in_transit
        self.chains: dict[str, Chain] = {}
        self._sums: dict[tuple[str, ...], _Sum] = {}
        self._said: dict[tuple[str, str, LegKey], Move] = {}

    def postings(self, moves: Sequence[Move]) -> Iterator[Posting]:
        """Every posting of the movements, given in the order they were published."""
        changes = sorted((since, item) for item in self._costs.items() for since in self._costs.changes(item))
        at, known = 0, ""
        for move in moves:
            known = max(known, move.known or move.occurred)
            while at < len(changes) and changes[at][0] <= known:
                yield from self._repriced(*changes[at])
                at += 1
            yield from self._moved(move, known)
        for since, item in changes[at:]:
            yield from self._repriced(since, item)

    def _moved(self, move: Move, known: str) -> Iterator[Posting]:
        chain = self.chains.get(move.item)
        if chain is None:
            chain = self.chains[move.item] = Chain(move.item, self._method, self._costs, self._in_transit)
        chain.visible = known
        fact, leg = fact_of(move), leg_of(move)
        self._said.setdefault((fact, move.item, leg), move)
        own: Change = (fact, leg, None, None)
        others: list[Change] = []
        for change in chain.add(move):
            if change[:2] == (fact, leg):
                own = change
            else:
                others.append(change)
        yield from self._own(chain, move, own, known)
        for change in others:
            yield from self._adjusted(chain, change, known, move.movement_id, "adjustment")

    def _repriced(self, since: str, item: str) -> Iterator[Posting]:
        chain = self.chains.get(item)
        if chain is None:
            return
        chain.visible = since
        for change in chain.repriced(since):
            yield from self._adjusted(chain, change, since, f"cost|{since}", _UNKNOWN)

    def _own(self, chain: Chain, move: Move, change: Change, known: str) -> Iterator[Posting]:
        """The posting of a movement: by how much it changed its leg."""
        _, leg, old, new = change
        value = _signed(new) - _signed(old)
        unpriced = _unpriced(new) - _unpriced(old)
        forward = move.source == leg.low
        amount = value if forward else -value
        reason = "reversal" if move.kind == "reversal" else "movement"
        made = self._pair(chain, (move.source, move.target, move.product), amount)
        # Only a leg all of whose units have no known cost is without an amount.
        told = None if not value and abs(unpriced) == move.quantity else made
        base = self._posting(move, move, known, reason, move.movement_id, leg)
        base = msgspec.structs.replace(base, quantity=move.quantity, unpriced=abs(unpriced), amount=told)
        yield base if made >= 0 else _swapped(base)
        yield from self._settled(chain, base, change)
        yield from self._rounded(chain, base, (move.source, move.target))

    def _adjusted(self, chain: Chain, change: Change, known: str, trigger: str, reason: str) -> Iterator[Posting]:
        """The difference for a movement that was posted before."""
        fact, leg, old, new = change
        about = self._said[fact, chain.item, leg]
        value = _signed(new) - _signed(old)
        source, target = (leg.low, leg.high) if value >= 0 else (leg.high, leg.low)
        made = self._pair(chain, (source, target, leg.product), abs(value))
        shown = msgspec.structs.replace(about, source=source, target=target, product=leg.product, lot=leg.lot)
        base = self._posting(shown, about, known, reason, f"{trigger}|{fact}|{'|'.join(msgspec.structs.astuple(leg))}", leg)
        if made:
            yield msgspec.structs.replace(base, amount=made)
        yield from self._settled(chain, base, change)
        yield from self._rounded(chain, base, (source, target))

    def _settled(self, chain: Chain, base: Posting, change: Change) -> Iterator[Posting]:
        """Price variances of a leg: from the pool's account to the variance, or back."""
        _, leg, old, new = change
        before = dict(old.variance) if old else {}
        after = dict(new.variance) if new else {}
        for pool in sorted({**before, **after}):
            value = after.get(pool, 0) - before.get(pool, 0)
            account = leg.high if chain.pool_of(leg.high, leg.product) == pool else leg.low
            made = self._pool_sum(chain, pool).post(-value)
            if not made:
                continue
            place, name = place_of(account), pool[1]
            debit, credit = (PRICE_VARIANCE, name) if made < 0 else (name, PRICE_VARIANCE)
            at_debit, at_credit = (None, place) if made < 0 else (place, None)
            yield msgspec.structs.replace(
                base, posting_id=derived_id("posting", base.posting_id, PRICE_VARIANCE, *pool), reason=PRICE_VARIANCE, quantity=0,
                unpriced=0, debit=debit, credit=credit, debit_location=at_debit, credit_location=at_credit, amount=abs(made),
            )  # fmt: skip

    def _rounded(self, chain: Chain, base: Posting, accounts: tuple[str, str]) -> Iterator[Posting]:
        """Between two pools one amount can't be the rounded change of both: the cent goes to rounding."""
        for account in accounts:
            pool = chain.pool_of(account, base.product)
            made = self._pool_sum(chain, pool).post(0) if pool is not None else 0
            if pool is None or not made:
                continue
            debit, credit = (pool[1], ROUNDING) if made > 0 else (ROUNDING, pool[1])
            yield msgspec.structs.replace(
                base, posting_id=derived_id("posting", base.posting_id, ROUNDING, *pool), reason=ROUNDING, quantity=0, unpriced=0,
                debit=debit, credit=credit, debit_location=place_of(account) if made > 0 else None,
                credit_location=place_of(account) if made < 0 else None, amount=abs(made),
            )  # fmt: skip

    def _pair(self, chain: Chain, accounts: tuple[str, str, str], amount: int) -> int:
        """Cents to post from the first account to the second for an exact amount of one product."""
        source, target, product = accounts
        gives, takes = chain.pool_of(source, product), chain.pool_of(target, product)
        if gives is not None and takes is not None and gives != takes:
            made = cents(amount)
            for pool, sign in ((gives, -1), (takes, 1)):
                held = self._pool_sum(chain, pool)
                held.exact += sign * amount
                held.posted += sign * made
            return made
        if gives == takes:
            low, high = sorted((source, target))
            made = self._sum(chain.item, product, low, high).post(amount if source == low else -amount)
            return made if source == low else -made
        if gives is not None:
            return -self._pool_sum(chain, gives).post(-amount)
        return self._pool_sum(chain, takes or (product, INVENTORY)).post(amount)

    def _pool_sum(self, chain: Chain, pool: PoolKey) -> _Sum:
        return self._sum(chain.item, *pool)

    def _sum(self, *key: str) -> _Sum:
        return self._sums.setdefault(key, _Sum())

    def _posting(self, move: Move, about: Move, known: str, reason: str, identity: str, leg: LegKey) -> Posting:
        """A posting of a movement's accounts, without its amount."""
        chain = self.chains[move.item]
        return Posting(
            posting_id=derived_id("posting", self._method, self._site, identity), site=self._site, known=known,
            occurred=about.occurred, movement_id=about.movement_id, event_id=about.event_id, kind=about.kind, reason=reason,
            item=move.item, product=leg.product, lot=leg.lot, quantity=0, unpriced=0,
            debit=ledger_account(move.target, chain.pool_of(move.target, leg.product)),
            credit=ledger_account(move.source, chain.pool_of(move.source, leg.product)),
            debit_location=place_of(move.target), credit_location=place_of(move.source), amount=None,
        )  # fmt: skip

    def account_cents(self) -> dict[tuple[str, PoolKey], int]:
        """What is posted to each pool's account, by item: for the check against valuation."""
        pools = ((key, held) for key, held in self._sums.items() if key[-1] in (INVENTORY, IN_TRANSIT))
        return {(item, (product, account)): held.posted for (item, product, account), held in pools}


def _swapped(posting: Posting) -> Posting:
    """The posting the other way round, with an amount above 0."""
    return msgspec.structs.replace(
        posting, debit=posting.credit, credit=posting.debit, debit_location=posting.credit_location,
        credit_location=posting.debit_location, amount=None if posting.amount is None else -posting.amount,
    )  # fmt: skip


def _signed(effect: Effect | None) -> int:
    """Value of a leg, above 0 from its low account to its high one."""
    if effect is None:
        return 0
    return effect.value if effect.leg.source == effect.leg.key.low else -effect.value


def _unpriced(effect: Effect | None) -> int:
    if effect is None:
        return 0
    return effect.unpriced if effect.leg.source == effect.leg.key.low else -effect.unpriced
