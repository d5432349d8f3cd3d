"""What does not conform: hl7apy's findings against HL7's own structures, and what our reader had to overlook.

Findings name places and rules, never values: they may be shown beside a quarantined message to people who may not see patients.
hl7apy takes milliseconds a message, so nothing of this runs where messages are folded; and it is loaded on first use.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from connectors.hl7.annotate import field_name, nearest_version
from connectors.hl7.batch import split
from connectors.hl7.charset import codecs_of
from connectors.hl7.er7 import Er7Error, Message, read
from connectors.hl7.mapper import message_type

CHECKED_BYTES_MAX: Final = 64 * 1024
CHECKED_SEGMENTS_MAX: Final = 400
CHECKED_MESSAGES_MAX: Final = 50
FINDINGS_MAX: Final = 100
"""Of one body; more are counted."""
_FIELD: Final = re.compile(r"\b(?:[A-Z][A-Z0-9]{2}\.)?([A-Z][A-Z0-9]{2})_(\d+)(?:\.[A-Z]+_(\d+))?")
_VALUE: Final = re.compile(r"Value .* not in table (HL7\d+) in element (\S+)", re.DOTALL)
_SAFE: Final = re.compile(
    r"(?:Missing required child|Invalid children detected for|Child limit exceeded|Exceeded max length|Datatype|"
    r"Invalid element found|Unknown element found)[A-Za-z0-9_.,:;<>()\[\]' -]*"
)
"""Sentences of hl7apy that name elements and rules only."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One departure: in which message of the body, how grave (`error`, `warning`, `note`), and what."""

    message: int
    severity: str
    text: str


def findings(body: bytes) -> list[Finding]:
    """Everything found in a body, bounded. Never raises."""
    found: list[Finding] = []
    batch = split(body)
    found += [Finding(0, "error", problem) for problem in batch.problems]
    for number, member in enumerate(batch.members, start=1):
        if number > CHECKED_MESSAGES_MAX:
            found.append(Finding(number, "note", f"messages from here on were not checked ({len(batch.members)} in all)"))
            break
        found += [Finding(number, severity, text) for severity, text in _message(member)]
    if len(found) > FINDINGS_MAX:
        found = [*found[:FINDINGS_MAX], Finding(0, "note", f"{len(found) - FINDINGS_MAX} more findings are not listed")]
    return found


def _message(member: bytes) -> Iterator[tuple[str, str]]:
    try:
        message = read(member)
    except Er7Error as error:
        yield "error", error.reason
        return
    yield from _overlooked(member, message)
    if len(member) > CHECKED_BYTES_MAX or len(message) > CHECKED_SEGMENTS_MAX:
        yield "note", f"too large to be checked against HL7's structures ({len(member)} bytes, {len(message)} segments)"
        return
    yield from _structure(message)


def _overlooked(member: bytes, message: Message) -> Iterator[tuple[str, str]]:
    """What the reader took although it is not as HL7 has it."""
    yield from _line_ends(member.rstrip(b"\x1c\r\n"), message)
    for path, what, severity in (
        ("MSH-9.1", "MSH-9 (message type)", "error"), ("MSH-10", "MSH-10 (control id)", "error"),
        ("MSH-12", "MSH-12 (version)", "warning"),
    ):  # fmt: skip
        if not message.get(path).strip():
            yield severity, f"{what} is empty"
    signs = message.field("MSH", 2)
    if len(signs) < 4:
        yield "warning", "MSH-2 names fewer than four encoding characters"
    elif signs[2] == signs[3]:
        yield "warning", "MSH-2 has its escape character twice: the sender escapes twice"
    yield from _charset(message)
    for name in dict.fromkeys(segment.name for segment in message):
        if name.startswith("Z"):
            yield "note", f"{name} is a segment of the sender's own: only a profile can say what it means"


def _line_ends(plain: bytes, message: Message) -> Iterator[tuple[str, str]]:
    if b"\r\n" in plain:
        yield "warning", "segments end with CR LF; HL7 ends them with CR (§2.5)"
    elif b"\n" in plain and b"\r" not in plain:
        yield "warning", "segments end with LF; HL7 ends them with CR (§2.5)"
    elif b"\r" not in plain and len(message) > 1:
        yield "warning", "all segments stand on one line; HL7 ends them with CR (§2.5)"


def _charset(message: Message) -> Iterator[tuple[str, str]]:
    declared = message.field("MSH", 18).strip()
    if not declared:
        return
    known = codecs_of(declared)
    if not known:
        yield "warning", "MSH-18 names no character set of table 0211"
    elif message.syntax.charset and message.syntax.charset not in known:
        yield "warning", f"the bytes are not in the character set of MSH-18; they were read as {message.syntax.charset}"


def _structure(message: Message) -> Iterator[tuple[str, str]]:
    """hl7apy's report; whatever it raises is a finding as well."""
    from hl7apy.consts import VALIDATION_LEVEL  # noqa: PLC0415  # slow to import, and seldom needed
    from hl7apy.parser import parse_message  # noqa: PLC0415
    from hl7apy.validation import Validator  # noqa: PLC0415

    version = nearest_version(message.get("MSH-12.1").strip())
    text = _plain_text(message, version)
    if text is None:
        yield "note", "not checked against HL7's structures: its delimiters are not the recommended ones"
        return
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report"
        try:
            parsed = parse_message(text, validation_level=VALIDATION_LEVEL.TOLERANT, find_groups=True)
            Validator.validate(parsed, report_file=str(report))
        except Exception as error:  # noqa: BLE001  # hl7apy raises errors of many kinds on real messages
            if not report.exists():
                kind = "^".join(filter(None, message_type(message))) or "no type"
                yield "note", f"not checked: hl7apy has no structure for {kind[:20]} in v{version} ({type(error).__name__})"
                return
        lines = report.read_text(encoding="utf-8", errors="replace").splitlines() if report.exists() else []
    for line in lines:
        severity, _, told = line.partition(": ")
        yield severity.lower() if severity in ("Error", "Warning") else "note", _worded(told, version)


def _plain_text(message: Message, version: str) -> str | None:
    """The message as hl7apy reads it: CR, recommended delimiters, a version it knows; None when the delimiters are others."""
    if message.delimiters[:5] != ("|", "^", "~", "\\", "&"):
        return None
    rows = [list(segment.fields()) for segment in message]
    header = rows[0]
    header += [""] * (13 - len(header))
    header[2], header[12] = "^~\\&", version
    lines = ["|".join([header[0], *header[2:]]), *("|".join(row) for row in rows[1:])]
    return "\r".join(line.replace("\n", " ").replace("\r", " ") for line in lines) + "\r"


def _worded(told: str, version: str) -> str:
    """hl7apy's sentence with HL7's field names, without anything that might be a value."""
    value = _VALUE.fullmatch(told)
    if value is not None:
        return f"{_named(value.group(2), version)} holds a value that is not in table {value.group(1)[3:]}"
    text = _FIELD.sub(lambda match: _named(match.group(0), version), told)
    return text if _SAFE.fullmatch(text) and len(text) <= 300 else re.split(r"[:'\"<]", text)[0][:120].strip()


def _named(element: str, version: str) -> str:
    """hl7apy's element (`RXA_5.CE_3`, `RXA.RXA_4`) as HL7's path and name."""
    match = _FIELD.fullmatch(element) or _FIELD.search(element)
    if match is None:
        return re.sub(r"[^A-Za-z0-9_.]", "", element)[:40]
    segment, number, component = match.groups()
    name = field_name(version, segment, int(number))
    place = f"{segment}-{number}" + (f".{component}" if component else "")
    return f"{place} ({name})" if name else place
