"""The local API of a running hub: what command-line tools, the tower's neighbours and monitoring ask.

Reading and loading need the token that the hub left in its folder; health and metrics do not.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import time
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends, Header, HTTPException, Query, Request
from starlette.responses import JSONResponse, Response

from connectors.contract import PublishError
from schemas.log import Headers
from schemas.raw import CaptureError, RawMessage, from_capture_line
from schemas.reference import REFERENCE_KINDS
from schemas.topics import TOPICS
from topology.embedded.engine import Engine
from topology.embedded.log import position_key, read_number
from topology.errors import InputRefusedError
from topology.live import LiveHub
from topology.metrics import metrics_text
from topology.outcomes import OutcomeReader, line
from topology.query import run_query
from topology.reference_known import known_ids
from topology.running import RunningHub

INGEST_WAIT_SECONDS: Final = 50.0
FRESH_SECONDS: Final = 10.0
"""How long a reader waits for the projection; then it is shown what there is."""
POLL_SECONDS: Final = 0.02
BEAT_SECONDS_MAX: Final = 30.0
BACKLOG_READY_MAX: Final = 50_000
LOG_PAGE_RECORDS_MAX: Final = 5_000
LOG_PAGE_BYTES_MAX: Final = 4 * 1024 * 1024
_CHECKED: Final = ("normalise", "site")
"""Processors whose input positions `wardstock verify` asks for."""


def local_api(live: RunningHub, token: str) -> APIRouter:
    """The router."""
    router = APIRouter()

    def authorised(authorization: Annotated[str, Header()] = "") -> None:
        if not hmac.compare_digest(authorization.encode(), f"Bearer {token}".encode()):
            raise HTTPException(401, "this needs the token from the hub's folder (hub.json)")

    guarded = [Depends(authorised)]
    router.add_api_route("/api/v1/view/{view}", _view(live), methods=["GET"], dependencies=guarded)
    router.add_api_route("/api/v1/reference", _known(live), methods=["GET"], dependencies=guarded)
    router.add_api_route("/api/v1/reference", _load(live), methods=["POST"], dependencies=guarded)
    router.add_api_route("/api/v1/ingest", _ingest(live), methods=["POST"], dependencies=guarded)
    router.add_api_route("/api/v1/log", _log_cut(live), methods=["GET"], dependencies=guarded)
    router.add_api_route("/api/v1/log/{topic}/{partition}", _log_page(live), methods=["GET"], dependencies=guarded)
    _add_health(router, live)
    return router


def _add_health(router: APIRouter, live: RunningHub) -> None:
    @router.get("/ping")
    async def ping() -> Response:
        """Alive: the engine's loop beats."""
        alive = time.monotonic() - live.last_beat < BEAT_SECONDS_MAX
        return JSONResponse({"alive": alive}, 200 if alive else 503)

    @router.get("/ready")
    async def ready() -> Response:
        """Ready: it can store, and is not far behind."""
        backlog = live.backlog()
        fine = live.failing is None and backlog < BACKLOG_READY_MAX
        return JSONResponse({"ready": fine, "backlog": backlog, "failing": live.failing}, 200 if fine else 503)

    @router.get("/metrics")
    async def metrics() -> Response:
        """Prometheus metrics."""
        text = await asyncio.to_thread(metrics_text, live)
        return Response(text, media_type="text/plain; version=0.0.4")


def _view(live: RunningHub) -> Any:
    async def view(view: str, request: Request) -> list[dict[str, Any]]:
        """Rows of a named view, up to what was durable when asked; the query parameters are its filters."""
        asked = time.monotonic()
        while live.behind(asked) and time.monotonic() < asked + FRESH_SECONDS:
            await asyncio.sleep(POLL_SECONDS)
        try:
            return await asyncio.to_thread(run_query, live.views, view, dict(request.query_params))
        except (InputRefusedError, ValueError) as error:
            raise HTTPException(400, str(error)) from None

    return view


def _known(live: RunningHub) -> Any:
    async def known() -> dict[str, list[str]]:
        """Ids of the reference records the hub holds."""
        return await asyncio.to_thread(known_ids, live.views)

    return known


