"""The HTTP endpoints of the feeds, as one router.

Bytes that are received are stored, whatever they hold; an answer with success means durable, not understood. Only an empty or
oversized body, an unusable name and a hub that can't store are answered with an error.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from connectors.contract import Publish
from connectors.http.fhir import add_fhir
from connectors.http.intake import FeedSettings, Intake, NotStored
from schemas.raw import CABINET_JSON, DECISION_JSON, EPCIS_JSON, ERP_JSON, SCAN_JSON

PREVIEW_BYTES_MAX: Final = 256 * 1024
"""Larger bodies are stored without counting their items in the answer, so that answering stays quick."""


def feeds_router(publish: Publish, clock: Callable[[], datetime], settings: FeedSettings | None = None) -> APIRouter:
    """The router of all HTTP feeds. `clock` gives the time of receipt, timezone-aware UTC."""
    intake = Intake(publish, clock, settings or FeedSettings())
    router = APIRouter()
    add_fhir(router, intake)
    names = intake.settings
    _add_own(router, intake, "/cabinet", "cabinet", CABINET_JSON, names.cabinet_source)
    _add_own(router, intake, "/scans", "scan", SCAN_JSON, names.scan_source)
    _add_own(router, intake, "/epcis", "epcis", EPCIS_JSON, names.epcis_source)
    _add_own(router, intake, "/erp/answers", "erp", ERP_JSON, names.erp_source)
    _add_own(router, intake, "/decisions", "erp", DECISION_JSON, names.decision_source)
    return router


def _add_own(router: APIRouter, intake: Intake, path: str, connector: str, content_type: str, source: str) -> None:
    @router.post(path, status_code=202, name=f"take {path}")
    async def take(request: Request) -> Response:
        """One object or a list of them, in the hub's own published schema."""
        result = await intake.take(request, connector=connector, content_type=content_type, source=source)
        if isinstance(result, NotStored):
            return JSONResponse({"stored": False, "reason": result.reason}, result.status, result.headers)
        return JSONResponse({"stored": True, **_preview(result.message.body)}, 202, result.headers)


def _preview(body: bytes) -> dict[str, object]:
    """How many items a small body declares, or that it is no JSON; the mapper has the last word."""
    if len(body) > PREVIEW_BYTES_MAX:
        return {}
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {"items": 1, "warning": "the body is not JSON: it is kept, and will be refused by name"}
    return {"items": max(1, len(value)) if isinstance(value, list) else 1}
