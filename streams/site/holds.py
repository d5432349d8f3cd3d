"""Events that are understood but wait for a fact: kept whole, found again by the fact they wait for, applied when it arrives."""

from __future__ import annotations

from typing import Final

from schemas.codes import GTIN, NDC, gtin_of_ndc, lookup_key, ndc_ten_digits
from schemas.events import ReferenceChange, StockEvent
from schemas.kinds import Outcome
from schemas.reference import REFERENCE_KINDS
from streams.catalog import NDC_TEN, link_entries, place_keys
from streams.site.desk import Desk
from streams.site.resolve import Missing
from streams.site.tables import Held

RELEASES_PER_CHANGE_MAX: Final = 5_000
"""Held events tried again for one reference change; more than that wait for the next change or a manual retry."""
_SEPARATOR: Final = "\x1f"
Wait = tuple[str, str, str]


def hold(desk: Desk, event: StockEvent, missing: Missing, *, was: Outcome | None) -> None:
    """Keep an event until one of the facts it waits for arrives."""
    held = desk.held.get((event.site, event.event_id))
    waits = tuple(_SEPARATOR.join(wait) for wait in missing.waits_for)
    if held is not None:
        for joined in held.waits_for:
            desk.waiting.delete((*joined.split(_SEPARATOR), event.site, event.event_id))
    since = held.since_us if held is not None else desk.now_us if desk.since_us is None else desk.since_us
    kept = Held(event=event, items=desk.items, waits_for=waits, since_us=since)
    desk.held.put((event.site, event.event_id), kept)
    for wait in missing.waits_for:
        desk.waiting.put((*wait, event.site, event.event_id), 1)
    desk.hold(kept, missing.reason)
    desk.outcome(
        event, Outcome.HELD, missing.code, missing.reason, was=was, event_ids=(event.event_id,), kinds=(event.kind,)
    )  # fmt: skip


def released_by(desk: Desk, change: ReferenceChange, before: object | None) -> list[Held]:
    """Held events that a reference change may let through, by what the record says now and said `before`.

    What it no longer says counts too: a code that was ambiguous may be so no longer.
    """
    after = None if change.record is None else REFERENCE_KINDS[change.kind].codec.validate(change.record)
    found: dict[tuple[str, str], Held] = {}
    waits = [wait for record in (after, before) if record is not None for wait in _facts(desk, change.kind, record)]
    for wait in dict.fromkeys(waits):
        for key, _ in desk.waiting.scan(wait):
            site, event_id = str(key[-2]), str(key[-1])
            held = desk.held.get((site, event_id))
            if held is not None:
                found[site, event_id] = held
            if len(found) >= RELEASES_PER_CHANGE_MAX:
                break
    return sorted(found.values(), key=lambda held: (held.event.occurred, held.event.event_id))


def waiting_for(desk: Desk, fact: tuple[str, ...]) -> list[Held]:
    """Held events that wait for a fact (or for facts that begin so), in the order in which they happened."""
    keys = [(str(key[-2]), str(key[-1])) for key, _ in desk.waiting.scan(fact)]
    found = [held for key in keys if (held := desk.held.get(key)) is not None]
    return sorted(found, key=lambda held: (held.event.occurred, held.event.event_id))


def drop(desk: Desk, held: Held) -> None:
    """The event waits no longer."""
    event = held.event
    for wait in held.waits_for:
        desk.waiting.delete((*wait.split(_SEPARATOR), event.site, event.event_id))
    desk.held.delete((event.site, event.event_id))
    desk.unhold(event.site, event.event_id)


def _facts(desk: Desk, kind: str, record: object) -> list[tuple[str, ...]]:
    """The facts a reference record brings, as events wait for them."""
    waits: list[tuple[str, ...]] = []
    keys = [key for key, _ in desk.catalog.code_entries(kind, record)] + [key for key, _ in link_entries(kind, record)]
    for system, value in keys:
        name = system.split("@", 1)[0]
        waits.append(("code", NDC if name == NDC_TEN else name, value))
    if kind == "code":
        ten = next((value for system, value in keys if system == NDC_TEN), None)
        waits += [("code", *lookup_key(GTIN, gtin_of_ndc(ten, indicator))) for indicator in range(9)] if ten else []
    if kind == "item":
        item = str(getattr(record, "id", ""))
        waits += [("item", item), ("unit", item), ("code", "item", item.upper())]
    if kind == "product":
        ndc = getattr(record, "ndc", None)
        ten = ndc_ten_digits(ndc) if ndc else None
        if ten:
            waits += [("code", *lookup_key(GTIN, gtin_of_ndc(ten, indicator))) for indicator in range(9)]
        waits.append(("unit", getattr(record, "item", "")))
    if kind == "unit_factor":
        waits += [("unit", getattr(record, "item", ""), getattr(record, "unit", "")), ("unit", getattr(record, "item", ""), "")]
    if kind == "consumption_rule":
        waits.append(("unit", getattr(record, "item", "")))
    for site, name in place_keys(kind, record):
        waits += [("place", site, name), ("place", site, "")]
    return waits
