"""`wardstock master …`: changes of the item master, from the proposal to the effect and back."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from connectors.field_faults import sentence
from schemas.codec import encode
from schemas.master import GOVERNED, MasterChange
from schemas.reference import REFERENCE_KINDS
from topology.cli.instants import instant
from topology.cli.options import DEFAULT_DATA, AsJson, Data
from topology.errors import InputRefusedError
from topology.master.client import open_desk
from topology.master.desk import CHANGE_ID, Verdict, Wanted
from topology.master.words import diff, line, summary
from topology.reference_files import load_reference
from topology.reference_files.cells import CellError, converted
from topology.reference_files.model import Cell

By = Annotated[str, typer.Option("--by", help="Who says so: a person of the hub's roles.")]


def _change_id(text: str) -> str:
    """The id of a change. Raises `InputRefusedError` for what none can be: it becomes a part of an address."""
    if not CHANGE_ID.fullmatch(text):
        msg = f"{text!r} is no change's id: write one such as m7; `wardstock master list` names them"
        raise InputRefusedError(msg)
    return text


ChangeId = Annotated[str, typer.Argument(help="The change's id, e.g. m7.", callback=_change_id)]
Title = Annotated[str, typer.Option("--title", help="What the change is for.")]
Source = Annotated[str | None, typer.Option("--source", help="Provenance: where the facts come from.")]
Effective = Annotated[str | None, typer.Option("--effective", help="Not before this instant (ISO 8601 with offset).")]
Why = Annotated[str | None, typer.Option("--why", help="The reason.")]


def import_files(
    paths: Annotated[list[Path], typer.Argument(help="CSV or YAML files, or folders of them.")],
    by: By, title: Title = "import", source: Source = None, effective: Effective = None, data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Propose what files say otherwise than the item master: one change, checked, for a steward to approve."""
    with open_desk(data) as (desk, access):
        loaded = load_reference(paths, access.known())
        for problem in loaded.problems:
            sys.stderr.write(f"{problem}\n")
        if loaded.problems:
            sys.stderr.write(f"nothing was proposed: {len(loaded.problems)} problems\n")
            raise typer.Exit(1)
        wanted: list[Wanted] = [(kind, id_, record) for kind, id_, record in loaded.records]
        _say(desk.propose(wanted, title=title, by=by, source=source, effective_at=instant(effective)), as_json=as_json)


def propose(
    kind: Annotated[str, typer.Argument(help=f"One of {', '.join(GOVERNED)}.")],
    record: Annotated[str, typer.Argument(help="The record's id, parts joined with |.")],
    values: Annotated[list[str] | None, typer.Argument(help="field=value, as in reference files; no value clears it.")] = None,
    *, by: By, title: Title, remove: Annotated[bool, typer.Option("--remove", help="Take the record away.")] = False,
    source: Source = None, effective: Effective = None, data: Data = DEFAULT_DATA, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Propose a change to one record, field by field."""
    if remove and values:
        msg = f"--remove takes the whole record away: leave out {' '.join(values)}, or --remove (field= clears one field)"
        raise InputRefusedError(msg)
    if kind not in GOVERNED:
        msg = f"{kind} is no part of the item master; the kinds are {', '.join(GOVERNED)}"
        raise InputRefusedError(msg)
    with open_desk(data) as (desk, access):
        held = {id_: one for _, id_, one in access.held(kind)}
        wanted = _changed(kind, record, held.get(record), values or [], remove=remove)
        _say(desk.propose([wanted], title=title, by=by, source=source, effective_at=instant(effective)), as_json=as_json)


def list_changes(data: Data = DEFAULT_DATA, as_json: AsJson = False) -> None:
    """All changes, the oldest first."""
    with open_desk(data) as (desk, _):
        for change in desk.changes():
            typer.echo(encode(change).decode() if as_json else line(change))


def show(change: ChangeId, data: Data = DEFAULT_DATA, as_json: AsJson = False) -> None:
    """A change whole: every field before and after, and what speaks against it."""
    with open_desk(data) as (desk, _):
        found, records = desk.whole(change)
    if as_json:
        rows = [json.loads(encode(record)) for record in records]
        typer.echo(json.dumps({**json.loads(encode(found)), "changes": rows}, ensure_ascii=False))
        return
    for text in diff(found, records):
        typer.echo(text)


def approve(change: ChangeId, by: By, why: Why = None, data: Data = DEFAULT_DATA, as_json: AsJson = False) -> None:
    """Approve a change, as a steward who did not propose it. It takes effect at once, or at its time."""
    _decide(change, "approve", by, why, data, as_json=as_json)


def reject(change: ChangeId, by: By, why: Why = None, data: Data = DEFAULT_DATA, as_json: AsJson = False) -> None:
    """Reject a change, with the reason."""
    _decide(change, "reject", by, why, data, as_json=as_json)


def withdraw(change: ChangeId, by: By, why: Why = None, data: Data = DEFAULT_DATA, as_json: AsJson = False) -> None:
    """Take back a proposal of one's own."""
    _decide(change, "withdraw", by, why, data, as_json=as_json)


def revert(change: ChangeId, by: By, why: Why = None, data: Data = DEFAULT_DATA, as_json: AsJson = False) -> None:
    """Propose that everything a change did be as it was before; another person approves that as well."""
    with open_desk(data) as (desk, _):
        _say(desk.revert(change, by=by, reason=why or f"take back {change}"), as_json=as_json)


def _decide(change: str, verdict: Verdict, by: str, why: str | None, data: Path, *, as_json: bool) -> None:
    with open_desk(data) as (desk, _):
        _say(desk.decide(change, verdict, by=by, reason=why), as_json=as_json)


def _say(change: MasterChange, *, as_json: bool) -> None:
    for text in _lines(change, as_json=as_json):
        typer.echo(text)


def _lines(change: MasterChange, *, as_json: bool) -> Iterator[str]:
    if as_json:
        yield encode(change).decode()
    else:
        yield from summary(change)


def _changed(kind: str, id_: str, held: object | None, values: list[str], *, remove: bool) -> Wanted:
    """The record as it shall be. Raises `InputRefusedError` naming the field."""
    if remove:
        if held is None:
            msg = f"there is no {kind} {id_}"
            raise InputRefusedError(msg)
        return kind, id_, None
    found = REFERENCE_KINDS[kind]
    fields: dict[str, object] = {} if held is None else json.loads(encode(held))
    for given in values:
        name, mark, text = given.partition("=")
        if not mark or name not in found.codec.type.__dataclass_fields__:
            msg = f"{given!r} is not field=value; the fields of {kind} are {', '.join(found.codec.type.__dataclass_fields__)}"
            raise InputRefusedError(msg)
        fields.pop(name, None)
        try:
            if text.strip():
                fields[name] = converted(found.codec.type, name, Cell(value=text.strip(), line=0))
        except CellError as error:
            msg = f"{name}: {error}"
            raise InputRefusedError(msg) from None
    for name, part in zip(found.id_fields, id_.split("|"), strict=False):
        fields.setdefault(name, part)
    try:
        record = found.codec.validate(fields)
    except ValidationError as error:
        faults = ", ".join(f"{field}: {reason}" for field, reason in map(sentence, error.errors(include_url=False)))
        state = "is not in the item master, and as a new record" if held is None else "can't be so"
        msg = f"{kind} {id_} {state}: {faults}"
        raise InputRefusedError(msg) from None
    if found.id_of(record) != id_:
        msg = f"these values are those of {kind} {found.id_of(record)}, not of {id_}"
        raise InputRefusedError(msg)
    return kind, id_, record
