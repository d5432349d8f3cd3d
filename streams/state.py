"""State of a processor: named, typed tables with buffered writes.

A table reads through to a backend (RocksDB, memory, a changelog restore) and keeps what it writes in memory until the runtime
has made outputs, state and input position durable together. It owns no durability, no clock and no file. Values are immutable
(frozen structs, tuples, integers, strings), so that taking back one event's writes is putting the old values back.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Any, Final, Generic, Protocol, TypeVar

import msgspec

from schemas.keys import Key, decode_key, encode_key, prefix_end

V = TypeVar("V")

CACHE_ENTRIES_MAX: Final = 50_000
"""Decoded values of a generation of a table's cache. A batch that ends beyond it begins a new one; what is not asked for while
that fills is forgotten. With 200,000 balances 20,000 take 95 MB less and a twentieth more time."""

Change = tuple[str, bytes, bytes | None]
"""Table name, encoded key, encoded value (None: deleted)."""


class Backend(Protocol):
    """Committed state of one table, in encoded form."""

    def get(self, key: bytes) -> bytes | None:
        """The committed value of a key."""

    def scan(self, start: bytes, end: bytes, *, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """Committed pairs with start ≤ key < end, in key order or reversed."""


class TableSpec(msgspec.Struct, frozen=True):
    """Declaration of a table: its name within the processor and the type of its values."""

    name: str
    type: Any
    group: int = 0
    """How many first elements of a key make a group that is scanned again and again, as the lots of a card: its keys are
    remembered between scans. 0: none."""
    sparse: bool = False
    """Whether few of the keys that are asked for have a value, as needs among cards: which ones is remembered, so that asking for
    another one reads nothing and remembers nothing."""


class StateUnreadableError(BaseException):
    """The committed state can't be read: the store failed, never the event that asked.

    Not an `Exception`, so that no rule for failing events takes it for one: the batch must not be committed.
    """


_MISSING: Final = object()
_ENCODER: Final = msgspec.msgpack.Encoder(decimal_format="string")


class Table(Generic[V]):
    """One table. Keys are tuples of strings and integers; `scan` follows their order."""

    __slots__ = (
        "_backend", "_before", "_cache", "_decoder", "_dirty", "_dirty_keys", "_emptied", "_encoded", "_fresh", "_group",
        "_grouped", "_groups", "_keys", "_undo", "name",
    )  # fmt: skip

    def __init__(self, spec: TableSpec, backend: Backend, undo: list[tuple[Table[Any], Key, Any]]) -> None:
        """`undo` is the state's shared undo log."""
        self.name = spec.name
        self._backend = backend
        self._decoder = msgspec.msgpack.Decoder(spec.type)
        self._cache: dict[Key, V | None] = {}
        self._before: dict[Key, V | None] = {}  # the generation before, of keys that are not in the cache
        self._encoded: dict[Key, bytes] = {}  # of keys that were looked up in this batch: most are written next
        self._dirty: dict[Key, bytes] = {}
        self._keys: dict[bytes, Key] = {}
        self._dirty_keys: list[bytes] = []
        self._fresh: list[Key] = []  # not sorted in yet: most tables are never scanned within a batch
        self._undo = undo
        self._group = spec.group
        self._groups: dict[Key, list[Key]] = {}  # every key that may have a value, in order
        self._grouped = 0
        self._emptied: set[Key] = set()  # groups of which a key was deleted in this batch

    def get(self, key: Key) -> V | None:
        """The value of a key, or None."""
        value = self._cache.get(key, _MISSING)
        if value is not _MISSING:
            return value  # type: ignore[return-value]  # the sentinel is gone here
        value = self._before.pop(key, _MISSING)
        if value is not _MISSING:
            self._cache[key] = value  # type: ignore[assignment]
            return value  # type: ignore[return-value]
        encoded = self._encoded[key] = encode_key(key)
        try:
            data = self._backend.get(encoded)
            decoded = None if data is None else self._decoder.decode(data)
        except Exception as error:
            raise StateUnreadableError(self.name) from error
        self._cache[key] = decoded
        return decoded

    def delete(self, key: Key) -> None:
        """Remove a key; no error when it is absent."""
        self.put(key, None)

    def put(self, key: Key, value: V | None) -> None:
        """Write a value; None removes the key."""
        if key in self._dirty:
            self._undo.append((self, key, self._cache[key]))
        else:
            encoded = self._encoded.pop(key, b"") or encode_key(key)  # raises for an integer that is too large
            self._undo.append((self, key, _MISSING))
            self._dirty[key] = encoded
            if self._before:
                self._before.pop(key, None)
            self._fresh.append(key)
            if self._groups:
                self._join(key)
        if value is None and self._groups:
            self._emptied.add(key[: self._group])
        self._cache[key] = value

    def add(self: Table[int], key: Key, amount: int) -> None:
        """Add to a number; one that is not there is 0."""
        if key in self._dirty:
            held = self._cache[key]
            self._undo.append((self, key, held))
            self._cache[key] = (held or 0) + amount
        else:
            self.put(key, (self.get(key) or 0) + amount)

    def revert(self, key: Key, before: Any) -> None:  # any value or the sentinel
        """Put back what stood before a write of the current event."""
        if before is not _MISSING:
            self._cache[key] = before
            return
        self._sort_in()
        encoded = self._dirty.pop(key)
        del self._keys[encoded]
        del self._dirty_keys[bisect_left(self._dirty_keys, encoded)]
        self._cache.pop(key, None)

    def scan(self, prefix: Key, *, start: Key | None = None, reverse: bool = False) -> Iterator[tuple[Key, V]]:
        """Pairs whose key begins with `prefix`, in key order; from `start` on (backwards: before `start`).

        Copy a scan (`list`) before writing to keys it may still give.
        """
        if self._group and len(prefix) == self._group:
            return self._scan_group(prefix, start, reverse=reverse)
        return self._scan_range(prefix, start, reverse=reverse)

    def _scan_range(self, prefix: Key, start: Key | None, *, reverse: bool) -> Iterator[tuple[Key, V]]:
        low = encode_key(prefix)
        high = prefix_end(low)
        if start is not None:
            if reverse:
                high = encode_key(start)
            else:
                low = encode_key(start)
        self._sort_in()
        try:
            yield from self._scanned(low, high, reverse=reverse)
        except Exception as error:
            raise StateUnreadableError(self.name) from error

    def _scan_group(self, prefix: Key, start: Key | None, *, reverse: bool) -> Iterator[tuple[Key, V]]:
        keys = self._groups.get(prefix)
        if keys is None:
            keys = self._load_group(prefix)
        if start is not None:
            at = bisect_left(keys, start)
            keys = keys[:at] if reverse else keys[at:]
        for key in keys[::-1] if reverse else keys[:]:
            value = self.get(key)
            if value is not None:
                yield key, value

    def _load_group(self, prefix: Key) -> list[Key]:
        """Read a group for the first time. What was deleted in this batch is among its keys: the event may be taken back."""
        found = dict(self._scan_range(prefix, None, reverse=False))
        for key, value in found.items():
            self._before.pop(key, None)
            self._cache[key] = value
        low = encode_key(prefix)
        mine = self._dirty_keys[bisect_left(self._dirty_keys, low) : bisect_left(self._dirty_keys, prefix_end(low))]
        keys = self._groups[prefix] = sorted({*found, *(self._keys[encoded] for encoded in mine)})
        self._grouped += len(keys)
        return keys

    def _join(self, key: Key) -> None:
        """A key is written for the first time in this batch: its group has it from now on."""
        keys = self._groups.get(key[: self._group])
        if keys is not None:
            at = bisect_left(keys, key)
            if at == len(keys) or keys[at] != key:
                keys.insert(at, key)

    def _scanned(self, low: bytes, high: bytes, *, reverse: bool) -> Iterator[tuple[Key, V]]:
        mine = self._dirty_keys[bisect_left(self._dirty_keys, low) : bisect_left(self._dirty_keys, high)]
        committed = self._backend.scan(low, high, reverse=reverse)
        if not mine:
            for encoded, data in committed:
                yield self._committed(encoded, data)
            return
        if reverse:
            mine.reverse()
        yield from self._merged(mine, committed, reverse=reverse)

    def _merged(self, mine: list[bytes], committed: Iterator[tuple[bytes, bytes]], *, reverse: bool) -> Iterator[tuple[Key, V]]:
        """Buffered and committed pairs in one order; a buffered write hides the committed value."""
        at = 0
        keys = self._keys
        pair = next(committed, None)
        while at < len(mine) or pair is not None:
            if pair is not None and (at >= len(mine) or ((pair[0] > mine[at]) if reverse else (pair[0] < mine[at]))):
                yield self._committed(*pair)
                pair = next(committed, None)
                continue
            if pair is not None and pair[0] == mine[at]:
                pair = next(committed, None)
            key = keys[mine[at]]
            value = self._cache[key]
            at += 1
            if value is not None:
                yield key, value

    def _committed(self, encoded: bytes, data: bytes) -> tuple[Key, V]:
        key = decode_key(encoded)
        value = self._cache.get(key, _MISSING)
        if value is _MISSING or value is None:
            value = self._decoder.decode(data)
        return key, value  # type: ignore[return-value]  # the sentinel is gone here

    def _sort_in(self) -> None:
        """Put the keys written since the last scan in their places."""
        for key in self._fresh:
            encoded = self._dirty[key]
            self._keys[encoded] = key
            insort(self._dirty_keys, encoded)
        self._fresh.clear()

    def changes(self) -> list[Change]:
        """Buffered writes in key order."""
        name, cache, encode = self.name, self._cache, _ENCODER.encode
        return [
            (name, encoded, None if (value := cache[key]) is None else encode(value))
            for key, encoded in sorted(self._dirty.items(), key=itemgetter(1))
        ]

    def change(self, key: Key) -> Change:
        """The buffered write of a key."""
        value = self._cache[key]
        return self.name, self._dirty[key], None if value is None else _ENCODER.encode(value)

    def discard(self) -> None:
        """Drop the buffered writes: the table is as it was committed."""
        self._cache.clear()
        self._before.clear()
        self._groups.clear()
        self.clean()

    def clean(self) -> None:
        """The buffered writes are durable now."""
        self._dirty.clear()
        self._keys.clear()
        self._dirty_keys.clear()
        self._fresh.clear()
        self._encoded.clear()
        for group in self._emptied:
            self._groups.pop(group, None)
        self._emptied.clear()
        if self._grouped > CACHE_ENTRIES_MAX:
            self._groups.clear()
        if not self._groups:
            self._grouped = 0
        if len(self._cache) > CACHE_ENTRIES_MAX:
            self._before = self._cache
            self._cache = {}


