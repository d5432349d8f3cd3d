"""The hour that comes twice: times without offset in it can't be told apart, and a count may stand on the wrong side of a vend.

A movement counts the same in either hour. A count does not: what happened in the hour may have to stand before or after it. The
first of the two hours is taken; where the device numbers its events they tell a person which it was, else only somebody who was
there can: a case either way.
"""

from __future__ import annotations

from typing import Final

from schemas.events import StockEvent
from schemas.ids import derived_id
from schemas.kinds import EventKind
from schemas.reference import Item
from streams.site.desk import Desk
from streams.times import came_twice, zone

_ABSOLUTE: Final = frozenset({EventKind.COUNT, EventKind.LOAD, EventKind.UNLOAD})


def check(desk: Desk, event: StockEvent, item: Item, location: str) -> None:
    """Open a case for a count whose time came twice."""
    if not event.zone_assumed or not (event.kind in _ABSOLUTE or event.begin_count_verified):
        return
    site = desk.catalog.site(event.site)
    if site is None or not came_twice(event.occurred, site.zone):
        return
    case_id = derived_id("case", "ambiguous_time", event.site, event.event_key)
    local = event.occurred.astimezone(zone(site.zone))
    number = f"; the device numbered it {event.device_sequence}" if event.device_sequence else ""
    text = (
        f"{item.name} at {location} was counted at {local:%H:%M} on {local:%Y-%m-%d}, a time that came twice that night; the "
        f"first was taken{number}: count again if stock moved in that hour"
    )
    desk.case_open(
        case_id, event.site, "ambiguous_time", text, location=location, item=item.id, event_id=event.event_id, raw=event.raw
    )
