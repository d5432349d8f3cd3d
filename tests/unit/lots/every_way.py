"""The reference model: every way in which a tiny history can have happened, written out one by one, unit by unit.

It shares nothing with the rules it is held against but the numbers of `SLIP`, `COUNTED_ALONE` and `UNNAMED`. No state is ever merged with another one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

SLIP = Fraction(1, 1000)
COUNTED_ALONE = Fraction(1, 20)
UNNAMED = 0
Units = tuple[int, ...]
"""The lot of each unit in the order in which it came."""


@dataclass(frozen=True)
class Fact:
    """`come` and `leave` of a lot or of an unknown one (None), `expire`, `unload`, `count` of a lot or of the place, `rest` of counts, `empty`."""

    kind: str
    quantity: int = 0
    lot: int | None = None
    listed: tuple[int, ...] = ()
    booked: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Rule:
    """How lots are drawn: name, share of compliant removals, expiry order of the lots (smaller ends earlier) and lots past it."""

    name: str
    compliance: Fraction
    ends: tuple[int, ...]
    gone: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Way:
    """One way: its weight, what is left, and what each leaving took."""

    weight: Fraction
    left: Units
    taken: tuple[Units, ...] = ()


def every_way(facts: list[Fact], rule: Rule) -> list[Way]:
    """All ways, in weights that add up to how likely the facts are."""
    ways = [Way(Fraction(1), ())]
    for fact in facts:
        ways = [next_ for way in ways for next_ in _go_on(way, fact, rule)]
    return ways


def _go_on(way: Way, fact: Fact, rule: Rule) -> Iterator[Way]:
    held = way.left
    match fact.kind:
        case "come":
            lot = UNNAMED if fact.lot is None else fact.lot
            yield Way(way.weight, held + (lot,) * fact.quantity, way.taken)
        case "leave" | "expire" | "unload" if fact.lot is None:
            for weight, taken in _drawn(held, fact.quantity, fact.kind, rule):
                yield Way(way.weight * weight, _less(held, taken), (*way.taken, taken))
        case "leave":
            yield _stated(way, fact, rule)
        case "count" if fact.lot is None:
            yield from _counted(way, fact.quantity, rule)
        case "count":
            found = held.count(fact.lot)
            if found == fact.quantity:
                yield way
            else:
                others = tuple(one for one in held if one != fact.lot)
                yield Way(way.weight * SLIP, others + (fact.lot,) * fact.quantity, way.taken)
        case "rest":
            others = [one for one in set(held) if one not in fact.listed and one != UNNAMED]
            fits = all(held.count(one) == dict(fact.booked).get(one, 0) for one in others)
            yield Way(way.weight * (1 if fits else COUNTED_ALONE), held, way.taken)
        case "empty":
            yield Way(way.weight, (), way.taken)


def _stated(way: Way, fact: Fact, rule: Rule) -> Way:
    held, lot = way.left, fact.lot
    assert lot is not None
    short = fact.quantity - held.count(lot)
    wanted = (lot,) * fact.quantity
    if short > 0:
        unnamed = min(short, held.count(UNNAMED))
        left = _less(tuple(one for one in held if one != lot), (UNNAMED,) * unnamed)
        return Way(way.weight * SLIP * SLIP, left, (*way.taken, wanted))
    weight = sum((chance for chance, taken in _drawn(held, fact.quantity, "leave", rule) if taken == wanted), Fraction(0))
    return Way(way.weight * (weight or SLIP), _less(held, wanted), (*way.taken, wanted))


def _counted(way: Way, quantity: int, rule: Rule) -> Iterator[Way]:
    held = way.left
    if len(held) == quantity:
        yield way
    elif len(held) < quantity:
        yield Way(way.weight * SLIP, held + (UNNAMED,) * (quantity - len(held)), way.taken)
    else:
        for weight, taken in _drawn(held, len(held) - quantity, "leave", rule):
            yield Way(way.weight * SLIP * weight, _less(held, taken), way.taken)


def _drawn(held: Units, quantity: int, purpose: str, rule: Rule) -> list[tuple[Fraction, Units]]:
    """Ways to take so many units; the same units twice where two ways lead to them."""
    if quantity > len(held):
        return [(SLIP, tuple(sorted(held + (UNNAMED,) * (quantity - len(held)))))]
    if purpose == "unload":
        return [(Fraction(1) if quantity == len(held) else SLIP, _by_rule(held, quantity, rule))]
    if purpose == "expire":
        over = tuple(sorted(one for one in held if one in rule.gone))
        wholes = {tuple(one for one in over if one == lot) for lot in set(over)} | {over}
        fitting = sorted(whole for whole in wholes if len(whole) == quantity)
        if fitting:
            return [(Fraction(1, len(fitting)), whole) for whole in fitting]
        order = sorted(held, key=lambda one: (one not in rule.gone, rule.ends[one], one))
        return [(SLIP, tuple(sorted(order[:quantity])))]
    compliance = Fraction(0) if rule.name == "random" else rule.compliance
    ways = [(compliance, _by_rule(held, quantity, rule))] if compliance else []
    if compliance != 1:
        ways += [((1 - compliance) * weight, taken) for weight, taken in _by_hand(held, quantity, None)]
    return ways


def _by_rule(held: Units, quantity: int, rule: Rule) -> Units:
    if rule.name == "fifo":
        lots = list(dict.fromkeys(held))
        order = sorted(held, key=lambda one: (one in rule.gone, lots.index(one)))
    else:
        order = sorted(held, key=lambda one: (one in rule.gone, rule.ends[one], one))
    return tuple(sorted(order[:quantity]))


def _by_hand(held: Units, quantity: int, of: int | None) -> Iterator[tuple[Fraction, Units]]:
    """Unit by unit: of the lot in hand while there is some, else of a lot by its share."""
    if quantity == 0:
        yield Fraction(1), ()
    elif of in held:
        for weight, taken in _by_hand(_less(held, (of,)), quantity - 1, of):
            yield weight, tuple(sorted((*taken, of)))
    else:
        for lot in sorted(set(held)):
            for weight, taken in _by_hand(held, quantity, lot):
                yield Fraction(held.count(lot), len(held)) * weight, taken


def _less(held: Units, taken: Units) -> Units:
    """Without these units; of what was not there nothing is missing."""
    left = list(held)
    for one in taken:
        if one in left:
            left.remove(one)
    return tuple(left)
