"""Handing kept requests over to the hub: strictly in order, each until the hub has it.

The hub knows a request that it gets twice by what it says (transaction id, session and event id, identifier): after a crash
between its answer and our note of it, the request is sent again and is a duplicate there.
"""

from __future__ import annotations

import asyncio
from typing import Final

import httpx

from connectors.edge.record import Framed
from connectors.edge.spool import Spool

RETRY_SECONDS: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Rests between tries; the last one again and again."""
ANSWER_SECONDS: Final = 30.0
SAVED_EVERY: Final = 200
"""Records handed over between two notes of it on disk; fewer when nothing waits."""
NEVER_TAKEN: Final = frozenset({400, 413, 415, 422})
"""Answers that say the request itself is at fault: it would never be taken, and must not hold the others up."""
KEY_HEADER: Final = "Idempotency-Key"


class Forwarder:
    """The task that hands over. `error` says why nothing moves; empty when all is well."""

    def __init__(self, spool: Spool, hub: str, name: str, client: httpx.AsyncClient) -> None:
        """`hub` is the hub's address; `name` is this spool's in idempotency keys."""
        self.spool = spool
        self.error = ""
        self.handed_over = 0
        self.refused = 0
        self._hub = hub.rstrip("/")
        self._name = name
        self._client = client
        self._more = asyncio.Event()

    def wake(self) -> None:
        """Something was kept."""
        self._more.set()

    async def run(self) -> None:
        """Hand over for ever."""
        failures = 0
        while True:
            found = self.spool.next()
            if found is None:
                self._more.clear()
                self.spool.save()
                await self._more.wait()
                continue
            if await self._hand_over(found):
                failures = 0
                if found.record.number % SAVED_EVERY == 0:
                    self.spool.save()
            else:
                if not failures:
                    self.spool.save()
                await asyncio.sleep(RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)])
                failures += 1

    async def _hand_over(self, found: Framed) -> bool:
        """One try. True when the record is off our hands."""
        request = found.record.request
        headers = dict(request.headers)
        headers.setdefault(KEY_HEADER, f"{self._name}-{found.record.number}")
        address = self._hub + request.path + (f"?{request.query}" if request.query else "")
        try:
            answer = await self._client.post(address, content=request.body, headers=headers, timeout=ANSWER_SECONDS)
        except httpx.HTTPError as error:
            self.error = f"the hub does not answer ({type(error).__name__})"
            return False
        if answer.is_success:
            self.handed_over += 1
        elif answer.status_code in NEVER_TAKEN:
            self.spool.refuse(found, f"{answer.status_code} {answer.text[:2_000]}")
            self.refused += 1
        else:
            self.error = f"the hub answers {answer.status_code}"
            return False
        self.spool.handed_over(found)
        self.error = ""
        return True


