"""Bytes as JSON documents: one resource, or one a line (NDJSON), each within named limits.

Owns encodings, JSON syntax and size limits. It knows nothing of FHIR beyond "a resource is a JSON object".
"""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Final

from connectors.fhir.nodes import Fault, Node
from schemas.mapping import Refused
from schemas.raw import BODY_BYTES_MAX

DEPTH_MAX: Final = 64
"""Deepest nesting of objects and lists; the deepest published FHIR example has 14."""
ITEMS_MAX: Final = 10_000
"""Most items (Bundle entries, NDJSON lines) in one message."""

_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")


def documents(body: bytes) -> list[Node | Refused]:
    """The JSON objects of a body, each whole or refused by name. Never raises; at least one result."""
    try:
        return _documents(_decoded(body))
    except Fault as fault:
        return [Refused(code=fault.code, reason=fault.reason)]


def _decoded(body: bytes) -> str:
    if len(body) > BODY_BYTES_MAX:
        raise Fault("too_large", f"The body has {len(body)} bytes, more than {BODY_BYTES_MAX}; send it in several messages.")
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
    value = _parsed(content)
    if not isinstance(value, dict):
        what = "a list; send a Bundle or NDJSON" if isinstance(value, list) else "no object"
        raise Fault("not_a_resource", f"A FHIR resource is a JSON object with a resourceType, and this is {what}.")
    if content.count("{") + content.count("[") > DEPTH_MAX and _is_deeper(value, DEPTH_MAX):
        raise Fault("too_deep", f"The JSON is nested more than {DEPTH_MAX} deep.")
    if _SURROGATE.search(content):
        _check_text(value)
    return value


def _parsed(content: str) -> object:
    """The value of a JSON text: numbers with a fraction are exact decimals. Raises `Fault`."""
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


def _is_deeper(value: object, depth_max: int) -> bool:
    level: list[object] = [value]
    for _ in range(depth_max):
        if not level:
            return False
        below: list[object] = []
        for node in level:
            members = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
            below.extend(member for member in members if isinstance(member, (dict, list)))
        level = below
    return bool(level)


def _check_text(value: object) -> None:
    """Raises `Fault` when a text holds half a surrogate pair: it can't be written in UTF-8."""
    try:
        json.dumps(value, ensure_ascii=False, default=str).encode("utf-8")
    except UnicodeEncodeError:
        raise Fault("bad_text", "A text holds half a UTF-16 surrogate pair (\\ud800 to \\udfff): no character.") from None
