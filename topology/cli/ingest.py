"""`wardstock ingest` and `wardstock quarantine replay`: messages in, one line an item, counts that add up."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from connectors.files.folder import Skipped
from connectors.files.messages import messages_of
from connectors.hl7.profiles.shipped import STANDARD
from schemas.raw import RawMessage, to_capture_line
from sinks.sql.views import Views
from topology.access import ApiAccess, FolderAccess, open_access
from topology.cli.options import DEFAULT_DATA, AsJson, Data, SiteFilter
from topology.errors import InputRefusedError
from topology.ingest import ingest as ingest_local
from topology.ingest import skipped_line
from topology.outcomes import Tally
from topology.processors import MAPPERS

API_MESSAGES: Final = 200
"""Messages handed to a running hub in one request."""


class Format(StrEnum):
    """What the files hold."""

    HL7 = "hl7"
    FHIR = "fhir"
    CABINET = "cabinet"
    SCAN = "scan"
    REPORT = "report"
    AUTO = "auto"


def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Files or folders.")],
    data: Data = DEFAULT_DATA,
    format_: Annotated[Format, typer.Option("--format", help="What the files hold.")] = Format.AUTO,
    site: Annotated[str | None, typer.Option("--site", help="Site of messages whose facility is not known.")] = None,
    profile: Annotated[str, typer.Option("--profile", help="Profile of HL7 v2 messages or reports (docs/hl7.md).")] = STANDARD,
    as_json: AsJson = False,
) -> None:
    """Read files, follow every item to its end, and say how it ended."""
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        msg = f"there is no {', '.join(missing)}"
        raise InputRefusedError(msg)
    if format_ is Format.REPORT and profile == STANDARD:
        msg = "a report is read by a profile that says what its columns mean: name it with --profile (docs/reports.md)"
        raise InputRefusedError(msg)
    messages = messages_of(paths, format=format_.value, site=site, now=datetime.now(UTC), profile=profile)
    with open_access(data, create=True) as hub:
        _report(hub, messages, as_json=as_json)


def quarantine_replay(
    data: Data = DEFAULT_DATA,
    site: SiteFilter = None,
    profile: Annotated[
        str | None, typer.Option("--profile", help="Read it by this profile; else by the one it came under.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Send what is quarantined through again, after a fix. It is stored anew; duplicates are recognised."""
    with open_access(data) as hub:
        if isinstance(hub, ApiAccess):
            msg = "stop the hub first: a replay opens the folder itself"
            raise InputRefusedError(msg)
        hub.hub.project()
        _report(hub, _again(hub.hub.views, site, profile), as_json=as_json)


def _again(views: Views, site: str | None, profile: str | None) -> Iterator[RawMessage]:
    """Quarantined messages as they came, each once however many of its items were quarantined. Bodies are read one by one."""
    seen: set[tuple[int, int]] = set()
    for row in views.quarantine(site=site):
        place = (int(row["raw_partition"]), int(row["raw_offset"]))
        if place in seen or row["content_type"] not in MAPPERS:
            continue
        seen.add(place)
        bodies = (one["body_base64"] for one in views.quarantine(message=place, with_body=True) if one["content_type"] in MAPPERS)
        body = base64.b64decode(next(filter(None, bodies), ""))  # of a large message the first refused item alone has it
        yield RawMessage(
            body=body, source=row["source"], connector="replay", content_type=row["content_type"],
            received_at=datetime.now(UTC), profile=profile or row["profile"] or STANDARD, site=row["site"], name=row["name"],
        )  # fmt: skip


def _report(hub: FolderAccess | ApiAccess, messages: Iterable[RawMessage | Skipped], *, as_json: bool) -> None:
    """Print the line of every item and the summary; exit 1 when the counts do not add up."""
    tally = Tally()
    lines = ingest_local(hub.hub, messages, tally) if isinstance(hub, FolderAccess) else _through_api(hub, messages, tally)
    for line in lines:
        # With --json every line of standard output is an item; files without messages are told on standard error.
        out = sys.stderr if as_json and line.get("skipped") else sys.stdout
        out.write((json.dumps(line, ensure_ascii=False) if as_json else _text(line)) + "\n")
    summary = tally.summary()
    text = json.dumps({"summary": summary}) if as_json else _summary_text(summary)
    (sys.stderr if as_json else sys.stdout).write(text + "\n")
    if not tally.adds_up:
        raise typer.Exit(1)


def _through_api(hub: ApiAccess, messages: Iterable[RawMessage | Skipped], tally: Tally) -> Iterator[dict[str, Any]]:
    """Hand messages to the running hub and wait for their outcomes."""
    remaining = iter(messages)
    while batch := list(islice(remaining, API_MESSAGES)):
        ready = [message for message in batch if isinstance(message, RawMessage)]
        for skipped in (message for message in batch if isinstance(message, Skipped)):
            tally.skipped += 1
            yield skipped_line(skipped)
        if not ready:
            continue
        for items in hub.ingest([to_capture_line(message) for message in ready]):
            tally.messages += 1
            tally.items += max(len(items), 1)
            for item in items:
                tally.counts[item["outcome"]] += 1
                yield item


def _text(line: dict[str, Any]) -> str:
    if line.get("skipped"):
        return f"{'skipped':<12} {line['source']}: {line['reason']}"
    kinds = f" ({', '.join(line['kinds'])})" if line["kinds"] else ""
    return f"{line['outcome']:<12} {line['source']} [{line['index']}]{kinds}: {line['reason']}"


def _summary_text(summary: dict[str, Any]) -> str:
    parts = " + ".join(f"{summary[name]} {name}" for name in ("accepted", "duplicate", "held", "quarantined"))
    verdict = "adds up" if summary["adds_up"] else "DOES NOT ADD UP"
    files = f", {summary['skipped_files']} files skipped" if summary["skipped_files"] else ""
    return f"{summary['messages']} messages, {summary['items']} items = {parts}: {verdict}{files}"
