"""Fills the vault behind the hub: reads the raw log again with the hub's own mappers and notes whom they hash.

Normalise stays as it is: pure, and the only one that writes events. This reads at its own pace, from its own position, and only
when the hub has nothing to fold; what it misses by a stop it reads at the next start.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Final, Protocol

import structlog

from schemas.events import REFERENCE_CHANGE, StockEvent
from schemas.log import LogRecord
from schemas.raw import RawRef, from_headers
from schemas.topics import RAW, REFERENCE, TOPICS
from streams.catalog import CATALOG_TABLES, Catalog
from streams.normalise.processor import Context
from streams.state import MemoryBackend, State
from topology.local import LocalHub
from topology.processors import MAPPERS
from topology.vault.store import Vault

RECORDS_MAX: Final = 500
"""Raw records taken in with one transaction."""
FILL_SECONDS: Final = 1.0
BUSY_SECONDS_MAX: Final = 5.0
"""How long a busy hub is waited for before a portion is taken in all the same."""
_KINDS: Final = ("site", "profile")
_log = structlog.get_logger("wardstock.vault")


class Log(Protocol):
    """The durable log of a hub."""

    def ends(self, topic: str) -> list[int]:
        """The next offset of each partition."""

    def read(self, topic: str, partition: int, start: int, limit: int) -> Iterator[LogRecord]:
        """Durable records from an offset on."""


class _Recording(Context):
    """Lends mappers what normalise lends them, and remembers whom they hash."""

    def __init__(self, catalog: Catalog, patient_key: bytes) -> None:
        super().__init__(catalog, patient_key)
        self.met: dict[str, tuple[str, str]] = {}

    def patient_hash(self, identifier: str, authority: str) -> str:
        """The hash, noted with what it stands for."""
        found = super().patient_hash(identifier, authority)
        self.met[found] = (identifier, authority)
        return found


class VaultFiller:
    """Follows the raw log of a hub into its vault. One thread at a time."""

    def __init__(self, vault: Vault, patient_key: bytes) -> None:
        """`patient_key` is the secret of the hub's patient hash."""
        self._vault = vault
        self._state = State(CATALOG_TABLES, lambda _: MemoryBackend())
        self._catalog = Catalog(self._state)
        self._context = _Recording(self._catalog, patient_key)
        self._known = 0

    def advance(self, log: Log) -> int:
        """Take in the next records of each partition; returns how many there were."""
        self._learn(log)
        return sum(self._partition(log, partition) for partition in range(TOPICS[RAW].partitions))

    def catch_up(self, log: Log) -> None:
        """Take in all that is durable."""
        while self.advance(log):
            pass

    def _learn(self, log: Log) -> None:
        """Sites and profiles as they are now."""
        end = log.ends(REFERENCE)[0]
        if end == self._known:
            return
        for record in log.read(REFERENCE, 0, self._known, end - self._known):
            change = REFERENCE_CHANGE.decode(record.value or b"")
            if change.kind in _KINDS:
                self._state.begin_event()
                self._catalog.apply(change)
        self._known = end
        self._context.forget()

    def _partition(self, log: Log, partition: int) -> int:
        durable = log.ends(RAW)[partition]
        start = self._vault.position(partition)
        if start > durable:  # the hub was restored from an older backup: other messages stand there now
            start = 0
        end = min(durable, start + RECORDS_MAX)
        if end <= start:
            return 0
        self._context.met.clear()
        merges: list[tuple[str, str]] = []
        for record in log.read(RAW, partition, start, end - start):
            merges += self._merges(record)
        self._vault.take(self._context.met, merges, partition, end)
        return end - start

    def _merges(self, record: LogRecord) -> list[tuple[str, str]]:
        """Map one message as normalise does; returns which patients became one."""
        headers = dict(record.headers)
        if headers.get("ce_type") != "RawMessage":
            return []
        message = from_headers(headers, record.value or b"")
        mapper = MAPPERS.get(message.content_type.partition(";")[0].rstrip())
        if mapper is None:
            return []
        try:
            mapped = mapper(message, RawRef(partition=record.partition, offset=record.offset), self._context)
        except Exception as error:  # noqa: BLE001  # the hub has it as a handler fault; one message must not stop the vault
            _log.error("message_not_mapped", error=type(error).__name__, partition=record.partition, offset=record.offset)
            return []
        events = [one for one in mapped if isinstance(one, StockEvent)]
        return [(merge.merged, merge.into) for event in events for merge in event.merges]


async def keep_filled(filler: VaultFiller, hub: LocalHub) -> None:
    """For ever: follow the raw log while the hub has nothing to fold, a portion now and then when it always has. Ends between two
    portions."""
    waited = 0.0
    while True:
        if hub.engine.backlog() and waited < BUSY_SECONDS_MAX:
            waited += FILL_SECONDS / 10
            await asyncio.sleep(FILL_SECONDS / 10)
            continue
        waited = 0.0
        portion = asyncio.ensure_future(asyncio.to_thread(filler.advance, hub.engine))
        taken = 0
        try:
            taken = await asyncio.shield(portion)
        except asyncio.CancelledError:
            with contextlib.suppress(Exception):
                await portion
            raise
        except Exception as error:  # noqa: BLE001  # the store is being opened anew, or the disk is full: it is tried again
            _log.error("vault_not_filled", error=type(error).__name__)
        await asyncio.sleep(FILL_SECONDS / 20 if taken else FILL_SECONDS)
