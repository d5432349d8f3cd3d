"""The HL7 v2 mapper: bytes of one raw body in, one result per declared item out.

Owns cutting batches, dispatch by message type and numbering. Pure: no clock, no I/O, no state. Never raises, whatever the bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from connectors.hl7.administrations import map_administrations
from connectors.hl7.batch import Batch, split
from connectors.hl7.census import map_census
from connectors.hl7.dispenses import map_dispenses
from connectors.hl7.envelope import Envelope
from connectors.hl7.er7 import Er7Error, Message, read
from connectors.hl7.message_types import disposition
from connectors.hl7.orders import map_encoded_orders, map_gives, map_pharmacy_orders
from connectors.hl7.paths import PATHS
from connectors.hl7.syntax import Syntax, kept
from schemas.mapping import Mapped, MappingContext, NoEffect, Refused
from schemas.raw import RawMessage, RawRef

Family = Callable[[Envelope], Iterator[Mapped]]

_FAMILIES: Final[dict[str, Family]] = {
    "RAS": map_administrations,
    "RDS": map_dispenses,
    "RDE": map_encoded_orders,
    "RGV": map_gives,
    "OMP": map_pharmacy_orders,
    "ADT": map_census,
}
_ORDER_MESSAGE: Final = "ORM"
_PHARMACY_SEGMENTS: Final = ("RXO", "RXE")


def map_hl7(message: RawMessage, ref: RawRef, context: MappingContext) -> Sequence[Mapped]:
    """One result per declared item of a raw body; at least one. A batch gives the sum of its members'."""
    batch = split(message.body)
    if not batch.members:
        return [_empty(batch)]
    results: list[Mapped] = []
    for member in batch.members:
        try:
            read_member = read(member)
        except Er7Error as error:
            results.append(Refused(code=error.code, reason=error.reason))
            continue
        _map_member(read_member, message, ref, context, results)
    return results


def message_type(message: Message) -> tuple[str, str]:
    """Type and trigger event from MSH-9; `RDS_O13` in one component is read as both."""
    return _type(message.field("MSH", 9), message.syntax)


@kept
def _type(text: str, syntax: Syntax) -> tuple[str, str]:
    kind, trigger = syntax.pick(text, PATHS["9.1"]).strip(), syntax.pick(text, PATHS["9.2"]).strip()
    if not trigger and "_" in kind:
        kind, _, trigger = kind.partition("_")
    return kind.upper(), trigger.upper()


def _map_member(message: Message, raw: RawMessage, ref: RawRef, context: MappingContext, results: list[Mapped]) -> None:
    """Add the results of one message. Each event gets the number of its place in the whole body."""
    kind, trigger = message_type(message)
    if not kind:
        results.append(Refused(code="no_message_type", reason="MSH-9 is empty, so nothing says what the message means"))
        return
    family = _FAMILIES.get(kind)
    if kind == _ORDER_MESSAGE and message.has(*_PHARMACY_SEGMENTS) and not message.has("ZPM"):
        family = map_pharmacy_orders
    if family is None:
        results.append(disposition(kind, trigger, frozenset(segment.name for segment in message)))
        return
    envelope = Envelope(message, raw, ref, len(results), context)
    for result in family(envelope):
        results.append(result)
        envelope.index = len(results)


def _empty(batch: Batch) -> Mapped:
    """The one result of a batch envelope without a message."""
    if batch.problems:
        problems = "; ".join(batch.problems)
        return Refused(code="empty_batch", reason=f"the batch holds no message, but {problems}: ask for it again")
    return NoEffect(code="empty_batch", reason="the batch holds no message")
