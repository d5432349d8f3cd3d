"""Handing over: nothing a device sends, and nothing the hub answers, ends the task that hands over."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from connectors.edge import forward
from connectors.edge.forward import Forwarder
from connectors.edge.record import Request
from connectors.edge.spool import Spool
from connectors.http.idempotency import is_key


def request(path: str = "/scans", **headers: str) -> Request:
    return Request(path, "site=north", tuple(headers.items()), b"{}", "2026-03-02T08:00:00Z")


def handed(
    tmp_path: Path, requests: list[Request], answer: Callable[[httpx.Request], httpx.Response], name: str = "ward"
) -> tuple[list[httpx.Request], Forwarder]:
    """What the hub saw until nothing waited any more."""
    seen: list[httpx.Request] = []

    def hub(one: httpx.Request) -> httpx.Response:
        seen.append(one)
        return answer(one)

    async def run() -> Forwarder:
        spool = Spool(tmp_path, 10**8)
        spool.append(requests)
        async with httpx.AsyncClient(transport=httpx.MockTransport(hub)) as client:
            forwarder = Forwarder(spool, "http://hub:8080", name, client)
            task = asyncio.create_task(forwarder.run())
            async with asyncio.timeout(10):
                while spool.count_waiting:
                    assert not task.done()
                    await asyncio.sleep(0.01)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        spool.close()
        return forwarder

    return seen, asyncio.run(run())


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forward, "RETRY_SECONDS", (0.01,))


def test_a_header_beyond_ascii_is_passed_on_as_it_came(tmp_path: Path) -> None:
    seen, _ = handed(tmp_path, [request(**{"x-wardstock-source": "caf\xe9"})], lambda _: httpx.Response(202))
    assert (b"x-wardstock-source", b"caf\xe9") in seen[0].headers.raw


def test_the_devices_own_idempotency_key_is_the_only_one(tmp_path: Path) -> None:
    seen, _ = handed(tmp_path, [request(**{"idempotency-key": "mine"}), request()], lambda _: httpx.Response(202))
    [[first], [second]] = [one.headers.get_list("idempotency-key") for one in seen]
    assert first == "mine"
    assert re.fullmatch("ward-2-[0-9a-f]{16}", second)


@pytest.mark.parametrize(("name", "shown"), [("Gebäude 7", "Geb_ude 7"), ("\udcff", "_"), ("x" * 255, "x" * 100)])
def test_a_spool_of_any_name_gives_keys_that_the_hub_takes(tmp_path: Path, name: str, shown: str) -> None:
    """A key that the hub refuses would set every request of the spool aside."""
    seen, _ = handed(tmp_path, [request()], lambda _: httpx.Response(202), name)
    key = seen[0].headers["idempotency-key"]
    assert key.startswith(f"{shown}-1-")
    assert is_key(key)


def test_a_request_keeps_its_key_and_no_other_spool_gives_the_same(tmp_path: Path) -> None:
    """Two spools of one name both begin with number 1; the hub refuses another request under a key it knows."""
    answers = iter([503, 202])
    again, _ = handed(tmp_path / "one", [request()], lambda _: httpx.Response(next(answers)))
    other, _ = handed(tmp_path / "two", [request()], lambda _: httpx.Response(202))
    keys = [one.headers["idempotency-key"] for one in (*again, *other)]
    assert keys[0] == keys[1] != keys[2]


def test_a_path_stays_as_the_device_wrote_it(tmp_path: Path) -> None:
    seen, _ = handed(tmp_path, [request("/fhir/%23x%3F")], lambda _: httpx.Response(202))
    assert seen[0].url.raw_path == b"/fhir/%23x%3F?site=north"


def test_what_can_never_be_called_or_taken_is_set_aside_and_the_next_goes_on(tmp_path: Path) -> None:
    requests = [request("/fhir/" + "x" * 70_000), request(), request("/cabinet")]
    seen, forwarder = handed(tmp_path, requests, lambda one: httpx.Response(413 if one.url.path == "/scans" else 202))
    assert [one.url.path for one in seen] == ["/scans", "/cabinet"]
    assert (forwarder.refused, forwarder.handed_over, forwarder.error) == (2, 1, "")
    assert len(list((tmp_path / "refused").glob("*.json"))) == 2


@pytest.mark.parametrize("status", [404, 429, 500, 503])
def test_a_hub_that_can_not_take_it_now_is_asked_again_and_the_order_stays(tmp_path: Path, status: int) -> None:
    answers = iter([status, status, 202, 202])
    seen, forwarder = handed(tmp_path, [request(), request("/cabinet")], lambda _: httpx.Response(next(answers)))
    assert [one.url.path for one in seen] == ["/scans", "/scans", "/scans", "/cabinet"]
    assert forwarder.error == ""


def test_a_disk_that_can_not_take_the_refused_one_holds_it_and_goes_on_when_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, failures = Spool.refuse, iter([True, True])

    def refuse(spool: Spool, *arguments: object) -> None:
        if next(failures, False):
            raise OSError(28, "No space left on device")
        real(spool, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Spool, "refuse", refuse)
    seen, forwarder = handed(
        tmp_path, [request(), request("/cabinet")], lambda one: httpx.Response(400 if one.url.path == "/scans" else 202)
    )
    assert [one.url.path for one in seen] == ["/scans", "/scans", "/scans", "/cabinet"]
    assert (forwarder.refused, forwarder.handed_over) == (1, 1)
