"""The local copy of a partition's state: never trusted further than the changelog, and never a reason to start from wrong state."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.state import State, TableSpec
from topology.kafka.changelog import RestoreError, position_of, position_value
from topology.kafka.local_state import LocalState, Trust, table_prefix

DAY = 86_400.0
SPEC = TableSpec("counts", int)
OTHER = TableSpec("counts2", int)


def copy(path: Path, now: float = 0.0) -> LocalState:
    return LocalState(path / "copy", now=lambda: now)


def filled(path: Path, position: int = 10, topic: str = "topic-a", now: float = 0.0) -> None:
    state = copy(path, now)
    assert state.distrust(Trust(topic, position, DAY)) is None
    state.apply([(table_prefix("counts") + b"k", b"\x05")], position)
    state.close()


@pytest.mark.parametrize(
    ("trust", "now", "why"),
    [
        (Trust("topic-b", 10, DAY), 0.0, "the changelog topic was made anew"),
        (Trust("topic-a", 9, DAY), 0.0, "beyond the changelog's end 9"),
        (Trust("topic-a", 10, DAY), DAY + 1, "may have missed deletions"),
    ],
)
def test_a_copy_that_cannot_be_trusted_is_begun_anew(tmp_path: Path, trust: Trust, now: float, why: str) -> None:
    filled(tmp_path)
    state = copy(tmp_path, now)
    assert why in (state.distrust(trust) or "")
    assert state.changelog_position == 0
    assert state.get(table_prefix("counts") + b"k") is None
    state.close()


def test_a_copy_that_can_be_trusted_is_used(tmp_path: Path) -> None:
    filled(tmp_path)
    state = copy(tmp_path, DAY - 1)
    assert state.distrust(Trust("topic-a", 12, DAY)) is None
    assert state.changelog_position == 10
    state.close()


def test_a_damaged_copy_is_begun_anew(tmp_path: Path) -> None:
    filled(tmp_path)
    (tmp_path / "copy" / "CURRENT").write_bytes(b"nonsense")
    state = copy(tmp_path)
    assert "can't be opened" in (state.wiped or "")
    assert state.changelog_position == 0
    state.close()


def test_tables_share_the_copy_and_do_not_see_each_other(tmp_path: Path) -> None:
    """The table `counts` is no prefix of `counts2`, in neither direction of a scan."""
    local = copy(tmp_path)
    state = State([SPEC, OTHER], local.backend)
    state.table(SPEC).put(("a",), 1)
    state.table(SPEC).put(("b",), 2)
    state.table(OTHER).put(("a",), 3)
    local.apply([(table_prefix(table) + key, value) for table, key, value in state.changes()], 3)
    fresh = State([SPEC, OTHER], local.backend)
    assert list(fresh.table(SPEC).scan(())) == [(("a",), 1), (("b",), 2)]
    assert list(fresh.table(SPEC).scan((), reverse=True)) == [(("b",), 2), (("a",), 1)]
    assert list(fresh.table(OTHER).scan(())) == [(("a",), 3)]
    local.close()


def test_a_deletion_is_taken_in(tmp_path: Path) -> None:
    filled(tmp_path)
    state = copy(tmp_path)
    state.apply([(table_prefix("counts") + b"k", None)], 11)
    assert state.get(table_prefix("counts") + b"k") is None
    assert state.changelog_position == 11
    state.close()


def test_positions_are_read_as_written_and_another_format_is_refused() -> None:
    assert position_of(position_value(12_345)) == 12_345
    assert position_of(None) == 0
    with pytest.raises(RestoreError, match="does not know"):
        position_of(b"2" + b"17")
