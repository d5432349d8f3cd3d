"""The hub as a web application: feeds and local API, its OpenAPI document, and a clear answer to everything they don't do.

The tower's pages take over every address that is left, so addresses and methods that the API does not have are refused here.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic_core import ErrorDetails
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from connectors.field_faults import sentence
from connectors.http.app import feeds_router
from connectors.http.fhir import refused_in_fhir
from connectors.http.intake import FeedSettings
from sinks.scanner.mount import mount_scanner
from topology.api import local_api
from topology.downtime.keeper import Ages
from topology.master.desk import MasterDesk
from topology.openapi import document, paths
from topology.running import RunningHub
from topology.settings import Settings

_ALSO_HEAD: Final = frozenset({"/ping", "/ready", "/metrics", "/fhir/metadata", "/openapi.json"})


def hub_app(live: RunningHub, settings: Settings, token: str, desk: MasterDesk, packs: Ages | None = None) -> FastAPI:
    """The application without the tower. `token` is what guarded addresses ask for, `packs` says how old downtime packs are."""
    app = FastAPI(title=settings.title, docs_url=None, redoc_url=None)
    app.openapi = cache(lambda: document(settings.title))  # type: ignore[method-assign]  # FastAPI's own way to replace it
    app.add_exception_handler(RequestValidationError, _not_of_its_form)
    app.include_router(feeds_router(live.publish, live.now, FeedSettings(site=settings.default_site)))
    app.include_router(local_api(live, token, desk, packs))
    mount_scanner(app, live.views)
    app.router.routes += _refusals()
    return app


def _refusals() -> list[Route]:
    """Last of all routes: other methods of known addresses, and other addresses below those of the API."""
    known = {path: tuple(method.upper() for method in item) for path, item in paths().items()}
    known["/openapi.json"] = ("GET",)
    found = [Route(path, _Refusal((*methods, "HEAD") if path in _ALSO_HEAD else methods)) for path, methods in known.items()]
    return [*found, Route("/api/{rest:path}", _Refusal()), Route("/fhir/{rest:path}", _Refusal())]


class _Refusal:
    """Answers every method: 405 where others are allowed, 404 where none is."""

    def __init__(self, allowed: tuple[str, ...] = ()) -> None:
        self._allowed = ", ".join(allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._answer(scope["path"], scope["method"])(scope, receive, send)

    def _answer(self, path: str, method: str) -> Response:
        status, headers = (405, {"Allow": self._allowed}) if self._allowed else (404, None)
        reason = f"{method} is not possible here; {self._allowed} is" if self._allowed else "there is no such address"
        if path.startswith("/fhir"):
            return refused_in_fhir(status, f"{reason[0].upper()}{reason[1:]}.", headers)
        return JSONResponse({"detail": reason}, status, headers)


async def _not_of_its_form(request: Request, error: Exception) -> Response:  # noqa: ARG001  # the form of a handler
    """What is answered for a parameter that is no number or none of those possible."""
    details = cast("RequestValidationError", error).errors()
    reasons = [sentence(cast("ErrorDetails", _within(detail))) for detail in details]
    return JSONResponse({"detail": "; ".join(f"{name} {reason}" for name, reason in reasons)}, 422)


def _within(detail: dict[str, Any]) -> dict[str, Any]:
    """The same, its place without the part of the request."""
    return {**detail, "loc": detail["loc"][1:]}
