"""The HTTP feeds: stored before answered, nothing stored half, every refusal in words the caller's software expects."""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from connectors.contract import PublishError, TooLarge, Unavailable
from connectors.http.app import PREVIEW_BYTES_MAX, feeds_router
from connectors.http.intake import NAME_CHARACTERS_MAX, RETRY_AFTER_SECONDS, FeedSettings
from schemas.raw import BODY_BYTES_MAX, CABINET_JSON, DECISION_JSON, EPCIS_JSON, ERP_JSON, FHIR_JSON, SCAN_JSON, RawMessage

NOW = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
OWN = {
    "/cabinet": (CABINET_JSON, "cabinet", "http-cabinet"),
    "/scans": (SCAN_JSON, "scan", "http-scan"),
    "/epcis": (EPCIS_JSON, "epcis", "http-epcis"),
    "/erp/answers": (ERP_JSON, "erp", "http-erp"),
    "/decisions": (DECISION_JSON, "erp", "http-decision"),
}
ALL = ["/fhir", "/fhir/MedicationDispense", *OWN]


class Hub:
    """A hub that stores in a list, or fails as told."""

    def __init__(self, failure: PublishError | None = None) -> None:
        self.stored: list[RawMessage] = []
        self.failure = failure

    async def publish(self, message: RawMessage) -> None:
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        self.stored.append(message)


def call(hub: Hub, method: str, path: str, settings: FeedSettings | None = None, **options: Any) -> httpx.Response:
    app = FastAPI()
    app.include_router(feeds_router(hub.publish, lambda: NOW, settings))

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app=app, client=("10.0.0.7", 5000))
        async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
            return await client.request(method, path, **options)

    return asyncio.run(send())


def model(name: str) -> Callable[[object], object]:
    """The R4B model of fhir.resources: the independent judge of our answers."""
    return getattr(importlib.import_module(f"fhir.resources.R4B.{name.lower()}"), name).model_validate  # type: ignore[no-any-return]


def sentence(answer: httpx.Response) -> str:
    """What the answer says, whichever its form; a FHIR answer must be a valid OperationOutcome."""
    body = answer.json()
    if answer.headers["content-type"].startswith("application/fhir+json"):
        model("OperationOutcome")(body)
        return str(body["issue"][0]["diagnostics"])
    return str(body["reason"])


def test_a_fhir_resource_is_stored_as_received_and_answered_with_an_outcome() -> None:
    hub = Hub()
    body = b'  {"resourceType": "MedicationDispense"}\r\n'
    answer = call(hub, "POST", "/fhir", content=body, headers={"Content-Type": "application/fhir+json"})
    assert answer.status_code == 202
    outcome = answer.json()
    model("OperationOutcome")(outcome)
    assert [issue["severity"] for issue in outcome["issue"]] == ["information", "error"]
    assert outcome["issue"][1]["details"] == {"text": "invalid_resource"}
    assert "MedicationDispense.status" in outcome["issue"][1]["expression"]
    (message,) = hub.stored
    assert message.body == body
    assert (message.source, message.connector, message.content_type) == ("http-fhir", "fhir", FHIR_JSON)
    assert (message.received_at, message.site, message.peer, message.name) == (NOW, None, "10.0.0.7", None)


def test_the_create_address_takes_any_type_and_says_what_moves_no_stock() -> None:
    hub = Hub()
    answer = call(hub, "POST", "/fhir/Patient", json={"resourceType": "Patient"})
    assert answer.status_code == 202
    assert answer.json()["issue"][1]["diagnostics"] == "A Patient moves no stock."
    assert len(hub.stored) == 1


@pytest.mark.parametrize("path", list(OWN))
def test_own_schemas_are_stored_with_their_content_type(path: str) -> None:
    content_type, connector, source = OWN[path]
    hub = Hub()
    answer = call(hub, "POST", path, json=[{"a": 1}, {"a": 2}])
    assert answer.status_code == 202
    assert answer.json() == {"stored": True, "items": 2}
    assert (hub.stored[0].content_type, hub.stored[0].connector, hub.stored[0].source) == (content_type, connector, source)


