"""A worker: a Faust app that owns partitions and runs a lane for each. Faust gives membership, assignment, life cycle; no more.

What goes wrong outside a handler ends the process (`fatal`), before anything is acknowledged: whoever restarts it finds all that
was committed and nothing else. A watchdog in a thread of its own ends a process that stopped making progress.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import faust
import structlog

from schemas.topics import NETWORK_LOG
from streams.contract import HandlerFault, Processor
from topology.kafka import transport
from topology.kafka.checkpoint import Checkpoint
from topology.kafka.connection import Connection
from topology.kafka.lane import Lane
from topology.kafka.place import Place
from topology.kafka.reader import first_visible
from topology.kafka.ticker import tick_while_owner

EXIT_FATAL: Final = 70
STALLED_SECONDS_MAX: Final = 60.0
"""A lane with work that commits nothing for so long is stalled; longer than a transaction may hang."""
LAG_SECONDS: Final = 1.0
FETCH_BYTES: Final = 1024 * 1024
FETCH_RECORDS_MAX: Final = 8_000
REBALANCE_SECONDS: Final = 60

_log = structlog.get_logger("wardstock.worker")


def end_process(reason: str) -> None:
    """End this process at once: nothing may be acknowledged any more."""
    _log.error("worker_ended", reason=reason)
    os._exit(EXIT_FATAL)


class Worker:
    """Lanes over the partitions that the group gives this process."""

    def __init__(
        self,
        connection: Connection,
        processors: Callable[[], Sequence[Processor]],
        folder: Path,
        *,
        tick_period: timedelta | None = None,
        fatal: Callable[[str], None] = end_process,
    ) -> None:
        """`processors` makes new ones: each lane has its own. `folder` holds the local copies of state.

        The worker that owns the network log says what time it is, every `tick_period`.
        """
        self._tick_period = tick_period
        self._ticker: asyncio.Task[None] | None = None
        self._connection = connection
        self._processors = processors
        self._folder = folder
        self._fatal = fatal
        self._inputs = {connection.topic(one.input_topic): one.input_topic for one in processors()}
        self._lanes: dict[tuple[str, int], tuple[Lane, asyncio.Task[None]]] = {}
        self._app: Any = None
        self._stopped = threading.Event()
        self.faults: list[HandlerFault] = []
        self._member = False

    # ---- life ----------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Join the group and begin to work."""
        self._folder.mkdir(parents=True, exist_ok=True)
        transport.register()
        for name in ("faust", "mode", "aiokafka"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._app = self._make_app()
        await self._app.start()
        self._lag_task = asyncio.create_task(self._tell_lag())
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    async def stop(self) -> None:
        """Finish the batches at hand, leave the group."""
        self._stopped.set()
        self._lag_task.cancel()
        await self._close_lanes()
        await self._app.stop()

    def lanes(self) -> dict[tuple[str, int], Lane]:
        """The lanes of this worker by input topic and partition."""
        return {(self._inputs[topic], partition): lane for (topic, partition), (lane, _) in self._lanes.items()}

    @property
    def member(self) -> bool:
        """Whether this process belongs to the group and reads."""
        return self._member and not self._app.should_stop

    def fault_count(self) -> int:
        """Events whose handling raised in this process."""
        return len(self.faults) + sum(len(lane.checkpoint.faults) for lane, _ in self._lanes.values())

    def _make_app(self) -> Any:
        addresses = ";".join(f"{transport.SCHEME}://{one}" for one in self._connection.bootstrap.split(","))
        app = faust.App(
            self._connection.name("workers"), broker=addresses, datadir=str(self._folder / "faust"), web_enabled=False,
            topic_allow_declare=False, topic_disable_leader=True, stream_wait_empty=False, table_standby_replicas=0,
            stream_buffer_maxsize=64, broker_request_timeout=REBALANCE_SECONDS + 30.0,
            broker_session_timeout=float(self._connection.settings.session_seconds), loop=asyncio.get_running_loop(),
        )  # fmt: skip
        app.gate = self
        for name in self._inputs:
            channel = app.topic(name, schema=_AsFetched(), acks=False)
            app.agent(channel, name=f"route-{name}", concurrency=1)(self._route)
        app.on_partitions_assigned.connect(self._assigned, weak=False)
        app.on_partitions_revoked.connect(self._revoked, weak=False)
        return app

    # ---- what the transport asks (transport.Gate) ----------------------------------------------------------------

    def wanted(self, active: set[Any]) -> set[Any]:
        """Those of the active partitions whose lanes can take records now."""
        return {tp for tp in active if (entry := self._lanes.get(tuple(tp))) is not None and entry[0].wants()}

    def consumer_arguments(self) -> Mapping[str, Any]:
        """Addresses, security and group settings of the consumer."""
        session = self._connection.settings.session_seconds * 1000
        return {
            "group_id": self._connection.name("workers"), "session_timeout_ms": session, "heartbeat_interval_ms": session // 4,
            "rebalance_timeout_ms": REBALANCE_SECONDS * 1000, "max_poll_interval_ms": 10 * REBALANCE_SECONDS * 1000,
            "max_poll_records": FETCH_RECORDS_MAX, "max_partition_fetch_bytes": FETCH_BYTES, "fetch_max_wait_ms": 100,
            "retry_backoff_ms": 20, **self._connection.aiokafka(),
        }  # fmt: skip

    def security(self) -> Mapping[str, Any]:
        """Security settings alone."""
        return {name: value for name, value in self._connection.aiokafka().items() if name != "bootstrap_servers"}

    # ---- what Faust calls ----------------------------------------------------------------------------------------

    async def _route(self, stream: Any) -> None:
        """Hand each fetched batch to its lane. Anything that raises here ends the process: Faust would skip it silently."""
        async for event in stream.events():
            try:
                entry = self._lanes.get((event.message.topic, event.message.partition))
                if entry is not None:
                    lane, batch = entry[0], event.value
                    if lane.skips(batch) and not await self._may_skip(lane, batch, event.message.tp):
                        continue
                    lane.deliver(batch)
            except Exception as error:  # noqa: BLE001  # see above
                self._fatal(f"{type(error).__name__}: {error}")

    async def _may_skip(self, lane: Lane, batch: transport.Fetched, tp: Any) -> bool:
        """Look at what a batch skips: nothing that readers see, or a fetch that was thrown away on the way and is read again."""
        expected = lane.expected
        first = (await self._app.consumer.earliest_offsets(tp))[tp]
        visible = await asyncio.to_thread(first_visible, self._connection, self._inputs[tp.topic], tp.partition, expected)
        if self._lanes.get(tuple(tp), (None,))[0] is not lane:
            return False  # taken away meanwhile: whoever owns it now has sought its own place
        if first <= expected and visible is not None and visible < batch.start:
            await self._app.consumer.seek(tp, expected)
            return False
        lane.skip(batch, first)
        return True

    async def _assigned(self, app: Any, assigned: set[Any], **_: Any) -> None:  # noqa: ARG002  # Faust's signature
        self._member = True  # also with no partition at all: there may be more workers than partitions
        for tp in assigned:
            if tp.topic in self._inputs and tuple(tp) not in self._lanes:
                self._open(tp)

    async def _revoked(self, app: Any, revoked: set[Any], **_: Any) -> None:  # noqa: ARG002  # Faust's signature
        self._member = False
        await self._close_lanes({tuple(tp) for tp in revoked})

    # ---- lanes ---------------------------------------------------------------------------------------------------

    def _open(self, tp: Any) -> None:
        input_topic = self._inputs[tp.topic]
        processor = next(one for one in self._processors() if one.input_topic == input_topic)
        checkpoint = Checkpoint(self._connection, Place(processor, tp.partition, self._folder))

        async def seek(offset: int) -> None:
            await self._app.consumer.seek(tp, offset)
            if input_topic == NETWORK_LOG and self._tick_period is not None:
                # Only now: a lane that may not be opened (a move that is not finished) must not say the time either.
                self._ticker = asyncio.create_task(tick_while_owner(self._connection, self._tick_period))

        lane = Lane(input_topic, checkpoint, seek)
        self._lanes[tuple(tp)] = (lane, asyncio.create_task(self._run(lane, input_topic, tp.partition)))

    async def _run(self, lane: Lane, topic: str, partition: int) -> None:
        try:
            await lane.run()
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001  # whatever it is, this process can't be trusted with the partition
            if not self._stopped.is_set():
                self._fatal(f"{topic}[{partition}]: {type(error).__name__}: {error}")

    async def _close_lanes(self, which: set[tuple[str, int]] | None = None) -> None:
        gone = [key for key in self._lanes if which is None or key in which]
        if self._ticker is not None and any(self._inputs[topic] == NETWORK_LOG for topic, _ in gone):
            self._ticker.cancel()
            self._ticker = None
        entries = [self._lanes.pop(key) for key in gone]
        await asyncio.gather(*(lane.stop(task) for lane, task in entries))
        for lane, _ in entries:
            self.faults.extend(lane.checkpoint.faults)

    # ---- lag and watchdog ----------------------------------------------------------------------------------------

    async def _tell_lag(self) -> None:
        """Commit positions to the group now and then: for lag in people's tools, never for ours."""
        told: dict[Any, int] = {}
        while True:
            await asyncio.sleep(LAG_SECONDS)
            active = self._app.consumer.assignment()
            now = {tp: self._lanes[tuple(tp)][0].position for tp in active if tuple(tp) in self._lanes}
            changed = {tp: offset for tp, offset in now.items() if offset and told.get(tp) != offset}
            if not changed:
                continue
            try:
                await self._app.consumer.commit_for_lag(changed)
            except Exception as error:  # noqa: BLE001  # a rebalance came in between: said again in a second
                _log.info("lag_not_told", error=type(error).__name__)
            else:
                told.update(changed)

    def stalled(self) -> str | None:
        """What does not go on: a lane that has work and makes no progress, or Faust's app itself; none when all is well.

        Faust only notes that a part of it crashed; a worker whose lanes are idle would look well for ever.
        """
        if self._app.should_stop:
            return f"the consumer ended ({self._app.crash_reason!r})"
        now = time.monotonic()
        for (topic, partition), (lane, _) in list(self._lanes.items()):
            if lane.busy_since is not None and now - lane.busy_since > STALLED_SECONDS_MAX:
                return f"{topic}[{partition}] has committed nothing for {STALLED_SECONDS_MAX:.0f} s"
        return None

    def _watch(self) -> None:
        while not self._stopped.wait(1.0):
            stalled = self.stalled()
            if stalled is not None and not self._stopped.is_set():
                self._fatal(stalled)


class _AsFetched(faust.Schema):  # type: ignore[misc]
    """The value of an event is the fetched batch as it is."""

    def loads_key(self, app: Any, message: Any, **_: Any) -> None:  # noqa: ARG002  # Faust's signature
        return None

    def loads_value(self, app: Any, message: Any, **_: Any) -> Any:  # noqa: ARG002  # Faust's signature
        return message.value
