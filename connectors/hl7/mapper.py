"""The HL7 v2 mapper: bytes of one raw body in, one result per declared item out.

Owns cutting batches, dispatch by message type and numbering: what the feed's profile maps goes by its layout, standard types by
their own code, and what neither knows is accepted or refused by name. Pure: no clock, no I/O. Never raises, whatever the bytes.
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
from connectors.hl7.profiles.compile import Compiled, Layout, ProfileError
from connectors.hl7.profiles.layouts import amend_by_layout, layout_for, map_by_layout
from connectors.hl7.profiles.shipped import STANDARD, Profiles
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
ITEM_SEGMENTS: Final = {"RAS": "RXA", "RDS": "RXD", "RDE": "RXE", "RGV": "RXG", "OMP": "RXO"}
_PROFILES: Final = Profiles()
_ORDER_MESSAGE: Final = "ORM"
_PHARMACY_SEGMENTS: Final = ("RXO", "RXE")


def map_hl7(message: RawMessage, ref: RawRef, context: MappingContext) -> Sequence[Mapped]:
    """One result per declared item of a raw body; at least one. A batch gives the sum of its members'."""
    batch = split(message.body)
    if not batch.members:
        return [_empty(batch)]
    profile = _profile(message.profile, context)
    codec = profile.codec if isinstance(profile, Compiled) else None
    results: list[Mapped] = []
    for member in batch.members:
        try:
            read_member = read(member, codec)
        except Er7Error as error:
            results.append(Refused(code=error.code, reason=error.reason))
            continue
        if isinstance(profile, Refused):
            results.append(profile)
        else:
            map_member(read_member, message, ref, context, profile, results)
    results.extend(_miscounted(problem) for problem in batch.problems)
    return results


def _miscounted(problem: str) -> Refused:
    """An item of its own for a batch whose trailer counts otherwise: a message may be missing, and only a person can find out."""
    reason = f"{problem}: what came was taken, each message for itself; ask the sender for the rest"
    return Refused(code="batch_count", reason=reason)


def _profile(name: str, context: MappingContext) -> Compiled | Refused:
    """The profile of the feed, or why its messages can't be read by it."""
    try:
        found = _PROFILES.find(name or STANDARD, context)
    except ProfileError as error:
        return Refused(code="bad_profile", reason=f"{error}: load it corrected, then replay")
    if found is None:
        reason = f"the feed names profile {name[:64]}, which is not loaded: load it, then replay"
        return Refused(code="unknown_profile", reason=reason)
    return found


def message_type(message: Message) -> tuple[str, str]:
    """Type and trigger event from MSH-9; `RDS_O13` in one component is read as both."""
    return _type(message.field("MSH", 9), message.syntax)


@kept
def _type(text: str, syntax: Syntax) -> tuple[str, str]:
    kind, trigger = syntax.pick(text, PATHS["9.1"]).strip(), syntax.pick(text, PATHS["9.2"]).strip()
    if not trigger and "_" in kind:
        kind, _, trigger = kind.partition("_")
    return kind.upper(), trigger.upper()


def map_member(
    message: Message, raw: RawMessage, ref: RawRef, context: MappingContext, profile: Compiled, results: list[Mapped]
) -> None:
    """Add the results of one message. Each event gets the number of its place in the whole body."""
    kind, trigger = message_type(message)
    if not kind:
        results.append(Refused(code="no_message_type", reason="MSH-9 is empty, so nothing says what the message means"))
        return
    layouts = profile.layouts_of(kind, trigger)
    family = _FAMILIES.get(kind)
    if kind == _ORDER_MESSAGE and message.has(*_PHARMACY_SEGMENTS) and not message.has("ZPM"):
        family = map_pharmacy_orders
    if family is None and not layouts:
        results.append(disposition(kind, trigger, frozenset(segment.name for segment in message)))
        return
    envelope = Envelope(message, raw, ref, len(results), context, profile)
    layout = layout_for(envelope, layouts)
    if layout is not None:
        mapped = _by_profile(envelope, profile, layout)
    elif family is not None:
        mapped = family(envelope)
    else:
        results.append(disposition(kind, trigger, frozenset(segment.name for segment in message)))
        return
    for result in mapped:
        results.append(result)
        envelope.index = len(results)


def _by_profile(envelope: Envelope, profile: Compiled, layout: Layout) -> Iterator[Mapped]:
    """A message that the profile says something about: all of it, or what stands elsewhere in a standard type."""
    name = layout.map.family
    if layout.map.no_effect is not None:
        return iter([NoEffect(code="no_effect", reason=f"{layout.map.no_effect} (profile {profile.id})")])
    if name is None:
        return map_by_layout(envelope, profile, layout)
    if name in ITEM_SEGMENTS:
        amend_by_layout(envelope, profile, layout, ITEM_SEGMENTS[name])
    return _FAMILIES[name](envelope)


def _empty(batch: Batch) -> Mapped:
    """The one result of a batch envelope without a message."""
    if batch.problems:
        problems = "; ".join(batch.problems)
        return Refused(code="empty_batch", reason=f"the batch holds no message, but {problems}: ask for it again")
    return NoEffect(code="empty_batch", reason="the batch holds no message")