@pytest.mark.parametrize("path", ALL)
def test_what_is_no_json_is_stored_all_the_same(path: str) -> None:
    hub = Hub()
    answer = call(hub, "POST", path, content=b"\xff\x00 not json")
    assert answer.status_code == 202
    assert hub.stored[0].body == b"\xff\x00 not json"
    if path in OWN:
        assert "refused by name" in answer.json()["warning"]


@pytest.mark.parametrize("path", ALL)
def test_an_empty_body_is_refused_and_not_stored(path: str) -> None:
    hub = Hub()
    answer = call(hub, "POST", path, content=b"")
    assert answer.status_code == 400
    assert "empty" in sentence(answer)
    assert hub.stored == []


@pytest.mark.parametrize("path", ALL)
def test_a_body_at_the_limit_is_stored_and_one_over_it_is_refused_without_being_stored(path: str) -> None:
    hub = Hub()
    settings = FeedSettings(body_bytes_max=100)
    assert call(hub, "POST", path, settings, content=b"x" * 100).status_code == 202
    answer = call(hub, "POST", path, settings, content=b"x" * 101)
    assert answer.status_code == 413
    assert "100 bytes" in sentence(answer)
    assert len(hub.stored) == 1


def test_a_body_of_unannounced_length_is_read_no_further_than_the_limit() -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(1_000):
            read += 1
            yield b"x" * 50

    hub = Hub()
    answer = call(hub, "POST", "/cabinet", FeedSettings(body_bytes_max=100), content=endless())
    assert answer.status_code == 413
    assert read <= 4, "two chunks fill the limit, the third is over it"
    assert hub.stored == []


@pytest.mark.parametrize("path", ALL)
def test_a_hub_that_can_not_store_asks_to_be_called_again(path: str) -> None:
    answer = call(Hub(Unavailable("the disk is full")), "POST", path, content=b"{}")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == str(RETRY_AFTER_SECONDS)
    assert "the disk is full" in sentence(answer)


@pytest.mark.parametrize("path", ALL)
def test_what_the_hub_finds_too_large_is_not_asked_for_again(path: str) -> None:
    answer = call(Hub(TooLarge("too large for the log")), "POST", path, content=b"{}")
    assert answer.status_code == 413
    assert "Retry-After" not in answer.headers


@pytest.mark.parametrize("path", ALL)
def test_a_compressed_body_is_refused_rather_than_stored_unreadable(path: str) -> None:
    hub = Hub()
    answer = call(hub, "POST", path, content=b"\x1f\x8b", headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 415
    assert "gzip" in sentence(answer)
    assert hub.stored == []


@pytest.mark.parametrize("path", ALL)
def test_no_answer_begins_before_the_message_is_durable(path: str) -> None:
    order: list[str] = []

    async def publish(message: RawMessage) -> None:
        order.append("publish begins")
        await asyncio.sleep(0.01)
        order.append("durable")

    app = FastAPI()
    app.include_router(feeds_router(publish, lambda: NOW))

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        async def note(message: Any) -> None:
            order.append(message["type"])
            await send(message)

        await app(scope, receive, note)

    async def post() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=watched), base_url="http://hub") as client:
            await client.post(path, content=b"{}")

    asyncio.run(post())
    assert order[:3] == ["publish begins", "durable", "http.response.start"]


def test_requests_at_the_same_time_are_all_stored() -> None:
    hub = Hub()
    app = FastAPI()
    app.include_router(feeds_router(hub.publish, lambda: NOW))

    async def post_all() -> list[int]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://hub") as client:
            answers = await asyncio.gather(*(client.post("/scans", content=b"%d" % number) for number in range(50)))
            return [answer.status_code for answer in answers]

    assert asyncio.run(post_all()) == [202] * 50
    assert sorted(int(message.body) for message in hub.stored) == list(range(50))


