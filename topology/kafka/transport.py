"""A Faust transport on aiokafka that delivers one event per fetched batch of one partition, and seeks where it is told.

Faust costs about 100 µs an event; here an event is a whole batch. What Faust would do on its own with offsets (seek to the
group's, commit what was acknowledged) is switched off: positions belong to the checkpoint.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import aiokafka
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from faust.transport import drivers
from faust.transport.drivers import aiokafka as driver
from faust.types import ConsumerMessage

SCHEME: Final = "wardstock"
POLL_SECONDS: Final = 0.1
"""How long a fetch waits for records: a partition that opens in the meantime is asked for in the next one."""
CLOSED_SECONDS: Final = 0.02
"""How long to wait when no partition wants records."""

TopicPartition = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Fetched:
    """Records of one partition, the position they were fetched from, and the one behind them."""

    start: int
    after: int
    records: Sequence[Any]
    reset: bool = False
    """The consumer did not stand where it was told to: the broker had nothing there."""


def fetched_from(start: int | None, after: int | None, records: Sequence[Any]) -> Fetched:
    """A batch and where it stands. 0 is a place like any other: a log may begin with what no reader of committed records sees.

    A start that is not known was reset by the broker: what was fetched then begins where its first record does.
    """
    return Fetched(
        records[0].offset if start is None else start, records[-1].offset + 1 if after is None else after, records, start is None
    )  # fmt: skip


class Gate(Protocol):
    """Who decides which partitions are read."""

    def wanted(self, active: set[Any]) -> set[Any]:
        """Those of the active partitions that can take records now."""

    def consumer_arguments(self) -> Mapping[str, Any]:
        """Addresses, security and group settings of the consumer."""

    def security(self) -> Mapping[str, Any]:
        """Security settings alone."""


class ConsumerThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]  # Faust has no types for mypy
    """Faust's consumer thread with our consumer settings, which tells from where a batch was fetched."""

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:  # noqa: ARG002  # Faust's signature
        self._assignor = RoundRobinPartitionAssignor
        return aiokafka.AIOKafkaConsumer(
            partition_assignment_strategy=[RoundRobinPartitionAssignor], enable_auto_commit=False, auto_offset_reset="earliest",
            isolation_level="read_committed", **self.app.gate.consumer_arguments(),
        )  # fmt: skip

    async def _fetch_records(self, consumer: Any, active_partitions: Any, timeout: Any = None, max_records: Any = None) -> Any:
        starts = {tp: _position(consumer, tp) for tp in active_partitions}
        fetched = await super()._fetch_records(consumer, active_partitions, timeout=timeout, max_records=max_records)
        return {tp: fetched_from(starts.get(tp), _position(consumer, tp), records) for tp, records in fetched.items() if records}


class Consumer(driver.Consumer):  # type: ignore[misc]
    """Faust's consumer, one message a partition batch."""

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[Any, ConsumerMessage]]:  # noqa: ARG002
        """The next batches of the partitions that want any."""
        if not self.flow_active:
            await self.wait(self.can_resume_flow)
        generation = self.app.consumer_generation_id
        wanted = self.app.gate.wanted(self._get_active_partitions())
        if not wanted:
            await self.sleep(CLOSED_SECONDS)
            return
        fetched = await self._getmany(active_partitions=wanted, timeout=POLL_SECONDS)
        for tp, batch in (fetched or {}).items():
            if self.should_stop or not self.flow_active or self.app.consumer_generation_id != generation:
                return
            last = batch.records[-1]
            yield tp, ConsumerMessage(
                last.topic, last.partition, last.offset, last.timestamp / 1000, last.timestamp_type, (), None, batch, None, 0, 0,
                tp, generation_id=generation,
            )  # fmt: skip

    async def perform_seek(self) -> None:
        """Positions belong to the checkpoint: nothing is sought here."""

    def verify_event_path(self, now: float, tp: Any) -> None:
        """Faust's livelock detector counts acknowledgements that we don't use; the watchdog counts commits."""

    async def commit_for_lag(self, offsets: Mapping[Any, int]) -> None:
        """Tell the group how far we are. For people who look at lag only."""
        await self._thread.commit(dict(offsets))


class Producer(driver.Producer):  # type: ignore[misc]
    """Faust starts one; nothing is sent with it."""

    def _settings_auth(self) -> Mapping[str, Any]:
        return self.app.gate.security()  # type: ignore[no-any-return]


class Transport(driver.Transport):  # type: ignore[misc]
    """The driver Faust finds under our scheme."""

    Consumer = Consumer
    Producer = Producer


def register() -> None:
    """Make `wardstock://` a broker address for Faust."""
    drivers.TRANSPORTS.aliases[SCHEME] = f"{__name__}:Transport"


def _position(consumer: Any, tp: Any) -> int | None:
    """Where the consumer stands in a partition, if it is still assigned and knows it."""
    assignment = consumer._subscription.subscription.assignment  # noqa: SLF001  # aiokafka has no public way that does not wait
    state = assignment.state_value(tp) if assignment is not None else None
    return None if state is None else state._position  # noqa: SLF001
