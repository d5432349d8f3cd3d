"""Keeps the packs of all sites fresh while the hub runs. It only reads, and a pack that fails is tried again and said."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import structlog

from sinks.sql.views import Views
from topology.downtime.pack.facts import gather
from topology.downtime.pack.files import write
from topology.query import run_query
from topology.reference_files.model import ReferenceRecord
from topology.reference_known import records_of
from topology.running import RunningHub

WRITTEN_AFTER: Final = 0.7
"""Part of the stated age after which a newer pack is begun: the rest is for writing it, and for one that fails."""
RETRY_SECONDS: Final = 5.0
FRESH_SECONDS: Final = 20.0
"""How long a pack waits for tables that are behind; then it is made of what there is, and says how much is missing."""
_log = structlog.get_logger("wardstock.downtime")


class ViewsReader:
    """The tables of a running hub as a pack reads them."""

    def __init__(self, views: Views) -> None:
        """`views` of the hub's projection."""
        self._views = views

    def query(self, view: str, **filters: str | int | None) -> list[dict[str, Any]]:
        """Rows of a named view."""
        return run_query(self._views, view, filters)

    def held(self, *kinds: str) -> list[ReferenceRecord]:
        """The reference records of some kinds."""
        return [record for kind in kinds for record in records_of(kind, self._views.reference(kind))]


class PackKeeper:
    """Writes one folder a site below `folder`, each within `minutes` of the one before."""

    def __init__(self, live: RunningHub, folder: Path, minutes: int) -> None:
        """Writes nothing yet."""
        self._live = live
        self._folder = folder
        self._minutes = minutes
        self._made: dict[str, datetime] = {}
        self._sites: list[str] = []

    def ages(self) -> dict[str, int]:
        """Seconds since each site's pack was made, by this hub or one before it; -1 for a site without one."""
        now = self._live.now()
        return {site: self._age(site, now) for site in self._sites}

    def _age(self, site: str, now: datetime) -> int:
        made = self._made.get(site)
        if made is None:
            try:
                made = datetime.fromtimestamp((self._folder / folder_name(site) / "pack.html").stat().st_mtime, UTC)
            except OSError:
                return -1
        return max(int((now - made).total_seconds()), 0)

    async def keep(self) -> None:
        """For ever: write what is due. A site that appears meanwhile gets its pack with the next look."""
        while True:
            fine = await asyncio.to_thread(self.write_due)
            await asyncio.sleep(RETRY_SECONDS if not fine else min(self._minutes * 60 * (1 - WRITTEN_AFTER) / 3, 60.0))

    def write_due(self) -> bool:
        """Write the packs whose time has come; whether all of them could be written."""
        fine = True
        due = self._minutes * 60 * WRITTEN_AFTER
        try:
            self._sites = sorted(str(row["id"]) for row in self._live.views.sites())
            waiting = [site for site in self._sites if self._due(site, due)]
            if waiting:
                self._catch_up()
        except Exception as error:  # noqa: BLE001  # it is tried again
            _log.error("downtime_packs_failed", error=type(error).__name__)
            return False
        for site in waiting:
            fine = self._write(site) and fine
        return fine

    def _due(self, site: str, seconds: float) -> bool:
        made = self._made.get(site)
        return made is None or (self._live.now() - made).total_seconds() >= seconds

    def _catch_up(self) -> None:
        asked = time.monotonic()
        while self._live.behind(asked) and time.monotonic() < asked + FRESH_SECONDS:
            time.sleep(0.05)

    def _write(self, site: str) -> bool:
        try:
            made = gather(
                ViewsReader(self._live.views), site, self._live.now(), minutes=self._minutes, backlog=self._live.backlog()
            )
            write(made, self._folder / folder_name(site))
        except Exception as error:  # noqa: BLE001  # it is tried again; the age of the last one shows in metrics
            _log.error("downtime_pack_failed", site=site, error=type(error).__name__, reason=str(error))
            return False
        self._made[site] = made.made_at
        return True


Ages = Callable[[], dict[str, int]]
"""Ages of packs in seconds, by site."""


def folder_name(site: str) -> str:
    """The folder of a site: its id, without what leads elsewhere."""
    return "".join(char if char.isalnum() or char in "-_." else "_" for char in site).lstrip(".") or "_"
