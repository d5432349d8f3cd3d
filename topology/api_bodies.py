"""Bodies of requests to the local API: read within a limit, and only as JSON that the log can hold; refusals in sentences."""

from __future__ import annotations

from typing import Any, Final, TypeVar

import msgspec
from fastapi import HTTPException, Request
from pydantic import ValidationError
from starlette.requests import ClientDisconnect

from connectors.contract import PublishError, TooLarge
from connectors.field_faults import sentence
from connectors.http.intake import RETRY_AFTER_SECONDS
from schemas.codec import Codec
from schemas.reference import ReferenceKind

T = TypeVar("T")

API_BODY_BYTES_MAX: Final = 256 * 1024 * 1024
"""Largest body of one request; a whole item master fits several times."""
FAULTS_MAX: Final = 5
"""Faults named in one refusal; more are counted."""


async def read_body(request: Request) -> bytes:
    """The whole body. Raises `HTTPException` 413 above the limit, 400 when the sender goes away."""
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > API_BODY_BYTES_MAX:
                raise HTTPException(413, f"the body is over the limit of {API_BODY_BYTES_MAX} bytes: send it in several requests")
            chunks.append(chunk)
    except ClientDisconnect:
        raise HTTPException(400, "the sender went away before the body was complete") from None
    return b"".join(chunks)


async def read_json(request: Request) -> Any:
    """The body as a JSON value. Raises `HTTPException` 400 for what is none: half characters and NaN are in no JSON value."""
    body = await read_body(request)
    try:
        return msgspec.json.decode(body)
    except RecursionError:
        reason = "nested too deeply"
    except UnicodeDecodeError as error:
        reason = f"byte {error.start} is not UTF-8"
    except msgspec.DecodeError as error:
        reason = str(error)
    raise HTTPException(400, f"the body is not JSON: {reason}")


def checked(codec: Codec[T], value: object, what: str) -> T:
    """The value as a contract. Raises `HTTPException` 400 that names `what` and its faults."""
    if not isinstance(value, dict):
        raise HTTPException(400, f"{what} must be a JSON object")
    try:
        return codec.validate(value)
    except ValidationError as error:
        found = [f"{field} {reason}" for field, reason in map(sentence, error.errors(include_url=False))]
        more = f"; and {len(found) - FAULTS_MAX} more" if len(found) > FAULTS_MAX else ""
        raise HTTPException(400, f"{what} can't be used: {'; '.join(found[:FAULTS_MAX])}{more}") from None


def checked_record(kind: ReferenceKind, id_: object, value: object, what: str) -> object:
    """A reference record under its own id. Raises `HTTPException` 400 that names `what` and its faults."""
    record = checked(kind.codec, value, what)
    own = kind.id_of(record)
    if own != id_:
        raise HTTPException(400, f"{what}: its values are those of {own}")
    if own.count("|") >= len(kind.id_fields) > 1:
        raise HTTPException(400, f"{what}: the parts of an id are joined with |, so none of them may hold one")
    return record


def not_stored(error: PublishError) -> HTTPException:
    """What is answered when nothing was made durable."""
    if isinstance(error, TooLarge):
        return HTTPException(413, str(error))
    return HTTPException(503, str(error), {"Retry-After": str(RETRY_AFTER_SECONDS)})
