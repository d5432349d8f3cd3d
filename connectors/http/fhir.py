"""The FHIR endpoints: create, update and delete of a resource, Bundles, NDJSON, notifications, and the capability statement.

Bytes that are received are stored before they are answered. An update or a deletion by address is stored as a transaction Bundle
of one entry, which holds the body byte for byte: the address is part of what was said.
"""

from __future__ import annotations

import json
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from connectors.fhir.readers import READERS
from connectors.http.fhir_answers import answer_to, outcome
from connectors.http.intake import Intake, NotStored
from schemas.raw import FHIR_JSON

FHIR_MEDIA_TYPE: Final = "application/fhir+json"
STATEMENT_DATE: Final = "2026-11-26"
"""When the statement last changed."""
ANSWERED_BYTES_MAX: Final = 256 * 1024
"""Larger messages are answered as stored, without a word on each item, so that answering stays quick."""
VERSION_HEADER: Final = "X-FHIR-Version"
_STORED: Final = "The message is stored; how each item in it ends stands in the hub's outcomes."
_READ_ONLY: Final = "The hub takes resources in and gives none out; ask the tower or the topics for stock."
_PATCH: Final = "A PATCH can't be followed without the resource it changes: PUT the whole resource. Nothing was stored."
VERSION_CHARACTERS_MAX: Final = 20


def add_fhir(router: APIRouter, intake: Intake) -> None:
    """Add the endpoints to a router."""
    fhir = _Fhir(intake)
    add = router.add_api_route
    add("/fhir/metadata", _metadata, methods=["GET", "HEAD"])
    add("/fhir", fhir.take_any, methods=["POST"])
    add("/fhir/{resource_type}", fhir.create, methods=["POST"])
    add("/fhir/{resource_type}", fhir.delete_by_search, methods=["DELETE"])
    add("/fhir/{resource_type}/{id_}", fhir.update, methods=["PUT"])
    add("/fhir/{resource_type}/{id_}", fhir.delete, methods=["DELETE"])
    add("/fhir/{resource_type}/{id_}", _patch, methods=["PATCH"])
    add("/fhir/{resource_type}/{id_}", _read, methods=["GET"])
    add("/fhir/{resource_type}", _search, methods=["GET"])


