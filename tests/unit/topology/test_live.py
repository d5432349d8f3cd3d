"""The running hub: it acknowledges only what is stored, stops acknowledging when the disk fails, and recovers by itself."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from connectors.contract import TooLarge, Unavailable
from schemas.raw import BODY_BYTES_MAX, RawMessage
from schemas.topics import COMMANDS, RAW, REFERENCE
from tests.simulation import promises
from tests.simulation.small_hospital import small_hospital
from tests.unit.topology.folders import message
from topology import live as live_module
from topology.api import local_api
from topology.embedded.engine import Engine
from topology.live import LiveHub
from topology.local import LocalHub
from topology.master.desk import MasterDesk
from topology.master.hubs import RunningMaster
from topology.metrics import metrics_text
from topology.reference_files import reference_changes

WAIT_SECONDS = 5.0


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveHub]:
    """A running hub that tries to recover quickly, and gives up quickly where it can't."""
    monkeypatch.setattr(live_module, "REOPEN_SECONDS", 0.05)
    with LocalHub(tmp_path / "hub") as local:
        live = LiveHub(local, timedelta(seconds=5))
        live.start()
        yield live
        live.stop()


class Disk:
    """The store's write or sync, failing while it is told to (at most `times`), as a full disk does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, step: str, after: int = 0, times: int = 1_000_000) -> None:
        from topology.embedded.rocks import RocksStore

        self.full = True
        self.failed = 0
        self._after = after
        real: Callable[..., Any] = getattr(RocksStore, step)

        def step_of(store: RocksStore, *arguments: Any) -> Any:
            if self.full:
                self._after -= 1
                if self._after < 0 and self.failed < times:
                    self.failed += 1
                    reason = "No space left on device"
                    raise OSError(28, reason)
            return real(store, *arguments)

        monkeypatch.setattr(RocksStore, step, step_of)


def until(true: Callable[[], object]) -> None:
    """Wait until something is true."""
    end = time.monotonic() + WAIT_SECONDS
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def outcome_of(future: Future[Any]) -> Any:
    """The result of a future or the exception it holds."""
    return future.exception(WAIT_SECONDS) or future.result()


def settled(hub: LiveHub) -> Engine:
    """The engine once it has folded and synced everything."""
    hub.call(lambda engine: engine.run_until_idle()).result(WAIT_SECONDS)
    return hub.hub.engine


def stored(engine: Engine) -> list[bytes]:
    return [record.value or b"" for record in promises.records(engine, RAW) if dict(record.headers)["ce_type"] == "RawMessage"]


def test_a_message_is_durable_when_publish_returns(hub: LiveHub) -> None:
    asyncio.run(hub.publish(message(1)))
    assert stored(hub.hub.engine) == [message(1).body]


def test_a_caller_that_goes_away_is_no_failure_of_the_store(hub: LiveHub) -> None:
    assert not hub.submit(message(1)).cancel()
    hub.submit(message(2)).result(WAIT_SECONDS)
    assert hub.failing is None
    assert len(stored(settled(hub))) == 2


def test_many_messages_at_once_are_all_stored_each_at_its_own_place(hub: LiveHub) -> None:
    futures = [hub.submit(message(number)) for number in range(500)]
    places = [future.result(WAIT_SECONDS) for future in futures]
    assert len(set(places)) == 500
    assert sorted(stored(hub.hub.engine)) == sorted(message(number).body for number in range(500))


def test_a_message_over_the_limit_is_refused_at_once_as_too_large(hub: LiveHub) -> None:
    large = RawMessage(
        body=bytes(BODY_BYTES_MAX + 1), source="feed", connector="test", content_type="x/y", received_at=message(1).received_at
    )
    with pytest.raises(TooLarge, match=str(BODY_BYTES_MAX)):
        hub.submit(large)
    assert stored(hub.hub.engine) == []


def test_more_messages_than_may_wait_are_refused_so_that_memory_stays_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hub whose engine does not run yet: the queue fills up to its bound and no further."""
    monkeypatch.setattr(live_module, "PENDING_MESSAGES_MAX", 3)
    with LocalHub(tmp_path) as local:
        live = LiveHub(local, timedelta(seconds=5))
        futures = [live.submit(message(number)) for number in range(3)]
        with pytest.raises(Unavailable, match="3 messages wait"):
            live.submit(message(3))
        live.start()
        assert all(future.result(WAIT_SECONDS) for future in futures)
        assert live.submit(message(3)).result(WAIT_SECONDS)
        live.stop()


