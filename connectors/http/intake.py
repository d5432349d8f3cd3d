"""Taking one request body in: read within the limit, make durable, and say how it ended.

Owns the order of things: nothing is answered with success before `publish` has returned. It never judges a body: what was
received is stored, and what can't be understood is refused by name later.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from fastapi import Request
from starlette.requests import ClientDisconnect

from connectors.contract import Publish, PublishError, TooLarge
from connectors.http.idempotency import KEY_WANTED, KeyBusyError, KeyMemory, KeyReusedError, is_key
from schemas.raw import BODY_BYTES_MAX, RawMessage

NAME_CHARACTERS_MAX: Final = 200
"""Longest source or site a caller may give."""
RETRY_AFTER_SECONDS: Final = 5
"""What a sender is told to wait when the hub can't store."""

SOURCE_HEADER: Final = "X-Wardstock-Source"
SITE_HEADER: Final = "X-Wardstock-Site"
KEY_HEADER: Final = "Idempotency-Key"
REPLAYED: Final = {"Idempotency-Replayed": "true"}
"""Header of an answer to a request that was stored before, under the same key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedSettings:
    """Names of the feeds when a caller does not give one, and the site they belong to by default."""

    fhir_source: str = "http-fhir"
    cabinet_source: str = "http-cabinet"
    scan_source: str = "http-scan"
    epcis_source: str = "http-epcis"
    erp_source: str = "http-erp"
    decision_source: str = "http-decision"
    site: str | None = None
    profile: str = "standard"
    body_bytes_max: int = BODY_BYTES_MAX
    """Never more than the hub's own limit."""

    def __post_init__(self) -> None:
        """Raises `ValueError` for a limit the hub can't keep."""
        if not 0 < self.body_bytes_max <= BODY_BYTES_MAX:
            msg = f"body_bytes_max must be between 1 and {BODY_BYTES_MAX}, not {self.body_bytes_max}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Stored:
    """The message is durable: stored now, or (`is_replayed`) before, under the same key."""

    message: RawMessage
    is_replayed: bool = False

    @property
    def headers(self) -> dict[str, str] | None:
        """What the answer's headers say of it."""
        return REPLAYED if self.is_replayed else None


