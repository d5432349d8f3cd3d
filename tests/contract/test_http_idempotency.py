"""Idempotency-Key: the same request again is answered and not stored again, another one is refused, on every endpoint."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from connectors.contract import PublishError, Unavailable
from connectors.http import idempotency
from connectors.http.app import feeds_router
from connectors.http.idempotency import KEY_CHARACTERS_MAX, KeyMemory, KeyReusedError
from schemas.raw import RawMessage
from tests.contract.test_http_feeds import ALL, NOW, sentence

KEY = {"Idempotency-Key": "batch-12"}
BODY = b'[{"a": 1}]'


class Hub:
    """A hub that stores in a list, and may be told to wait or to fail; its callers share one memory of keys."""

    def __init__(self) -> None:
        self.stored: list[RawMessage] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.failures: list[PublishError] = []
        self.begun = 0
        self.app = FastAPI()
        self.app.include_router(feeds_router(self.publish, lambda: NOW))

    async def publish(self, message: RawMessage) -> None:
        self.begun += 1
        await self.gate.wait()
        if self.failures:
            raise self.failures.pop()
        self.stored.append(message)

    async def post(self, path: str, body: bytes = BODY, peer: str = "10.0.0.7", **headers: str | bytes) -> httpx.Response:
        transport = httpx.ASGITransport(app=self.app, client=(peer, 5000))
        async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
            return await client.post(path, content=body, headers={**KEY, **headers})


def run(scenario: Any) -> None:
    async def timed() -> None:
        async with asyncio.timeout(20):
            await scenario(Hub())

    asyncio.run(timed())


@pytest.mark.parametrize("path", ALL)
def test_the_same_request_again_has_the_same_answer_and_is_not_stored_again(path: str) -> None:
    async def scenario(hub: Hub) -> None:
        first, again = await hub.post(path), await hub.post(path)
        assert (first.status_code, again.status_code) == (202, 202)
        assert first.content == again.content
        assert "Idempotency-Replayed" not in first.headers
        assert again.headers["Idempotency-Replayed"] == "true"
        assert [one.body for one in hub.stored] == [BODY]

    run(scenario)


@pytest.mark.parametrize("path", ALL)
def test_another_request_under_the_key_is_refused_in_a_sentence(path: str) -> None:
    async def scenario(hub: Hub) -> None:
        await hub.post(path)
        other = await hub.post(path, b'[{"a": 2}]')
        assert other.status_code == 422
        assert "Idempotency-Key batch-12 of http-" in sentence(other)
        assert "nothing was stored. Send this one under a key of its own" in sentence(other)
        assert (await hub.post(path)).headers["Idempotency-Replayed"] == "true", "the first is still the one that is known"
        assert len(hub.stored) == 1

    run(scenario)


def test_the_same_words_about_something_else_are_another_request() -> None:
    """Of a site, of an endpoint, of an address: none may be answered with what was stored of the other."""

    async def scenario(hub: Hub) -> None:
        named = {"X-Wardstock-Source": "pyxis"}
        resource = b'{"resourceType": "MedicationDispense", "id": "1"}'
        assert (await hub.post("/cabinet?site=north", resource, **named)).status_code == 202
        assert (await hub.post("/cabinet?site=south", resource, **named)).status_code == 422
        assert (await hub.post("/scans?site=north", resource, **named)).status_code == 422
        assert (await hub.post("/fhir?site=north", resource, **named)).status_code == 422
        assert len(hub.stored) == 1

    run(scenario)


def test_keys_belong_to_their_sender() -> None:
    """To the source that the sender names; without one, to its address: many cabinets may share a default source."""

    async def scenario(hub: Hub) -> None:
        await hub.post("/cabinet", b"1", peer="10.0.0.7")
        assert (await hub.post("/cabinet", b"2", peer="10.0.0.8")).status_code == 202
        assert (await hub.post("/cabinet", b"3", **{"X-Wardstock-Source": "pyxis"})).status_code == 202
        assert (await hub.post("/cabinet", b"4", **{"X-Wardstock-Source": "omnicell"})).status_code == 202
        again = await hub.post("/cabinet", b"3", peer="10.0.0.9", **{"X-Wardstock-Source": "pyxis"})
        assert again.headers["Idempotency-Replayed"] == "true"
        assert [one.body for one in hub.stored] == [b"1", b"2", b"3", b"4"]

    run(scenario)


def test_without_a_key_every_request_is_stored() -> None:
    async def scenario(hub: Hub) -> None:
        for _ in range(2):
            assert (await hub.post("/cabinet", **{"Idempotency-Key": " "})).status_code == 202
        assert len(hub.stored) == 2

    run(scenario)


@pytest.mark.parametrize("path", ALL)
@pytest.mark.parametrize(
    "key", [b"\xff\xfe", b"caf\xe9", b"\xa0", "Schlüssel".encode(), b"a\tb", b"x" * (KEY_CHARACTERS_MAX + 1)]
)
def test_a_key_that_is_no_visible_ascii_is_refused_and_nothing_is_stored(path: str, key: bytes) -> None:
    """The draft's key is a string of a structured field, RFC 8941 §3.3.3: %x20-7E. Byte A0 is no blank of HTTP."""

    async def scenario(hub: Hub) -> None:
        answer = await hub.post(path, **{"Idempotency-Key": key})
        assert answer.status_code == 400
        assert sentence(answer).startswith(
            "Idempotency-Key must be visible ASCII characters, at most 200: a UUID for each request"
        )
        assert hub.stored == []

    run(scenario)


