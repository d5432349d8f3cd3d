"""The items of a message: each pharmacy segment with the order it belongs to, and how one that can't be used is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from connectors.hl7.envelope import Envelope
from connectors.hl7.er7 import Message, Segment
from connectors.hl7.fields import FieldError
from schemas.events import StockEvent
from schemas.mapping import Mapped, Refused

MOVEMENT_SEGMENTS = ("RXA", "RXD", "ZPM", "ZPL")
"""Segments that state a movement (or a cabinet's request) wherever they stand."""


class Item(NamedTuple):
    """One declared item: its segment, the ORC before it (none in messages without orders), and its number among its like."""

    segment: Segment
    order: Segment | None
    number: int


def items_of(message: Message, name: str) -> list[Item]:
    """The segments of a name in order, each with its order."""
    found: list[Item] = []
    order: Segment | None = None
    for segment in message.segments("ORC", name):
        if segment.name == "ORC":
            order = segment
        else:
            found.append(Item(segment, order, len(found) + 1))
    return found


def map_items(envelope: Envelope, name: str, build: Callable[[Envelope, Item], StockEvent]) -> Iterator[Mapped]:
    """One result per segment of a name; an item that can't be used is refused, the others go on.

    A movement segment that does not belong in this type of message is refused too rather than passed over.
    """
    for item in items_of(envelope.message, name):
        envelope.item_number = item.number
        try:
            yield build(envelope, item)
        except FieldError as error:
            yield Refused(code=error.code, reason=error.reason)
    envelope.item_number = 0
    yield from stray_movements(envelope, name)


def stray_movements(envelope: Envelope, *expected: str) -> Iterator[Mapped]:
    """A refusal for each movement segment other than the expected ones."""
    others = [name for name in MOVEMENT_SEGMENTS if name not in expected]
    if not others or not envelope.message.has(*others):
        return
    kind = envelope.header.get("9.1")
    for segment in envelope.message.segments(*others):
        reason = f"{segment.name} has no meaning in a {kind} message; it may state a movement"
        yield Refused(code="unexpected_segment", reason=f"{reason} and needs a profile of this sender")
