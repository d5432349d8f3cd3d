"""Stage containers: the scan of a shipping container (SSCC) receives what its notices say is in it, package by package.

A container waits, whole, until notices say what is in it with lot and expiry of each package (parts of the product identifier,
DSCSA §581(14); without them a recall or an expiry would miss the stock), and the item master knows all of that. Each package of a
container is received once, whoever scans the container again, and not at all when its own serial number was received before.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from schemas.codes import GTIN, SSCC, Code
from schemas.events import StockEvent
from schemas.ids import derived_id
from schemas.kinds import EventKind
from schemas.notices import AnnouncedPackage
from streams.site import holds, notices
from streams.site.desk import Desk
from streams.site.resolve import Missing
from streams.site.tables import Held


def sscc_of(event: StockEvent) -> str | None:
    """The container that a receipt names, when it names nothing else."""
    if event.kind is not EventKind.RECEIVE or len(event.codes) != 1 or event.codes[0].system != SSCC:
        return None
    return event.codes[0].value


def opened(desk: Desk, event: StockEvent, sscc: str) -> list[StockEvent] | Missing:
    """A receipt of each package in the container that was not received yet; what is missing to know them."""
    packages = notices.packed_in(desk, event.site, sscc)
    if not packages:
        reason = f"no notice says what is in container {sscc}: scan its packages, or wait for the notice (EPCIS)"
        return Missing("unknown_container", reason, (("container", event.site, sscc),))
    bare = [one for one in packages if not (one.lot and one.expiry)]
    if bare:
        which = f"serial number {bare[0].serial}" if bare[0].serial else f"lot {bare[0].lot or 'not stated'}"
        reason = (
            f"no notice says lot and expiry of {len(bare)} of {len(packages)} packages or lots in container {sscc} "
            f"(GTIN {bare[0].gtin} {which}): scan its packages, or wait for the notice (EPCIS)"
        )
        return Missing("incomplete_container", reason, (("container", event.site, sscc),))
    return [one for one in (_receipt(event, sscc, package) for package in packages) if not _was_received(desk, one)]


def _receipt(event: StockEvent, sscc: str, package: AnnouncedPackage) -> StockEvent:
    which = f"serial|{package.serial}" if package.serial else f"lot|{package.lot or ''}"
    key = f"container|{sscc}|{package.gtin}|{which}"
    return replace(
        event, event_id=derived_id("event", event.site, key), event_key=key, part_of=event.event_key,
        codes=(Code(system=GTIN, value=package.gtin),), serial=package.serial, lot=package.lot, expiry=package.expiry,
        quantity=Decimal(package.quantity),
    )  # fmt: skip


def _was_received(desk: Desk, receipt: StockEvent) -> bool:
    """Whether the package was received, as part of this container or by its own barcode."""
    seen = desk.seen.get((receipt.site, receipt.event_key))
    return (seen is not None and seen.status == "posted") or notices.has_come(desk, receipt)


def known_by_now(desk: Desk, site: str) -> list[Held]:
    """Receipts of containers that waited to be known, and are, whichever notice it was that told."""
    waiting = holds.waiting_for(desk, ("container", site))
    return [held for held in waiting if not isinstance(opened(desk, held.event, sscc_of(held.event) or ""), Missing)]