class SparseTable(Table[V]):
    """A table that remembers which keys may have a value: all that have one, and of this batch those that had."""

    __slots__ = ("_doubtful", "_present")

    def __init__(self, spec: TableSpec, backend: Backend, undo: list[tuple[Table[Any], Key, Any]]) -> None:
        """As any table; the keys are read when one is first asked for."""
        super().__init__(spec, backend, undo)
        self._present: set[Key] | None = None
        self._doubtful: list[Key] = []  # deleted, or their writing taken back

    def get(self, key: Key) -> V | None:
        """The value of a key, or None."""
        present = self._present
        if present is None:
            present = self._present = self._load()
        return Table.get(self, key) if key in present else None

    def put(self, key: Key, value: V | None) -> None:
        """Write a value; None removes the key."""
        if self._present is None:
            self._present = self._load()
        if value is None:
            self._doubtful.append(key)
        else:
            self._present.add(key)
        Table.put(self, key, value)

    def revert(self, key: Key, before: Any) -> None:  # any value or the sentinel
        """Put back what stood before a write of the current event."""
        self._doubtful.append(key)
        Table.revert(self, key, before)

    def discard(self) -> None:
        """Drop the buffered writes: the table is as it was committed."""
        self._doubtful.clear()
        self._present = None
        Table.discard(self)

    def clean(self) -> None:
        """The buffered writes are durable now."""
        if self._present is not None:
            self._present.difference_update([key for key in self._doubtful if Table.get(self, key) is None])
        self._doubtful.clear()
        Table.clean(self)

    def _load(self) -> set[Key]:
        return {key for key, _ in self._scan_range((), None, reverse=False)}


