"""Handing kept requests over to the hub: strictly in order, each until the hub has it.

The hub knows a request that it gets twice by what it says (transaction id, session and event id, identifier): after a crash
between its answer and our note of it, the request is sent again and is a duplicate there.
"""

from __future__ import annotations

import asyncio
from typing import Final

import httpx

from connectors.edge.record import Framed
from connectors.edge.spool import Spool, SpoolDamagedError
from connectors.http.idempotency import is_key
from connectors.http.intake import KEY_HEADER

RETRY_SECONDS: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Rests between tries; the last one again and again."""
ANSWER_SECONDS: Final = 30.0
SAVED_EVERY: Final = 200
"""Records handed over between two notes of it on disk; fewer when nothing waits."""
SIGNATURE_BYTES_SAID: Final = 8
NAME_IN_KEY_CHARACTERS_MAX: Final = 100
"""Of the spool's name in a key; number and signature tell keys apart without it."""
NEVER_TAKEN: Final = frozenset({400, 413, 415, 422})
"""Answers that say the request itself is at fault: it would never be taken, and must not hold the others up."""


class Forwarder:
    """The task that hands over. `error` says why nothing moves; empty when all is well."""

    def __init__(self, spool: Spool, hub: str, name: str, client: httpx.AsyncClient) -> None:
        """`hub` is the hub's address; `name` is this spool's in idempotency keys, as far as these can hold it."""
        self.spool = spool
        self.error = ""
        self.handed_over = 0
        self.refused = 0
        self._hub = hub.rstrip("/")
        self._name = "".join(char if is_key(char) else "_" for char in name)[:NAME_IN_KEY_CHARACTERS_MAX]
        self._client = client
        self._more = asyncio.Event()

    def ended(self, task: asyncio.Task[None]) -> None:
        """The task that hands over came to an end: if nobody ended it, health has to say so."""
        if not task.cancelled() and task.exception() is not None:
            self.error = f"handing over ended ({type(task.exception()).__name__}): restart, nothing that was kept is lost"

    def wake(self) -> None:
        """Something was kept."""
        self._more.set()

    async def run(self) -> None:
        """Hand over for ever."""
        failures = 0
        while True:
            try:
                found = self.spool.next()
                is_done = found is not None and await self._hand_over(found)
            except (OSError, SpoolDamagedError) as error:
                self.error = f"the spool can't be read or written ({error})"
                found, is_done = None, False
            else:
                if found is None:
                    self._more.clear()
                    self.spool.save()
                    await self._more.wait()
                    continue
            if is_done and found is not None:
                failures = 0
                if found.record.number % SAVED_EVERY == 0:
                    self.spool.save()
                continue
            if not failures:
                self.spool.save()
            await asyncio.sleep(RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)])
            failures += 1

    async def _hand_over(self, found: Framed) -> bool:
        """One try. True when the record is off our hands."""
        request = found.record.request
        # With the signature, which no other spool gives: spools may share a name, and a new one begins with number 1 again.
        key = f"{self._name}-{found.record.number}-{found.signature[:SIGNATURE_BYTES_SAID].hex()}"
        stated = {KEY_HEADER.lower(): key, **dict(request.headers)}
        headers = {name.encode("latin-1"): value.encode("latin-1", "replace") for name, value in stated.items()}
        address = self._hub + request.path + (f"?{request.query}" if request.query else "")
        try:
            answer = await self._client.post(address, content=request.body, headers=headers, timeout=ANSWER_SECONDS)
        except httpx.InvalidURL as error:
            self._refuse(found, f"the address can't be called: {error}")
            return True
        except httpx.HTTPError as error:
            self.error = f"the hub does not answer ({type(error).__name__})"
            return False
        if answer.is_success:
            self.handed_over += 1
        elif answer.status_code in NEVER_TAKEN:
            self._refuse(found, f"{answer.status_code} {answer.text[:2_000]}")
            return True
        else:
            self.error = f"the hub answers {answer.status_code}"
            return False
        self.spool.handed_over(found)
        self.error = ""
        return True

    def _refuse(self, found: Framed, answer: str) -> None:
        """Set a request aside that would never be taken; the next one is not held up. Raises `OSError`, with nothing changed."""
        self.spool.refuse(found, answer)
        self.refused += 1
        self.spool.handed_over(found)
        self.error = ""
