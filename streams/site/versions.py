"""Versions of one fact: a sender may replace what it said (RXA-21 U) and may delete it (D), in any order of arrival.

One version counts: the latest by the sender's version number (FHIR `meta.versionId`), else by (occurred, event key), and none
once the fact was deleted. The others keep their place in the ledger and do nothing.
"""

from __future__ import annotations

from dataclasses import replace

from schemas.events import StockEvent
from streams.ledger.model import CardKey
from streams.site import ledger
from streams.site.desk import Desk
from streams.site.tables import Version
from streams.times import to_us


def supersede(desk: Desk, event: StockEvent) -> tuple[bool, list[CardKey]]:
    """Make room for a replacing version. False when a later version or a deletion stands; with the cards that changed."""
    original = event.replaces or ""
    held = desk.versions.get((event.site, original))
    mine = Version(event.version or to_us(event.occurred), event.event_key)
    if held is not None and (held.deleted or (held.order, held.key) > (mine.order, mine.key)):
        return False, []
    touched = ledger.reverse(desk, replace(event, reverses=original))[2]
    if held is not None:
        touched += ledger.reverse(desk, replace(event, reverses=held.key))[2]
    desk.versions.put((event.site, original), mine)
    return True, touched


def take_back(desk: Desk, event: StockEvent) -> tuple[str, str, list[CardKey]]:
    """Take back a fact in whatever version stands."""
    original = event.reverses or ""
    held = desk.versions.get((event.site, original))
    code, reason, touched = ledger.reverse(desk, event)
    if held is not None and not held.deleted and held.key:
        code, reason, more = ledger.reverse(desk, replace(event, reverses=held.key))
        touched = [*touched, *more]
    desk.versions.put((event.site, original), Version(0, "", deleted=True))
    return code, reason, touched
