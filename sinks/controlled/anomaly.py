"""A score for each user: does more go wrong with this user's removals than with those of the peers? Decision support only.

A sequential test on each of four concerns (a removal that nothing accounts for, that was cancelled, whose dose was wasted, that
was on override): a Bernoulli CUSUM of the log-likelihood ratio between the peers' odds and `ODDS_RATIO` times these (E. S. Page
1954; G. Lorden 1971). The expected rate of each removal is that of the other users in the same place with the same item, drawn to
the site's where few are known, so that a unit which wastes much by its nature is compared with itself.

False alarms: a CUSUM crosses ln(A) within n removals with probability at most n / A when the user is like the peers (Ville's
inequality for each possible start), so with A = 4 × `RUN_LENGTH` any of the four does with probability at most n / `RUN_LENGTH`,
and the mean number of removals to a false signal is at least `RUN_LENGTH` / 2. Rates are rounded up and steps down, so that
rounding never makes a signal. It opens no case, blocks nothing and reads no patient.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Final

CONCERNS: Final = ("unaccounted", "cancelled", "wasted", "override")
RUN_LENGTH: Final = 100_000
"""Removals of an honest user within which a false signal has probability at most 1; within n at most n / this."""
ODDS_RATIO: Final = 3
"""How many times the peers' odds the test is tuned to find soonest."""
PEERS_MIN: Final = 5
PEER_REMOVALS_MIN: Final = 200
"""Fewer other users or removals of theirs: no score."""
PRIOR_REMOVALS: Final = 20
"""Removals at the site's rate that each place and item starts with."""
_MATH: Final = Context(prec=16)
_STEP: Final = Decimal("0.000001")
_RATE: Final = Decimal("0.0001")
_SHOWN: Final = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Removal:
    """One removal of a controlled substance that is past its time to be accounted for. `order` sorts removals in time."""

    user: str
    order: tuple[str, str]
    stratum: tuple[str, str]
    concerns: frozenset[str]


@dataclass(slots=True)
class Score:
    """How one concern of one user stands. `level` is the score in parts of the threshold: 1 is a signal."""

    concern: str
    events: int
    expected: Fraction
    level: Decimal
    highest: Decimal
    signals: tuple[str, ...]


@dataclass(slots=True)
class Standing:
    """One user's scores; none where there are too few peers to compare with."""

    user: str
    removals: int
    peers: int
    peer_removals: int
    scores: list[Score] = field(default_factory=list)


def threshold(run_length: int = RUN_LENGTH) -> Decimal:
    """The level of the CUSUM at which a signal is given."""
    return _MATH.ln(Decimal(run_length * len(CONCERNS)))


@lru_cache(maxsize=20_000)
def steps(rate: Decimal) -> tuple[Decimal, Decimal]:
    """What a removal with and one without the concern add, at an expected rate strictly between 0 and 1; rounded down."""
    other = ODDS_RATIO * rate / (1 - rate + ODDS_RATIO * rate)
    with_, without = _MATH.ln(_MATH.divide(other, rate)), _MATH.ln(_MATH.divide(1 - other, 1 - rate))
    return with_.quantize(_STEP, ROUND_FLOOR), without.quantize(_STEP, ROUND_FLOOR)


def standings(removals: Iterable[Removal], run_length: int = RUN_LENGTH) -> list[Standing]:
    """Every user's standing, the highest score first; equal ones by user. The order of the removals given does not matter."""
    by_user: dict[str, list[Removal]] = defaultdict(list)
    for one in removals:
        by_user[one.user].append(one)
    tally = _Tally(by_user)
    made = [_standing(user, sorted(by_user[user], key=lambda one: one.order), tally, run_length) for user in sorted(by_user)]
    return sorted(made, key=lambda one: (-max((score.highest for score in one.scores), default=Decimal(-1)), one.user))


def _standing(user: str, own: Sequence[Removal], tally: _Tally, run_length: int) -> Standing:
    peers, peer_removals = tally.users - 1, tally.removals - len(own)
    standing = Standing(user, len(own), peers, peer_removals)
    if peers < PEERS_MIN or peer_removals < PEER_REMOVALS_MIN:
        return standing
    limit = threshold(run_length)
    standing.scores = [_score(concern, own, tally.rates_without(user, concern), limit) for concern in CONCERNS]
    return standing


def _score(concern: str, own: Sequence[Removal], rates: Mapping[tuple[str, str], Decimal], limit: Decimal) -> Score:
    level = highest = Decimal(0)
    events, expected = 0, Fraction(0)
    signals: list[str] = []
    for one in own:
        rate = rates[one.stratum]
        has = concern in one.concerns
        events += has
        expected += Fraction(rate)
        level = max(Decimal(0), level + steps(rate)[0 if has else 1])
        highest = max(highest, level)
        if level >= limit:
            signals.append(one.order[0])
            level = Decimal(0)
    return Score(concern, events, expected, _part(level, limit), _part(highest, limit), tuple(signals))


def _part(level: Decimal, limit: Decimal) -> Decimal:
    return (level / limit).quantize(_SHOWN, ROUND_FLOOR)


class _Tally:
    """How often each concern was there, by place and item, of everybody and of each user."""

    def __init__(self, by_user: Mapping[str, Sequence[Removal]]) -> None:
        self.users = len(by_user)
        self.removals = sum(len(own) for own in by_user.values())
        self._by_user = by_user
        self._counts: dict[tuple[str, str], int] = defaultdict(int)
        self._events: dict[tuple[tuple[str, str], str], int] = defaultdict(int)
        for own in by_user.values():
            for one in own:
                self._counts[one.stratum] += 1
                for concern in one.concerns:
                    self._events[one.stratum, concern] += 1

    def rates_without(self, user: str, concern: str) -> dict[tuple[str, str], Decimal]:
        """The rate of the others in each place and item this user removed from."""
        own: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
        for one in self._by_user[user]:
            own[one.stratum][0] += 1
            own[one.stratum][1] += concern in one.concerns
        events = sum(count for (_, name), count in self._events.items() if name == concern) - sum(has for _, has in own.values())
        others = self.removals - len(self._by_user[user])
        site = Fraction(events + 1, others + 2)
        return {
            stratum: _rounded_up(
                (self._events[stratum, concern] - has + PRIOR_REMOVALS * site) / (self._counts[stratum] - count + PRIOR_REMOVALS)
            )
            for stratum, (count, has) in own.items()
        }


def _rounded_up(rate: Fraction) -> Decimal:
    """A rate to four places, rounded up, strictly between 0 and 1."""
    text = (Decimal(rate.numerator) / Decimal(rate.denominator)).quantize(_RATE, ROUND_CEILING)
    return min(max(text, _RATE), 1 - _RATE)
