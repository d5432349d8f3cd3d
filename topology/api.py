"""The local API of a running hub: what command-line tools, the tower's neighbours and monitoring ask.

Reading and loading need the token that the hub left in its folder; health and metrics do not.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import time
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, HTTPException, Request
from starlette.responses import JSONResponse, Response

from connectors.contract import PublishError
from schemas.raw import CaptureError, RawMessage, from_capture_line
from schemas.reference import REFERENCE_KINDS
from topology.errors import InputRefusedError
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
