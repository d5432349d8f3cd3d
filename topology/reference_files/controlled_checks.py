"""Records of controlled substances: two people at an inventory, shift ends that are there, sites and places that exist."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from schemas.controlled import SHIFT_ENDS_MAX, ControlledInventory, ControlledPolicy, ShiftCount

Ids = Mapping[str, set[str]]


def own_rules(record: object) -> Iterator[tuple[str, str]]:
    """Fields and reasons: what a record breaks by itself."""
    if isinstance(record, ControlledInventory) and record.taken_by.strip().casefold() == record.witness.strip().casefold():
        yield "witness", f"is {record.taken_by}, who took the inventory: name a second person"
    if isinstance(record, ShiftCount) and not 1 <= len(record.ends) <= SHIFT_ENDS_MAX:
        yield "ends", f"names {len(record.ends)} shift ends; give 1 to {SHIFT_ENDS_MAX}, like 07:00;19:00"


def references(record: object, ids: Ids) -> Iterator[tuple[str, str]]:
    """Sites and places that nothing has."""
    if not isinstance(record, (ControlledInventory, ControlledPolicy, ShiftCount)):
        return
    if record.site not in ids.get("site", ()):
        yield "site", f"site {record.site} is not known"
    elif isinstance(record, ShiftCount):
        segments = record.location.split("/")
        known = ids.get("location", ())
        if not any(f"{record.site}|{'/'.join(segments[:length])}" in known for length in range(len(segments), 0, -1)):
            yield "location", f"{record.location} neither is nor lies below a location of site {record.site}"
