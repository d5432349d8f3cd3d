"""Paper entries (`schemas/paper.py`) as stock events: one result a line, a bad one never spoils the others."""

from __future__ import annotations

from typing import Any, Final

from connectors.json_items import Fault, checked_expiry, checked_quantity, instant, map_items, validated
from schemas.codes import Code
from schemas.events import StockEvent
from schemas.ids import derived_id
from schemas.kinds import EventKind, Feed
from schemas.mapping import Mapped, MappingContext
from schemas.paper import ENTRIES_MAX, PAPER_ENTRY, PaperActivity, PaperEntry, paper_key
from schemas.raw import RawMessage, RawRef

_KINDS: Final = {
    PaperActivity.REMOVE: EventKind.VEND,
    PaperActivity.RETURN: EventKind.RETURN,
    PaperActivity.WASTE: EventKind.WASTE,
    PaperActivity.DISCARD: EventKind.DISCARD,
    PaperActivity.REFILL: EventKind.REFILL,
    PaperActivity.COUNT: EventKind.COUNT,
    PaperActivity.RECEIVE: EventKind.RECEIVE,
    PaperActivity.MOVE: EventKind.PUT_AWAY,
}


def map_paper(message: RawMessage, ref: RawRef, context: MappingContext) -> list[Mapped]:
    """Map a body of one entry or a list of at most `ENTRIES_MAX`. Never raises; at least one result."""

    def one(item: dict[str, Any], index: int) -> Mapped:
        entry = validated(PAPER_ENTRY, item, instants=("occurred",), dates=("expiry",))
        return _event(entry, message, RawRef(partition=ref.partition, offset=ref.offset, index=index), context)

    return map_items(message.body, ENTRIES_MAX, "paper entry", one)


def _event(entry: PaperEntry, message: RawMessage, ref: RawRef, context: MappingContext) -> StockEvent:
    """The event of one entry, or of taking it back. Raises `Fault`."""
    site = context.site((), message.site)
    site_id = site.id if site is not None else ""
    event_key = paper_key(entry.period, entry.form, entry.line, entry.takes_back)
    back = entry.takes_back is not None
    occurred, zone_assumed = instant("occurred", entry.occurred, site)
    if entry.activity is PaperActivity.MOVE and not entry.to_location:
        raise Fault("no_destination", "to_location: is missing; a move must say where the stock went.")
    return StockEvent(
        event_id=derived_id("event", site_id, event_key),
        event_key=event_key,
        kind=EventKind.REVERSAL if back else _KINDS[entry.activity],
        feed=Feed.PAPER,
        site=site_id,
        source=message.source,
        raw=ref,
        occurred=occurred,
        received_at=message.received_at,
        codes=(Code(system=entry.code_system.strip().lower(), value=entry.code),),
        quantity=checked_quantity("quantity", entry.quantity),
        unit=entry.unit,
        location_codes=(entry.location,),
        to_location_codes=(entry.to_location,) if entry.to_location else (),
        lot=entry.lot or None,
        expiry=checked_expiry(entry.expiry),
        transaction_id=f"{entry.form}/{entry.line}",
        order_id=entry.order_id or None,
        patient=context.patient_hash(entry.patient_id, "") if entry.patient_id else None,
        actor=entry.user,
        witness=entry.witness or None,
        reverses=paper_key(entry.period, entry.form, entry.line) if back else None,
        no_effect=_no_effect(entry),
        zone_assumed=zone_assumed,
    )


def _no_effect(entry: PaperEntry) -> str | None:
    """An amount of 0 moves nothing; a count of 0 says that the place is empty."""
    if entry.takes_back is None and entry.activity is not PaperActivity.COUNT and not entry.quantity:
        return f"The form says {entry.activity.value} of 0."
    return None
