"""Where the site processor reaches the rules of controlled substances that wait for reference data or for time."""

from __future__ import annotations

from typing import Final

from schemas.events import ReferenceChange
from streams.site import casework, inventories, shifts
from streams.site.desk import Desk
from streams.site.tables import Timer

TIMERS: Final = frozenset({"shift", "inventory", "deadline"})


def reference_changed(desk: Desk, change: ReferenceChange) -> None:
    """A record that these rules read has changed."""
    if change.kind in ("controlled_policy", "controlled_inventory"):
        inventories.changed(desk, change.id.split("|")[0])
    elif change.kind == "shift_count":
        site, location = change.id.split("|")
        shifts.changed(desk, site, location)


def fire(desk: Desk, timer: Timer) -> None:
    """Something of theirs is due."""
    if timer.kind == "shift":
        shifts.fire(desk, *timer.subject)
    elif timer.kind == "inventory":
        inventories.look(desk, *timer.subject)
    else:
        casework.deadline(desk, *timer.subject)
