"""Deterministic identifiers: the same facts give the same id on every run, machine and runtime."""

from __future__ import annotations

import uuid
from hashlib import blake2b
from typing import Final

_NAMESPACE: Final = uuid.UUID("8c1f5b52-2b3e-5d0c-9f53-6a1c0e7d1b11")
_SEPARATOR: Final = "\x1f"


def derived_id(kind: str, *parts: object) -> str:
    """A version 5 UUID (RFC 9562 §5.5) of `kind` and the parts; parts are compared as text."""
    return str(uuid.uuid5(_NAMESPACE, _SEPARATOR.join((kind, *("" if part is None else str(part) for part in parts)))))


def fingerprint(*parts: object) -> str:
    """A short digest of the stock-bearing fields of an event: equal facts, equal fingerprint."""
    text = _SEPARATOR.join("" if part is None else str(part) for part in parts)
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
