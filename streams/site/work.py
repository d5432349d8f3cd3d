"""An event that is ready to post."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from schemas.events import StockEvent
from schemas.reference import Item
from streams.site.desk import Desk
from streams.site.resolve import Missing


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


WorkOf = Callable[[Desk, StockEvent, str], Work | Missing]
"""How an event at a place is put into the hub's terms."""
