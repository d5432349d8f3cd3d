"""`wardstock profile …`: what profiles there are, what one makes of messages, and one proposed from recorded traffic."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from connectors.files.detect import is_hl7
from connectors.files.folder import Skipped
from connectors.files.messages import messages_of
from connectors.hl7.profiles.compile import Compiled
from connectors.hl7.profiles.learn import PAIRS_MIN, SHARE_MIN, learn
from connectors.hl7.profiles.proposal import proposal
from connectors.hl7.profiles.recorded import rows_of
from connectors.hl7.profiles.shipped import shipped
from connectors.hl7.profiles.trial import ItemTrial, MessageTrial, trials
from connectors.report.trial import report_trial
from schemas.events import StockEvent
from topology.cli.options import AsJson
from topology.errors import InputRefusedError
from topology.profile_files import open_profile

Files = Annotated[list[Path], typer.Argument(help="Files or folders of HL7 v2 messages or reports.")]


def list_profiles() -> None:
    """The profiles that come with the hub."""
    for name, profile in shipped().items():
        typer.echo(f"{name:<16} {profile.title}")


def try_profile(
    profile: Annotated[str, typer.Argument(help="A shipped profile or a YAML file.")], files: Files, as_json: AsJson = False
) -> None:
    """Show what a profile makes of messages: each item and its facts, what is missing, and what nobody read."""
    compiled = open_profile(profile)
    counts: Counter[str] = Counter()
    for trial in _trials(compiled, files):
        counts["messages"] += 1
        for item in trial.items:
            counts[_ending(item)] += 1
        typer.echo(json.dumps(_line(trial), ensure_ascii=False) if as_json else _text(trial))
    if not counts["messages"]:
        msg = "the files hold no HL7 v2 message and no report"
        raise InputRefusedError(msg)
    kinds = ", ".join(f"{count} {ending}" for ending, count in sorted(counts.items()) if ending != "messages")
    (sys.stderr if as_json else sys.stdout).write(f"{counts['messages']} messages: {kinds or 'no item'}\n")


def hl7_bodies(files: list[Path], format_: str = "hl7") -> Iterator[tuple[str, bytes]]:
    """The HL7 v2 bodies (or reports) in files and folders, with their names. What can't be read is told on standard error."""
    missing = [str(path) for path in files if not path.exists()]
    if missing:
        msg = f"there is no {', '.join(missing)}"
        raise InputRefusedError(msg)
    for message in messages_of(files, format=format_, site=None, now=datetime.now(UTC)):
        if isinstance(message, Skipped):
            sys.stderr.write(f"skipped {message.name}: {message.reason}\n")
        else:
            yield message.name or message.source, message.body


def _trials(compiled: Compiled, files: list[Path]) -> Iterator[MessageTrial]:
    now = datetime.now(UTC)
    for name, body in hl7_bodies(files, "report" if compiled.report is not None else "hl7"):
        if compiled.report is not None and not is_hl7(body):
            yield report_trial(body, name, compiled, now)
        else:
            yield from trials(body, name, compiled, now)


def _ending(item: ItemTrial) -> str:
    result = item.result
    if not isinstance(result, StockEvent):
        return "refused" if type(result).__name__ == "Refused" else "without effect"
    return str(result.kind)


def _text(trial: MessageTrial) -> str:
    lines = [f"{trial.name}  {trial.type or 'not HL7'}  ({trial.read_by})"]
    for number, item in enumerate(trial.items, start=1):
        lines.append(f"  item {number}: {_becomes(item)}")
        said = [one for one in item.facts if one.path]
        lines += [f"    {one.fact:<20} {one.path:<10} {one.text}" for one in said]
        missing = [f"{one.fact} ({', '.join(one.paths)})" for one in item.facts if not one.path and one.paths]
        if missing:
            lines.append(f"    missing: {'; '.join(missing)}")
    if trial.unused:
        lines.append(f"  nobody read: {', '.join(trial.unused)}")
    return "\n".join(lines)


def _becomes(item: ItemTrial) -> str:
    result = item.result
    if not isinstance(result, StockEvent):
        return f"{_ending(item)} ({getattr(result, 'code', '')}): {getattr(result, 'reason', '')}"
    amount = "" if result.quantity is None else f" of {result.quantity} {result.unit or 'without unit'}"
    place = "/".join(filter(None, (result.location_codes[0] if result.location_codes else "", result.pocket)))
    where = f" at {place}" if place else ""
    nothing = f"; moves nothing: {result.no_effect}" if result.no_effect else "; test traffic" if result.test else ""
    return f"{result.kind}{amount}{where}, {result.occurred:%Y-%m-%d %H:%M:%S}Z{nothing}"


def _line(trial: MessageTrial) -> dict[str, Any]:
    return {
        "name": trial.name, "type": trial.type, "read_by": trial.read_by, "unused": list(trial.unused),
        "items": [
            {
                "becomes": _ending(item), "text": _becomes(item),
                "facts": {one.fact: {"path": one.path, "text": one.text} for one in item.facts if one.path},
                "missing": {one.fact: list(one.paths) for one in item.facts if not one.path and one.paths},
            }
            for item in trial.items
        ],
    }  # fmt: skip


def learn_profile(
    files: Files,
    name: Annotated[str, typer.Option("--name", help="The name of the proposed profile.")] = "learned",
    segment: Annotated[
        str | None, typer.Option("--segment", help="The segment that is a transaction; else the most frequent Z segment.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write the profile here instead of printing it.")] = None,
) -> None:
    """Propose a profile for cabinet transactions from recorded traffic: begin ± amount must be the next begin."""
    found = rows_of(hl7_bodies(files), segment)
    if found is None:
        msg = f"the files hold no {segment} segment" if segment else "the files hold no Z segment: name another with --segment"
        raise InputRefusedError(msg)
    learned = learn(found.rows)
    if learned is None:
        msg = (
            f"{len(found.rows)} {found.segment} segments show no layout in which begin ± amount = next begin holds in at least "
            f"{SHARE_MIN:.0%} of {PAIRS_MIN} or more pairs: give it more traffic of the same pockets, or name another segment"
        )
        raise InputRefusedError(msg)
    text = proposal(learned, found.rows, name=name, message_type=found.message_type)
    if out is None:
        sys.stdout.write(text)
        return
    out.write_text(text, encoding="utf-8")
    typer.echo(f"{out}: {learned.held} of {learned.pairs} pairs of {len(found.rows)} {found.segment} segments keep the law")
