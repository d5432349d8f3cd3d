"""The steward's desk as command-line tools reach it: in this process, or at a running hub."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from schemas.codec import Codec, encode
from schemas.master import MasterChange, MasterRecord
from topology.access import ApiAccess, FolderAccess, open_access
from topology.master.desk import MasterDesk, Verdict, Wanted
from topology.master.hubs import FolderMaster

_CHANGE = Codec(MasterChange)
_RECORD = Codec(MasterRecord)


class Desk(Protocol):
    """What the commands need."""

    def propose(
        self, wanted: Sequence[Wanted], *, title: str, by: str, source: str | None, effective_at: datetime | None
    ) -> MasterChange:
        """Propose records."""

    def decide(self, change_id: str, verdict: Verdict, *, by: str, reason: str | None) -> MasterChange:
        """Approve, reject or withdraw a change."""

    def revert(self, change_id: str, *, by: str, reason: str) -> MasterChange:
        """Propose to take a change back."""

    def changes(self) -> list[MasterChange]:
        """All changes."""

    def whole(self, change_id: str) -> tuple[MasterChange, list[MasterRecord]]:
        """A change and its records."""


class FolderDesk:
    """In this process. What is due takes effect before anything else."""

    def __init__(self, access: FolderAccess) -> None:
        """`access` is open."""
        self._desk = MasterDesk(FolderMaster(access.hub))
        self._desk.due(self._now())

    def _now(self) -> datetime:
        return datetime.now(UTC)

    def propose(
        self, wanted: Sequence[Wanted], *, title: str, by: str, source: str | None, effective_at: datetime | None
    ) -> MasterChange:
        """Propose records."""
        return self._desk.propose(wanted, title=title, by=by, now=self._now(), source=source, effective_at=effective_at)

    def decide(self, change_id: str, verdict: Verdict, *, by: str, reason: str | None) -> MasterChange:
        """Approve, reject or withdraw a change."""
        return self._desk.decide(change_id, verdict, by=by, now=self._now(), reason=reason)

    def revert(self, change_id: str, *, by: str, reason: str) -> MasterChange:
        """Propose to take a change back."""
        return self._desk.revert(change_id, by=by, now=self._now(), reason=reason)

    def changes(self) -> list[MasterChange]:
        """All changes."""
        return self._desk.changes()

    def whole(self, change_id: str) -> tuple[MasterChange, list[MasterRecord]]:
        """A change and its records."""
        return self._desk.change(change_id), self._desk.records(change_id)


class RunningDesk:
    """At a running hub."""

    def __init__(self, access: ApiAccess) -> None:
        """`access` is open."""
        self._call: Callable[..., Any] = access.call

    def propose(
        self, wanted: Sequence[Wanted], *, title: str, by: str, source: str | None, effective_at: datetime | None
    ) -> MasterChange:
        """Propose records."""
        plain = [(kind, id_, None if record is None else json.loads(encode(record))) for kind, id_, record in wanted]
        at = None if effective_at is None else effective_at.isoformat()
        body = {
            "title": title, "by": by, "source": source, "effective_at": at,
            "records": [{"kind": kind, "id": id_, "record": record} for kind, id_, record in plain],
        }  # fmt: skip
        return _CHANGE.validate(self._call("POST", "/api/v1/master", json=body))

    def decide(self, change_id: str, verdict: Verdict, *, by: str, reason: str | None) -> MasterChange:
        """Approve, reject or withdraw a change."""
        return self._step(change_id, verdict, by, reason)

    def revert(self, change_id: str, *, by: str, reason: str) -> MasterChange:
        """Propose to take a change back."""
        return self._step(change_id, "revert", by, reason)

    def _step(self, change_id: str, step: str, by: str, reason: str | None) -> MasterChange:
        return _CHANGE.validate(self._call("POST", f"/api/v1/master/{change_id}/{step}", json={"by": by, "reason": reason}))

    def changes(self) -> list[MasterChange]:
        """All changes."""
        return [_CHANGE.validate(row) for row in self._call("GET", "/api/v1/master")]

    def whole(self, change_id: str) -> tuple[MasterChange, list[MasterRecord]]:
        """A change and its records."""
        found = self._call("GET", f"/api/v1/master/{change_id}")
        return _CHANGE.validate(found["change"]), [_RECORD.validate(row) for row in found["records"]]


@contextmanager
def open_desk(data: Path) -> Iterator[tuple[Desk, FolderAccess | ApiAccess]]:
    """The desk of a folder's hub, running or not."""
    with open_access(data) as access:
        yield (FolderDesk(access) if isinstance(access, FolderAccess) else RunningDesk(access)), access
