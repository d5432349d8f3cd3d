"""Stock events made of others, and what they say of goods that arrive."""

from __future__ import annotations

from datetime import date, datetime

import msgspec

from schemas.reference import Site
from topology.verify.lots import end_of_day
from topology.verify.words import Ref, Told, microseconds


def event_of(site: str, key: str, kind: str, at: datetime) -> Told:
    """A fact that no feed told."""
    return Told("", key, kind, "supply", site, Ref(0, 0), at, at)


def lots_of(event: Told) -> list[Told]:
    """A count of a whole place as one count of each lot. A lot whose codes are among the event's is of those alone."""
    found = []
    for one in event.found:
        of_those_alone = one.codes and all(code in event.codes for code in one.codes)
        codes = one.codes if of_those_alone else (*event.codes, *one.codes)
        found.append(msgspec.structs.replace(event, codes=codes, quantity=one.quantity, lot=one.lot, expiry=one.expiry, found=()))
    return found


def is_unfit(event: Told, site: Site | None) -> bool:
    """Damaged or too warm, or with too few days left on the site's calendar (0: expired)."""
    if event.condition is not None:
        return True
    if event.expiry is None or event.expiry == date.max or site is None:
        return False
    left = site.receipt_life_days
    last = date.fromordinal(max(event.expiry.toordinal() - left, 1))
    return min(end_of_day(event.expiry, site.zone), end_of_day(last, site.zone)) <= microseconds(event.occurred)


def lines_of(event: Told) -> list[tuple[bool, Told]]:
    """The lines of a transform, each as an event of its own, and whether it was made."""
    found = []
    for part in event.parts:
        line = msgspec.structs.replace(
            event, codes=part.codes, quantity=part.quantity, unit=part.unit, lot=part.lot, expiry=part.expiry,
            container=part.container, beyond_use=part.beyond_use, parts=(),
        )  # fmt: skip
        if part.location_codes:
            line = msgspec.structs.replace(line, location_codes=part.location_codes, pocket=None)
        found.append((part.made, line))
    return found
