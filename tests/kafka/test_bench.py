"""The bench's common work is really done: every sum is right in the local state and in the changelog. No timing test."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from schemas.keys import encode_key
from tests.bench.kafka import events, ours
from tests.kafka.engine import new_connection
from topology.kafka.changelog import INPUT_KEY, POSITION_KEY, position_of
from topology.kafka.local_state import LocalState, table_prefix
from topology.kafka.reader import TopicReader
from topology.kafka.topics import changelog_of

pytestmark = pytest.mark.kafka
EVENTS = 5_000


def test_the_common_work_leaves_the_right_sums_in_state_and_changelog(bootstrap: str, tmp_path: Path) -> None:
    connection = new_connection(bootstrap)
    events.create(connection)
    events.load(connection, EVENTS)
    assert ours.rate(connection, tmp_path, EVENTS) > 0
    wanted = {table_prefix(ours.SUMS.name) + encode_key((key,)): total for key, total in events.sums(EVENTS).items()}
    reader = TopicReader(connection)
    told: dict[bytes, int | None] = {}
    for partition, end in events.ends(EVENTS).items():
        last = {one.key: one.value for one in reader.read(changelog_of(events.PROCESSOR), partition, 0)}
        assert position_of(last.pop(POSITION_KEY)) == end
        assert last.pop(INPUT_KEY), "the topic that the position counts in"
        state = LocalState(tmp_path / f"{events.PROCESSOR}-{partition}")
        assert {key: state.get(key) for key in last} == last
        state.close()
        told.update((key, msgspec.msgpack.decode(value or b"")) for key, value in last.items())
    reader.close()
    assert told == wanted
