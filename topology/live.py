"""The running embedded hub: one thread owns the engine, another feeds the projection, connectors publish from the event loop.

Publishing returns when the bytes are synced. When the disk can't take more, nothing is acknowledged any longer; the hub says so
in its health, opens its store anew and catches up by itself.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog

from connectors.contract import TooLarge, Unavailable
from schemas.events import Tick
from schemas.raw import BODY_BYTES_MAX, RawMessage
from schemas.topics import OUTCOMES, REFERENCE
from sinks.sql.projection import PROJECTED_TOPICS
from sinks.sql.views import Views
from streams.state import StateUnreadableError
from topology.embedded.engine import Engine
from topology.intake.journal import JournalDamagedError
from topology.local import LocalHub, project
from topology.outcomes import LogFollower
from topology.processors import build_processors
from topology.reference_files import ReferenceRecord, reference_changes
from topology.ticks import TickGrid
from topology.wakeups import Wakeups

PENDING_MESSAGES_MAX: Final = 10_000
"""Messages waiting to be stored; beyond it publishing is refused, so that memory stays bounded."""
GROUP_MESSAGES_MAX: Final = 2_000
"""Messages stored with one sync (group commit)."""
IDLE_SECONDS: Final = 0.25
REOPEN_SECONDS: Final = 1.0
STOP_SECONDS: Final = 20.0
UNFOLDED_MAX: Final = 4_000
"""Events stored and not folded, above which received messages stay in their journal."""
PROJECTION_PERIOD_SECONDS: Final = 0.3

_log = structlog.get_logger("wardstock.hub")


class _Pending:
    """One message on its way to the log, and who waits for it."""

    __slots__ = ("future", "message")

    def __init__(self, message: RawMessage) -> None:
        self.message = message
        self.future: Future[tuple[int, int]] = Future()
        self.future.set_running_or_notify_cancel()  # who waits may go away; a cancelled future would look like a failed store


class _Call:
    """Something to do in the engine's thread, and who waits for its result."""

    __slots__ = ("function", "future")

    def __init__(self, function: Callable[[Engine], Any]) -> None:
        self.function = function
        self.future: Future[Any] = Future()


