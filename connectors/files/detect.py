"""What a file holds, told by its content; the name decides only where the content does not.

It never refuses: bytes that look like nothing known are `UNKNOWN_TYPE`, and a broken document is given the type it was meant to
have, so that its own mapper says what is wrong with it.
"""

from __future__ import annotations

import codecs
import re
from typing import Any, Final

import msgspec

from schemas.raw import (
    BODY_BYTES_MAX,
    CABINET_JSON,
    DECISION_JSON,
    EPCIS_JSON,
    ERP_JSON,
    FHIR_JSON,
    HL7_ER7,
    SCAN_JSON,
    UNKNOWN_TYPE,
)

CAPTURE: Final = "application/vnd.wardstock.capture+jsonl"
"""A capture file (schemas/raw.py): not a message itself, but one a line."""

HEAD_BYTES: Final = 64 * 1024
"""How far detection looks into a document it can't parse."""

_HEADER: Final = re.compile(r"(?:\[SOM\])?(?:MSH|FHS|BHS)(?:[^\w\s]|[\r\n]|$)")
_BEFORE_HEADER: Final = "\ufeff\x0b \t\r\n"
_INLINE_HEADER: Final = re.compile(r"(?:^|[\r\n\x0b])[ \t]*MSH[^\w\s][^\w\s]{2}")
_UTF16: Final = ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"), (b"M\0S\0H\0", "utf-16-le"))
_SUFFIXES: Final = (
    (".hl7", HL7_ER7),
    (".er7", HL7_ER7),
    (".capture.jsonl", CAPTURE),
    (".fhir.json", FHIR_JSON),
    (".ndjson", FHIR_JSON),
)

_MEMBERS: Final = (
    (FHIR_JSON, ({"resourceType"},)),
    (EPCIS_JSON, ({"epcisBody"}, {"eventTime", "type"})),
    (CAPTURE, ({"received_at", "body"}, {"received_at", "body_base64"})),
    (ERP_JSON, ({"answer_id"},)),
    (DECISION_JSON, ({"decision_id"},)),
    (SCAN_JSON, ({"barcode"}, {"activity", "session"})),
    (CABINET_JSON, ({"action", "device"}, {"transaction_id", "device"})),
)
"""Which members mark which type; the first that fits wins."""

_DECODER: Final = msgspec.json.Decoder()


def detect(name: str, data: bytes) -> str:
    """The content type of a file: one of `schemas.raw`, `CAPTURE`, or `UNKNOWN_TYPE`. `data` may be its beginning only."""
    head = _text(data[:HEAD_BYTES]).lstrip(_BEFORE_HEADER)
    if _HEADER.match(head):
        return HL7_ER7
    if head[:1] in ("{", "["):
        return _json_type(data, head) or _by_name(name) or UNKNOWN_TYPE
    if _INLINE_HEADER.search(head):
        return HL7_ER7
    return _by_name(name) or UNKNOWN_TYPE


def is_hl7(data: bytes) -> bool:
    """Whether the content is HL7 v2, whatever the name."""
    return detect("", data) == HL7_ER7


def _text(data: bytes) -> str:
    for mark, codec in _UTF16:
        if data.startswith(mark):
            return data.decode(codec, "replace")
    return data.decode("utf-8", "replace")


def _by_name(name: str) -> str | None:
    lowered = name.lower()
    return next((content_type for suffix, content_type in _SUFFIXES if lowered.endswith(suffix)), None)


def _json_type(data: bytes, head: str) -> str | None:
    """The type of a JSON text: of the whole, else of its first line, else by the member names in its head."""
    value = _parsed(data.removeprefix(codecs.BOM_UTF8)) if len(data) <= BODY_BYTES_MAX else None
    if value is None:
        value = _parsed(head.split("\n", 1)[0].encode("utf-8", "replace"))
    if isinstance(value, list):
        value = next((entry for entry in value if isinstance(entry, dict)), None)
    members = set(value) if isinstance(value, dict) else set(re.findall(r'"(\w{1,40})"\s{0,9}:', head))
    return next((kind for kind, marks in _MEMBERS if any(mark <= members for mark in marks)), None)


def _parsed(data: bytes) -> Any:
    try:
        return _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
