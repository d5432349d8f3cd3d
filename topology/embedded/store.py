"""What the embedded runtime needs of a store: atomic batches, a sync that makes them durable, ordered scans.

Batches become durable in the order in which they were written: a crash keeps a prefix of them, never a gap. `MemoryStore` is the
store of tests: it can crash between any two steps and keeps any prefix of what was not synced.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from random import Random
from typing import Final, Literal, Protocol

Family = Literal["log", "state", "meta"]
FAMILIES: Final[tuple[Family, ...]] = ("log", "state", "meta")
Write = tuple[Family, bytes, bytes | None]
"""Family, key, value (None: delete)."""


class Store(Protocol):
    """Ordered bytes in families, written in atomic batches."""

    def get(self, family: Family, key: bytes) -> bytes | None:
        """The value of a key."""

    def scan(self, family: Family, start: bytes, end: bytes, *, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """Pairs with start ≤ key < end, in key order or reversed."""

    def write(self, batch: Sequence[Write]) -> None:
        """Apply a batch: all of it or nothing."""

    def sync(self) -> None:
        """Make every batch written so far durable."""

    def close(self) -> None:
        """Give the store back."""


class SimulatedCrash(BaseException):  # not an error of the program: the machine went away
    """The simulated machine stopped here."""


class MemoryStore:
    """A store in memory that can crash. `crash_at` counts steps (writes and syncs) down and stops before or after one."""

    def __init__(self) -> None:
        """Starts empty and never crashes until told."""
        self._pairs: dict[Family, dict[bytes, bytes]] = {family: {} for family in FAMILIES}
        self._keys: dict[Family, list[bytes]] = {family: [] for family in FAMILIES}
        self._durable: list[Sequence[Write]] = []
        self._pending: list[Sequence[Write]] = []
        self.steps = 0
        self.crash_at: int | None = None

    def get(self, family: Family, key: bytes) -> bytes | None:
        """The value of a key."""
        return self._pairs[family].get(key)

    def scan(self, family: Family, start: bytes, end: bytes, *, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """Pairs with start ≤ key < end."""
        keys = self._keys[family]
        found = keys[bisect_left(keys, start) : bisect_left(keys, end)]
        for key in reversed(found) if reverse else found:
            yield key, self._pairs[family][key]

    def write(self, batch: Sequence[Write]) -> None:
        """Apply a batch; a crash before it loses it, a crash after it may."""
        self._step()
        self._apply(batch)
        self._pending.append(batch)
        self._step()

    def sync(self) -> None:
        """Make what was written durable."""
        self._step()
        self._durable.extend(self._pending)
        self._pending.clear()
        self._step()

    def close(self) -> None:
        """Nothing to give back."""

    def after_crash(self, random: Random) -> MemoryStore:
        """What the next start finds: everything synced, and a random prefix of what was not."""
        kept = self._pending[: random.randint(0, len(self._pending))]
        found = MemoryStore()
        for batch in (*self._durable, *kept):
            found._apply(batch)  # the same class
            found._durable.append(batch)
        return found

    def _step(self) -> None:
        self.steps += 1
        if self.crash_at is not None and self.steps >= self.crash_at:
            raise SimulatedCrash

    def _apply(self, batch: Sequence[Write]) -> None:
        for family, key, value in batch:
            pairs = self._pairs[family]
            if value is None:
                if pairs.pop(key, None) is not None:
                    keys = self._keys[family]
                    del keys[bisect_left(keys, key)]
            else:
                if key not in pairs:
                    insort(self._keys[family], key)
                pairs[key] = value