@pytest.mark.parametrize("step", ["write", "sync"])
def test_a_full_disk_acknowledges_nothing_says_so_and_recovers_without_a_restart(
    hub: LiveHub, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    hub.submit(message(1)).result(WAIT_SECONDS)
    disk = Disk(monkeypatch, step)
    assert isinstance(outcome_of(hub.submit(message(2))), Unavailable)
    until(lambda: hub.failing)
    assert "can't store" in (hub.failing or "")
    with pytest.raises(Unavailable):
        hub.submit(message(3))
    until(lambda: disk.failed > 2)
    disk.full = False
    until(lambda: hub.failing is None)
    assert hub.submit(message(4)).result(WAIT_SECONDS)
    found = stored(hub.hub.engine)
    assert message(1).body in found
    assert message(4).body in found
    assert message(3).body not in found
    assert len(set(found)) == len(found)


def test_a_store_that_cannot_be_opened_for_a_while_is_tried_again_until_it_can(
    hub: LiveHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk fails the opening as well as the writing, more than once."""
    from topology.embedded import folder as folder_module
    from topology.errors import FolderRefusedError

    real = folder_module.RocksStore
    refusals: list[Path] = []

    def opened(path: Path, *, create: bool) -> Any:
        if len(refusals) < 3:
            refusals.append(path)
            reason = "No space left on device"
            raise FolderRefusedError(reason)
        return real(path, create=create)

    hub.submit(message(1)).result(WAIT_SECONDS)
    monkeypatch.setattr(folder_module, "RocksStore", opened)
    disk = Disk(monkeypatch, "write")
    assert isinstance(outcome_of(hub.submit(message(2))), Unavailable)
    disk.full = False
    until(lambda: hub.failing is None)
    assert len(refusals) == 3
    assert hub.submit(message(3)).result(WAIT_SECONDS)
    assert {message(1).body, message(3).body} <= set(stored(settled(hub)))


def ready(hub: LiveHub) -> tuple[int, dict[str, Any]]:
    """What the hub's health check answers."""
    app = FastAPI()
    app.include_router(local_api(hub, "token", MasterDesk(RunningMaster(hub))))

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://hub") as client:
            return await client.get("/ready")

    answer = asyncio.run(ask())
    return answer.status_code, answer.json()


def test_the_health_check_says_that_the_hub_cannot_store_and_that_it_can_again(
    hub: LiveHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ready(hub)[0] == 200
    disk = Disk(monkeypatch, "write")
    assert isinstance(outcome_of(hub.submit(message(1))), Unavailable)
    answers: list[tuple[int, dict[str, Any]]] = []  # opened anew it is ready, until the next write fails

    def refuses() -> bool:
        answers.append(ready(hub))
        return answers[-1][0] == 503

    until(refuses)
    health = answers[-1][1]
    assert health["ready"] is False
    assert "can't store" in health["failing"]
    disk.full = False
    until(lambda: hub.failing is None)
    assert ready(hub)[0] == 200


def test_the_health_check_says_that_the_reading_tables_fail_and_that_they_are_kept_again(
    hub: LiveHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is stored is safe and nobody sees it: a hub that shows old stock is not ready."""
    real, broken = live_module.project, [True]

    def project(*arguments: Any) -> Any:
        if broken[0]:
            raise sqlite3.OperationalError("database is locked")
        return real(*arguments)

    monkeypatch.setattr(live_module, "project", project)
    hub.submit(message(1)).result(WAIT_SECONDS)
    until(lambda: hub.not_projecting)
    status, health = ready(hub)
    assert (status, health["ready"]) == (503, False)
    assert health["failing"] == "the reading tables can't be kept up to date (OperationalError)"
    hub.submit(message(2)).result(WAIT_SECONDS)
    assert hub.failing is None, "it goes on storing"
    assert b"wardstock_projecting 0.0" in metrics_text(hub)
    broken[0] = False
    until(lambda: hub.not_projecting is None)
    assert ready(hub)[0] == 200
    assert b"wardstock_projecting 1.0" in metrics_text(hub)


def test_messages_that_wait_when_the_disk_fails_are_all_refused_none_is_left_hanging(
    hub: LiveHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch, "sync")
    futures = []
    for number in range(200):
        try:
            futures.append(hub.submit(message(number)))
        except Unavailable:
            break
    assert futures
    assert all(isinstance(outcome_of(future), Unavailable) for future in futures)
    disk.full = False
    until(lambda: hub.failing is None)


@pytest.mark.parametrize("step", ["write", "get"])
def test_a_disk_that_fails_while_folding_changes_nothing_in_the_end(
    step: str, hub: LiveHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messages resent after every refusal: outcomes, movements and commands as exact as without the failure, no event to blame."""
    hospital = small_hospital(21, messages=30)
    hub.load_reference([*hospital.reference, *hospital.late_reference])
    queue = [one for messages in hospital.feeds.values() for one in messages]
    disk = Disk(monkeypatch, step, after=15)
    for one in queue:
        end = time.monotonic() + WAIT_SECONDS
        while True:
            assert time.monotonic() < end
            try:
                hub.submit(one).result(WAIT_SECONDS)
                break
            except Unavailable:
                if disk.failed > 1:
                    disk.full = False
                time.sleep(0.02)
    disk.full = False
    until(lambda: hub.failing is None)
    engine = settled(hub)
    assert disk.failed
    assert engine.faults == []
    promises.check_movements(engine)
    promises.check_outcomes(engine)
    assert {one.body for one in queue} == set(stored(engine))
    assert list(promises.values(engine, COMMANDS))


@pytest.mark.parametrize("writes", [0, 1, 8, 11, 16, 17])
def test_a_disk_that_fails_while_reference_is_loaded_is_told_to_the_loader_and_leaves_nothing_half_done(
    hub: LiveHub, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    """What was being folded when the store failed is folded again from what is durable, never on top of itself."""
    hospital = small_hospital(22, messages=30)
    hub.load_reference(hospital.reference)
    for queue in hospital.feeds.values():
        for one in queue:
            hub.submit(one).result(WAIT_SECONDS)
    held = promises.check_outcomes(settled(hub))["held"]
    assert held
    late = reference_changes(hospital.late_reference, len(hospital.reference) + 1)
    disk = Disk(monkeypatch, "write", after=writes, times=1)
    with pytest.raises(Unavailable):
        hub.load_reference(hospital.late_reference)
    assert disk.failed
    disk.full = False
    until(lambda: hub.failing is None)
    hub.submit(message(1)).result(WAIT_SECONDS)
    engine = settled(hub)
    promises.check_movements(engine)
    loaded = {change.revision for change in promises.values(engine, REFERENCE)} >= {change.revision for change in late}
    assert promises.check_outcomes(engine)["held"] == (0 if loaded else held)


def test_a_stopping_hub_finishes_what_it_took_and_refuses_the_rest(tmp_path: Path) -> None:
    with LocalHub(tmp_path) as local:
        live = LiveHub(local, timedelta(seconds=5))
        live.start()
        futures = [live.submit(message(number)) for number in range(100)]
        live.stop()
        answers = [outcome_of(future) for future in futures]
        with pytest.raises(Unavailable, match="stopping"):
            live.submit(message(100))
        kept = [number for number, answer in enumerate(answers) if isinstance(answer, tuple)]
        assert sorted(stored(local.engine)) == sorted(message(number).body for number in kept)
        assert kept
