"""RAS: administrations. One event per RXA; the quantity is a dose. Whether it moves stock is the site's rule, not the message's.

Source: HL7 v2.8.2 §4A.4.7 (RXA), tables 0322 (completion status) and 0206/0323 (action code).
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from connectors.hl7.envelope import Envelope, order_ids
from connectors.hl7.er7 import Segment
from connectors.hl7.fields import FieldError, codes, expiry, lot, places, quantity, unit, value
from connectors.hl7.identity import content, replacement_key, reversal_key
from connectors.hl7.items import Item, map_items
from schemas.events import StockEvent
from schemas.kinds import EventKind, Feed
from schemas.mapping import Mapped, Refused

_AMOUNT_UNKNOWN: Final = Decimal(999)
"""RXA-6: "if the dose is not known, 999"."""

_POSTS: Final = ("", "CP", "PA")
_NOT_GIVEN: Final = {
    "RE": "RXA-20 is RE: the patient refused, nothing was given; if the dose was removed, a return or a waste follows",
    "NA": "RXA-20 is NA: not administered; if the dose was removed, a return or a waste follows",
}
_ACTIONS: Final = ("", "A", "U", "D", "X")


def map_administrations(envelope: Envelope) -> Iterator[Mapped]:
    """One result per RXA."""
    if not envelope.message.has("RXA"):
        yield Refused(code="missing_segment", reason="RAS without an RXA segment: it does not say what was administered")
    yield from map_items(envelope, "RXA", _administration)


def _administration(envelope: Envelope, item: Item) -> StockEvent:
    """One RXA as an event: added, replaced (RXA-21 U), taken back (D) or unchanged (X)."""
    rxa, order, _ = item
    action = value(rxa, "21").upper()
    if action not in _ACTIONS:
        raise FieldError("unknown_action_code", f"RXA-21 is {action[:20]!r}, expected A, U, D or X (HL7 table 0206)")
    no_effect = _reason_not_given(rxa)
    if action == "X":
        no_effect = "RXA-21 is X: the sender reports no change"
    order_id, order_text = order_ids(order)
    common: dict[str, Any] = {
        "feed": Feed.ADMINISTRATION,
        "occurred": envelope.occurred((rxa, "3"), (order, "9")),
        "codes": codes(rxa, 5),
        "quantity": _dose(rxa, known=no_effect is None),
        "unit": unit(rxa, 7),
        "quantity_is_dose": True,
        "location_codes": places((rxa, 27), (rxa, 11), (envelope.message.segment("PV1"), 3)),
        "lot": lot(rxa, 15),
        "expiry": expiry(rxa, 16),
        "order_id": order_id or None,
        "actor": value(rxa, "10.1") or None,
        "no_effect": no_effect,
    }
    original = envelope.key("ras", order_text, *rxa.raws("1", "2", "3", "5.1"))
    event = envelope.event(original, kind=EventKind.ADMINISTER, **common)
    if not order_text:
        original = f"{original}|{envelope.patient or ''}|{content(event)}"
    return _by_action(envelope, event, original, action)


def _by_action(envelope: Envelope, event: StockEvent, original: str, action: str) -> StockEvent:
    """The event under the key its action code asks for; `original` is the key the same RXA has when it is added."""
    original = envelope.ordinals.distinct(action or "A", original, event)
    if action == "U":
        return envelope.rekeyed(event, replacement_key(original, event), replaces=original)
    if action == "D":
        return envelope.rekeyed(event, reversal_key(original), reverses=original, kind=EventKind.REVERSAL)
    if action == "X":
        return envelope.rekeyed(event, f"{original}|X")
    return envelope.rekeyed(event, original)


def _reason_not_given(rxa: Segment) -> str | None:
    """Why this administration moves nothing, from RXA-20; None when it does."""
    status = value(rxa, "20").upper()
    if status in _POSTS:
        return None
    if status not in _NOT_GIVEN:
        reason = f"RXA-20 (completion status) is {status[:20]!r}, expected CP, PA, RE or NA (HL7 table 0322)"
        raise FieldError("unknown_completion_status", reason)
    return _NOT_GIVEN[status]


def _dose(rxa: Segment, *, known: bool) -> Decimal | None:
    """RXA-6, None when the sender does not know it (999); where nothing was given an unusable number does no harm."""
    try:
        amount = quantity(rxa, 6)
    except FieldError:
        if known:
            raise
        return None
    return None if amount == _AMOUNT_UNKNOWN else amount