def test_the_caller_may_name_the_feed_the_site_and_the_request() -> None:
    hub = Hub()
    headers = {"X-Wardstock-Source": "pyxis-7", "X-Wardstock-Site": "north", "Idempotency-Key": "batch-12"}
    call(hub, "POST", "/cabinet", content=b"{}", headers=headers)
    call(hub, "POST", "/cabinet?source=query-feed&site=south", content=b"{}", headers=headers)
    assert [(one.source, one.site, one.name) for one in hub.stored] == [
        ("pyxis-7", "north", "batch-12"),
        ("query-feed", "south", "batch-12"),
    ]


def test_the_settings_name_the_default_feed_site_and_profile() -> None:
    hub = Hub()
    call(hub, "POST", "/scans", FeedSettings(scan_source="dock", site="north", profile="handheld"), content=b"{}")
    assert [(one.source, one.site, one.profile) for one in hub.stored] == [("dock", "north", "handheld")]


@pytest.mark.parametrize("name", ["x" * (NAME_CHARACTERS_MAX + 1), "a\tb"])
@pytest.mark.parametrize("header", ["X-Wardstock-Source", "X-Wardstock-Site", "Idempotency-Key"])
def test_a_name_that_can_not_be_one_is_refused(header: str, name: str) -> None:
    hub = Hub()
    answer = call(hub, "POST", "/decisions", content=b"{}", headers={header: name})
    assert answer.status_code == 400
    assert str(NAME_CHARACTERS_MAX) in sentence(answer)
    assert hub.stored == []


def test_a_large_body_is_answered_without_counting_its_items() -> None:
    hub = Hub()
    body = json.dumps([{"a": "x" * 100}] * (PREVIEW_BYTES_MAX // 100)).encode()
    assert call(hub, "POST", "/cabinet", content=body).json() == {"stored": True}


def test_the_capability_statement_is_valid_and_promises_only_what_is_there() -> None:
    answer = call(Hub(), "GET", "/fhir/metadata")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/fhir+json")
    statement = answer.json()
    model("CapabilityStatement")(statement)
    assert statement["fhirVersion"] == "4.3.0"
    types = {one["type"]: [act["code"] for act in one["interaction"]] for one in statement["rest"][0]["resource"]}
    changed, deleted = ["create", "update"], ["create", "update", "delete"]
    assert types == {
        "MedicationAdministration": deleted, "MedicationDispense": deleted, "MedicationRequest": changed, "SupplyDelivery": changed,
        "SupplyRequest": changed,
    }  # fmt: skip
    r5 = call(Hub(), "GET", "/fhir/metadata", headers={"Accept": "application/fhir+json; fhirVersion=5.0"}).json()
    importlib.import_module("fhir.resources.capabilitystatement").CapabilityStatement.model_validate(r5)
    assert r5["fhirVersion"] == "5.0.0"
    assert {"InventoryReport", "DeviceDispense"} < {one["type"] for one in r5["rest"][0]["resource"]}


def test_a_limit_above_the_hubs_own_is_a_configuration_error() -> None:
    with pytest.raises(ValueError, match="body_bytes_max"):
        FeedSettings(body_bytes_max=BODY_BYTES_MAX + 1)


def test_a_sender_that_goes_away_stores_nothing() -> None:
    hub = Hub()
    app = FastAPI()
    app.include_router(feeds_router(hub.publish, lambda: NOW))
    events = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]
    sent: list[dict[str, Any]] = []
    scope = {
        "type": "http", "method": "POST", "path": "/fhir", "raw_path": b"/fhir", "query_string": b"", "headers": [],
        "http_version": "1.1", "scheme": "http", "server": ("hub", 80), "client": ("10.0.0.7", 1), "root_path": "",
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        return events.pop(0) if events else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    assert hub.stored == []
    assert sent[0]["status"] == 400
