"""`wardstock hl7 explain`: messages in words, and what does not conform."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from connectors.hl7.annotate import annotate, as_text
from connectors.hl7.conformance import Finding, findings
from schemas.raw import HL7_ER7
from topology.access import open_access
from topology.cli.options import DEFAULT_DATA, AsJson, Data
from topology.cli.profile import hl7_bodies
from topology.errors import InputRefusedError

_PLACE = re.compile(r"[0-9]{1,9}/[0-9]{1,18}")


def explain(
    files: Annotated[list[Path] | None, typer.Argument(help="Files or folders; - reads standard input.")] = None,
    quarantined: Annotated[
        str | None, typer.Option("--quarantined", help="A quarantined message, as PARTITION/OFFSET of `wardstock quarantine`.")
    ] = None,
    data: Data = DEFAULT_DATA,
    findings_only: Annotated[bool, typer.Option("--findings-only", help="Only what does not conform.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show HL7 v2 messages with the names of their fields, and what does not conform to HL7."""
    if not files and quarantined is None:
        msg = "name a file, - for standard input, or a quarantined message with --quarantined PARTITION/OFFSET"
        raise InputRefusedError(msg)
    shown = 0
    for name, body in _bodies(files or [], quarantined, data):
        shown += 1
        told = findings(body)
        if as_json:
            typer.echo(json.dumps(_line(name, body, told, findings_only=findings_only), ensure_ascii=False))
            continue
        typer.echo(f"== {name}")
        if not findings_only:
            for message in annotate(body):
                typer.echo(as_text(message))
        for one in told:
            typer.echo(f"{one.severity}: {_where(one)}{one.text}")
        if not told:
            typer.echo("nothing to find fault with")
    if not shown:
        msg = "there is no message to explain"
        raise InputRefusedError(msg)


def _bodies(files: list[Path], quarantined: str | None, data: Path) -> Iterator[tuple[str, bytes]]:
    if quarantined is not None:
        yield _quarantined(quarantined, data)
    named = [path for path in files if str(path) != "-"]
    if len(named) < len(files):
        yield "standard input", sys.stdin.buffer.read()
    if named:
        yield from hl7_bodies(named)


def _quarantined(place: str, data: Path) -> tuple[str, bytes]:
    """The body of a quarantined message. Raises `InputRefusedError` when there is none at the place."""
    if not _PLACE.fullmatch(place):
        msg = f"{place!r} is no place of a message: write PARTITION/OFFSET, as `wardstock quarantine` shows them"
        raise InputRefusedError(msg)
    with open_access(data) as hub:
        rows = hub.query("quarantine", message=place, with_body=True)
    for row in rows:
        if row["content_type"] == HL7_ER7 and row["body_base64"]:
            return f"{place}, quarantined: {row['code']}: {row['reason']}", base64.b64decode(row["body_base64"])
    if rows:
        msg = f"{place} is no HL7 v2 message ({rows[0]['content_type']}): {rows[0]['reason']}"
        raise InputRefusedError(msg)
    msg = f"nothing is quarantined at {place}"
    raise InputRefusedError(msg)


def _where(finding: Finding) -> str:
    return f"message {finding.message}: " if finding.message > 1 else ""


def _line(name: str, body: bytes, told: list[Finding], *, findings_only: bool) -> dict[str, Any]:
    line: dict[str, Any] = {"name": name, "findings": [dataclasses.asdict(one) for one in told]}
    if not findings_only:
        line["messages"] = [dataclasses.asdict(message) for message in annotate(body)]
    return line
