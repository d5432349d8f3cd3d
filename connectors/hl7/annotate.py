"""A message as people read it: every valued field with HL7's number and name, components beneath, nothing empty.

Names come from hl7apy's structure tables of the message's version (of the nearest one it has when MSH-12 names another); Z
segments and fields the tables do not know are shown by number alone. hl7apy is loaded on first use.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from connectors.hl7.batch import split
from connectors.hl7.er7 import Er7Error, Segment, read
from connectors.hl7.mapper import message_type
from connectors.hl7.syntax import NULL

FALLBACK_VERSION: Final = "2.8.2"
TEXT_CHARS_MAX: Final = 300
"""Longer values are cut in the view; the message itself is not."""
_NUMBER: Final = re.compile(r"\d+(?:\.\d+)*")


@dataclass(frozen=True, slots=True)
class Line:
    """One valued field, or one component of it: its path, HL7's name ("" when unknown), and its decoded text."""

    path: str
    name: str
    text: str
    depth: int


@dataclass(frozen=True, slots=True)
class Annotated:
    """One message: what it is, whose names are shown, its segments with their lines; or why it can't be read."""

    title: str
    version: str
    segments: tuple[tuple[str, tuple[Line, ...]], ...] = ()
    refused: str | None = None


def annotate(body: bytes) -> list[Annotated]:
    """Every message of a body. Never raises for bad ones."""
    members = split(body).members
    if not members:
        return [Annotated("a batch", "", refused="the batch holds no message")]
    found = []
    for number, member in enumerate(members, start=1):
        place = f"message {number} of {len(members)}: " if len(members) > 1 else ""
        try:
            message = read(member)
        except Er7Error as error:
            found.append(Annotated(f"{place}not HL7 v2", "", refused=error.reason))
            continue
        kind = "^".join(filter(None, message_type(message))) or "no message type"
        version = nearest_version(message.get("MSH-12.1").strip())
        segments = tuple((segment.name, tuple(_lines(segment, version))) for segment in message)
        found.append(Annotated(f"{place}{kind}, MSH-12 {message.get('MSH-12.1') or 'empty'}", version, segments))
    return found


@cache
def _versions() -> tuple[str, ...]:
    from hl7apy import SUPPORTED_LIBRARIES  # noqa: PLC0415  # slow to import, and seldom needed

    return tuple(sorted(SUPPORTED_LIBRARIES, key=_key))


def nearest_version(stated: str) -> str:
    """The version of hl7apy's tables that is used for a message: its own, else the newest that is not newer, else the oldest."""
    found = _NUMBER.match(stated)
    if found is None or found.group().startswith(("0", "1")):
        return FALLBACK_VERSION
    wanted = _key(found.group())
    older = [version for version in _versions() if _key(version) <= wanted]
    return older[-1] if older else _versions()[0]


def _key(version: str) -> tuple[int, ...]:
    return tuple(int(part[:4]) for part in version.split(".")[:4])


@cache
def _tables(version: str) -> Any:  # hl7apy has no types
    from hl7apy import load_library  # noqa: PLC0415

    return load_library(version).SEGMENTS


@cache
def _field(version: str, segment: str, number: int) -> Any:
    """hl7apy's reference of a field: kind, children, data type, long name, table, length; None when it has none."""
    entry = _tables(version).get(segment)
    if entry is None or number > len(entry[1]):
        return None
    return entry[1][number - 1][1]


def field_name(version: str, segment: str, number: int) -> str:
    """HL7's name of a field in words; "" when the tables do not know it."""
    reference = _field(version, segment, number)
    return "" if reference is None else _words(reference[3])


def _components(reference: Any) -> list[Any]:
    return list(reference[1]) if reference is not None and reference[0] == "sequence" and reference[1] else []


def _words(name: object) -> str:
    return str(name).replace("_", " ").capitalize() if name else ""


def _lines(segment: Segment, version: str) -> Iterator[Line]:
    fields = segment.fields()
    syntax, header = segment.syntax, segment.name in ("MSH", "FHS", "BHS")
    for number in range(1, len(fields)):
        if not fields[number].strip():
            continue
        reference = _field(version, segment.name, number)
        name = "" if reference is None else _words(reference[3])
        if header and number <= 2:
            yield Line(f"{segment.name}-{number}", name, _shown(fields[number]), 0)
            continue
        repetitions = fields[number].split(syntax.delimiters.repetition)
        for at, repetition in enumerate(repetitions, start=1):
            path = f"{segment.name}-{number}" + (f"({at})" if len(repetitions) > 1 else "")
            yield from _repetition(segment, path, name, repetition, _components(reference))


def _repetition(segment: Segment, path: str, name: str, text: str, references: list[Any]) -> Iterator[Line]:
    """A field with one component as one line, one with several as a heading and a line for each."""
    parts = text.split(segment.syntax.delimiters.component)
    decoded = [_decoded(segment, part) for part in parts]
    if sum(bool(part) for part in decoded) <= 1 and decoded[0]:
        yield Line(path, name, _shown(decoded[0]), 0)
        return
    if not any(decoded):
        return
    yield Line(path, name, "", 0)
    for number, part in enumerate(decoded, start=1):
        if part:
            known = references[number - 1][1][3] if number <= len(references) else ""
            yield Line(f"{path}.{number}", _words(known), _shown(part), 1)


def _decoded(segment: Segment, component: str) -> str:
    """A component with its escapes decoded, its subcomponents apart by `&`."""
    parts = component.split(segment.syntax.delimiters.subcomponent)
    texts = [segment.syntax.trimmed(part) if part.strip() != NULL else "(null: delete what you hold)" for part in parts]
    return " & ".join(texts) if any(texts) else ""


def _shown(text: str) -> str:
    printable = "".join(char if char.isprintable() else " ⏎ " if char in "\r\n" else f"\\x{ord(char):02x}" for char in text)
    return printable if len(printable) <= TEXT_CHARS_MAX else f"{printable[:TEXT_CHARS_MAX]}… ({len(text)} characters)"


def as_text(one: Annotated) -> str:
    """The view for a terminal."""
    if one.refused is not None:
        return f"{one.title}\n  {one.refused}"
    lines = [f"{one.title} (names of v{one.version})"]
    for segment, fields in one.segments:
        lines.append(segment)
        for line in fields:
            indent = "    " if line.depth else "  "
            label = f"{line.path} {line.name}".rstrip()
            lines.append(f"{indent}{label:<{52 - len(indent)}} {line.text}".rstrip())
    return "\n".join(lines)
