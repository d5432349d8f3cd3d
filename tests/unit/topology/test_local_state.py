"""The local copy of a partition's state: never trusted further than the changelog, and never a reason to start from wrong state."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.keys import encode_key
from streams.state import State, StateUnreadableError, TableSpec
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


def test_a_copy_is_as_old_as_its_last_confirmation_however_often_it_is_opened(tmp_path: Path) -> None:
    """Restores that are broken off bring nothing up to date: deletions may be compacted away before one gets to them."""
    filled(tmp_path)
    for now in (0.4 * DAY, 0.8 * DAY):
        state = copy(tmp_path, now)
        assert state.distrust(Trust("topic-a", 20, DAY)) is None
        state.apply([], 11)
        state.close()
    state = copy(tmp_path, 1.2 * DAY)
    assert "may have missed deletions" in (state.distrust(Trust("topic-a", 20, DAY)) or "")
    state.close()


def test_a_copy_that_was_confirmed_is_young_again(tmp_path: Path) -> None:
    filled(tmp_path)
    state = copy(tmp_path, 0.8 * DAY)
    assert state.distrust(Trust("topic-a", 20, DAY)) is None
    state.apply([], 20, confirmed=True)
    state.close()
    state = copy(tmp_path, 1.6 * DAY)
    assert state.distrust(Trust("topic-a", 20, DAY)) is None
    state.confirm()
    state.close()
    state = copy(tmp_path, 2.4 * DAY)
    assert state.distrust(Trust("topic-a", 20, DAY)) is None
    state.close()


def test_a_copy_from_the_future_tells_nothing_about_its_age(tmp_path: Path) -> None:
    filled(tmp_path, now=300 * DAY)
    state = copy(tmp_path)
    assert "its clock was ahead" in (state.distrust(Trust("topic-a", 10, DAY)) or "")
    state.close()


def test_what_cannot_be_read_fails_the_batch_and_not_the_event_and_the_next_start_begins_anew(tmp_path: Path) -> None:
    """Otherwise one bad block of a copy would put every event that needs it into quarantine, durably."""
    state = copy(tmp_path)
    state.distrust(Trust("topic-a", 1, DAY))
    values = [(table_prefix("counts") + encode_key((str(number),)), b"\xcd\x27\x0f" * 1) for number in range(5_000)]
    state.apply(values, 1)
    state.close()
    [table] = (tmp_path / "copy").glob("*.sst")
    content = bytearray(table.read_bytes())
    content[len(content) // 4 : len(content) // 2] = b"\xaa" * (len(content) // 2 - len(content) // 4)
    table.write_bytes(content)
    state = copy(tmp_path)
    counts = State([SPEC], state.backend).table(SPEC)
    with pytest.raises(StateUnreadableError) as failed:
        [counts.get((str(number),)) for number in range(5_000)]
    assert not isinstance(failed.value, Exception), "a fold would take it for an event that failed"
    state.close()
    state = copy(tmp_path)
    assert state.wiped == "a part of it could not be read"
    assert state.changelog_position == 0
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
