"""`wardstock downtime …`: packs, the period, paper keyed in, and what disagrees until somebody has decided on it."""

from __future__ import annotations

import csv
import io
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from schemas.paper import LINE_MAX
from topology.access import open_access
from topology.cli.instants import instant
from topology.cli.options import DEFAULT_DATA, AsJson, Data, SiteFilter
from topology.cli.output import print_lines, print_rows
from topology.downtime.client import open_desk
from topology.downtime.entry import COLUMNS, NEEDED
from topology.downtime.matching import TOLERANCE_MINUTES
from topology.downtime.pack.facts import gather
from topology.downtime.pack.files import write
from topology.downtime.steps import ROWS_MAX
from topology.errors import InputRefusedError

Site = Annotated[str, typer.Option("--site", help="The site.")]
By = Annotated[str, typer.Option("--by", help="Who says so: a person of the hub's roles.")]
Reason = Annotated[str, typer.Option("--reason", help="Why.")]
At = Annotated[str | None, typer.Option("--at", help="When it really was (ISO 8601 with offset); now without it.")]
Period = Annotated[str, typer.Argument(help="The downtime's id, e.g. d1.")]
FILE_BYTES_MAX: Final = 8 * 1024 * 1024


def pack(
    out: Annotated[Path, typer.Option("--out", help="The folder the pack is written to.")],
    site: Site, data: Data = DEFAULT_DATA, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Write the pack of a site now: pack.html to print, and stock, needs, recalls, cases and the paper template as CSV."""
    with open_access(data) as access:
        made = gather(access, site, datetime.now(UTC))
    try:
        files = write(made, out)
    except OSError as error:
        why = "it is a file" if out.is_file() else error.strerror or type(error).__name__
        msg = f"no pack can be written to {out} ({why}): --out names a folder, which is made when it is not there"
        raise InputRefusedError(msg) from None
    if as_json:
        newest = made.newest_event.isoformat() if made.newest_event else None
        told = {"site": site, "made_at": made.made_at.isoformat(), "newest_event": newest}
        print_lines([{**told, "files": [str(one) for one in files]}])
        return
    counts = f"{len(made.lines)} lines of stock, {len(made.needs)} needs, {len({one.id for one in made.recalls})} recalls"
    typer.echo(f"{site}: {counts}: print {out / 'pack.html'}")


def start(site: Site, by: By, reason: Reason, at: At = None, data: Data = DEFAULT_DATA, as_json: AsJson = False) -> None:
    """Begin a downtime: from now on, or from --at, the site works on paper."""
    with open_desk(data) as desk:
        _say_period(desk.take("start", site=site, by=by, reason=reason, at=instant(at)), as_json=as_json)


def stop(site: Site, by: By, at: At = None, data: Data = DEFAULT_DATA, as_json: AsJson = False) -> None:
    """End the downtime of a site. Paper is keyed in afterwards with `enter`."""
    with open_desk(data) as desk:
        _say_period(desk.take("stop", site=site, by=by, at=instant(at)), as_json=as_json)


def list_periods(site: SiteFilter = None, data: Data = DEFAULT_DATA, as_json: AsJson = False) -> None:
    """All downtimes, the oldest first."""
    with open_desk(data) as desk:
        rows = [row for row in desk.periods() if site in (None, row["site"])]
    columns = ("id", "site", "started_at", "ended_at", "started_by", "ended_by", "reason")
    print_rows(rows, columns, as_json=as_json, empty="no downtime has been recorded")


def enter(
    file: Annotated[Path, typer.Argument(help="CSV with the columns of the pack's paper.csv.", exists=True, dir_okay=False)],
    by: By, period: Annotated[str, typer.Option("--period", help="The downtime's id, e.g. d1.")],
    site: Annotated[str | None, typer.Option("--site", help="Refuse it if the downtime is of another site.")] = None,
    data: Data = DEFAULT_DATA, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Key paper in, each line with the time that was written. A line that is unclear is refused; the others are taken."""
    rows = read_rows(file)
    with open_desk(data) as desk:
        held = next((row for row in desk.periods() if row["id"] == period), None)
        if site is not None and held is not None and held["site"] != site:
            msg = f"downtime {period} is one of site {held['site']}, not of {site}"
            raise InputRefusedError(msg)
        answers = [{**one, "row": number} for (number, _), one in zip(rows, _entered(desk, period, by, rows), strict=True)]
    counts: dict[str, int] = {}
    for one in answers:
        counts[one["outcome"]] = counts.get(one["outcome"], 0) + 1
        typer.echo(json.dumps(one, ensure_ascii=False) if as_json else _answer(file, one))
    parts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))
    (sys.stderr if as_json else sys.stdout).write(f"{len(answers)} lines: {parts}\n")
    if counts.get("refused") or counts.get("quarantined"):
        sys.stderr.write("mend the refused lines and enter the whole file again: what was taken counts once\n")
        raise typer.Exit(1)


