"""The downtime desk as command-line tools reach it: in this process, or at a running hub."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from connectors.field_faults import sentence
from topology.access import ApiAccess, FolderAccess, open_access
from topology.downtime.desk import DowntimeDesk
from topology.downtime.hubs import FolderDowntime
from topology.downtime.steps import STEPS, plain
from topology.errors import InputRefusedError


class Client:
    """Takes steps of a hub's desk; bodies and answers are JSON values."""

    def __init__(self, access: FolderAccess | ApiAccess) -> None:
        """`access` is open."""
        self.access = access
        self._desk = DowntimeDesk(FolderDowntime(access.hub)) if isinstance(access, FolderAccess) else None
        self._call: Callable[..., Any] | None = access.call if isinstance(access, ApiAccess) else None

    def periods(self) -> list[dict[str, Any]]:
        """All downtimes, the oldest first."""
        found: list[dict[str, Any]] = plain(self._desk.periods()) if self._desk else self._at_hub("GET", "/api/v1/downtime")
        return found

    def take(self, step: str, **given: Any) -> Any:
        """Take a step. Raises `HubError` with the reason where it is not allowed."""
        if self._desk is None:
            stated = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in given.items()}
            return self._at_hub("POST", f"/api/v1/downtime/{step}", json=stated)
        try:
            body = STEPS[step].codec.validate(given)
        except ValidationError as error:
            msg = "; ".join(": ".join(sentence(one)) for one in error.errors(include_url=False))
            raise InputRefusedError(msg) from None
        return STEPS[step].take(self._desk, body, datetime.now(UTC))

    def _at_hub(self, method: str, path: str, **more: Any) -> Any:
        if self._call is None:
            raise AssertionError
        return self._call(method, path, **more)


@contextmanager
def open_desk(data: Path) -> Iterator[Client]:
    """The desk of a folder's hub, running or not."""
    with open_access(data) as access:
        yield Client(access)
