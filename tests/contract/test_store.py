"""What every store of the embedded runtime does, whichever it is: ordered bytes, atomic batches, nothing lost by reopening."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topology.embedded.rocks import RocksStore
from topology.embedded.store import FAMILIES, Family, MemoryStore, SimulatedCrash, Store

FAMILY: Family = "state"
Reopen = Callable[[Any], Any]


@pytest.fixture(params=["memory", "rocks"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Store, Reopen]]:
    """A new store, and how to close it after a sync and open it again."""
    live: list[Store] = []

    def reopen(store: Any) -> Any:
        if isinstance(store, MemoryStore):
            return store.after_crash(Random(0))
        store.close()
        live[:] = [RocksStore(tmp_path, create=False)]
        return live[0]

    if request.param == "memory":
        yield MemoryStore(), reopen
        return
    live.append(RocksStore(tmp_path, create=True))
    yield live[0], reopen
    live[0].close()


@pytest.fixture
def store(opened: tuple[Store, Reopen]) -> Store:
    return opened[0]


def keys(store: Store, start: bytes, end: bytes, *, reverse: bool = False) -> list[bytes]:
    return [key for key, _ in store.scan(FAMILY, start, end, reverse=reverse)]


def fill(store: Store, *names: bytes) -> None:
    store.write([(FAMILY, name, b"value of " + name) for name in names])


def test_a_new_store_is_empty(store: Store) -> None:
    for family in FAMILIES:
        assert store.get(family, b"a") is None
        assert list(store.scan(family, b"", b"\xff" * 9)) == [] or family == "meta"


def test_what_was_written_is_read_back_at_once(store: Store) -> None:
    fill(store, b"a")
    assert store.get(FAMILY, b"a") == b"value of a"
    assert store.get(FAMILY, b"b") is None


def test_families_are_separate(store: Store) -> None:
    store.write([("log", b"k", b"log"), ("state", b"k", b"state")])
    assert store.get("log", b"k") == b"log"
    assert store.get("state", b"k") == b"state"
    assert store.get("meta", b"k") is None


def test_an_empty_value_is_a_value(store: Store) -> None:
    store.write([(FAMILY, b"k", b"")])
    assert store.get(FAMILY, b"k") == b""
    assert keys(store, b"", b"z") == [b"k"]


def test_a_later_write_of_a_key_replaces_the_earlier_one_within_a_batch_too(store: Store) -> None:
    store.write([(FAMILY, b"k", b"1"), (FAMILY, b"k", b"2")])
    assert store.get(FAMILY, b"k") == b"2"
    store.write([(FAMILY, b"k", b"3"), (FAMILY, b"k", None)])
    assert store.get(FAMILY, b"k") is None
    store.write([(FAMILY, b"k", None), (FAMILY, b"k", b"4")])
    assert store.get(FAMILY, b"k") == b"4"
    assert keys(store, b"", b"z") == [b"k"]


def test_deleting_what_is_not_there_is_no_error(store: Store) -> None:
    store.write([(FAMILY, b"nothing", None)])
    assert keys(store, b"", b"z") == []


def test_a_scan_gives_start_but_not_end_in_byte_order(store: Store) -> None:
    fill(store, b"b", b"a\x00", b"a", b"c", b"ba", b"\xff")
    assert keys(store, b"a", b"c") == [b"a", b"a\x00", b"b", b"ba"]


def test_a_scan_backwards_gives_the_same_pairs_in_the_other_order(store: Store) -> None:
    fill(store, b"b", b"a\x00", b"a", b"c", b"ba", b"\xff")
    assert keys(store, b"a", b"c", reverse=True) == [b"ba", b"b", b"a\x00", b"a"]
    assert keys(store, b"a", b"bb", reverse=True) == [b"ba", b"b", b"a\x00", b"a"]
    assert keys(store, b"a", b"\xff\xff", reverse=True)[0] == b"\xff"


def test_a_scan_of_an_empty_range_gives_nothing(store: Store) -> None:
    fill(store, b"a", b"m", b"z")
    for start, end in ((b"b", b"c"), (b"m", b"m"), (b"z", b"a"), (b"zz", b"zzz")):
        assert keys(store, start, end) == []
        assert keys(store, start, end, reverse=True) == []


def test_a_scan_sees_neighbouring_families_never(store: Store) -> None:
    store.write([("log", b"a", b"1"), ("meta", b"a", b"1")])
    assert keys(store, b"", b"\xff") == []


def test_what_was_synced_is_there_after_reopening(opened: tuple[Store, Reopen]) -> None:
    store, reopen = opened
    fill(store, b"a", b"b")
    store.write([(FAMILY, b"b", None)])
    store.sync()
    again = reopen(store)
    assert keys(again, b"", b"z") == [b"a"]
    fill(again, b"c")
    again.sync()
    assert keys(reopen(again), b"", b"z") == [b"a", b"c"]


def test_syncing_twice_or_without_anything_new_is_no_error(opened: tuple[Store, Reopen]) -> None:
    store, reopen = opened
    store.sync()
    store.sync()
    assert keys(reopen(store), b"", b"z") == []


def test_a_large_batch_is_one_write(opened: tuple[Store, Reopen]) -> None:
    """8 MiB in 2,000 pairs: as much as the largest batches of the engine."""
    store, reopen = opened
    store.write([(FAMILY, number.to_bytes(4, "big"), bytes(4096)) for number in range(2000)])
    store.sync()
    assert len(keys(reopen(store), b"", b"\xff")) == 2000


@settings(max_examples=25, deadline=None)
@given(
    batches=st.lists(
        st.lists(st.tuples(st.binary(min_size=1, max_size=3), st.none() | st.binary(max_size=3)), max_size=6), max_size=6
    ),
    start=st.binary(max_size=3),
    end=st.binary(max_size=3),
    reverse=st.booleans(),
)
def test_both_stores_agree_with_a_sorted_dictionary(
    tmp_path_factory: pytest.TempPathFactory, batches: list[Any], start: bytes, end: bytes, reverse: bool
) -> None:
    rocks = RocksStore(tmp_path_factory.mktemp("store"), create=True)
    memory = MemoryStore()
    model: dict[bytes, bytes] = {}
    for batch in batches:
        for one in (memory, rocks):
            one.write([(FAMILY, key, value) for key, value in batch])
        for key, value in batch:
            if value is None:
                model.pop(key, None)
            else:
                model[key] = value
    wanted = sorted(((key, value) for key, value in model.items() if start <= key < end), reverse=reverse)
    assert list(memory.scan(FAMILY, start, end, reverse=reverse)) == wanted
    assert list(rocks.scan(FAMILY, start, end, reverse=reverse)) == wanted
    rocks.close()


# ---- the store of tests itself ------------------------------------------------------------------------------------


def test_a_crash_keeps_a_prefix_of_what_was_not_synced_never_a_gap() -> None:
    """Over many seeds every prefix occurs, and nothing but prefixes."""
    store = MemoryStore()
    fill(store, b"0")
    store.sync()
    for name in (b"1", b"2", b"3"):
        fill(store, name)
    found = {tuple(keys(store.after_crash(Random(seed)), b"", b"z")) for seed in range(60)}
    assert found == {(b"0",), (b"0", b"1"), (b"0", b"1", b"2"), (b"0", b"1", b"2", b"3")}


@pytest.mark.parametrize("step", [1, 2, 3, 4])
def test_a_crash_can_come_before_and_after_each_write_and_sync(step: int) -> None:
    """Steps: before the write, after it, before the sync, after it."""
    store = MemoryStore()
    store.crash_at = step
    with pytest.raises(SimulatedCrash):
        _fill_and_sync(store)
    kept = {bool(keys(store.after_crash(Random(seed)), b"", b"z")) for seed in range(20)}
    assert kept == {1: {False}, 2: {False, True}, 3: {False, True}, 4: {True}}[step]


def _fill_and_sync(store: MemoryStore) -> None:
    fill(store, b"a")
    store.sync()
