"""The knobs of a simulation: everything that decides its bytes, validated once.

Owns nothing but the settings. The same knobs give the same bytes; wire knobs (duplicates, reordering, outages, and the
reporting faults) never change what happens in the hospital, so they never change the truth; `drawing` and `careless` do.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from connectors.simulator.drawing import DRAWINGS, FEFO

SITES_MAX: Final = 200
BEDS_MAX: Final = 2_000
DAYS_MAX: Final = 36_500
REORDER_MINUTES_MAX: Final = 24 * 60
OUTAGE_HOURS_MAX: Final = 72
START_MIN: Final = date(1970, 1, 1)
START_MAX: Final = date(2099, 12, 31)
"""Earliest and latest first day: with the longest run and its lots' expiry behind it, all of it is in years that a hub takes."""


class KnobError(ValueError):
    """A knob has a value the simulator can't work with. The text names the knob and its range."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """One source is silent from `start` (UTC) for `hours`; what it has to say arrives when the outage ends."""

    source: str
    start: datetime
    hours: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Knobs:
    """Settings of one simulated network. Shares are fractions of messages, 0 to 1.

    `duplicates`: messages resent. `reorder_minutes`: bound of the random delay that puts arrival out of event order.
    `outages`: how many, each of `outage_hours`, at random sources and times, or a tuple of `Outage`. `miscounts`: counts off by
    one or two. `wrong_codes`: stock messages with a product code nobody knows. `unreported_lots`: without lot and expiry.

    `unscanned`: what cabinets, administrations and dispenses tell without lot, in one message for all lots taken at once; scans
    keep theirs. `whole_counts`: who counts a place lot by lot says that this was all; else each lot is told by itself, and one
    that is used up by nobody. `drawing`: how lots are taken (`drawing.DRAWINGS`), by all but the share that is `careless`.
    """

    seed: int = 1
    sites: int = 3
    beds: int = 40
    days: int = 7
    start: date = date(2026, 1, 5)
    duplicates: float = 0.0
    reorder_minutes: int = 0
    outages: int | tuple[Outage, ...] = 0
    outage_hours: float = 4.0
    miscounts: float = 0.0
    wrong_codes: float = 0.0
    unreported_lots: float = 0.0
    unscanned: float = 0.0
    whole_counts: bool = False
    drawing: str = FEFO
    careless: float = 0.0

    def __post_init__(self) -> None:
        """Raise `KnobError` for a knob outside its range."""
        for name, least, most in (
            ("sites", 1, SITES_MAX),
            ("beds", 2, BEDS_MAX),
            ("days", 1, DAYS_MAX),
            ("start", START_MIN, START_MAX),
            ("reorder_minutes", 0, REORDER_MINUTES_MAX),
            ("duplicates", 0, 1),
            ("miscounts", 0, 1),
            ("wrong_codes", 0, 1),
            ("unreported_lots", 0, 1),
            ("unscanned", 0, 1),
            ("careless", 0, 1),
            ("outage_hours", 0, OUTAGE_HOURS_MAX),
        ):
            value = getattr(self, name)
            if not least <= value <= most:
                msg = f"{name} is {value}, expected {least} to {most}"
                raise KnobError(msg)
        if self.drawing not in DRAWINGS:
            msg = f"drawing is {self.drawing}, expected {', '.join(DRAWINGS)}"
            raise KnobError(msg)
        if isinstance(self.outages, int) and self.outages < 0:
            msg = f"outages is {self.outages}, expected 0 or more"
            raise KnobError(msg)
        for outage in () if isinstance(self.outages, int) else self.outages:
            if outage.start.tzinfo is None or not 0 <= outage.hours <= OUTAGE_HOURS_MAX:
                msg = f"outage of {outage.source}: start needs a UTC offset and hours must be 0 to {OUTAGE_HOURS_MAX}"
                raise KnobError(msg)