class _Fhir:
    """The endpoints that store."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    async def take_any(self, request: Request) -> Response:
        """A resource, a Bundle, NDJSON, or the notification of a Subscription."""
        return await self._take(request, None)

    async def create(self, request: Request, resource_type: str) -> Response:  # noqa: ARG002  # part of the address
        """A resource of the named type, or several as NDJSON (FHIR create)."""
        return await self._take(request, None)

    async def update(self, request: Request, resource_type: str, id_: str) -> Response:
        """The whole resource in its newest version (FHIR update)."""
        return await self._take(request, ("PUT", resource_type, id_))

    async def delete(self, request: Request, resource_type: str, id_: str) -> Response:
        """The resource is taken back (FHIR delete)."""
        return await self._take(request, ("DELETE", resource_type, id_))

    async def delete_by_search(self, request: Request, resource_type: str) -> Response:
        """The resource with this identifier is taken back (FHIR conditional delete): `?identifier=system|value`."""
        token = request.query_params.get("identifier", "")
        return await self._take(request, ("DELETE", f"{resource_type}?identifier={token}", ""))

    async def _take(self, request: Request, about: tuple[str, str, str] | None) -> Response:
        intake = self._intake
        content_type = _content_type(request)
        if isinstance(content_type, NotStored):
            return _refusal(content_type)
        result = await intake.take(
            request,
            connector="fhir",
            content_type=content_type,
            source=intake.settings.fhir_source,
            prepare=None if about is None else lambda body: _entry(body, *about),
            may_be_empty=about is not None and about[0] == "DELETE",
        )
        if isinstance(result, NotStored):
            return _refusal(result)
        wants_little = "return=minimal" in request.headers.get("prefer", "").replace(" ", "")
        if wants_little or len(result.message.body) > ANSWERED_BYTES_MAX:
            return _answer(202, outcome("information", "informational", _STORED), result.headers)
        named = about[1].partition("?")[0] if about else ""
        return _answer(202, await run_in_threadpool(answer_to, result.message, named), result.headers)


def _content_type(request: Request) -> str | NotStored:
    """The media type under which it is stored, with the release the sender states: in it, in the query, or in a header."""
    parameters = {
        name.strip().lower(): value.strip().strip('"')
        for name, _, value in (one.partition("=") for one in request.headers.get("content-type", "").split(";")[1:])
    }
    stated = (parameters.get("fhirversion"), request.query_params.get("fhirVersion"), request.headers.get(VERSION_HEADER))
    found = [release for release in stated if release]
    for release in found:
        if len(release) > VERSION_CHARACTERS_MAX or not release.isprintable() or ";" in release:
            return NotStored(400, "value", "fhirVersion is no version number like 4.0, 4.3 or 5.0; nothing was stored.")
    return f"{FHIR_JSON}; fhirVersion={found[0]}" if found else FHIR_JSON


def _entry(body: bytes, method: str, resource_type: str, id_: str) -> bytes | NotStored:
    """The transaction Bundle that says what an update or a deletion by address said. What is no JSON object stays as it is."""
    url = f"{resource_type}/{id_}" if id_ else resource_type
    request = json.dumps({"method": method, "url": url}).encode()
    start = b'{"resourceType":"Bundle","type":"transaction","entry":[{"request":' + request
    if method == "DELETE":
        return start + b"}]}"
    try:
        resource = json.loads(body)
    except (ValueError, RecursionError):
        return body
    if not isinstance(resource, dict):
        return body
    for name, expected in (("resourceType", resource_type), ("id", id_)):
        if resource.get(name) != expected:
            reason = f"{name} of the resource is not the one in the address ({expected[:64]}); nothing was stored."
            return NotStored(400, "invalid", reason)
    # What is no text stays none: the mapper refuses it by name.
    text = body.decode(json.detect_encoding(body), "surrogatepass").encode("utf-8", "surrogatepass")
    return start + b',"resource":' + text + b"}]}"


def _refusal(refused: NotStored) -> Response:
    return _answer(refused.status, outcome("error", refused.issue, refused.reason), refused.headers)


def _answer(status: int, resource: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    return JSONResponse(resource, status, headers, media_type=FHIR_MEDIA_TYPE)


def refused_in_fhir(status: int, sentence: str, headers: dict[str, str] | None = None) -> Response:
    """An OperationOutcome that says what is not done here."""
    return _answer(status, outcome("error", "not-supported", sentence), headers)


async def _patch() -> Response:
    """Not supported: an OperationOutcome says what to send instead."""
    return refused_in_fhir(405, _PATCH, {"Allow": "PUT, DELETE"})


async def _read() -> Response:
    """Not supported: an OperationOutcome says where stock is read."""
    return refused_in_fhir(405, _READ_ONLY, {"Allow": "PUT, DELETE"})


async def _search() -> Response:
    """Not supported either."""
    return refused_in_fhir(405, _READ_ONLY, {"Allow": "POST, DELETE"})


async def _metadata(request: Request) -> Response:
    """The CapabilityStatement; of R5 when `Accept` asks for `fhirVersion=5.0`, else of R4B."""
    wants_r5 = "fhirversion=5." in request.headers.get("accept", "").replace(" ", "").replace('"', "").lower()
    return _answer(200, capability_statement("5.0.0" if wants_r5 else "4.3.0"))


def capability_statement(version: str) -> dict[str, Any]:
    """What the endpoint does (CapabilityStatement of R4B or R5): it takes resources and Bundles in, and gives none out."""
    r5_only = {"DeviceDispense", "InventoryReport"}
    note = "Stored as received before it is answered. The entries of a Bundle, of a transaction too, stand on their own."
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": STATEMENT_DATE,
        "kind": "instance",
        "software": {"name": "Wardstock"},
        "implementation": {"description": "Pharmacy stock hub: takes medication and supply events in."},
        "fhirVersion": version,
        "format": ["json", FHIR_MEDIA_TYPE],
        "rest": [
            {
                "mode": "server",
                "documentation": note,
                "resource": [_resource(name) for name in sorted(READERS) if version >= "5" or name not in r5_only],
                "interaction": [{"code": "transaction"}, {"code": "batch"}],
            }
        ],
    }


def _resource(name: str) -> dict[str, Any]:
    codes = ["create", "update"] + (["delete"] if READERS[name].deletable and READERS[name].feed else [])
    return {
        "type": name,
        "interaction": [{"code": code} for code in codes],
        "versioning": "versioned",
        "updateCreate": True,
        "referencePolicy": ["literal", "logical", "local"],
    }
