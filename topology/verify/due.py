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
from topology.verify.lots import Facts
from topology.verify.words import microseconds

TIMERS_AN_EVENT: Final = 200
_MINUTE_US: Final = 60_000_000
_FIRST_DAY: Final = date(1900, 1, 1).toordinal()
_LAST_DAY: Final = date(9999, 12, 30).toordinal()
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
    for (site, place, item), log in derived.cards.items():
        lateness = derived.lateness[site] * _MINUTE_US
        for lot in {lot for entry in log.entries for lot in entry.lots()}:
            facts = derived.lot_facts((site, place, item), lot)
            found += facts.turns() if facts is not None else ()
            found += _destruction(derived, site, facts)
        found += [entry.order[0] + lateness for entry in log.entries if entry.does is not Does.ADD]
    found += derived.transfers.instants
    for site, item, product, number in derived.lots.names():
        record = derived.known.site(site)
        known = derived.lot_facts((site, "", item), (product, number, ""))
        day = None if known is None or record is None else known.last_day(record.zone)
        if day is None or record is None:
            continue
        for days in derived.known.expiry_windows(record, item):
            found.append(_midnight(day.toordinal() - days, record.zone))
    return found


def _destruction(derived: Derivation, site: str, facts: Facts | None) -> list[int]:
    """When a lot at a place has been expired for as long as its site allows."""
    record = derived.known.site(site)
    day = None if facts is None or record is None else facts.last_day(record.zone)
    if day is None or record is None or record.destroy_after_days is None:
        return []
    return [_midnight(day.toordinal() + 1 + record.destroy_after_days, record.zone)]


def _midnight(day: int, zone: str) -> int:
    """When a day begins at a site."""
    try:
        at = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        at = ZoneInfo("UTC")
    return microseconds(datetime.combine(date.fromordinal(min(max(day, _FIRST_DAY), _LAST_DAY)), time(), at))
