"""Stage recall, who has read it: a record for each site of this partition that says which notice it acts on, and since when.

A notice is in force at a site from the moment its partition reads it, and not before. So the record is written by that partition,
with the blocks themselves. Reading the same words again says nothing new.
"""

from __future__ import annotations

from typing import Final

from schemas.codec import encode
from schemas.events import ReferenceChange
from schemas.ids import fingerprint
from schemas.keys import encode_key
from schemas.partition import partition_of
from schemas.records import RecallReading
from schemas.reference import RecallNotice
from schemas.topics import RECALLS
from streams.site.desk import Desk

_CAUGHT_UP: Final = ("readings",)


def changed(desk: Desk, change: ReferenceChange) -> None:
    """A notice was read, or a site was: say which notices hold there."""
    if change.record is None:
        return
    if change.kind == "recall":
        notice = desk.catalog.record(change)
        for record in desk.catalog.sites():
            _say(desk, record.id, notice)
    elif change.kind == "site":
        for notice in desk.catalog.recalls():
            _say(desk, change.id, notice)


def catch_up(desk: Desk) -> None:
    """Say it once of notices that were read before there were such records."""
    if desk.clock.get(_CAUGHT_UP) is None:
        desk.clock.put(_CAUGHT_UP, 1)
        for record in desk.catalog.sites():
            for notice in desk.catalog.recalls():
                _say(desk, record.id, notice)


def content_of(notice: RecallNotice) -> str:
    """A digest of what a notice says."""
    return fingerprint(encode(notice).decode("utf-8"))


def _say(desk: Desk, site: str, notice: RecallNotice) -> None:
    if partition_of(site) != desk.partition:
        return
    content = content_of(notice)
    before = desk.shelf.readings.get((site, notice.id))
    if before is not None and before.content == content:
        return
    record = RecallReading(
        site=site, notice=notice.id, revision=desk.catalog.revision("recall", notice.id), content=content,
        in_force=notice.released is None, at=desk.at if desk.now_us else None,
    )  # fmt: skip
    desk.shelf.readings.put((site, notice.id), record)
    desk.emit(RECALLS, encode_key((site, notice.id)), encode(record), "RecallReading", site)