class State:
    """All tables of one processor partition."""

    __slots__ = ("_tables", "_undo")

    def __init__(self, specs: Sequence[TableSpec], backend_of: BackendFactory) -> None:
        """`backend_of(name)` gives the committed state of a table."""
        self._undo: list[tuple[Table[Any], Key, Any]] = []
        self._tables: dict[str, Table[Any]] = {
            spec.name: (SparseTable if spec.sparse else Table)(spec, backend_of(spec.name), self._undo) for spec in specs
        }

    def table(self, spec: TableSpec) -> Table[Any]:
        """The table of a declaration. Raises `KeyError` when the processor did not declare it."""
        return self._tables[spec.name]

    def begin_event(self) -> None:
        """Writes from here on can be taken back together."""
        self._undo.clear()

    def savepoint(self) -> int:
        """A point inside the event that `rollback_to` can return to."""
        return len(self._undo)

    def rollback_to(self, point: int) -> None:
        """Take back every write since a savepoint."""
        while len(self._undo) > point:
            table, key, before = self._undo.pop()
            table.revert(key, before)

    def rollback_event(self) -> None:
        """Take back every write since `begin_event`."""
        self.rollback_to(0)

    def event_changes(self) -> Iterator[Change]:
        """What the current event wrote, encoded. Raises for a value that can't be."""
        for table, key in dict.fromkeys((table, key) for table, key, _ in self._undo):
            yield table.change(key)

    def discard(self) -> None:
        """Drop all buffered writes: the tables are as they were committed."""
        self._undo.clear()
        for table in self._tables.values():
            table.discard()

    def changes(self) -> list[Change]:
        """All buffered writes, by table name and key: the same events give the same bytes."""
        return [change for name in sorted(self._tables) for change in self._tables[name].changes()]

    def clean(self) -> None:
        """The buffered writes are durable now."""
        self._undo.clear()
        for table in self._tables.values():
            table.clean()


class BackendFactory(Protocol):
    """Opens the committed state of a table by name."""

    def __call__(self, table: str) -> Backend:
        """The backend of the table."""


class MemoryBackend:
    """Committed state in a dictionary: for tests and for small one-shot folds."""

    __slots__ = ("pairs",)

    def __init__(self) -> None:
        """Starts empty."""
        self.pairs: dict[bytes, bytes] = {}

    def get(self, key: bytes) -> bytes | None:
        """The committed value of a key."""
        return self.pairs.get(key)

    def scan(self, start: bytes, end: bytes, *, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """Committed pairs with start ≤ key < end."""
        keys = sorted(key for key in self.pairs if start <= key < end)
        for key in reversed(keys) if reverse else keys:
            yield key, self.pairs[key]

    def apply(self, changes: Sequence[Change]) -> None:
        """Commit changes of this table."""
        for _, key, value in changes:
            if value is None:
                self.pairs.pop(key, None)
            else:
                self.pairs[key] = value
