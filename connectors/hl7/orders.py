"""RDE, OMP, ORM with a pharmacy order, and RGV: what shall happen. None of them ever moves stock.

Source: HL7 v2.8.2 §4A.4 (RXO, RXE, RXG). Quantities are kept where they can be used and left out where they can't.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal

from connectors.hl7.envelope import Envelope, order_ids
from connectors.hl7.er7 import Segment
from connectors.hl7.fields import FieldError, codes, places, quantity, unit, value
from connectors.hl7.items import Item, map_items, stray_movements
from schemas.events import StockEvent
from schemas.kinds import EventKind, Feed
from schemas.mapping import Mapped, NoEffect


def map_encoded_orders(envelope: Envelope) -> Iterator[Mapped]:
    """RDE: one result per RXE."""
    yield from _orders(envelope, "RXE", _encoded_order)


def map_pharmacy_orders(envelope: Envelope) -> Iterator[Mapped]:
    """OMP and ORM: one result per RXO (or RXE where there is none); an order for something else touches no stock."""
    if envelope.message.has("RXO"):
        yield from _orders(envelope, "RXO", _order)
    else:
        yield from _orders(envelope, "RXE", _encoded_order)


def map_gives(envelope: Envelope) -> Iterator[Mapped]:
    """RGV: one result per RXG."""
    yield from _orders(envelope, "RXG", _give)


def _orders(envelope: Envelope, name: str, build: Callable[[Envelope, Item], StockEvent]) -> Iterator[Mapped]:
    """One result per segment of a name; a message without one states no pharmacy order."""
    if envelope.message.has(name):
        yield from map_items(envelope, name, build)
        return
    stray = list(stray_movements(envelope, name))
    kind = envelope.header.get("9.1")
    yield from stray or [NoEffect(code="no_pharmacy_order", reason=f"{kind} without an {name} segment orders no medication")]


def _encoded_order(envelope: Envelope, item: Item) -> StockEvent:
    """RXE: what is to be dispensed (RXE-10/11), else what is to be given at a time (RXE-3/5)."""
    return _planned(envelope, item, "rde", EventKind.ORDER, code=2, dispense=(10, 11), give=(3, 5))


def _order(envelope: Envelope, item: Item) -> StockEvent:
    """RXO: the requested dispense amount (RXO-11/12), else the requested give amount (RXO-2/4)."""
    return _planned(envelope, item, "omp", EventKind.ORDER, code=1, dispense=(11, 12), give=(2, 4))


def _give(envelope: Envelope, item: Item) -> StockEvent:
    """RXG: a scheduled give; its amount is a dose (RXG-5/7)."""
    return _planned(envelope, item, "rgv", EventKind.SCHEDULE, code=4, dispense=None, give=(5, 7))


def _planned(
    envelope: Envelope,
    item: Item,
    key: str,
    kind: EventKind,
    *,
    code: int,
    dispense: tuple[int, int] | None,
    give: tuple[int, int],
) -> StockEvent:
    """An event of something planned. `dispense` and `give` are the fields of an amount and its unit."""
    segment, order, number = item
    order_id, order_text = order_ids(order)
    amount = _amount(segment, dispense[0]) if dispense else None
    is_dose = amount is None
    if amount is None:
        amount = _amount(segment, give[0])
    unit_field = give[1] if is_dose or dispense is None else dispense[1]
    return envelope.event(
        envelope.message_key(key, order_text, str(number)),
        kind,
        Feed.ORDER,
        envelope.occurred((order, "9")),
        codes=codes(segment, code),
        quantity=amount,
        unit=unit(segment, unit_field) if amount is not None else None,
        quantity_is_dose=is_dose and amount is not None,
        location_codes=places((envelope.message.segment("PV1"), 3)),
        order_id=order_id or None,
        actor=value(order, "12.1") or None,
    )


def _amount(segment: Segment, field: int) -> Decimal | None:
    """An amount when it can be used; an order moves nothing, so a bad one is left out rather than refused."""
    try:
        return quantity(segment, field)
    except FieldError:
        return None