class LiveHub:
    """Threads around a `LocalHub`."""

    def __init__(self, hub: LocalHub, tick_period: timedelta) -> None:
        """Starts nothing yet."""
        self.hub = hub
        self._queue: queue.Queue[_Pending | _Call] = queue.Queue(PENDING_MESSAGES_MAX)
        self._stop = threading.Event()
        self._wakeups = Wakeups()
        self._changed = threading.Event()
        self._grid = TickGrid(tick_period, hub.engine.latest_tick())
        self._threads: list[threading.Thread] = []
        self.failing: str | None = None
        self.not_taking: str | None = None
        self.not_projecting: str | None = None
        self.last_beat = time.monotonic()
        self._projected = -1
        self._kept = self._taken = 0
        self._woken = False
        self._damaged = self._more = False

    @property
    def views(self) -> Views:
        """The projection's views."""
        return self.hub.views

    def backlog(self) -> int:
        """Events stored and not folded yet, with the messages that are still in the intake's journal."""
        return self.hub.engine.backlog() + (0 if self._damaged else max(self._kept - self._taken, 0))

    def handler_faults(self) -> int:
        """Events whose handling raised."""
        return len(self.hub.engine.faults)

    def outcomes(self) -> LogFollower:
        """Follow the outcomes topic from now on."""
        return LogFollower(self.hub.engine, OUTCOMES)

    def behind(self, since: float) -> bool:  # noqa: ARG002  # what is durable now includes what was then
        """Whether the projection lacks something that is durable now; asks it to hurry when it does."""
        if not self.hub.received.waits() and not self.hub.engine.backlog() and self._projected >= self._durable():
            return False
        self._changed.set()
        return True

    def _durable(self) -> int:
        """How many records of the projected topics are durable."""
        return sum(sum(self.hub.engine.ends(topic)) for topic in PROJECTED_TOPICS)

    def start(self) -> None:
        """Start the engine and the projection threads."""
        for name, target in (("engine", self._run_engine), ("projection", self._run_projection)):
            thread = threading.Thread(target=target, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Stop taking messages, finish what was taken, and join the threads."""
        self._stop.set()
        self._changed.set()
        for thread in self._threads:
            thread.join(STOP_SECONDS)
        self._refuse_waiting("the hub is stopping")

    # ---- for connectors ------------------------------------------------------------------------------------------

    async def publish(self, message: RawMessage) -> None:
        """Make one message durable (the connectors' contract)."""
        await self._wakeups.wait(self.submit(message))

    def submit(self, message: RawMessage) -> Future[tuple[int, int]]:
        """Queue one message; the future holds its place in the raw log once it is durable."""
        if len(message.body) > BODY_BYTES_MAX:
            msg = f"the message has {len(message.body)} bytes, the hub stores at most {BODY_BYTES_MAX}"
            raise TooLarge(msg)
        if self._stop.is_set() or self.failing is not None:
            raise Unavailable(self.failing or "the hub is stopping")
        pending = _Pending(message)
        try:
            self._queue.put_nowait(pending)
        except queue.Full:
            msg = f"{PENDING_MESSAGES_MAX} messages wait to be stored already"
            raise Unavailable(msg) from None
        return pending.future

    def received(self, kept: int, failing: str | None) -> None:
        """The intake process has kept so many messages in all, and can't go on for a reason, or can. From any thread."""
        self._kept = kept
        if not self._damaged:
            self.not_taking = failing
        if not self._woken:
            self._woken = True
            with contextlib.suppress(queue.Full):  # it is awake
                self._queue.put_nowait(_Call(lambda _: None))

    def call(self, function: Callable[[Engine], Any]) -> Future[Any]:
        """Run something in the engine's thread."""
        call = _Call(function)
        self._queue.put(call)
        return call.future

    def load_reference(self, records: Sequence[ReferenceRecord]) -> int:
        """Load reference records and wait until every partition has them; returns how many.

        Revisions are given in the engine's thread, so that two loads at once never share one.
        """

        def load(engine: Engine) -> int:
            changes = reference_changes(records, engine.ends(REFERENCE)[0] + 1)
            engine.broadcast(changes, self.now())
            engine.run_until_idle()
            return len(changes)

        count: int = self.call(load).result()
        self._changed.set()
        return count

    def now(self) -> datetime:
        """The time of day; the hub is the one place that knows it."""
        return datetime.now(UTC)

    # ---- threads -------------------------------------------------------------------------------------------------

    def _run_engine(self) -> None:
        while not (self._stop.is_set() and self._queue.empty()):
            self.last_beat = time.monotonic()
            try:
                self._turn()
            except (Exception, StateUnreadableError) as error:  # noqa: BLE001  # the store failed: acknowledge nothing, open anew
                self.failing = f"the hub can't store ({type(error).__name__})"
                _log.error("store_failed", error=type(error).__name__)
                self._refuse_waiting(self.failing)
                self._reopen()
        if self.failing is None:
            with contextlib.suppress(Exception):  # it stays in the journal for the next start
                while self._take_received():
                    pass

    def _turn(self) -> None:
        """Store what waits with one sync, take over what was received, say the time, fold one batch of everything."""
        pending, calls = self._drain()
        self._woken = False
        if pending:
            self._store(pending)
        taken = self._take_received() if self.hub.engine.backlog() < UNFOLDED_MAX else 0
        for call in calls:
            _answer(call, self.hub.engine)
        tick = self._grid.due(self.now())
        if tick is not None:
            self.hub.engine.broadcast([Tick(at=tick.at)])
        if self.hub.engine.step() or pending or taken:
            self._changed.set()

    def _take_received(self) -> int:
        """Take over from the intake's journal. One that is damaged is left as it is, and said in the hub's health."""
        if self._damaged:
            return 0
        try:
            taken = self.hub.received.take(self.hub.engine, GROUP_MESSAGES_MAX)
        except JournalDamagedError as error:
            self._damaged = True
            self.not_taking = f"received messages can't be read back: {error}"
            _log.error("journal_damaged", error=str(error))
            return 0
        self._taken += taken
        self._more = taken > 0
        return taken

    def _store(self, pending: list[_Pending]) -> None:
        try:
            places = self.hub.engine.publish([one.message for one in pending])
        except Exception:
            for one in pending:
                one.future.set_exception(Unavailable("the hub can't store"))
            raise
        for one, place in zip(pending, places, strict=True):
            one.future.set_result(place)

    def _drain(self) -> tuple[list[_Pending], list[_Call]]:
        """What is waiting, up to a group; waits a moment when there is neither that nor a backlog."""
        pending: list[_Pending] = []
        calls: list[_Call] = []
        wait = not self._more and not self.backlog()
        while len(pending) < GROUP_MESSAGES_MAX:
            try:
                one = self._queue.get(timeout=IDLE_SECONDS) if wait else self._queue.get_nowait()
            except queue.Empty:
                break
            wait = False
            if isinstance(one, _Call):
                calls.append(one)
                break
            pending.append(one)
        return pending, calls

    def _refuse_waiting(self, reason: str) -> None:
        """Answer everyone who still waits: not stored."""
        while True:
            try:
                one = self._queue.get_nowait()
            except queue.Empty:
                return
            one.future.set_exception(Unavailable(reason))

    def _reopen(self) -> None:
        """Open the store anew until it works; positions and state are what was durable."""
        while not self._stop.is_set():
            time.sleep(REOPEN_SECONDS)
            # Whoever looked before the fault was known may have queued after the others were refused.
            self._refuse_waiting(self.failing or "the hub can't store")
            try:
                self.hub.folder.reopen()
                self.hub.engine = Engine(self.hub.folder.store, build_processors(self.hub.folder.patient_key))
                self.hub.engine.broadcast([])
                self.hub.received.resume(self.hub.folder.store)
            except Exception as error:  # noqa: BLE001  # still no room, or the disk is gone: keep trying, keep saying so
                _log.error("store_still_failing", error=type(error).__name__)
                continue
            self.failing = None
            _log.info("store_recovered")
            return

    def _run_projection(self) -> None:
        while not self._stop.is_set():
            self._changed.wait(PROJECTION_PERIOD_SECONDS * 4)
            self._changed.clear()
            if self.failing is not None:
                continue
            try:
                durable = self._durable()
                project(self.hub.engine, self.hub.projection)
                self._projected = durable
                self.not_projecting = None
            except Exception as error:  # noqa: BLE001  # the projection is derived: it is tried again from its own position
                self.not_projecting = f"the reading tables can't be kept up to date ({type(error).__name__})"
                _log.error("projection_failed", error=type(error).__name__)
            time.sleep(PROJECTION_PERIOD_SECONDS)


def _answer(call: _Call, engine: Engine) -> None:
    """Run a call and hand over its result. One that fails left the engine half-way: the caller is told, the store reopened."""
    try:
        call.future.set_result(call.function(engine))
    except (Exception, StateUnreadableError) as error:
        call.future.set_exception(Unavailable(f"the hub can't store ({type(error).__name__})"))
        raise
