"""A buffered table is a dictionary, whatever is flushed, taken back or asked in between."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from schemas.keys import Key, decode_key, encode_key
from streams import state as state_module
from streams.state import Change, MemoryBackend, State, Table, TableSpec

SPEC = TableSpec("numbers", int)
GROUPED = TableSpec("numbers", int, group=1)
SPARSE = TableSpec("numbers", int, sparse=True)
OTHER = TableSpec("others", int)
PARTS = st.sampled_from(["", "main", "main2", "main/a", "a\x00b", "ß", "icu"])
KEYS = st.tuples(PARTS, st.sampled_from([-5, 0, 7]), PARTS) | st.tuples(PARTS, st.sampled_from([-5, 0, 7])) | st.tuples(PARTS)


def ordered(pairs: dict[Key, int]) -> list[tuple[Key, int]]:
    return sorted(pairs.items(), key=lambda pair: encode_key(pair[0]))


class TableMachine(RuleBasedStateMachine):
    """Puts, deletes, flushes, rollbacks; after each, every way to read agrees with two dictionaries."""

    spec = SPEC

    def __init__(self) -> None:
        super().__init__()
        self.backend = MemoryBackend()
        self.state = State((self.spec,), lambda _: self.backend)
        self.table: Table[int] = self.state.table(self.spec)
        self.now: dict[Key, int] = {}
        self.before: dict[Key, int] = {}

    @rule(key=KEYS, value=st.integers(-3, 3))
    def put(self, key: Key, value: int) -> None:
        self.table.put(key, value)
        self.now[key] = value

    @rule(key=KEYS, amount=st.integers(-3, 3))
    def add(self, key: Key, amount: int) -> None:
        self.table.add(key, amount)
        self.now[key] = self.now.get(key, 0) + amount

    @rule(key=KEYS)
    def delete(self, key: Key) -> None:
        self.table.delete(key)
        self.now.pop(key, None)

    @rule(key=KEYS)
    def get(self, key: Key) -> None:
        assert self.table.get(key) == self.now.get(key)

    @rule()
    def begin_an_event(self) -> None:
        self.state.begin_event()
        self.before = dict(self.now)

    @rule()
    def take_the_event_back(self) -> None:
        self.state.rollback_event()
        self.now = dict(self.before)

    @rule()
    def flush(self) -> None:
        self.backend.apply(self.state.changes())
        self.state.clean()
        self.before = dict(self.now)
        assert {key: self.backend.pairs[encode_key(key)] for key in self.now}.keys() == self.now.keys()
        assert len(self.backend.pairs) == len(self.now)

    @rule(prefix=st.just(()) | st.tuples(PARTS))
    def scan_a_prefix_both_ways(self, prefix: Key) -> None:
        expected = ordered({key: value for key, value in self.now.items() if key[: len(prefix)] == prefix})
        assert list(self.table.scan(prefix)) == expected
        assert list(self.table.scan(prefix, reverse=True)) == expected[::-1]

    @rule(start=KEYS)
    def scan_from_a_key(self, start: Key) -> None:
        mark = encode_key(start)
        everything = ordered(self.now)
        assert list(self.table.scan((), start=start)) == [pair for pair in everything if encode_key(pair[0]) >= mark]
        backwards = [pair for pair in everything if encode_key(pair[0]) < mark][::-1]
        assert list(self.table.scan((), start=start, reverse=True)) == backwards

    @rule(start=KEYS)
    def scan_a_prefix_from_a_key(self, start: Key) -> None:
        mark, inside = encode_key(start), ordered({key: value for key, value in self.now.items() if key[0] == start[0]})
        behind = [pair for pair in inside if encode_key(pair[0]) >= mark]
        assert list(self.table.scan(start[:1], start=start)) == behind
        assert list(self.table.scan(start[:1], start=start, reverse=True)) == inside[: len(inside) - len(behind)][::-1]

    @rule()
    def discard(self) -> None:
        self.state.discard()
        self.now = {decode_key(key): msgspec.msgpack.decode(value) for key, value in self.backend.pairs.items()}
        self.before = dict(self.now)

    @invariant()
    def changes_are_in_key_order(self) -> None:
        keys = [key for _, key, _ in self.state.changes()]
        assert keys == sorted(set(keys))


class GroupedMachine(TableMachine):
    """The same where the keys of a group are remembered between scans."""

    spec = GROUPED


class SmallCacheMachine(GroupedMachine):
    """The same with a cache that begins a new generation at nearly every flush."""

    def __init__(self) -> None:
        super().__init__()
        self.entries_max, state_module.CACHE_ENTRIES_MAX = state_module.CACHE_ENTRIES_MAX, 2  # type: ignore[misc]  # given back

    def teardown(self) -> None:
        state_module.CACHE_ENTRIES_MAX = self.entries_max  # type: ignore[misc]


class SparseMachine(SmallCacheMachine):
    """The same where it is remembered which keys may have a value."""

    spec = SPARSE

    @rule()
    def reopen(self) -> None:
        """Another process binds the same committed state; what was not flushed is gone."""
        self.discard()
        self.state = State((self.spec,), lambda _: self.backend)
        self.table = self.state.table(self.spec)


TestTableMachine = TableMachine.TestCase
TestSparseMachine = SparseMachine.TestCase
TestSparseMachine.settings = settings(max_examples=150, stateful_step_count=40, derandomize=True, deadline=None, database=None)
TestGroupedMachine = GroupedMachine.TestCase
TestSmallCacheMachine = SmallCacheMachine.TestCase
TestTableMachine.settings = settings(max_examples=150, stateful_step_count=40, derandomize=True, deadline=None, database=None)
TestGroupedMachine.settings = TestTableMachine.settings
TestSmallCacheMachine.settings = TestTableMachine.settings


def fresh() -> tuple[State, MemoryBackend, Table[Any]]:
    backend = MemoryBackend()
    state = State((SPEC, OTHER), lambda name: backend if name == SPEC.name else MemoryBackend())
    return state, backend, state.table(SPEC)


def test_a_sparse_table_asks_the_store_for_no_key_without_a_value() -> None:
    asked: list[bytes] = []

    class Asked(MemoryBackend):
        def get(self, key: bytes) -> bytes | None:
            asked.append(key)
            return super().get(key)

    backend = Asked()
    backend.pairs[encode_key(("icu",))] = b"\x05"
    table: Table[int] = State((SPARSE,), lambda _: backend).table(SPARSE)
    assert [table.get((place,)) for place in ("main", "icu", "er", "icu")] == [None, 5, None, 5]
    assert asked == [encode_key(("icu",))]


def test_a_table_that_was_not_declared_is_an_error() -> None:
    state, _, _ = fresh()
    with pytest.raises(KeyError):
        state.table(TableSpec("unknown", int))


def test_changes_come_by_table_name_and_key() -> None:
    state, _, table = fresh()
    state.table(OTHER).put(("b",), 1)
    table.put(("z",), 1)
    table.put(("a",), 2)
    table.delete(("m",))
    found: list[Change] = state.changes()
    assert [(name, key, value is None) for name, key, value in found] == [
        ("numbers", encode_key(("a",)), False), ("numbers", encode_key(("m",)), True), ("numbers", encode_key(("z",)), False),
        ("others", encode_key(("b",)), False),
    ]  # fmt: skip


def test_clean_writes_leave_no_changes_and_stay_readable() -> None:
    state, backend, table = fresh()
    table.put(("a",), 1)
    backend.apply(state.changes())
    state.clean()
    assert state.changes() == []
    assert table.get(("a",)) == 1


def test_a_prefix_is_whole_elements() -> None:
    _, _, table = fresh()
    for key in (("main", 1), ("main2", 1), ("main/a", 1)):
        table.put(key, 1)
    assert [key for key, _ in table.scan(("main",))] == [("main", 1)]


def test_the_cache_is_dropped_when_it_is_full_and_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_module, "CACHE_ENTRIES_MAX", 10)
    state, backend, table = fresh()
    for number in range(50):
        table.put((number,), number)
    backend.apply(state.changes())
    state.clean()
    assert [table.get((number,)) for number in range(50)] == list(range(50))


def test_what_is_asked_for_stays_in_the_cache_and_what_is_not_goes_after_two_generations(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value in the cache is found even where the store has lost it; one that went is read from the store."""
    monkeypatch.setattr(state_module, "CACHE_ENTRIES_MAX", 2)
    state, backend, table = fresh()
    for generation in range(3):
        for number in range(3):
            table.put((f"{generation}", number), 1)
        table.get(("0", 0))
        backend.apply(state.changes())
        state.clean()
    backend.pairs.clear()
    assert (table.get(("0", 0)), table.get(("0", 1)), table.get(("2", 1))) == (1, None, 1)


def test_a_write_that_is_taken_back_never_brings_back_what_an_older_generation_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_module, "CACHE_ENTRIES_MAX", 0)
    state, backend, table = fresh()
    for value in (1, 2):
        state.begin_event()
        table.put(("a",), value)
        backend.apply(state.changes())
        state.clean()
    state.begin_event()
    table.put(("a",), 3)
    state.rollback_event()
    assert table.get(("a",)) == 2


def test_taking_back_restores_what_an_earlier_event_of_the_batch_wrote() -> None:
    state, _, table = fresh()
    state.begin_event()
    table.put(("a",), 1)
    state.begin_event()
    table.put(("a",), 2)
    table.delete(("a",))
    table.put(("b",), 3)
    state.rollback_event()
    assert list(table.scan(())) == [(("a",), 1)]


def test_a_key_that_can_not_be_encoded_leaves_nothing_to_take_back() -> None:
    state, _, table = fresh()
    state.begin_event()
    with pytest.raises(OverflowError):
        table.put((2**70,), 1)
    state.rollback_event()
    assert state.changes() == []
