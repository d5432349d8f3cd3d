"""Starting: what can't work is a sentence, before a device is told that anything is kept."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from connectors.edge.app import edge_app
from connectors.edge.forward import Forwarder
from connectors.edge.record import Request
from connectors.edge.spool import Spool
from tests.cli.running import run_here
from topology.edge import check_hub
from topology.errors import HubError
from topology.listening import bound

WRONG = [
    "", "foo", "ftp://x", "http://", "http://[::1", "http://x:999999", "http://x:0", "http://x/?q", "http://x#f", "http://user:pw@x",
    "http://caf\xe9", "http://a b",
]  # fmt: skip


@pytest.mark.parametrize("hub", WRONG)
def test_what_is_no_address_of_a_hub_is_refused_and_a_password_is_not_repeated(hub: str, tmp_path: Path) -> None:
    done = run_here("edge", "--hub", hub, "--spool", str(tmp_path / "spool"))
    assert done.code == 1
    assert done.err.startswith("wardstock: --hub must be")
    assert "pw" not in done.err
    assert not (tmp_path / "spool").exists()


@pytest.mark.parametrize("hub", ["http://127.0.0.1:8080", "https://hub.example", "http://[::1]:8080/", "http://hub/wardstock"])
def test_addresses_of_hubs_are_taken(hub: str) -> None:
    check_hub(hub)


@pytest.mark.parametrize("port", ["99999", "-1"])
def test_a_port_that_is_none_is_refused(port: str, tmp_path: Path) -> None:
    done = run_here("edge", "--hub", "http://hub", "--spool", str(tmp_path), "--port", port)
    assert done.code == 2
    assert "Traceback" not in done.err


def test_a_host_that_is_none_is_not_called_taken() -> None:
    with pytest.raises(HubError, match=r"can't listen on nonsense\.invalid"):
        bound("nonsense.invalid", 0, "")


def test_a_hand_over_that_ended_says_so_in_health(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> str:
        spool = Spool(tmp_path, 10**6)
        spool.append([Request("/scans", "", (), b"{}", "")])
        async with httpx.AsyncClient() as client:
            forwarder = Forwarder(spool, "http://hub", "ward", client)
            monkeypatch.setattr(spool, "next", lambda: 1 / 0)
            task = asyncio.create_task(forwarder.run())
            task.add_done_callback(forwarder.ended)
            await asyncio.gather(task, return_exceptions=True)
            await asyncio.sleep(0)
        spool.close()
        return forwarder.error

    assert "ZeroDivisionError" in asyncio.run(run())


@pytest.mark.parametrize(("key", "status"), [(b"\xff\xfe", 400), (b"x" * 201, 400), (b"mine", 202), (b" ", 202)])
def test_a_key_that_the_hub_would_refuse_is_refused_at_the_door(tmp_path: Path, key: bytes, status: int) -> None:
    """The device can still do something about it; later, the request would be set aside."""

    async def run() -> httpx.Response:
        spool = Spool(tmp_path, 10**6)
        async with httpx.AsyncClient() as client:
            app = edge_app(spool, Forwarder(spool, "http://hub", "ward", client), lambda: datetime(2026, 3, 2, tzinfo=UTC))
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://edge") as device:
                answer = await device.post("/scans", content=b"{}", headers={"Idempotency-Key": key})
        assert spool.count_waiting == (status == 202)
        spool.close()
        return answer

    answer = asyncio.run(run())
    assert answer.status_code == status
    if status == 400:
        assert "Idempotency-Key must be visible ASCII" in answer.json()["reason"]
