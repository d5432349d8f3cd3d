"""Opening counts (`schemas/golive.py`) as stock events: one result a pocket, a bad one never spoils the others."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from connectors.json_items import checked_expiry, checked_quantity, instant, map_items, validated
from schemas.codes import ITEM, PRODUCT, Code
from schemas.events import FoundLot, StockEvent
from schemas.golive import OPENING_ENTRY, POCKETS_MAX, CountedLot, OpeningEntry, opening_key
from schemas.ids import derived_id
from schemas.kinds import EventKind, Feed
from schemas.mapping import Mapped, MappingContext
from schemas.raw import RawMessage, RawRef

_NOTHING: Final = Decimal(0)


def map_opening(message: RawMessage, ref: RawRef, context: MappingContext) -> list[Mapped]:
    """Map a body of one pocket or a list of at most `POCKETS_MAX`. Never raises; at least one result."""

    def one(item: dict[str, Any], index: int) -> Mapped:
        entry = validated(OPENING_ENTRY, item, instants=("occurred",))
        return _event(entry, message, RawRef(partition=ref.partition, offset=ref.offset, index=index), context)

    return map_items(message.body, POCKETS_MAX, "pocket", one)


def _event(entry: OpeningEntry, message: RawMessage, ref: RawRef, context: MappingContext) -> StockEvent:
    """The event of one pocket, or of taking its count back. Raises `Fault`."""
    site = context.site((), message.site)
    site_id = site.id if site is not None else ""
    event_key = opening_key(entry.number, takes_back=entry.takes_back)
    occurred, zone_assumed = instant("occurred", entry.occurred, site)
    kind = EventKind.COUNT if entry.check else EventKind.OPENING
    return StockEvent(
        event_id=derived_id("event", site_id, event_key),
        event_key=event_key,
        kind=EventKind.REVERSAL if entry.takes_back else kind,
        feed=Feed.PAPER,
        site=site_id,
        source=message.source,
        raw=ref,
        occurred=occurred,
        received_at=message.received_at,
        codes=(Code(system=ITEM, value=entry.item),),
        quantity=checked_quantity("quantity", sum((lot.quantity for lot in entry.lots), start=_NOTHING)),
        unit=entry.unit,
        location_codes=(entry.location,),
        transaction_id=str(entry.number),
        actor=entry.user,
        witness=entry.witness or None,
        reverses=opening_key(entry.number) if entry.takes_back else None,
        found=tuple(_found(lot) for lot in entry.lots) if not entry.takes_back else (),
        zone_assumed=zone_assumed,
    )


def _found(lot: CountedLot) -> FoundLot:
    return FoundLot(
        codes=(Code(system=PRODUCT, value=lot.product),) if lot.product else (), quantity=lot.quantity, lot=lot.lot or None,
        expiry=checked_expiry(lot.expiry), unit_cost=lot.unit_cost,
    )  # fmt: skip