@pytest.mark.parametrize(
    "key", [b'"8e03978e-40d5-43dd-bc93-6894a57f9324"', b"8e03978e-40d5-43dd-bc93-6894a57f9324", b"!~ a b", b"x" * 200]
)
def test_a_key_is_taken_with_quotes_or_without(key: bytes) -> None:
    async def scenario(hub: Hub) -> None:
        answers = [await hub.post("/cabinet", **{"Idempotency-Key": key}) for _ in range(2)]
        assert [(one.status_code, one.headers.get("Idempotency-Replayed")) for one in answers] == [(202, None), (202, "true")]

    run(scenario)


def test_only_what_is_durable_is_known() -> None:
    async def scenario(hub: Hub) -> None:
        hub.failures = [Unavailable("the disk is full")]
        assert (await hub.post("/cabinet")).status_code == 503
        again = await hub.post("/cabinet")
        assert (again.status_code, again.headers.get("Idempotency-Replayed")) == (202, None)
        assert len(hub.stored) == 1

    run(scenario)


def test_requests_at_the_same_time_are_stored_once_and_answered_when_it_is_durable() -> None:
    async def scenario(hub: Hub) -> None:
        hub.gate.clear()
        posts = [asyncio.create_task(hub.post("/cabinet")) for _ in range(20)]
        other = asyncio.create_task(hub.post("/cabinet", b"other"))
        done, _ = await asyncio.wait([*posts, other], timeout=0.2)
        assert (done, hub.begun) == (set(), 1)
        hub.gate.set()
        answers = await asyncio.gather(*posts)
        assert [one.status_code for one in answers] == [202] * 20
        assert sum("Idempotency-Replayed" in one.headers for one in answers) == 19
        assert (await other).status_code == 422
        assert len(hub.stored) == 1

    run(scenario)


def test_when_the_first_of_them_fails_the_next_stores() -> None:
    async def scenario(hub: Hub) -> None:
        hub.gate.clear()
        hub.failures = [Unavailable("the disk is full")]
        posts = [asyncio.create_task(hub.post("/cabinet")) for _ in range(3)]
        await asyncio.sleep(0.05)
        hub.gate.set()
        assert [one.status_code for one in await asyncio.gather(*posts)] == [503, 202, 202]
        assert len(hub.stored) == 1

    run(scenario)


def test_a_request_that_waits_too_long_for_another_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idempotency, "UNDER_WAY_SECONDS_MAX", 0.05)

    async def scenario(hub: Hub) -> None:
        hub.gate.clear()
        first = asyncio.create_task(hub.post("/scans"))
        await asyncio.sleep(0.01)
        second = await hub.post("/scans")
        assert second.status_code == 409
        assert second.headers["Retry-After"]
        assert "is still being stored; send the same request again" in sentence(second)
        hub.gate.set()
        assert (await first).status_code == 202

    run(scenario)


def test_the_memory_is_bounded_and_what_it_forgot_is_stored_again() -> None:
    """Harmless: the identities of the items make them duplicates."""

    async def scenario(_: Hub) -> None:
        stored: list[int] = []
        memory = KeyMemory(keys_max=3)

        async def once(number: int, digest: bytes = b"same") -> bool:
            async def store() -> None:
                stored.append(number)

            return await memory.store_once("source", str(number), digest, store)

        for number in (1, 2, 3):
            assert not await once(number)
        assert await once(1), "and it is now the one used last"
        assert not await once(4)
        assert await once(1)
        assert not await once(2), "forgotten for 4"
        with pytest.raises(KeyReusedError):
            await once(1, b"other")
        assert stored == [1, 2, 3, 4, 2]

    run(scenario)


def test_a_request_that_is_given_up_leaves_the_key_free() -> None:
    async def scenario(hub: Hub) -> None:
        hub.gate.clear()
        first = asyncio.create_task(hub.post("/cabinet"))
        await asyncio.sleep(0.05)
        first.cancel()
        await asyncio.wait([first])
        hub.gate.set()
        assert (await hub.post("/cabinet")).status_code == 202

    run(scenario)
