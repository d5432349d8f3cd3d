"""Stage serials: a package with a serial number arrives once.

Two identical vials scanned one after the other are two; two scans of one serial number are one package scanned twice, or two
packages of which one is no original (DSCSA: a suspect product). It counts once, and a person looks.
"""

from __future__ import annotations

from schemas.events import StockEvent
from schemas.ids import derived_id
from schemas.kinds import EventKind
from streams.site.desk import Desk
from streams.site.resolve import Resolved


def received_again(desk: Desk, event: StockEvent, resolved: Resolved) -> str | None:
    """Why a receipt does not count, when its serial number was received before and that stands; else it is noted."""
    if event.kind is not EventKind.RECEIVE or not event.serial or event.replaces:
        return None
    product = resolved.product or resolved.item.id
    key = (event.site, product, event.serial)
    before = desk.serials.get(key)
    seen = desk.seen.get((event.site, before)) if before is not None else None
    if seen is None or seen.status != "posted":
        desk.serials.put(key, event.event_key)
        return None
    text = (
        f"serial number {event.serial} of {product} was received twice, first as {before}: it counts once; "
        "if there are two packages, quarantine both, one is no original"
    )
    case_id = derived_id("case", "serial_again", *key)
    item = resolved.item.id
    desk.case_open(case_id, event.site, "serial_again", text, item=item, event_id=event.event_id, raw=event.raw)
    return text
