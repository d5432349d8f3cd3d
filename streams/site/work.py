"""An event that is ready to post."""

from __future__ import annotations

import msgspec

from schemas.events import StockEvent
from schemas.reference import Item


class Work(msgspec.Struct, frozen=True):
    """An event ready to post: the item, where, how much, and who says so."""

    event: StockEvent
    item: Item
    product: str
    location: str
    other: str | None
    quantity: int
    begin: int | None = None
    """What the place held right before, in base units, where the event states it."""
