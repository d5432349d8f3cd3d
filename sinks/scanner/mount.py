"""Puts the scanner page on a FastAPI app: its files, the places it offers, and how a session's scans ended.

Owns the addresses and the version of the files; what the page does is in `static/`. It takes no scan: that is `POST /scans`.
"""

from __future__ import annotations

import asyncio
import json
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from starlette.responses import JSONResponse, Response

from schemas.scan import NAME_CHARACTERS_MAX
from sinks.sql.views import Views

PLACES_MAX: Final = 5_000
"""Places offered by name; any other may still be typed or scanned."""

_STATIC: Final = Path(__file__).with_name("static")
_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webmanifest": "application/manifest+json",
}
_PAGE: Final = "index.html"
_WORKER: Final = "worker.js"
_HEADERS: Final = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}


def mount_scanner(app: FastAPI, views: Views) -> None:
    """Serve the page at `/scanner`, its files below, and `GET /scans/{session}`.

    Mount it before the tower, which takes all addresses that are not routed yet.
    """
    router = APIRouter()
    files = _files()

    @router.get("/scanner/places", include_in_schema=False)
    async def places() -> dict[str, Any]:
        """Sites and places by name and code, for the page to offer."""
        return await asyncio.to_thread(_places, views)

    @router.get("/scanner", include_in_schema=False)
    @router.get("/scanner/{name:path}", include_in_schema=False)
    async def file(name: str = "") -> Response:
        """A file of the page."""
        data = files.get(name or _PAGE)
        if data is None:
            return JSONResponse({"reason": "The scanner page has no such file."}, 404)
        return _answer(name or _PAGE, data)

    @router.get("/scans/{session:path}")
    async def scans(session: str) -> Response:
        """How each scan of a session ended; one that is not judged yet is absent."""
        if not 0 < len(session) <= NAME_CHARACTERS_MAX:
            reason = f"A session is named by 1 to {NAME_CHARACTERS_MAX} characters."
            return JSONResponse({"reason": reason}, 400)
        return JSONResponse(await asyncio.to_thread(views.scans, session), headers={"Cache-Control": "no-store"})

    app.include_router(router)


def _files() -> dict[str, bytes]:
    """All files by name. The worker is told their names and a version that changes with any of them."""
    contents = {path.name: path.read_bytes() for path in sorted(_STATIC.iterdir()) if path.suffix in _TYPES}
    version = blake2b(b"\0".join(part for name, data in contents.items() for part in (name.encode(), data)), digest_size=8)
    cached = ["/scanner", *(f"/scanner/{name}" for name in contents if name not in (_PAGE, _WORKER))]
    head = f"const VERSION = {json.dumps(version.hexdigest())};\nconst FILES = {json.dumps(cached)};\n"
    contents[_WORKER] = head.encode() + contents[_WORKER]
    return contents


def _answer(name: str, data: bytes) -> Response:
    headers = {**_HEADERS, "Service-Worker-Allowed": "/scanner"} if name == _WORKER else _HEADERS
    return Response(data, media_type=_TYPES[Path(name).suffix], headers=headers)


def _places(views: Views) -> dict[str, Any]:
    sites = [{"id": site["id"], "name": site.get("name") or site["id"]} for site in views.sites()]
    places = [_place(place) for place in views.reference("location")[:PLACES_MAX]]
    return {"sites": sites, "places": places}


def _place(place: dict[str, Any]) -> dict[str, Any]:
    named = place.get("name") or place["path"]
    return {"site": place["site"], "path": place["path"], "name": named, "codes": place.get("codes") or []}
