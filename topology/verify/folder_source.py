"""The logs of an embedded hub that does not run: its folder, opened by this process and locked meanwhile.

It folds nothing: what the hub has not folded yet stays so.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from schemas.log import LogRecord
from topology.embedded.folder import DataFolder
from topology.embedded.store import Store
from topology.errors import InputRefusedError
from topology.verify.layout import end_at, position_at, records_of


class StoreSource:
    """The logs in an open store."""

    compacts = False

    def __init__(self, store: Store, name: str) -> None:
        """`name` is for people."""
        self._store = store
        self.name = name

    def position(self, processor: str, partition: int) -> int:
        """The input position of a processor."""
        return position_at(self._store, processor, partition)

    def start(self, topic: str, partition: int) -> int:  # noqa: ARG002  # an embedded hub keeps everything
        """The first offset that is still kept."""
        return 0

    def read(self, topic: str, partition: int) -> Iterator[LogRecord]:
        """Every record of a partition."""
        return records_of(self._store, topic, partition, 0, end_at(self._store, topic, partition))

    def close(self) -> None:
        """The store belongs to others."""


class FolderSource(StoreSource):
    """A hub's folder. Raises `HubError` when there is none or it can't be taken."""

    def __init__(self, path: Path) -> None:
        """Take the folder; a mistyped name makes none."""
        if not path.exists():
            msg = f"there is no hub's folder {path}: name it with --data"
            raise InputRefusedError(msg)
        if path.is_dir() and not any(path.iterdir()):
            msg = f"{path} is empty and no hub's folder: name one with --data"
            raise InputRefusedError(msg)
        self._folder = DataFolder(path)
        super().__init__(self._folder.store, str(path))

    def close(self) -> None:
        """Give the folder back."""
        self._folder.close()