def _load(live: RunningHub) -> Any:
    async def load(request: Request) -> dict[str, int]:
        """Load reference records, all or nothing; answers when every partition has them."""
        try:
            records = [
                (row["kind"], row["id"], REFERENCE_KINDS[row["kind"]].codec.validate(row["record"]))
                for row in json.loads(await request.body())
            ]
        except (ValueError, KeyError, TypeError) as error:
            raise HTTPException(400, f"the records can't be used: {type(error).__name__}") from None
        try:
            return {"loaded": await asyncio.to_thread(live.load_reference, records)}
        except PublishError as error:
            raise HTTPException(503, str(error)) from None

    return load


def _ingest(live: RunningHub) -> Any:
    async def ingest(request: Request) -> list[list[dict[str, Any]]]:
        """Capture lines in, their items' outcomes out, once every item has ended."""
        try:
            messages = [from_capture_line(data) for data in (await request.body()).split(b"\n") if data.strip()]
        except CaptureError as error:
            raise HTTPException(400, str(error)) from None
        reader = OutcomeReader(live.outcomes())
        try:
            return await _ended(live, messages, reader)
        finally:
            reader.close()

    return ingest


async def _ended(live: RunningHub, messages: list[RawMessage], reader: OutcomeReader) -> list[list[dict[str, Any]]]:
    """Store messages and wait until every item of them has ended."""
    try:
        futures = [asyncio.wrap_future(live.submit(message)) for message in messages]
        places = await asyncio.gather(*futures)
    except PublishError as error:
        raise HTTPException(503, str(error)) from None
    deadline = time.monotonic() + INGEST_WAIT_SECONDS
    while not all(reader.complete(place) for place in places):
        if time.monotonic() > deadline:
            raise HTTPException(504, "the messages are stored; their outcomes are still being worked out")
        await asyncio.sleep(POLL_SECONDS)
        await asyncio.to_thread(reader.advance)
    return [
        [line(message.name or message.source, outcome) for outcome in reader.of(place)]
        for message, place in zip(messages, places, strict=True)
    ]


def _log_cut(live: RunningHub) -> Any:
    async def log_cut() -> dict[str, dict[str, list[int]]]:
        """Input positions and ends of all topics, taken together between two steps of the engine, so that they fit each other."""
        hub = _embedded(live)

        def cut(engine: Engine) -> dict[str, dict[str, list[int]]]:
            store = hub.hub.folder.store
            inputs = {name: len(engine.ends("site.log")) for name in _CHECKED}
            return {
                "positions": {
                    name: [read_number(store, position_key(name, partition)) for partition in range(count)]
                    for name, count in inputs.items()
                },
                "ends": {topic: engine.ends(topic) for topic in TOPICS},
            }

        try:
            taken: dict[str, dict[str, list[int]]] = await asyncio.to_thread(lambda: hub.call(cut).result())
        except PublishError as error:
            raise HTTPException(503, str(error)) from None
        return taken

    return log_cut


def _log_page(live: RunningHub) -> Any:
    async def log_page(
        topic: str, partition: int, start: Annotated[int, Query(ge=0)], end: Annotated[int, Query(ge=0)]
    ) -> Response:
        """Durable records with start ≤ offset < end, at most a page of them, as MessagePack: the next offset, and the records."""
        hub = _embedded(live)
        if topic not in TOPICS or not 0 <= partition < TOPICS[topic].partitions:
            raise HTTPException(404, f"there is no partition {partition} of a topic {topic}")
        data = await asyncio.to_thread(_page, hub.hub.engine, (topic, partition), start, end)
        return Response(data, media_type="application/msgpack")

    return log_page


def _page(engine: Engine, place: tuple[str, int], start: int, end: int) -> bytes:
    """One page; one record at least, however large, where there is one."""
    rows: list[tuple[int, bytes, bytes | None, Headers]] = []
    size = 0
    for record in engine.read(*place, start, min(LOG_PAGE_RECORDS_MAX, max(end - start, 0))):
        size += len(record.value or b"") + len(record.key)
        if rows and size > LOG_PAGE_BYTES_MAX:
            break
        rows.append((record.offset, record.key, record.value, record.headers))
    return msgspec.msgpack.encode((rows[-1][0] + 1 if rows else start, rows))


def _embedded(live: RunningHub) -> LiveHub:
    """The hub, if its log is its own: that of a hub on Kafka is read from the broker."""
    if not isinstance(live, LiveHub):
        raise HTTPException(400, "this hub's log is on Kafka: name the broker with --broker or --config")
    return live
