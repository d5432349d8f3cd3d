"""The go-live desk as command-line tools reach it: in this process, or at a running hub."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from connectors.field_faults import sentence
from topology.access import ApiAccess, FolderAccess, open_access
from topology.downtime.hubs import FolderDowntime
from topology.downtime.steps import plain
from topology.errors import InputRefusedError
from topology.golive.desk import GoLiveDesk
from topology.golive.steps import STEPS


class Client:
    """Takes steps of a hub's desk; bodies and answers are JSON values."""

    def __init__(self, access: FolderAccess | ApiAccess) -> None:
        """`access` is open."""
        self._api = access if isinstance(access, ApiAccess) else None
        self._desk = GoLiveDesk(FolderDowntime(access.hub)) if isinstance(access, FolderAccess) else None

    def modes(self) -> list[dict[str, Any]]:
        """Sites that have a mode."""
        found: list[dict[str, Any]] = (
            self._api.call("GET", "/api/v1/golive") if self._api is not None else plain(self._here().records())
        )
        return found

    def take(self, step: str, **given: Any) -> Any:
        """Take a step. Raises `HubError` with the reason where it is not allowed."""
        given = {name: value for name, value in given.items() if value is not None}
        if self._api is not None:
            stated = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in given.items()}
            return self._api.call("POST", f"/api/v1/golive/{step}", json=stated)
        try:
            body = STEPS[step].codec.validate(given)
        except ValidationError as error:
            msg = "; ".join(": ".join(sentence(one)) for one in error.errors(include_url=False))
            raise InputRefusedError(msg) from None
        return STEPS[step].take(self._here(), body, datetime.now(UTC))

    def _here(self) -> GoLiveDesk:
        if self._desk is None:
            raise AssertionError
        return self._desk


@contextmanager
def open_desk(data: Path) -> Iterator[Client]:
    """The desk of a folder's hub, running or not."""
    with open_access(data) as access:
        yield Client(access)
