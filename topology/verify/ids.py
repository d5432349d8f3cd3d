"""Ids made of names, as the hub makes them."""

from __future__ import annotations

from hashlib import sha1
from typing import Final

_NAMESPACE: Final = sha1(bytes.fromhex("8c1f5b522b3e5d0c9f536a1c0e7d1b11"), usedforsecurity=False)
"""The hub's namespace, begun as every name continues it."""


def name_based_id(*parts: str) -> str:
    """The version 5 UUID (RFC 9562 §5.5) of a kind and its parts."""
    digest = _NAMESPACE.copy()
    digest.update("\x1f".join(parts).encode("utf-8", "surrogatepass"))
    number = int.from_bytes(digest.digest()[:16], "big")
    number = number & ~(0xF << 76) & ~(0b11 << 62) | 5 << 76 | 0b10 << 62  # version 5, variant 10
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
