"""What the rest of a running hub (feeds, local API, tower, metrics) may ask of it, whichever runtime is behind."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from datetime import datetime
from typing import Protocol

from schemas.log import LogRecord
from schemas.raw import RawMessage
from sinks.sql.views import Views
from topology.reference_files import ReferenceRecord


class Follower(Protocol):
    """New records of one topic, as they become durable."""

    def poll(self) -> Iterable[LogRecord]:
        """What is new since the last call; nothing, when nothing is. May wait a moment."""

    def close(self) -> None:
        """Stop following."""


class RunningHub(Protocol):
    """A hub at work."""

    failing: str | None
    """Why it can't store just now, in words; none when it can."""
    not_taking: str | None
    """Why its own listeners and drop folders take nothing in just now, or what they took can't be read; none when all is well."""
    not_projecting: str | None
    """Why what people read falls behind what is stored, in words; none when it is kept up to date."""
    last_beat: float
    """When its loop last went round (monotonic seconds)."""

    @property
    def views(self) -> Views:
        """The projection's views."""

    async def publish(self, message: RawMessage) -> None:
        """Make one message durable. Raises `connectors.contract.PublishError`."""

    def submit(self, message: RawMessage) -> Future[tuple[int, int]]:
        """Queue one message; the future holds its place in the raw log once it is durable."""

    def load_reference(self, records: Sequence[ReferenceRecord]) -> int:
        """Load reference records and wait until every partition has them; returns how many."""

    def now(self) -> datetime:
        """The time of day."""

    def behind(self, since: float) -> bool:
        """Whether the projection may lack something that was durable at `since` (monotonic seconds)."""

    def backlog(self) -> int:
        """Events stored and not folded yet, as far as known."""

    def handler_faults(self) -> int:
        """Events whose handling raised, as far as known."""

    def outcomes(self) -> Follower:
        """Follow the outcomes topic from now on."""
