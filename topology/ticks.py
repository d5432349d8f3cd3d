"""Ticks from a grid: what time it is, said at whole multiples of a period and never twice.

A running hub takes the wall clock; replayed traffic takes the time of receipt recorded with each message, so that a replay sees
the same ticks whenever it runs.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from schemas.events import Tick

REPLAY_PERIOD: Final = timedelta(minutes=15)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class TickGrid:
    """Ticks at multiples of a period since 1970, rising."""

    def __init__(self, period: timedelta, last: datetime | None) -> None:
        """`last` is the newest tick already said."""
        self._period = period
        self._last = last

    def due(self, now: datetime) -> Tick | None:
        """The newest grid instant at or before `now`, when it was not said yet."""
        at = _EPOCH + (now - _EPOCH) // self._period * self._period
        if self._last is not None and at <= self._last:
            return None
        self._last = at
        return Tick(at=at)
