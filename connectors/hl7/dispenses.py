"""RDS: dispenses. One event per RXD; ORC-1 may take a dispense back.

Source: HL7 v2.8.2 §4A.4.6 (RXD), table 0119 (order control codes). v2.3's RDS^O01 has the same segments.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from connectors.hl7.envelope import Envelope, order_ids
from connectors.hl7.fields import codes, expiry, lot, places, quantity, unit, value
from connectors.hl7.identity import content, reversal_key
from connectors.hl7.items import Item, map_items
from schemas.events import StockEvent
from schemas.kinds import EventKind, Feed
from schemas.mapping import Mapped, Refused

_TAKES_BACK: Final = frozenset({"CA", "OC", "DC", "CR"})
"""Cancel, cancelled, discontinue, cancelled as requested: the dispense did not happen."""


def map_dispenses(envelope: Envelope) -> Iterator[Mapped]:
    """One result per RXD."""
    if not envelope.message.has("RXD"):
        yield Refused(code="missing_segment", reason="RDS without an RXD segment: it does not say what was dispensed")
    yield from map_items(envelope, "RXD", _dispense)


def _dispense(envelope: Envelope, item: Item) -> StockEvent:
    """One RXD as an event, or as the reversal of that event."""
    rxd, order, _ = item
    order_id, order_text = order_ids(order)
    prescription = value(rxd, "7")
    common: dict[str, Any] = {
        "feed": Feed.DISPENSE,
        "occurred": envelope.occurred((rxd, "3"), (order, "9")),
        "codes": codes(rxd, 2),
        "quantity": quantity(rxd, 4),
        "unit": unit(rxd, 5),
        "location_codes": places((rxd, 26), (rxd, 27)),
        "to_location_codes": places((rxd, 13)),
        "lot": lot(rxd, 18),
        "expiry": expiry(rxd, 19),
        "order_id": order_id or prescription or None,
        "actor": value(rxd, "10.1") or None,
    }
    original = envelope.key("rds", order_text, *rxd.raws("7", "1", "3", "2.1"))
    event = envelope.event(original, kind=EventKind.DISPENSE, **common)
    if not order_text and not prescription:
        original = f"{original}|{envelope.patient or ''}|{content(event)}"
    taken_back = value(order, "1").upper() in _TAKES_BACK
    original = envelope.ordinals.distinct("D" if taken_back else "A", original, event)
    if taken_back:
        return envelope.rekeyed(event, reversal_key(original), reverses=original, kind=EventKind.REVERSAL)
    return envelope.rekeyed(event, original)
