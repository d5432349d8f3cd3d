"""The HTTP face of the spool: the hub's own feeds, answered with success when the request is kept on this disk.

Requests that arrive together are kept together, with one fsync. A request that can't be kept is refused with 503: the device
keeps it, and sends it again.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any, Final

from fastapi import FastAPI
from fastapi import Request as HttpRequest
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response

from connectors.edge.forward import Forwarder
from connectors.edge.record import Request
from connectors.edge.spool import Spool, SpoolFullError
from connectors.http.idempotency import KEY_WANTED, is_key
from connectors.http.intake import KEY_HEADER, RETRY_AFTER_SECONDS, SITE_HEADER, SOURCE_HEADER
from schemas.raw import BODY_BYTES_MAX

TOGETHER_MAX: Final = 500
"""Requests kept with one fsync."""
TOGETHER_BYTES_MAX: Final = 16 * 1024 * 1024
"""And their bodies' bytes; one request is always kept alone."""
_PASSED_ON: Final = ("content-type", SOURCE_HEADER.lower(), SITE_HEADER.lower(), KEY_HEADER.lower(), "x-fhir-version")
_PATHS: Final = ("/cabinet", "/scans", "/fhir", "/fhir/{resource_type}")


class Keeper:
    """Gathers requests and appends them to the spool, one group at a time."""

    def __init__(self, spool: Spool, forwarder: Forwarder) -> None:
        self._spool = spool
        self._forwarder = forwarder
        self._waiting: list[tuple[Request, asyncio.Future[int]]] = []
        self._busy = False
        self.refused = 0

    async def keep(self, request: Request) -> int:
        """The number under which the request is kept. Raises `SpoolFullError`, `OSError`."""
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, future))
        if not self._busy:
            self._busy = True
            asyncio.get_running_loop().call_soon(self._append)
        return await future

    def _append(self) -> None:
        """Keep what has gathered. Appending blocks the loop: the one fsync is what all of them wait for."""
        sizes = itertools.accumulate(len(request.body) for request, _ in self._waiting[:TOGETHER_MAX])
        count = max(1, sum(size <= TOGETHER_BYTES_MAX for size in sizes))
        group, self._waiting = self._waiting[:count], self._waiting[count:]
        try:
            last = self._spool.append([request for request, _ in group])
        except (SpoolFullError, OSError) as error:
            self.refused += len(group)
            for _, future in group:
                if not future.done():
                    future.set_exception(error)
        else:
            for place, (_, future) in enumerate(group, start=1):
                if not future.done():
                    future.set_result(last - len(group) + place)
            self._forwarder.wake()
        self._busy = bool(self._waiting)
        if self._busy:
            asyncio.get_running_loop().call_soon(self._append)


def edge_app(spool: Spool, forwarder: Forwarder, clock: Callable[[], datetime]) -> FastAPI:
    """The application; its lifetime runs the forwarder and notes at the end how far it came."""
    keeper = Keeper(spool, forwarder)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(forwarder.run())
        task.add_done_callback(forwarder.ended)
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        spool.save()
        spool.close()

    app = FastAPI(title="Wardstock edge", lifespan=lifespan, docs_url=None, redoc_url=None)

    async def take(request: HttpRequest) -> Response:
        body = await _body(request)
        if isinstance(body, Response):
            return body
        if not is_key(request.headers.get(KEY_HEADER, "").strip(" \t")):
            return _refusal(400, f"{KEY_HEADER} {KEY_WANTED}; nothing was kept.")
        headers = tuple((name, request.headers[name]) for name in _PASSED_ON if name in request.headers)
        path = request.scope["raw_path"].decode("latin-1")
        kept = Request(path, request.url.query, headers, body, clock().isoformat())
        try:
            number = await keeper.keep(kept)
        except (SpoolFullError, OSError) as error:
            reason = str(error) if isinstance(error, SpoolFullError) else error.strerror or type(error).__name__
            again = {"Retry-After": str(RETRY_AFTER_SECONDS)}
            return _refusal(503, f"Not kept: {reason}. Keep the request and send it again.", again)
        return JSONResponse({"stored": True, "spool": number}, 202)

    for path in _PATHS:
        app.add_api_route(path, take, methods=["POST"], status_code=202)
    app.add_api_route("/health", lambda: _health(spool, forwarder, keeper), methods=["GET"])
    return app


async def _body(request: HttpRequest) -> bytes | Response:
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > BODY_BYTES_MAX:
                return _refusal(413, f"The body is over the limit of {BODY_BYTES_MAX} bytes; send it in several requests.")
            chunks.append(chunk)
    except ClientDisconnect:
        return _refusal(400, "The sender went away before the body was complete; nothing was kept.")
    return b"".join(chunks) if size else _refusal(400, "The body is empty; nothing was kept.")


def _refusal(status: int, reason: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"stored": False, "reason": reason}, status, headers)


def _health(spool: Spool, forwarder: Forwarder, keeper: Keeper) -> dict[str, Any]:
    """How much waits, and why nothing moves."""
    return {
        "waiting": spool.count_waiting,
        "bytes_held": spool.bytes_held,
        "bytes_max": spool.bytes_max,
        "handed_over": forwarder.handed_over,
        "refused_by_hub": forwarder.refused,
        "refused_to_devices": keeper.refused,
        "set_aside": spool.set_aside,
        "error": forwarder.error,
    }
