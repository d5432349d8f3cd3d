"""How far the hub can have got with what fell due: it fires a bounded number with each event and leaves the rest to the next.

An estimate that errs to the safe side: what may still wait is not called a difference.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import date, datetime, time
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from topology.verify.derive import Derivation
from topology.verify.effects import Does
from topology.verify.words import microseconds

TIMERS_AN_EVENT: Final = 200
_MINUTE_US: Final = 60_000_000
_FIRST_DAY: Final = date(1900, 1, 1).toordinal()
_AGAIN: Final = 2
"""What falls due often sets off something more (a lot expires, a need has waited long enough): everything is taken twice."""


def settled(derived: Derivation, read_at_tick: Sequence[int], read: int) -> int:
    """The newest tick of which everything that was due has surely been fired; 0 for none.

    `read_at_tick` says how many records that fire timers had been read when each tick came, `read` how many in all.
    """
    due = sorted(_instants(derived))
    done, waiting, before = 0, 0, 0
    for (_, now), (came, following) in zip(derived.ticks, pairwise((*read_at_tick, read)), strict=True):
        fallen = bisect_right(due, now)
        waiting = max(0, waiting + _AGAIN * (fallen - before) - TIMERS_AN_EVENT * (following - came))
        before = fallen
        if not waiting:
            done = now
    return done


def _instants(derived: Derivation) -> list[int]:
    """When something falls due: lots turn on each card and enter windows, counts are compared."""
    found: list[int] = []
    for (site, _, item), log in derived.cards.items():
        lateness = derived.lateness[site] * _MINUTE_US
        for product, number, _ in {entry.lot.key for entry in log.entries if entry.lot is not None}:
            facts = derived.lots.facts(site, item, product, number)
            found += facts.turns() if facts is not None else ()
        found += [entry.order[0] + lateness for entry in log.entries if entry.does is not Does.ADD]
    for site, facts in derived.lots.everywhere():
        record = derived.known.site(site)
        if facts.expiry is None or record is None:
            continue
        for days in record.expiry_windows_days:
            found.append(_midnight(facts.expiry.toordinal() - days, record.zone))
    return found


def _midnight(day: int, zone: str) -> int:
    """When a day begins at a site."""
    try:
        at = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        at = ZoneInfo("UTC")
    return microseconds(datetime.combine(date.fromordinal(max(day, _FIRST_DAY)), time(), at))
