"""Stage clocks: a device whose clock runs ahead says what has not happened yet.

Its events keep the times they state (nothing is clamped): a count "of tomorrow" would swallow what happens today. So it is said,
by device, as long as it is so. A clock that runs behind can't be told from a backlog after an outage.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from schemas.events import StockEvent
from schemas.ids import derived_id
from streams.site.desk import Desk

AHEAD_MAX: Final = timedelta(minutes=5)
"""How far ahead of its receipt an event may be: clocks of well-kept systems differ by less."""


def check(desk: Desk, event: StockEvent) -> None:
    """Open the case of a device whose event lies ahead of its receipt; close it when its clock is right again."""
    device = event.location_codes[0] if event.location_codes else ""
    key = (event.site, event.source, device)
    ahead = event.occurred - event.received_at
    if ahead > AHEAD_MAX:
        whose = f"{device} (feed {event.source})" if device else f"feed {event.source}"
        minutes = int(ahead.total_seconds() // 60)
        text = f"the clock of {whose} is ahead by {minutes} minutes or more: set it, and count again what it counted"
        desk.clocks_ahead.put(key, 1)
        desk.case_open(_case_id(*key), event.site, "clock_ahead", text, reopen=True, event_id=event.event_id, raw=event.raw)
    elif desk.clocks_ahead.get(key) is not None:
        desk.clocks_ahead.delete(key)
        desk.case_close(_case_id(*key), event.site, event.event_key)


def _case_id(site: str, source: str, device: str) -> str:
    return derived_id("case", "clock_ahead", site, source, device)
