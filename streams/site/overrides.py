"""Stage overrides: something was taken before a pharmacist had verified the order. It counts, and the pharmacy hears of it."""

from __future__ import annotations

from schemas.events import StockEvent
from schemas.reference import Item
from streams.site.desk import Desk


def note(desk: Desk, event: StockEvent, item: Item, location: str) -> None:
    """Say it once, with who and for which order where that is known, and count it."""
    who = f" by {event.actor}" if event.actor else ""
    order = f" for order {event.order_id}" if event.order_id else ", with no order"
    text = f"{item.name} was taken at {location} on override{who}{order}: verify it"
    desk.alert(event.site, "override", text, event.event_key, location=location, item=item.id)
    desk.count(event.site, "overrides")
