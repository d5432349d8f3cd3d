"""A lane takes what follows, takes it once, and ends its process when something is missing in between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from schemas.log import LogRecord
from schemas.topics import RAW
from topology.kafka import lane as lane_module
from topology.kafka.lane import QUEUED_RECORDS_MAX, Lane
from topology.kafka.place import CheckpointError
from topology.kafka.transport import Fetched, fetched_from


@dataclass
class Raw:
    """A record as aiokafka hands it over."""

    offset: int
    value: bytes = b"x"
    key: bytes = b"k"
    partition: int = 0
    headers: tuple[tuple[str, bytes], ...] = (("ce_type", b"RawMessage"),)


@dataclass
class FakeCheckpoint:
    """Takes at most two records a batch and remembers them."""

    start: int = 5
    partition: int = 0
    position: int = 0
    taken: list[list[int]] = field(default_factory=list)
    closed: bool = False
    alive: Callable[[], None] = lambda: None

    async def open(self) -> int:
        self.position = self.start
        return self.start

    async def process(self, records: Sequence[LogRecord]) -> int:
        some = [record.offset for record in records[:2]]
        self.taken.append(some)
        self.position = some[-1] + 1
        await asyncio.sleep(0)
        return len(some)

    async def close(self) -> None:
        self.closed = True


@pytest.fixture(autouse=True)
def without_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lanes take up few records at once, so that tests need no clock."""
    monkeypatch.setattr(lane_module, "REST_SECONDS", 0)


def run(scenario: Any) -> None:
    asyncio.run(scenario())


async def opened(checkpoint: FakeCheckpoint) -> tuple[Lane, asyncio.Task[None], list[int]]:
    sought: list[int] = []

    async def seek(offset: int) -> None:
        sought.append(offset)

    lane = Lane(RAW, checkpoint, seek)  # type: ignore[arg-type]
    task = asyncio.create_task(lane.run())
    while not lane.ready:
        await asyncio.sleep(0)
    return lane, task, sought


def fetched(start: int, *offsets: int, after: int | None = None) -> Fetched:
    return Fetched(start, after if after is not None else offsets[-1] + 1, [Raw(offset) for offset in offsets])


def test_it_seeks_to_its_own_position_before_it_takes_anything() -> None:
    async def scenario() -> None:
        checkpoint = FakeCheckpoint(start=7)
        lane = Lane(RAW, checkpoint, None)  # type: ignore[arg-type]
        assert not lane.wants()
        lane.deliver(fetched(0, 0, 1))
        lane, task, sought = await opened(checkpoint)
        assert sought == [7]
        assert lane.wants()
        await lane.stop(task)
        assert checkpoint.taken == []

    run(scenario)


def test_what_has_queued_up_is_taken_in_order_and_once() -> None:
    async def scenario() -> None:
        checkpoint = FakeCheckpoint()
        lane, task, _ = await opened(checkpoint)
        lane.deliver(fetched(5, 5, 6, 7))
        lane.deliver(fetched(8, 8, 10, after=12))
        lane.deliver(fetched(5, 5, 6))
        lane.deliver(fetched(12, 13))
        for _ in range(50):
            await asyncio.sleep(0)
        assert [offset for batch in checkpoint.taken for offset in batch] == [5, 6, 7, 8, 10, 13]
        assert lane.position == 14
        assert lane.busy_since is None
        await lane.stop(task)
        assert checkpoint.closed

    run(scenario)


def test_records_that_were_dropped_in_between_end_the_process() -> None:
    async def scenario() -> None:
        lane, task, _ = await opened(FakeCheckpoint())
        lane.deliver(fetched(5, 5))
        batch = fetched(9, 9)
        assert lane.skips(batch)
        with pytest.raises(CheckpointError, match="fetched from 9, but 6 is next and the log begins at 9: records were dropped"):
            lane.skip(batch, first=9)
        await lane.stop(task)

    run(scenario)


