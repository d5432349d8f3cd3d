"""What reference changes mean for stock on the shelf: expiry windows, minimum life, days until destruction, recalls read."""

from __future__ import annotations

from typing import Any

from schemas.events import ReferenceChange
from streams.ledger.model import CardKey
from streams.site import destruction, readings, windows
from streams.site.desk import Desk


def changed(desk: Desk, change: ReferenceChange, before: Any) -> list[CardKey]:
    """Take a change in; returns the cards to look at again. `before` is the record as it was."""
    readings.changed(desk, change)
    if change.kind in ("site", "item", "expiry_window"):
        windows.changed(desk, change, before)
    if change.kind == "site":
        return destruction.changed(desk, change, before)
    after = desk.catalog.record(change) if change.kind in ("location", "par_policy") else None
    if getattr(before, "minimum_life_days", None) == getattr(after, "minimum_life_days", None):
        return []
    site = change.id.split("|")[0]
    return [(str(key[0]), str(key[1]), str(key[2])) for key, _ in desk.shelf.outgoing.scan((site,))]
