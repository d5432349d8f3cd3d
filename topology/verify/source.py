"""What verify needs of a hub, wherever its logs stand: positions first, then topics from their beginning to where they end.

It reads only. A source never shows what is not durable (embedded) or not committed (Kafka).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Protocol

from schemas.log import LogRecord
from schemas.topics import RAW, SITE_LOG

INPUT_OF: Final[dict[str, str]] = {"normalise": RAW, "site": SITE_LOG}
"""The processors whose input positions verify asks for, and the topic each of them folds."""


class LogSource(Protocol):
    """The logs of one hub."""

    @property
    def name(self) -> str:
        """Where the logs stand, for people."""

    @property
    def compacts(self) -> bool:
        """Whether older records of a key may be gone from compacted topics."""

    def position(self, processor: str, partition: int) -> int:
        """The durable input position of a processor when the source was opened: everything before it was folded."""

    def start(self, topic: str, partition: int) -> int:
        """The first offset that is still kept."""

    def read(self, topic: str, partition: int) -> Iterator[LogRecord]:
        """Records of a partition, at least up to where it ended when the source was opened."""

    def close(self) -> None:
        """Let go of the hub."""