@dataclass(frozen=True, slots=True)
class NotStored:
    """The body was not stored: the HTTP status to answer, the FHIR issue type, and a sentence."""

    status: int
    issue: str
    reason: str
    headers: dict[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Intake:
    """Where bodies go, what time it is, and what was stored under which key."""

    publish: Publish
    clock: Callable[[], datetime]
    settings: FeedSettings
    keys: KeyMemory = field(default_factory=KeyMemory)

    async def take(
        self,
        request: Request,
        *,
        connector: str,
        content_type: str,
        source: str,
        prepare: Callable[[bytes], bytes | NotStored] | None = None,
        may_be_empty: bool = False,
    ) -> Stored | NotStored:
        """Read, store and report one request. `prepare` makes of the body what is stored, or says why nothing is."""
        named = _names(request, source, self.settings.site)
        if isinstance(named, NotStored):
            return named
        body = await self._body(request, may_be_empty=may_be_empty)
        if prepare is not None and not isinstance(body, NotStored):
            body = prepare(body)
        if isinstance(body, NotStored):
            return body
        message = RawMessage(
            body=body,
            source=named.source,
            connector=connector,
            content_type=content_type,
            received_at=self.clock(),
            profile=self.settings.profile,
            site=named.site,
            peer=request.client.host if request.client else None,
            name=named.key,
        )
        # Many devices may share an endpoint's default source: one that does not name its own is known by its address.
        return await self._store(message, named.source if named.is_own else f"{named.source} {message.peer}")

    async def _store(self, message: RawMessage, sender: str) -> Stored | NotStored:
        """Make it durable, once a key of a sender."""
        again = {"Retry-After": str(RETRY_AFTER_SECONDS)}
        try:
            if message.name is None:
                await self.publish(message)
                return Stored(message)
            was_stored = await self.keys.store_once(sender, message.name, _digest(message), lambda: self.publish(message))
            return Stored(message, is_replayed=was_stored)
        except KeyReusedError:
            reason = f"{KEY_HEADER} {message.name} of {message.source} was used for another request; nothing was stored."
            return NotStored(422, "conflict", f"{reason} Send this one under a key of its own.")
        except KeyBusyError:
            reason = f"A request under {KEY_HEADER} {message.name} is still being stored; send the same request again."
            return NotStored(409, "transient", reason, again)
        except TooLarge as error:
            return NotStored(413, "too-long", str(error) or f"The body is over the hub's limit of {BODY_BYTES_MAX} bytes.")
        except PublishError as error:
            reason = f"The hub can't store now ({error or 'not available'}); send the same request again."
            return NotStored(503, "transient", reason, again)

    async def _body(self, request: Request, *, may_be_empty: bool) -> bytes | NotStored:
        """The whole body, or why it is not taken. Reading stops at the limit, whatever the sender announced."""
        encoding = request.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("", "identity"):
            return NotStored(415, "not-supported", f"Content-Encoding {encoding[:40]} is not supported; send the body as it is.")
        limit = self.settings.body_bytes_max
        too_long = NotStored(413, "too-long", f"The body is over the limit of {limit} bytes; send it in several requests.")
        announced = request.headers.get("content-length", "")
        if announced.isascii() and announced.isdigit() and int(announced[:20]) > limit:
            return too_long
        chunks: list[bytes] = []
        size = 0
        try:
            async for chunk in request.stream():
                size += len(chunk)
                if size > limit:
                    return too_long
                chunks.append(chunk)
        except ClientDisconnect:
            return NotStored(400, "incomplete", "The sender went away before the body was complete; nothing was stored.")
        if not size and not may_be_empty:
            return NotStored(400, "required", "The body is empty; nothing was stored.")
        return b"".join(chunks)


def _digest(message: RawMessage) -> bytes:
    """What makes two requests the same: what they say, and what it is said about."""
    about = (message.content_type, message.profile, message.site or "")
    return hashlib.sha256("\n".join(about).encode() + b"\n" + message.body).digest()


@dataclass(frozen=True, slots=True)
class _Names:
    source: str
    site: str | None
    key: str | None
    is_own: bool


def _names(request: Request, source: str, site: str | None) -> _Names | NotStored:
    """The feed's names: query parameter, else header, else the endpoint's default."""
    query, headers = request.query_params, request.headers
    found: list[str | None] = []
    for name, asked, stated in (
        ("source", query.getlist("source"), headers.getlist(SOURCE_HEADER)),
        ("site", query.getlist("site"), headers.getlist(SITE_HEADER)),
        (KEY_HEADER, [], headers.getlist(KEY_HEADER)),
    ):
        value: str | None = None
        for given in (stated, asked):
            one = _one(name, given) if given else None
            if isinstance(one, NotStored):
                return one
            value = one or value
        found.append(value)
    return _Names(found[0] or source, found[1] or site, found[2], bool(found[0]))


def _one(name: str, given: list[str]) -> str | NotStored | None:
    """The name that was given, if it can be used; several that differ leave open which one is meant."""
    is_a_key = name == KEY_HEADER
    # Around a header's value stand blanks and tabs only (RFC 9110 §5.5); Python's `strip` would take a byte A0 for one as well.
    values = {value.strip(" \t" if is_a_key else None) for value in given} - {""}
    if len(values) > 1:
        return NotStored(400, "value", f"{name} is given {len(given)} times with different values; nothing was stored.")
    for value in values:
        if is_a_key and not is_key(value):
            return NotStored(400, "value", f"{name} {KEY_WANTED}; nothing was stored.")
        if len(value) > NAME_CHARACTERS_MAX or not value.isprintable():
            reason = f"{name} must be printable text of at most {NAME_CHARACTERS_MAX} characters; nothing was stored."
            return NotStored(400, "value", reason)
    return next(iter(values), None)
