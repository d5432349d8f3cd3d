"""What a supervisor is told of a folding process: over real HTTP, from a worker whose lanes are set by hand."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from schemas.topics import SITE_LOG
from topology.errors import HubError
from topology.kafka.health import BUSY_SECONDS_MAX, health_server

Ask = Callable[[str], Awaitable[httpx.Response]]


def lane(*, ready: bool = True, busy: float | None = None) -> Any:
    """A lane as health sees it; `busy` is for how long it has had work."""
    checkpoint = SimpleNamespace(position=7, transactions=2, restored=5, wiped=None)
    return SimpleNamespace(ready=ready, busy_since=None if busy is None else time.monotonic() - busy, checkpoint=checkpoint)


def worker(*lanes: Any, member: bool = True, faults: int = 0) -> Any:
    """A worker as health sees it."""
    held = {(SITE_LOG, number): one for number, one in enumerate(lanes)}
    return SimpleNamespace(lanes=lambda: held, member=member, fault_count=lambda: faults)


def asked(of: Any, *paths: str) -> list[httpx.Response]:
    async def scenario() -> list[httpx.Response]:
        async with health_server(of, "127.0.0.1", 0) as address, httpx.AsyncClient(base_url=address) as client:
            return [await client.get(path) for path in paths]

    return asyncio.run(scenario())


def test_a_worker_whose_lanes_are_restored_and_commit_is_ready() -> None:
    ready, ping = asked(worker(lane(), lane(busy=1.0)), "/ready", "/ping")
    assert ping.json() == {"alive": True}
    assert ready.status_code == 200
    told = ready.json()
    assert (told["ready"], told["partitions"], told["restoring"], told["stalled"]) == (True, 2, 0, 0)
    assert told["lanes"][0] == {
        "topic": SITE_LOG, "partition": 0, "restored": True, "position": 7, "transactions": 2, "restored_records": 5,
        "wiped": None, "busy_seconds": 0.0,
    }  # fmt: skip


def test_more_workers_than_partitions_are_ready_too() -> None:
    [ready] = asked(worker(), "/ready")
    assert ready.status_code == 200


@pytest.mark.parametrize(
    ("of", "why"),
    [
        (worker(member=False), {"member": False}),
        (worker(lane(), lane(ready=False)), {"restoring": 1}),
        (worker(lane(busy=BUSY_SECONDS_MAX + 1)), {"stalled": 1}),
    ],
    ids=["no member of the group", "restoring", "no commit for too long"],
)
def test_it_is_not_ready_and_says_why(of: Any, why: dict[str, Any]) -> None:
    [ready] = asked(of, "/ready")
    assert ready.status_code == 503
    assert not ready.json()["ready"]
    assert {name: ready.json()[name] for name in why} == why


def test_metrics_tell_positions_and_faults() -> None:
    [metrics] = asked(worker(lane(), faults=3), "/metrics")
    lines = metrics.text.splitlines()
    assert 'wardstock_worker_position{partition="0",topic="site.log"} 7.0' in lines
    assert "wardstock_worker_handler_faults_total 3.0" in lines
    assert "wardstock_worker_ready 1.0" in lines


def test_a_taken_port_is_a_sentence() -> None:
    async def scenario() -> None:
        async with health_server(worker(), "127.0.0.1", 0) as address:
            port = int(address.rsplit(":", 1)[1])
            with pytest.raises(HubError, match=f"port {port} on 127.0.0.1 is taken: choose another worker_port"):
                async with health_server(worker(), "127.0.0.1", port):
                    pass

    asyncio.run(scenario())
