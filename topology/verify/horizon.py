"""Which facts are too old to be told from a duplicate: by their age when they were received, or because keys of their time went.

From 430 days after the first tick, and every 30 days from then on, the hub lets go of keys whose horizon has passed.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from schemas.kinds import STOCK_KINDS
from topology.verify.known import Known
from topology.verify.resolving import WaitsError, item_of
from topology.verify.words import Told, microseconds

_DAY: Final = 86_400_000_000
ORDINARY: Final = 400 * _DAY
CONTROLLED: Final = 1_095 * _DAY
"""Three years."""
_BETWEEN: Final = 30 * _DAY


class Horizon:
    """Of one partition, as far as it was read."""

    def __init__(self, known: Known) -> None:
        """`known` is the reference data in force."""
        self._known = known
        self._next: int | None = None
        self._let_go: int | None = None
        self._scheduled: dict[str, int] = {}
        """When items that were not controlled became so."""

    def tick(self, now: int) -> None:
        """Time has passed."""
        if self._next is None:
            self._next = now + ORDINARY + _BETWEEN
        elif now >= self._next:
            self._let_go = now
            self._next += _BETWEEN * ((now - self._next) // _BETWEEN + 1)

    def item(self, before: Any, after: Any, now: int) -> None:
        """An item has changed."""
        if before is not None and after is not None and before.schedule is None and after.schedule is not None:
            self._scheduled[after.id] = now

    def is_past(self, event: Told, *, is_known: bool) -> bool:
        """Whether a fact is too old."""
        if event.kind not in STOCK_KINDS:
            return False
        age = (event.received_at - event.occurred) // timedelta(microseconds=1)
        since = -1 if is_known or self._let_go is None else self._let_go - microseconds(event.occurred)
        if age <= ORDINARY and since < ORDINARY:
            return False
        horizon = self._of(event)
        return age > horizon or since >= horizon

    def _of(self, event: Told) -> int:
        """Reversals name no item and have the longer horizon; an item that can't be told has the shorter one."""
        if event.kind == "reversal":
            return CONTROLLED
        try:
            item, _ = item_of(self._known, event)
        except WaitsError:
            return ORDINARY
        late = self._scheduled.get(item.id)
        was_ordinary = late is not None and microseconds(event.occurred) + ORDINARY <= late
        return ORDINARY if item.schedule is None or was_ordinary else CONTROLLED
