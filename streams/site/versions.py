"""Versions of one fact: a sender may replace what it said (RXA-21 U) and may delete it (D), in any order of arrival.

One version counts: the latest by the sender's version number (FHIR `meta.versionId`), else by (occurred, event key), and none
once the fact was deleted. The others keep their place in the ledger and do nothing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from schemas.events import StockEvent
from streams.ledger.model import CardKey
from streams.site import ledger
from streams.site.desk import Desk
from streams.site.tables import Version
from streams.times import to_us

SUPERSEDED: Final = ("superseded", "a later version or a deletion of the same fact stands")
UNCHANGED: Final = ("unchanged_version", "a newer version of the same fact says the same about stock")


def supersede(desk: Desk, event: StockEvent) -> tuple[tuple[str, str] | None, list[CardKey]]:
    """Make room for a replacing version; with the cards that changed.

    A code and a reason when it posts nothing: a later version or a deletion stands, or the version it replaces says the same.
    """
    original = event.replaces or ""
    held = desk.versions.get((event.site, original))
    mine = Version(event.version or to_us(event.occurred), event.event_key)
    if held is not None and (held.deleted or (held.order, held.key) > (mine.order, mine.key)):
        return SUPERSEDED, []
    if held is not None and _says_the_same(desk, event, held.key):
        desk.versions.put((event.site, original), Version(mine.order, held.key))
        return UNCHANGED, []
    touched = ledger.reverse(desk, replace(event, reverses=original))[2]
    if held is not None:
        touched += ledger.reverse(desk, replace(event, reverses=held.key))[2]
    desk.versions.put((event.site, original), mine)
    return None, touched


def _says_the_same(desk: Desk, event: StockEvent, standing: str) -> bool:
    """Whether the version that stands was posted with the same stock-bearing fields."""
    stands, mine = desk.seen.get((event.site, standing)), desk.seen.get((event.site, event.event_key))
    if stands is None or mine is None or stands.event_id == mine.event_id:
        return False
    return stands.status == "posted" and stands.fingerprint == mine.fingerprint


def take_back(desk: Desk, event: StockEvent) -> tuple[str, str, list[CardKey]]:
    """Take back a fact in whatever version stands."""
    named = event.reverses or ""
    original = desk.aliases.get((event.site, named)) or named
    event = replace(event, reverses=original)
    held = desk.versions.get((event.site, original))
    code, reason, touched = ledger.reverse(desk, event)
    if held is not None and not held.deleted and held.key:
        code, reason, more = ledger.reverse(desk, replace(event, reverses=held.key))
        touched = [*touched, *more]
    desk.versions.put((event.site, original), Version(0, "", deleted=True))
    return code, reason, touched