def _entered(desk: Any, period: str, by: str, rows: list[tuple[int, dict[str, str]]]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for start_ in range(0, len(rows), ROWS_MAX):
        found += desk.take("enter", period=period, by=by, rows=[cells for _, cells in rows[start_ : start_ + ROWS_MAX]])
    return found


def reconcile(
    period: Period,
    tolerance: Annotated[
        int, typer.Option("--tolerance-minutes", min=0, max=1_440, help="How far the two times of one deed may be apart.")
    ] = TOLERANCE_MINUTES,
    data: Data = DEFAULT_DATA, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Compare paper, the devices' own log and the ledger: exactly the lines that disagree, each with what is proposed."""
    with open_desk(data) as desk:
        found = desk.take("reconcile", period=period, tolerance_minutes=tolerance)
    if as_json:
        print_lines(found["findings"])
        sys.stderr.write(json.dumps({name: found[name] for name in ("paper", "device", "cautions")}) + "\n")
        return
    waiting = [one for one in found["findings"] if one["state"] == "open" and one["proposal"] != "mend"]
    missing = [one for one in found["findings"] if one["state"] == "open" and one["proposal"] == "mend"]
    for one in found["findings"]:
        decided = f", approved by {one['decided_by']}" if one["state"] == "approved" else ""
        typer.echo(f"{one['number']:>4}  {one['kind'].replace('_', ' '):<14} {_PROPOSED[one['proposal']]}{decided}")
        typer.echo(f"      {one['text']}")
    typer.echo(f"paper: {_counts(found['paper'])}")
    typer.echo(f"devices: {_counts(found['device'])}")
    for caution in found["cautions"]:
        typer.echo(f"mind: {caution}")
    if missing:
        typer.echo(f"{len(missing)} to mend: add what is missing, then `wardstock downtime reconcile {period}` again")
    if waiting:
        typer.echo(f"{len(waiting)} to decide: `wardstock downtime approve {period} NUMBER --by PHARMACIST`")
    else:
        typer.echo("nothing is left to decide")


_PROPOSED: Final = {
    "take_back": "→ take the paper line back", "keep": "→ keep what the ledger has", "mend": "→ add the missing fact",
}  # fmt: skip


def approve(
    period: Period,
    number: Annotated[int, typer.Argument(help="The finding's number.", min=1)],
    by: By, why: Annotated[str | None, typer.Option("--why", help="The reason.")] = None,
    data: Data = DEFAULT_DATA, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Approve what is proposed for a finding, as a pharmacist who neither keyed, did nor witnessed it."""
    with open_desk(data) as desk:
        _say_finding(desk.take("approve", period=period, number=number, by=by, reason=why), as_json=as_json)


def dispute(
    period: Period,
    form: Annotated[str, typer.Argument(help="The form's number.")],
    line: Annotated[int, typer.Argument(help="The line.", min=1, max=LINE_MAX)],
    by: By, reason: Reason, data: Data = DEFAULT_DATA, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Say that a line was keyed wrong: another pharmacist approves that it is taken back; key the right one as a new line."""
    with open_desk(data) as desk:
        given = desk.take("dispute", period=period, form=form, line=line, by=by, reason=reason)
    _say_finding(given, as_json=as_json)


def read_rows(
    file: Path, columns: tuple[str, ...] = COLUMNS, needed: tuple[str, ...] = NEEDED, what: str = "line of paper"
) -> list[tuple[int, dict[str, str]]]:
    """Rows of a CSV with their line numbers; rows without any cell are left out. Raises `InputRefusedError`."""
    try:
        if file.stat().st_size > FILE_BYTES_MAX:
            msg = f"{file} is over {FILE_BYTES_MAX} bytes: enter it in parts"
            raise InputRefusedError(msg)
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        msg = f"{file} is not UTF-8 (byte {error.start}): save it as CSV UTF-8"
        raise InputRefusedError(msg) from None
    first = text.split("\n", 1)[0]
    reader = csv.reader(io.StringIO(text), delimiter=";" if first.count(";") > first.count(",") else ",")
    found: list[tuple[int, dict[str, str]]] = []
    try:
        names = [name.strip().lower() for name in next(reader, [])]
        _check_columns(file, names, columns, needed)
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) > len(names) and any(cell.strip() for cell in cells[len(names) :]):
                msg = f"{file}:{reader.line_num}: has {len(cells)} cells for {len(names)} columns"
                raise InputRefusedError(msg)
            found.append((reader.line_num, {name: cell.strip()[:200] for name, cell in zip(names, cells, strict=False) if name}))
    except csv.Error as error:
        msg = f"{file}:{reader.line_num}: {error}"
        raise InputRefusedError(msg) from None
    if not found:
        msg = f"{file} holds no {what}"
        raise InputRefusedError(msg)
    return found


def _check_columns(file: Path, names: list[str], columns: tuple[str, ...], needed: tuple[str, ...]) -> None:
    missing = [name for name in needed if name not in names]
    other = [name for name in names if name and name not in columns]
    if missing or other:
        parts = [f"lacks {', '.join(missing)}"] if missing else []
        parts += [f"has unknown {', '.join(other)}"] if other else []
        msg = f"{file}: the first line {' and '.join(parts)}; the columns are {', '.join(columns)}"
        raise InputRefusedError(msg)


def _answer(file: Path, one: dict[str, Any]) -> str:
    return f"{one['outcome']:<12} {file.name}:{one['row']} form {one['form']} line {one['line']}: {one['reason']}"


def _say_period(period: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_lines([period])
    elif period.get("ended_at"):
        then = "key its paper in with `wardstock downtime enter`"
        typer.echo(f"{period['id']} of {period['site']} ended {period['ended_at']}: {then}")
    else:
        typer.echo(f"{period['id']} of {period['site']} since {period['started_at']}: {period['reason']}")


def _say_finding(finding: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_lines([finding])
    elif finding["state"] == "approved":
        done = "the paper line is taken back" if finding["proposal"] == "take_back" else "the ledger stays as it is"
        typer.echo(f"{finding['number']} approved by {finding['decided_by']}: {done}")
    else:
        typer.echo(f"{finding['number']} open: {finding['text']}")


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in sorted(counts.items())) or "nothing"
