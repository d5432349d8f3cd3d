"""Trying a profile on messages: what each item would become, from which fields, what was missing and what nobody read.

It maps with the mapper itself and looks over its shoulder: the fields of a traced message note that they were read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, SupportsIndex

from connectors.hl7.batch import split
from connectors.hl7.er7 import Er7Error, Message, Segment, read
from connectors.hl7.mapper import ITEM_SEGMENTS, map_member, message_type
from connectors.hl7.profiles.compile import DEFAULT_STARTS, Compiled, Layout
from connectors.hl7.profiles.layouts import meant
from connectors.hl7.profiles.scope import Scope, scopes_of
from connectors.hl7.profiles.standard_fields import STANDARD_FIELDS, Facts
from schemas.mapping import Mapped, Refused, SiteFacts
from schemas.profile import Profile
from schemas.raw import HL7_ER7, RawMessage, RawRef

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NEVER_UNUSED: Final = frozenset({"MSH-1", "MSH-2"})


@dataclass(frozen=True, slots=True)
class Stated:
    """One fact of an item: the path that said it and its text, both None when nothing did."""

    fact: str
    paths: tuple[str, ...]
    path: str | None
    text: str | None


@dataclass(frozen=True, slots=True)
class ItemTrial:
    """One item: what it would become, and its facts."""

    result: Mapped
    facts: tuple[Stated, ...]


@dataclass(frozen=True, slots=True)
class MessageTrial:
    """One message: its type, what read it, its items, and the valued fields that nobody read."""

    name: str
    type: str
    read_by: str
    items: tuple[ItemTrial, ...]
    unused: tuple[str, ...]


class _TracedRow(list[str]):
    """A segment's fields that notes which of them were asked for."""

    def __init__(self, fields: Sequence[str]) -> None:
        super().__init__(fields)
        self.read: set[int] = set()

    def __getitem__(self, at: SupportsIndex | slice) -> Any:
        if not isinstance(at, slice):
            self.read.add(int(at))
        return super().__getitem__(at)


class TrialContext:
    """A hub that knows one site and no profile but the one tried; patients are hashed to a word."""

    def __init__(self, zone: str) -> None:
        self._site = SiteFacts(id="trial", zone=zone)

    def site(self, facility_codes: Sequence[str], default: str | None) -> SiteFacts:  # noqa: ARG002  # the contract's signature
        """The one site."""
        return self._site

    def knows_facility(self, facility_codes: Sequence[str]) -> bool:  # noqa: ARG002
        """Every facility is known."""
        return True

    def profile(self, name: str) -> Profile | None:  # noqa: ARG002
        """No profile but the one tried."""
        return None

    def patient_hash(self, identifier: str, authority: str) -> str:  # noqa: ARG002
        """One word for all patients."""
        return "hashed"


def trials(body: bytes, name: str, compiled: Compiled, received_at: datetime) -> Iterator[MessageTrial]:
    """Try a profile on a raw body: one trial a message of it. Never raises for bad messages."""
    raw = RawMessage(
        body=body, source=name, connector="trial", content_type=HL7_ER7, received_at=received_at, profile=compiled.id
    )  # fmt: skip
    members = split(body).members
    for number, member in enumerate(members, start=1):
        shown = name if len(members) == 1 else f"{name}, message {number}"
        try:
            message = read(member, compiled.codec)
        except Er7Error as error:
            yield MessageTrial(shown, "", f"not read: {error.reason}", (), ())
            continue
        yield _tried(message, shown, compiled, raw)


def refusals(body: bytes, compiled: Compiled) -> list[str]:
    """The reasons of all items of a body that the profile can't read."""
    raw = RawMessage(
        body=body, source="trial", connector="trial", content_type=HL7_ER7, received_at=_EPOCH, profile=compiled.id
    )  # fmt: skip
    results: list[Mapped] = []
    for member in split(body).members:
        try:
            message = read(member, compiled.codec)
        except Er7Error as error:
            results.append(Refused(code=error.code, reason=error.reason))
            continue
        map_member(message, raw, RawRef(partition=0, offset=0), TrialContext("UTC"), compiled, results)
    return [result.reason for result in results if isinstance(result, Refused)]


def _tried(message: Message, name: str, compiled: Compiled, raw: RawMessage) -> MessageTrial:
    traced, rows = _traced(message)
    results: list[Mapped] = []
    map_member(traced, raw, RawRef(partition=0, offset=0), TrialContext(compiled.profile.zone or "UTC"), compiled, results)
    unused = tuple(path for row in rows for path in _unread(row))
    kind, trigger = message_type(message)
    layout = next((one for one in compiled.layouts_of(kind, trigger) if meant(message, one)), None)
    if layout is not None and layout.leaves_out(message):
        layout = None
    read_by, facts = _facts(message, kind, compiled, layout)
    facts += [()] * (len(results) - len(facts))
    items = tuple(ItemTrial(result, stated) for result, stated in zip(results, facts, strict=False))
    return MessageTrial(name, f"{kind}^{trigger}" if trigger else kind, read_by, items, tuple(dict.fromkeys(unused)))


def _traced(message: Message) -> tuple[Message, list[_TracedRow]]:
    rows = [_TracedRow(segment.fields()) for segment in message]
    index: dict[str, list[list[str]]] = {}
    for row in rows:
        index.setdefault(list.__getitem__(row, 0), []).append(row)
    return Message(bytes(message), list(rows), index, message.syntax), rows


def _unread(row: _TracedRow) -> Iterator[str]:
    fields = list(row)
    for number in range(1, len(fields)):
        path = f"{fields[0]}-{number}"
        if fields[number].strip() and number not in row.read and path not in _NEVER_UNUSED:
            yield path


def _facts(message: Message, kind: str, compiled: Compiled, layout: Layout | None) -> tuple[str, list[tuple[Stated, ...]]]:
    """What read the message, and the facts of each item."""
    family = layout.map.family if layout is not None else None
    if layout is not None and layout.map.no_effect is not None:
        return f"profile {compiled.id}: moves nothing", []
    if layout is not None and family is None:
        number = compiled.layouts_of(*message_type(message)).index(layout) + 1
        starts = layout.map.starts if layout.map.starts is not None else DEFAULT_STARTS
        scopes = scopes_of(message, layout.map.each or "", [one for one in starts if message.has(one)])
        named = {fact: field.paths for fact, field in layout.fields.items()}
        named["code"] = (layout.map.kind.path,) if layout.map.kind and layout.map.kind.path else ()
        return f"profile {compiled.id}, layout {number}", [_stated(scope, named) for scope in scopes]
    name = family or ("OMP" if kind == "ORM" and message.has("RXO", "RXE") else kind)
    if name not in STANDARD_FIELDS:
        return "no mapping", []
    named = {**STANDARD_FIELDS[name], **({fact: field.paths for fact, field in layout.fields.items()} if layout else {})}
    segment = ITEM_SEGMENTS.get(name)
    if segment is None:
        return f"standard {name}", []
    scopes = scopes_of(message, segment, [one for one in DEFAULT_STARTS if message.has(one)])
    return f"standard {name}", [_stated(scope, named) for scope in scopes]


def _stated(scope: Scope, named: Facts) -> tuple[Stated, ...]:
    found = []
    for fact, paths in named.items():
        path = next((one for one in paths if scope.value(one)), None)
        segment: Segment | None = scope.segment(path) if path else None
        text = segment.raw(path.split("-", 1)[1]) if segment is not None and path else None
        found.append(Stated(fact, paths, path, text))
    return tuple(found)
