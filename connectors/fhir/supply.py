"""SupplyDelivery: goods on the way or arrived (R4: one item; R5: a list). SupplyRequest: somebody asks for stock; nothing moves.

Source: FHIR R4 and R5, SupplyDelivery and SupplyRequest; what they mean for stock: `domain` §4.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from connectors.fhir.bundle import Item
from connectors.fhir.context import reference_id
from connectors.fhir.datatypes import identifiers_of, names_of, quantity_of
from connectors.fhir.events import Facts
from connectors.fhir.medication import product_of
from connectors.fhir.nodes import Fault, Node, child, children, text
from connectors.fhir.status import POSTS, TAKES_BACK, Status, before, ends
from schemas.kinds import EventKind, Feed

DELIVERY_STATUSES: Final[dict[str, Status]] = {
    "completed": POSTS,
    "in-progress": before("in-progress", "the delivery is on its way; it counts when it is completed"),
    "": before("no-status", "the delivery does not say whether it was completed"),
    "abandoned": ends("the delivery was abandoned before it was completed"),
    "entered-in-error": TAKES_BACK,
}
"""Source: FHIR value set supplydelivery-status; the element may be left out."""

REQUEST_STATUSES: Final[dict[str, Status]] = {
    code: Status(key_suffix=f"|{code}") for code in ("draft", "active", "suspended", "cancelled", "completed", "unknown")
} | {
    "": Status(key_suffix="|no-status"),
    "entered-in-error": Status(no_effect="the request was entered in error", key_suffix="|entered-in-error"),
}
"""Source: FHIR value set supplyrequest-status; the element may be left out. Each state is a fact of its own."""


def delivery_facts(item: Item, status: Status) -> Sequence[Facts]:
    """Every supplied item, received at the destination. Raises `Fault` for an absurd amount, or when nothing was supplied."""
    resource = item.resource
    supplied = children(resource, "suppliedItem")
    if not supplied and status is POSTS:
        raise Fault("no_item", "SupplyDelivery.suppliedItem is missing: a completed delivery must say what arrived.")
    destination = child(resource, "destination")
    based_on = children(resource, "basedOn")
    return [
        _delivered(
            item, status, one, f"SupplyDelivery.suppliedItem[{number}]", destination, based_on, (number + 1, len(supplied))
        )
        for number, one in enumerate(supplied or [{}])
    ]


def _delivered(
    item: Item, status: Status, supplied: Node, path: str, destination: Node, based_on: list[Node], place: tuple[int, int]
) -> Facts:
    quantity, unit = quantity_of(child(supplied, "quantity"), f"{path}.quantity")
    return Facts(
        kind=EventKind.RECEIVE,
        feed=Feed.SUPPLY,
        times=_times(item.resource, "SupplyDelivery"),
        quantity=quantity,
        unit=unit,
        places=[destination] if destination else (),
        order_id=reference_id(item, based_on[0]) if based_on else "",
        senders=_senders(item),
        no_effect=status.why_nothing_moves(quantity),
        key_suffix=status.key_suffix,
        takes_back=status.is_error,
        product=product_of(item, child(supplied, "itemCodeableConcept"), child(supplied, "itemReference")),
        line=place[0],
        lines=max(1, place[1]),
    )


def _senders(item: Item) -> tuple[str, ...]:
    """Names of who supplied it: where one is a site of the network, the delivery is a transfer."""
    reference = child(item.resource, "supplier")
    return tuple(names_of(reference, item.scope.resolve(reference, item.resource))) if reference else ()


def _times(resource: Node, name: str) -> list[tuple[str, str]]:
    """When: the instant, else the end or start of the period, else the last of a timing's events."""
    period = child(resource, "occurrencePeriod")
    events = child(resource, "occurrenceTiming").get("event")
    last = events[-1] if isinstance(events, list) and events else None
    return [
        (f"{name}.occurrenceDateTime", text(resource, "occurrenceDateTime")),
        (f"{name}.occurrencePeriod.end", text(period, "end")),
        (f"{name}.occurrencePeriod.start", text(period, "start")),
        (f"{name}.occurrenceTiming.event", last if isinstance(last, str) else ""),
    ]


def request_facts(item: Item, status: Status) -> Sequence[Facts]:
    """What is asked for, where it should go and where from. Raises `Fault` for an absurd amount."""
    resource = item.resource
    quantity, unit = quantity_of(child(resource, "quantity"), "SupplyRequest.quantity")
    both = child(resource, "item")
    concept = child(resource, "itemCodeableConcept") or child(both, "concept")
    reference = child(resource, "itemReference") or child(both, "reference")
    target, origin = child(resource, "deliverTo"), child(resource, "deliverFrom")
    identifiers = identifiers_of(resource)
    return [
        Facts(
            kind=EventKind.REQUEST,
            feed=Feed.SUPPLY,
            times=[("SupplyRequest.authoredOn", text(resource, "authoredOn")), *_times(resource, "SupplyRequest")],
            quantity=quantity,
            unit=unit,
            places=[origin] if origin else (),
            destinations=[target] if target else (),
            order_id=identifiers[0][1] if identifiers else text(resource, "id"),
            no_effect=status.no_effect,
            key_suffix=status.key_suffix,
            product=product_of(item, concept, reference),
        )
    ]
