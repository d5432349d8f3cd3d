"""Stage controlled: what must be true when a controlled substance is handled.

First rules: a waste needs a second, distinct person; a begin count that a person verified and that differs from the ledger is a
discrepancy. Facts always post; these cases never close themselves.
"""

from __future__ import annotations

from schemas.events import StockEvent
from schemas.ids import derived_id
from schemas.kinds import EventKind
from schemas.reference import Item
from streams.site.desk import Desk

_DESTROYING = frozenset({EventKind.WASTE, EventKind.DISCARD})


def check(desk: Desk, event: StockEvent, item: Item, location: str) -> None:
    """Open the cases that a posted event of a controlled item asks for."""
    if item.schedule is None or event.kind not in _DESTROYING:
        return
    if event.witness and event.witness != event.actor:
        return
    case_id = derived_id("case", "unwitnessed_waste", event.site, event.event_key)
    found = "the witness is the same person" if event.witness else "no witness is named"
    text = f"{item.name} (schedule {item.schedule}) was wasted at {location} and {found}: have a second person confirm it"
    desk.case_open(
        case_id, event.site, "unwitnessed_waste", text, location=location, item=item.id, event_id=event.event_id, raw=event.raw
    )
    desk.count(event.site, "unwitnessed_wastes")