def test_a_gap_nobody_has_looked_at_ends_the_process() -> None:
    async def scenario() -> None:
        lane, task, _ = await opened(FakeCheckpoint())
        with pytest.raises(CheckpointError, match="fetched from 9, but 5 is next"):
            lane.deliver(fetched(9, 9))
        await lane.stop(task)

    run(scenario)


@pytest.mark.parametrize("first", [0, 6])
def test_a_gap_in_a_log_that_is_whole_holds_only_what_readers_do_not_see(first: int) -> None:
    """A fetch that met a transaction marker and no record tells nobody; the next one then begins behind the marker."""

    async def scenario() -> None:
        checkpoint = FakeCheckpoint()
        lane, task, _ = await opened(checkpoint)
        lane.deliver(fetched(5, 5))
        batch = fetched(7, 7)
        assert lane.skips(batch)
        lane.skip(batch, first)
        lane.deliver(batch)
        for _ in range(20):
            await asyncio.sleep(0)
        assert [offset for some in checkpoint.taken for offset in some] == [5, 7]
        await lane.stop(task)

    run(scenario)


def test_a_batch_that_follows_skips_nothing() -> None:
    async def scenario() -> None:
        lane, task, _ = await opened(FakeCheckpoint())
        assert not lane.skips(fetched(5, 5))
        assert not lane.skips(fetched(3, 5))
        await lane.stop(task)

    run(scenario)


def test_a_gap_inside_a_fetch_is_no_loss_for_it_was_fetched_from_the_right_place() -> None:
    """Compaction and transaction markers leave gaps in offsets."""

    async def scenario() -> None:
        checkpoint = FakeCheckpoint()
        lane, task, _ = await opened(checkpoint)
        lane.deliver(fetched(5, 40))
        for _ in range(20):
            await asyncio.sleep(0)
        assert checkpoint.taken == [[40]]
        await lane.stop(task)

    run(scenario)


def test_a_log_that_begins_with_what_readers_do_not_see_is_no_loss() -> None:
    """Position 0, first committed record at 3: an aborted transaction stands before it."""

    async def scenario() -> None:
        checkpoint = FakeCheckpoint(start=0)
        lane, task, _ = await opened(checkpoint)
        lane.deliver(fetched_from(0, 4, [Raw(3)]))
        for _ in range(20):
            await asyncio.sleep(0)
        assert checkpoint.taken == [[3]]
        await lane.stop(task)

    run(scenario)


def test_a_position_that_the_broker_reset_begins_at_its_first_record() -> None:
    assert fetched_from(None, None, [Raw(500), Raw(501)]) == Fetched(500, 502, [Raw(500), Raw(501)], reset=True)


@pytest.mark.parametrize("batch", [fetched_from(None, None, [Raw(3)]), Fetched(5, 4, [Raw(3)])], ids=["told", "not told"])
def test_a_log_that_is_shorter_than_what_was_folded_ends_the_process(batch: Fetched) -> None:
    """Its end was lost, or it was made anew: the broker sent the consumer back, and new messages stand below our position."""

    async def scenario() -> None:
        lane, task, _ = await opened(FakeCheckpoint(start=5))
        with pytest.raises(CheckpointError, match="5 is next, but the log goes on at 3: it is shorter than what was folded"):
            lane.deliver(batch)
        await lane.stop(task)

    run(scenario)


def test_a_restore_that_makes_progress_is_not_a_stall() -> None:
    async def scenario() -> None:
        checkpoint = FakeCheckpoint()
        lane = Lane(RAW, checkpoint, None)  # type: ignore[arg-type]
        lane.busy_since = 1.0
        checkpoint.alive()
        assert lane.busy_since > 1.0
        lane.busy_since = None
        checkpoint.alive()
        assert lane.busy_since is None

    run(scenario)


def test_a_full_lane_wants_no_more() -> None:
    async def scenario() -> None:
        lane, task, _ = await opened(FakeCheckpoint())
        lane.deliver(fetched(5, *range(5, 5 + QUEUED_RECORDS_MAX)))
        assert not lane.wants()
        assert lane.busy_since is not None
        task.cancel()
        await lane.stop(task)

    run(scenario)
