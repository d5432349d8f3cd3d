"""What a connector hands over: bytes as received, and what is known about how they came.

A raw message is durable before its sender is told so. It never loses a byte: what can't be read is kept and refused by name.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from typing import Annotated, Any, Final

from pydantic import Field, ValidationError

from schemas.codec import Codec, contract

BODY_BYTES_MAX: Final = 4 * 1024 * 1024
"""Largest raw message the hub stores. A connector refuses a larger one with a clear error before it is published."""


@contract
class RawMessage:
    """One inbound message, whole. `received_at` is timezone-aware UTC."""

    body: bytes
    source: Annotated[str, Field(min_length=1, description="the feed: a connection, an interface, a file folder")]
    connector: Annotated[str, Field(description="the code that received it: hl7, fhir, cabinet, scan, erp, file")]
    content_type: Annotated[str, Field(description="how to read it, e.g. x-application/hl7-v2+er7")]
    received_at: datetime
    profile: str = "standard"
    site: Annotated[str | None, Field(description="the site this feed belongs to when the message does not say")] = None
    peer: str | None = None
    name: Annotated[str | None, Field(description="what people call it: a file name, a request id")] = None

    @property
    def sha256(self) -> str:
        """Hex digest of the body."""
        return hashlib.sha256(self.body).hexdigest()


HL7_ER7: Final = "x-application/hl7-v2+er7"
FHIR_JSON: Final = "application/fhir+json"
CABINET_JSON: Final = "application/vnd.wardstock.cabinet+json"
SCAN_JSON: Final = "application/vnd.wardstock.scan+json"
ERP_JSON: Final = "application/vnd.wardstock.erp-answer+json"
DECISION_JSON: Final = "application/vnd.wardstock.decision+json"
PAPER_JSON: Final = "application/vnd.wardstock.paper+json"
OPENING_JSON: Final = "application/vnd.wardstock.opening+json"
EPCIS_JSON: Final = "application/vnd.wardstock.epcis+json"
REPORT: Final = "application/vnd.wardstock.report"
"""A cabinet's transaction report, delimited or of fixed width: only where a feed says so, and read by the feed's profile."""
UNKNOWN_TYPE: Final = "application/octet-stream"


@contract
class RawRef:
    """Where a fact came from: the place of its message in the raw log, and the item's number inside the message."""

    partition: int
    offset: int
    index: int = 0


_HEADER_FIELDS: Final = ("source", "connector", "content_type", "profile", "site", "peer", "name")
_header_values: Final = attrgetter(*_HEADER_FIELDS)

FEEDS_KEPT_MAX: Final = 1024
"""A hub has few feeds: the headers that all messages of a feed share are kept of this many."""


def raw_headers(message: RawMessage, received_at: str | None = None) -> tuple[tuple[str, str], ...]:
    """The headers under which a raw message stands in the log; the body is the record's value, byte for byte.

    `received_at` is the message's own, as ISO 8601 text, for a caller that has made it already.
    """
    received_at = received_at or message.received_at.isoformat()
    return (*_stated(*_header_values(message)), ("received_at", received_at), ("sha256", message.sha256))


@lru_cache(maxsize=FEEDS_KEPT_MAX)
def _stated(*values: str | None) -> tuple[tuple[str, str], ...]:
    """The headers of the fields that have a value."""
    return tuple((name, value) for name, value in zip(_HEADER_FIELDS, values, strict=True) if value is not None)


def from_headers(headers: dict[str, str], body: bytes) -> RawMessage:
    """The raw message that `raw_headers` described. Raises `KeyError` when a header is missing."""
    return RawMessage(
        body=body,
        source=headers["source"],
        connector=headers["connector"],
        content_type=headers["content_type"],
        received_at=datetime.fromisoformat(headers["received_at"]),
        profile=headers.get("profile", "standard"),
        site=headers.get("site"),
        peer=headers.get("peer"),
        name=headers.get("name"),
    )


# ---- capture files: recorded raw traffic, one message a line ------------------------------------------------------

CAPTURE_LINE_BYTES_MAX: Final = 2 * BODY_BYTES_MAX
YEAR_MIN: Final = 1970
YEAR_MAX: Final = 2199
"""Instants outside these years are a clock that was never set; near the ends of the calendar they have no time in UTC."""


class CaptureError(ValueError):
    """A line of a capture file can't be used. The text names the line and the reason."""


def to_capture_line(message: RawMessage) -> bytes:
    """One capture line without the line end: UTF-8 bodies as text, all others as base64."""
    line: dict[str, Any] = {
        "received_at": message.received_at.isoformat(),
        "source": message.source,
        "connector": message.connector,
        "profile": message.profile,
        "content_type": message.content_type,
    }
    for name in ("site", "peer", "name"):
        value = getattr(message, name)
        if value is not None:
            line[name] = value
    try:
        line["body"] = message.body.decode("utf-8")
    except UnicodeDecodeError:
        line["body_base64"] = base64.b64encode(message.body).decode("ascii")
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def from_capture_line(data: bytes) -> RawMessage:
    """Read one capture line. Raises `CaptureError` with the reason."""
    try:
        line = json.loads(data)
    except (ValueError, RecursionError) as error:
        msg = f"not a JSON object: {'nested too deeply' if isinstance(error, RecursionError) else error}"
        raise CaptureError(msg) from None
    if not isinstance(line, dict):
        msg = "not a JSON object"
        raise CaptureError(msg)
    body = line.pop("body", None)
    encoded = line.pop("body_base64", None)
    if (body is None) == (encoded is None):
        msg = "needs exactly one of body and body_base64"
        raise CaptureError(msg)
    try:
        line["body"] = body.encode("utf-8") if body is not None else base64.b64decode(encoded, validate=True)
    except (ValueError, TypeError, AttributeError) as error:
        msg = f"body can't be read: {error}"
        raise CaptureError(msg) from None
    line.setdefault("connector", "capture")
    try:
        message = RAW_MESSAGE.validate(line)
    except ValidationError as error:
        msg = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_url=False))
        raise CaptureError(msg) from None
    _check_captured(message)
    return message


def _check_captured(message: RawMessage) -> None:
    """Raise `CaptureError` for what no connector would have written."""
    if message.received_at.tzinfo is None:
        msg = "received_at has no UTC offset"
        raise CaptureError(msg)
    if not YEAR_MIN <= message.received_at.year <= YEAR_MAX:
        msg = f"received_at is not between {YEAR_MIN} and {YEAR_MAX}"
        raise CaptureError(msg)
    for name in _HEADER_FIELDS:
        try:
            (getattr(message, name) or "").encode()
        except UnicodeEncodeError:
            msg = f"{name} holds half a UTF-16 surrogate pair (\\ud800 to \\udfff): no character"
            raise CaptureError(msg) from None


def capture_lines(data: Iterator[bytes]) -> Iterator[tuple[int, bytes]]:
    """Number the non-empty lines of a capture, from 1."""
    for number, line in enumerate(data, start=1):
        stripped = line.strip()
        if stripped:
            yield number, stripped


RAW_MESSAGE: Final = Codec(RawMessage)
