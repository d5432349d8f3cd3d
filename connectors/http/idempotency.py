"""Requests under an Idempotency-Key: the same one again is answered and not stored again, another one is refused.

Follows draft-ietf-httpapi-idempotency-key-header: 2.6 (a repeated key gets the answer of the first request), 2.7 (422 for another
payload, 409 for a request still under way). A key is what the draft's structured field can hold as a string, with its quotes or
without: blanks and visible ASCII (RFC 8941 §3.3.3).

The memory is this process's and bounded. A restart, or `KEYS_KEPT_MAX` other keys later, it no longer knows a key: then a batch
sent again is stored again, and the identities of its items make all of them duplicates. Nothing counts twice either way; the key
saves the room and finds the sender that reuses it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final

KEYS_KEPT_MAX: Final = 10_000
"""Keys whose requests are known; the one used longest ago is forgotten."""
KEY_CHARACTERS_MAX: Final = 200
"""Longest key."""
KEY_WANTED: Final = f"must be visible ASCII characters, at most {KEY_CHARACTERS_MAX}: a UUID for each request"
UNDER_WAY_SECONDS_MAX: Final = 30.0
"""How long a request waits for an earlier one under its key that is being stored."""


class KeyReusedError(Exception):
    """Something else was stored under this key."""


class KeyBusyError(Exception):
    """An earlier request under this key is still being stored."""


def is_key(text: str) -> bool:
    """Whether a header's value, as Latin-1 text without blanks around it, can be a key."""
    return len(text) <= KEY_CHARACTERS_MAX and text.isascii() and text.isprintable()


class KeyMemory:
    """What was stored under which key of which sender. Of one event loop."""

    def __init__(self, keys_max: int = KEYS_KEPT_MAX) -> None:
        self._keys_max = keys_max
        self._stored: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._under_way: dict[tuple[str, str], asyncio.Event] = {}

    async def store_once(self, sender: str, key: str, digest: bytes, store: Callable[[], Awaitable[None]]) -> bool:
        """Store, unless a request with this digest was stored under the key already; returns whether it was.

        A request waits for an earlier one under its key: only what is durable counts as stored, and when that one fails, this
        one stores. Raises `KeyReusedError`, `KeyBusyError`, and what `store` raises.
        """
        who = (sender, key)
        while (earlier := self._under_way.get(who)) is not None:
            try:
                await asyncio.wait_for(earlier.wait(), UNDER_WAY_SECONDS_MAX)
            except TimeoutError:
                raise KeyBusyError from None
        known = self._stored.get(who)
        if known is not None:
            self._stored.move_to_end(who)
            if known != digest:
                raise KeyReusedError
            return True
        self._under_way[who] = ended = asyncio.Event()
        try:
            await store()
            self._remember(who, digest)
        finally:
            del self._under_way[who]
            ended.set()
        return False

    def _remember(self, who: tuple[str, str], digest: bytes) -> None:
        self._stored[who] = digest
        if len(self._stored) > self._keys_max:
            self._stored.popitem(last=False)
