"""Hubs as the steward's desk needs them: their tables are brought up to what is durable before they are read."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from sinks.sql.views import Views
from topology.errors import HubError
from topology.local import LocalHub
from topology.reference_files import ReferenceRecord
from topology.running import RunningHub

FRESH_SECONDS: Final = 20.0
POLL_SECONDS: Final = 0.02


class FolderMaster:
    """A hub of this process that does not run."""

    def __init__(self, hub: LocalHub) -> None:
        """`hub` is open."""
        self._hub = hub

    @property
    def views(self) -> Views:
        """The projection's views, up to everything durable."""
        self._hub.engine.run_until_idle()
        self._hub.project()
        return self._hub.views

    def load_reference(self, records: Sequence[ReferenceRecord]) -> int:
        """Load records in one transaction."""
        return self._hub.load_reference(records)


class RunningMaster:
    """A running hub. Waits: call it in a thread of its own."""

    def __init__(self, hub: RunningHub) -> None:
        """`hub` is started."""
        self._hub = hub

    @property
    def views(self) -> Views:
        """The projection's views, up to what is durable now. Raises `HubError` when they don't come up to it."""
        asked = time.monotonic()
        while self._hub.behind(asked):
            if time.monotonic() > asked + FRESH_SECONDS:
                msg = "the hub's tables are behind what it has received: try again in a moment"
                raise HubError(msg)
            time.sleep(POLL_SECONDS)
        return self._hub.views

    def load_reference(self, records: Sequence[ReferenceRecord]) -> int:
        """Load records in one transaction."""
        return self._hub.load_reference(records)
