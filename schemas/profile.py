"""Profiles: how one kind of source writes what it means, as data.

A profile names, per message type, which segment is an item, where each fact of it stands, what its codes mean and what makes it
the same fact when it is sent again. Everything is optional: what a profile does not say, its base says. Paths are HL7's own
(`ZPM-6.1`, `RXA-5(2).4`); the kinds and feeds are the hub's (`schemas/kinds.py`).
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from schemas.codec import Codec, inbound_contract
from schemas.kinds import EventKind, Feed
from schemas.report import ReportMap

HL7Path = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9]{2}(\[\d+\])?-\d+(\(\d+\))?(\.\d+(\.\d+)?)?$")]
SegmentName = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9]{2}$")]
MessageType = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9]{2}(\^[A-Z0-9]{1,3})?$")]
ProfileId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]

FIELD_NAMES: Final = (
    "item", "quantity", "unit", "location", "pocket", "to_location", "to_pocket", "lot", "expiry", "serial", "occurred",
    "device_sequence", "transaction", "order", "actor", "witness", "begin_count", "actual_begin_count", "patient",
)  # fmt: skip
"""What of an item a profile can say where it stands."""


@inbound_contract
class FieldMap:
    """Where one fact stands: the first of `paths` that says something, else `value`.

    `codes` translates what is sent (a name that is not in it stays as it is). `join` makes one value of all the paths that say
    something (a pocket of drawer and subdrawer). `system` and `systems` are for `item`: the code system of codes that name none,
    and those that are drugs at all.
    """

    paths: tuple[HL7Path, ...] = ()
    value: str | None = None
    codes: dict[str, str] | None = None
    join: Annotated[str | None, Field(max_length=3)] = None
    system: Literal["local", "ndc", "gtin", "hibc", "rxnorm"] | None = None
    systems: tuple[Literal["local", "ndc", "gtin", "hibc", "rxnorm"], ...] | None = None
    absolute: bool | None = None


@inbound_contract
class Effect:
    """What one code of a transaction means: a kind of event, or why it moves nothing.

    `quantity` says where the amount stands for this code when it is not the usual place, and `total` what to add up when nothing
    stands there; `pocket` that it happened at another pocket of the same place; `counted` whether an actual begin count was
    counted by a person in such a transaction.
    """

    kind: EventKind | None = None
    no_effect: Annotated[str | None, Field(min_length=1, max_length=200)] = None
    quantity: tuple[HL7Path, ...] | None = None
    total: tuple[HL7Path, ...] | None = None
    pocket: str | None = None
    pocket_suffix: str | None = None
    counted: bool = True
    takes_back: Annotated[bool, Field(description="the fact with the same key did not happen")] = False


@inbound_contract
class KindMap:
    """Which effect an item has: by the code at `path`, `absent` when there is none. A code that is not named is refused."""

    path: HL7Path | None = None
    codes: dict[str, Effect] | None = None
    absent: Effect | None = None


@inbound_contract
class TextRule:
    """What a word in a comment changes. Case does not count; `kinds` limits it to events of these kinds."""

    paths: tuple[HL7Path, ...]
    contains: tuple[Annotated[str, Field(min_length=3)], ...]
    effect: Effect
    kinds: tuple[EventKind, ...] = ()


@inbound_contract
class Condition:
    """Whether the text at `path` matches the whole pattern (a Python regular expression), in every segment of that name."""

    path: HL7Path
    matches: Annotated[str, Field(max_length=200)]


@inbound_contract
class MessageMap:
    """How items of one message type are read, one layout of it.

    `each` names the segment that is an item. `starts` are the segments that begin what belongs together (ORC, MFE); `key` lists
    what makes an item the same fact. With `family`, the message is read as the standard type of that name, and `fields` says only
    what stands elsewhere. `no_effect` accepts the whole message without movement.
    """

    each: SegmentName | None = None
    starts: tuple[SegmentName, ...] | None = None
    family: Literal["RAS", "RDS", "RDE", "RGV", "OMP", "ADT"] | None = None
    when: Annotated[tuple[Condition, ...] | None, Field(description="this layout is meant when all of them hold")] = None
    feed: Feed | None = None
    kind: KindMap | None = None
    fields: dict[str, FieldMap] | None = None
    key: tuple[HL7Path, ...] | None = None
    key_kind: Annotated[str | None, Field(pattern=r"^[a-z][a-z0-9-]{0,19}$")] = None
    trust_control_id: Annotated[bool | None, Field(description="MSH-10 is part of what makes a fact the same")] = None
    texts: tuple[TextRule, ...] | None = None
    no_item: Annotated[str | None, Field(description="why an item without a drug code moves nothing")] = None
    no_effect: Annotated[str | None, Field(min_length=1, max_length=200)] = None


@inbound_contract
class Acknowledge:
    """What a sender is told of a message that can't be understood. It is stored in any case."""

    refused: Literal["AA", "AE", "AR"] = "AA"


@inbound_contract
class Profile:
    """One profile. Each message type has its layouts in the order in which they are tried."""

    profile: ProfileId
    title: Annotated[str, Field(min_length=1, max_length=200)]
    base: ProfileId | None = None
    description: str | None = None
    modelled_on: Annotated[str | None, Field(description="the public source of the layout, never a confidential one")] = None
    charset: Annotated[str | None, Field(description="read so, whatever MSH-18 says (HL7 table 0211, or a Python codec)")] = None
    zone: Annotated[str | None, Field(description="IANA zone of time stamps without offset; else the site's")] = None
    production: Annotated[tuple[str, ...] | None, Field(description="MSH-11 codes that post; else P alone")] = None
    receivers: Annotated[
        tuple[str, ...] | None, Field(description="MSH-5, or MSH-5|MSH-6, that mean this hub; all others never post")
    ] = None
    acknowledge: Acknowledge | None = None
    units: Annotated[dict[str, str] | None, Field(description="the sender's unit → the hub's")] = None
    messages: dict[MessageType, tuple[MessageMap, ...]] | None = None
    report: Annotated[ReportMap | None, Field(description="how a report as delimited or fixed-width text is read")] = None


PROFILE: Final = Codec(Profile)
