"""Bytes as JSON documents: one resource, or one a line (NDJSON), each within named limits.

Owns encodings, JSON syntax and size limits. It knows nothing of FHIR beyond "a resource is a JSON object".
"""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Final

import msgspec

from connectors.fhir.nodes import Fault, Node
from connectors.json_text import DEPTH_MAX, HALF_CHARACTER, is_deeper, is_text
from schemas.mapping import Refused
from schemas.raw import BODY_BYTES_MAX

ITEMS_MAX: Final = 10_000
"""Most items (Bundle entries, NDJSON lines) in one message."""

_READER: Final = msgspec.json.Decoder(float_hook=Decimal)
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")


def documents(body: bytes) -> list[Node | Refused]:
    """The JSON objects of a body, each whole or refused by name. Never raises; at least one result."""
    try:
        if len(body) > BODY_BYTES_MAX:
            raise Fault("too_large", f"The body has {len(body)} bytes, more than {BODY_BYTES_MAX}; send it in several messages.")
        value = _read(body)
        if value is None:
            return _documents(_decoded(body))
        return [_resource(value, body.count(b"{") + body.count(b"["))]
    except Fault as fault:
        return [Refused(code=fault.code, reason=fault.reason)]


def _read(content: bytes | str) -> object:
    """The value of one JSON text (bytes: in UTF-8); numbers with a fraction are exact decimals.

    None for what the fast reader does not take: several lines, other encodings, and all that is no JSON or can't be used. That is
    left to `_documents`, which reads the same of what both can read, and can say where and why.
    """
    try:
        return _READER.decode(content)
    except (msgspec.DecodeError, ValueError, ArithmeticError, RecursionError):
        return None


def _decoded(body: bytes) -> str:
    try:
        content = body.decode(json.detect_encoding(body))
    except UnicodeDecodeError as error:
        raise Fault("not_json", f"The body is not JSON: byte {error.start} is not {error.encoding.upper()}.") from None
    if not content.strip():
        raise Fault("empty_body", "The body is empty: there is no resource in it.")
    if content.lstrip("\ufeff \t\r\n").startswith("<"):
        raise Fault("not_json", "The body is XML, which is not read: send FHIR JSON (application/fhir+json).")
    return content


def _documents(content: str) -> list[Node | Refused]:
    try:
        return [_document(content)]
    except Fault as whole:
        lines = [line for line in content.split("\n") if line.strip()]
        if whole.code != "not_json" or not _is_ndjson(lines):
            raise
    if len(lines) > ITEMS_MAX:
        raise Fault("too_many_items", f"The NDJSON has {len(lines)} lines, more than {ITEMS_MAX}; send it in several messages.")
    return [_line(line, number) for number, line in enumerate(lines, start=1)]


def _is_ndjson(lines: list[str]) -> bool:
    """Several lines, and the first or the last is a JSON object by itself (a line of pretty-printed JSON never is)."""
    return len(lines) > 1 and any(_is_object(line) for line in (lines[0], lines[-1]))


def _is_object(line: str) -> bool:
    try:
        return isinstance(_parsed(line), dict)
    except Fault:
        return False


def _line(line: str, number: int) -> Node | Refused:
    try:
        return _document(line)
    except Fault as fault:
        return Refused(code=fault.code, reason=f"Line {number}: {fault.reason}")


def _document(content: str) -> Node:
    value = _read(content)
    found = _resource(_parsed(content) if value is None else value, content.count("{") + content.count("["))
    if value is None and _SURROGATE.search(content) and not is_text(found):
        raise Fault("bad_text", f"A text holds {HALF_CHARACTER}.")
    return found


def _resource(value: object, openings: int) -> Node:
    """The value when it is an object that is not too deep. `openings`: brackets its text opens; it is no deeper."""
    if not isinstance(value, dict):
        what = "a list; send a Bundle or NDJSON" if isinstance(value, list) else "no object"
        raise Fault("not_a_resource", f"A FHIR resource is a JSON object with a resourceType, and this is {what}.")
    if openings > DEPTH_MAX and is_deeper(value, DEPTH_MAX):
        raise Fault("too_deep", f"The JSON is nested more than {DEPTH_MAX} deep.")
    return value


def _parsed(content: str) -> object:
    """As `_read`. Raises `Fault` that says what is wrong."""
    try:
        return json.loads(content, parse_float=Decimal, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        where = f"{error.msg} at line {error.lineno} column {error.colno}"
        raise Fault("not_json", f"The body is not JSON: {where}.") from None
    except RecursionError:
        raise Fault("too_deep", f"The JSON is nested more than {DEPTH_MAX} deep.") from None
    except (ValueError, InvalidOperation):
        raise Fault("not_json", "The body is not JSON that can be used: a number in it is not finite or far too long.") from None


def _no_constant(name: str) -> Decimal:
    msg = f"{name} is not a JSON number"
    raise ValueError(msg)
