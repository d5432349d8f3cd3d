"""`wardstock golive …`: a site from its opening count through its shadow time to its cut-over, and back."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from topology.cli.downtime import read_rows
from topology.cli.instants import instant
from topology.cli.options import DEFAULT_DATA, AsJson, Data
from topology.cli.output import print_lines, print_rows
from topology.downtime.steps import ROWS_MAX
from topology.golive.baseline import PERIODS
from topology.golive.client import open_desk
from topology.golive.counting import COLUMNS, NEEDED
from topology.golive.lists import rows_by_profile
from topology.golive.stocklist import COLUMNS as LISTED
from topology.golive.stocklist import NEEDED as LISTED_NEEDED

Site = Annotated[str, typer.Option("--site", help="The site.")]
By = Annotated[str, typer.Option("--by", help="Who says so: a person of the hub's roles.")]
Reason = Annotated[str, typer.Option("--reason", help="Why.")]
Counted = Annotated[str | None, typer.Option("--at", help="When it was counted, where rows don't say (ISO 8601 with offset).")]
CountedBy = Annotated[str, typer.Option("--counted-by", help="Who counted, where rows don't say.")]
Witness = Annotated[str, typer.Option("--witness", help="Who saw it, where rows don't say; needed for controlled items.")]
File = Annotated[Path, typer.Argument(exists=True, dir_okay=False)]
_MODES: Final = {"preparing": "prepares: nothing it says is executed", "shadow": "runs in shadow: nothing it says is executed",
                 "live": "is live: its commands are executed"}  # fmt: skip


def prepare(
    site: Site, by: By, reason: Reason,
    accept: Annotated[float, typer.Option("--accept-percent", min=0, max=100, help="Share of lines that should agree.")] = 98.0,
    stuck: Annotated[int, typer.Option("--stuck-hours", min=0, max=8_760, help="Items held longer are in the way.")] = 24,
    data: Data = DEFAULT_DATA, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Begin to prepare a site: from now on it publishes nothing that may be executed."""
    with open_desk(data) as desk:
        _say(desk.take("prepare", site=site, by=by, reason=reason, accept_percent=f"{accept:.2f}", stuck_hours=stuck), as_json)


def count(
    file: File, site: Site, by: By, at: Counted = None, counted_by: CountedBy = "", witness: Witness = "",
    data: Data = DEFAULT_DATA, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Key an opening count in: location, code, lot, expiry, quantity. An unclear place is refused, the others are taken."""
    rows = read_rows(file, COLUMNS, NEEDED, "counted row")
    with open_desk(data) as desk:
        told: list[dict[str, Any]] = []
        for part in _by_place(rows):
            cells = [one for _, one in part]
            answers = desk.take(
                "count", site=site, by=by, rows=cells, at=instant(at), counted_by=counted_by, witness=witness
            )  # fmt: skip
            told += [{**one, "row": number} for (number, _), one in zip(part, answers, strict=True)]
    _say_counted(sorted(told, key=lambda one: int(one["row"])), file.name, as_json)


def _by_place(rows: list[tuple[int, dict[str, str]]]) -> Iterator[list[tuple[int, dict[str, str]]]]:
    """Rows in requests of a bounded size, those of one place together."""
    ordered = sorted(rows, key=lambda one: ((one[1].get("location") or "").upper(), (one[1].get("pocket") or "").upper(), one[0]))
    part: list[tuple[int, dict[str, str]]] = []
    here: list[tuple[int, dict[str, str]]] = []
    for one in ordered:
        if here and (here[0][1].get("location") or "").upper() != (one[1].get("location") or "").upper():
            if len(part) + len(here) > ROWS_MAX and part:
                yield part
                part = []
            part, here = part + here, []
        here.append(one)
    if len(part) + len(here) > ROWS_MAX and part:
        yield part
        part = []
    yield part + here


def empty(
    location: Annotated[str, typer.Argument(help="The place: its pockets that were not counted are empty.")],
    site: Site, by: By, counted_by: Annotated[str, typer.Option("--counted-by", help="Who looked.")],
    item: Annotated[str | None, typer.Option("--item", help="Only this item.")] = None,
    at: Counted = None, witness: Witness = "", data: Data = DEFAULT_DATA, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Declare that nothing lies in the pockets at or below a place that were not counted."""
    with open_desk(data) as desk:
        told = desk.take(
            "empty", site=site, by=by, location=location, item=item, at=instant(at), counted_by=counted_by, witness=witness
        )
    _say_counted(told, location, as_json)


def uncount(
    number: Annotated[int, typer.Argument(help="The count's number.", min=1)], site: Site, by: By, reason: Reason,
    data: Data = DEFAULT_DATA, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Take a pocket's count back that was keyed wrong: it can be counted anew."""
    with open_desk(data) as desk:
        gone = desk.take("uncount", site=site, by=by, number=number, reason=reason)
    if as_json:
        print_lines([gone])
    else:
        typer.echo(f"count {gone['number']} of {gone['item']} at {gone['location']} is taken back by {gone['taken_back_by']}")


def counts(site: Site, data: Data = DEFAULT_DATA, as_json: AsJson = False) -> None:
    """Every pocket as it was counted, those taken back as well."""
    with open_desk(data) as desk:
        rows = desk.take("counts", site=site)
    shown = [{**row, "found": sum(int(lot["quantity"]) for lot in row["lots"]), "lots": len(row["lots"])} for row in rows]
    columns = ("number", "location", "item", "found", "lots", "expected", "counted_at", "counted_by", "witness", "taken_back_by")
    print_rows(rows if as_json else shown, columns, as_json=as_json, empty="nothing was counted yet")


def shadow(site: Site, by: By, reason: Reason, data: Data = DEFAULT_DATA, as_json: AsJson = False) -> None:
    """Begin the shadow time of a prepared site."""
    with open_desk(data) as desk:
        _say(desk.take("shadow", site=site, by=by, reason=reason), as_json)


def cut_over(
    site: Site, by: By, reason: Reason,
    override: Annotated[str | None, typer.Option("--override", help="Why, although something is in the way.")] = None,
    data: Data = DEFAULT_DATA, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Go live: what is open becomes executable now. Refused while something is in the way."""
    with open_desk(data) as desk:
        _say(desk.take("cut-over", site=site, by=by, reason=reason, override=override), as_json)


def roll_back(site: Site, by: By, reason: Reason, data: Data = DEFAULT_DATA, as_json: AsJson = False) -> None:
    """Go back to shadow: what is open is withdrawn, and nothing more is published."""
    with open_desk(data) as desk:
        _say(desk.take("roll-back", site=site, by=by, reason=reason), as_json)


def compare(
    file: Annotated[Path, typer.Argument(help="The other system's stock list.", exists=True, dir_okay=False)], site: Site, by: By,
    at: Annotated[str | None, typer.Option("--at", help="What the list is as of (ISO 8601 with offset); now without it.")] = None,
    orders: Annotated[Path | None, typer.Option("--orders", help="Its open orders, as CSV.", exists=True, dir_okay=False)] = None,
    profile: Annotated[str | None, typer.Option("--profile", help="A profile that reads the list as a report.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Lines that agree as well.")] = False,
    data: Data = DEFAULT_DATA, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Compare the ledger with the other system's stock list, and needs with its open orders, as of the same time."""
    rows = rows_by_profile(file, profile) if profile else _listed(file, "row of stock")
    asked = _listed(orders, "open order") if orders is not None else None
    as_of = instant(at) or datetime.now(UTC)
    with open_desk(data) as desk:
        found = desk.take("compare", site=site, by=by, name=file.name, as_of=as_of, rows=rows, orders=asked)
    lines = [one for one in found["lines"] if everything or one["difference"]]
    if as_json:
        print_lines(lines)
        sys.stderr.write(json.dumps({name: value for name, value in found.items() if name != "lines"}) + "\n")
        return
    columns = ("location", "item", "lot", "theirs", "ours", "difference", "unit", "reason", "text")
    print_rows(lines, columns, as_json=False, empty="every line agrees")
    _say_compared(found)


def _listed(file: Path, what: str) -> list[dict[str, str]]:
    return [cells for _, cells in read_rows(file, LISTED, LISTED_NEEDED, what)]


def _say_compared(found: dict[str, Any]) -> None:
    made = found["comparison"]
    share = "nothing to compare" if found["agreement"] is None else f"{found['agreement']} %"
    typer.echo(f"{made['agree']} of {made['lines']} lines agree: {share}; {found['accept_percent']} % is the site's threshold")
    if made["reasons"]:
        typer.echo("differences: " + ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in made["reasons"].items()))
    if found["needs"] is not None:
        both, hub, theirs = made["needs_both"], made["needs_hub_only"], made["needs_list_only"]
        typer.echo(f"needs: {both} on both sides, {hub} only of the hub, {theirs} only on the list of orders")
        for one in found["needs"]:
            if one["found"] != "both":
                side = "only the hub needs" if one["found"] == "hub_only" else "only their list orders"
                amount = one["ours"] if one["ours"] is not None else one["theirs"]
                typer.echo(f"  {side} {amount} of {one['item']} at {one['location']}")
    for one in found["refused"]:
        typer.echo(f"not compared: {one['list']} row {one['row']}: {one['reason']}")
    days = ", ".join(f"{one['day']} {one['agreement']} %" for one in found["trend"] if one["agreement"] is not None)
    typer.echo(f"by day: {days}")


def status(
    site: Annotated[str | None, typer.Option("--site", help="One site in full.")] = None,
    data: Data = DEFAULT_DATA, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Where sites are; of one site, what is in the way of its cut-over."""
    with open_desk(data) as desk:
        if site is None:
            print_rows(desk.modes(), ("site", "mode"), as_json=as_json, empty="every site is live")
            return
        found = desk.take("status", site=site)
    if as_json:
        print_lines([found])
        return
    _say(found, as_json=False)
    for change in found["changes"]:
        override = f" (override: {change['override']})" if change["override"] else ""
        typer.echo(f"  {change['at']}  {change['mode']:<9} {change['by']}, {change['role']}: {change['reason']}{override}")
    typer.echo(f"{found['counted']} pockets counted, {len(found['uncounted'])} not; {found['stuck']} items stuck")
    for one in found["uncounted"]:
        typer.echo(f"  not counted: {one['item']} at {one['location']}")
    if found["agreement"] is not None:
        typer.echo(f"last comparison: {found['agreement']} % agree; {found['accept_percent']} % is the site's threshold")
    for one in found["in_the_way"]:
        typer.echo(f"in the way: {one}")


def report(
    site: Site, out: Annotated[Path | None, typer.Option("--csv", help="Write it as CSV to this file.")] = None,
    data: Data = DEFAULT_DATA, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Key figures before and after the cut-over, side by side."""
    with open_desk(data) as desk:
        found = desk.take("report", site=site)
    if out is not None:
        _write_csv(out, found)
    if as_json:
        print_lines([found])
        return
    rows = [
        {"kpi": one["kpi"], "unit": one["unit"], "target": one["target"], **{name: _figure(one[name]) for name in PERIODS}}
        for one in found["figures"]
    ]
    print_rows(rows, ("kpi", *PERIODS, "unit", "target"), as_json=False, empty="no period has a whole day yet")
    for name, days in found["periods"].items():
        typer.echo(f"{name}: " + ("–" if days is None else f"{days['first']} to {days['last']}, {days['days']} days"))
    typer.echo(f"as of {found['as_of']}; feeds complete up to {found['watermark']}")
    for caution in found["cautions"]:
        typer.echo(f"mind: {caution}")


def _figure(shown: dict[str, Any] | None) -> str:
    if shown is None:
        return "–"
    return str(shown["reason"]) if shown["value"] is None else f"{shown['value']} ({shown['numerator']}/{shown['denominator']})"


def _write_csv(out: Path, found: dict[str, Any]) -> None:
    """One row a figure and period."""
    head = ("site", "kpi", "period", "first", "last", "value", "unit", "numerator", "denominator", "reason", "as_of", "watermark")
    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        for one in found["figures"]:
            for name in PERIODS:
                shown, days = one[name], found["periods"][name]
                if shown is not None and days is not None:
                    writer.writerow((
                        found["site"], one["kpi"], name, days["first"], days["last"], shown["value"], one["unit"],
                        shown["numerator"], shown["denominator"], shown["reason"], found["as_of"], found["watermark"],
                    ))  # fmt: skip


def _say(record: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_lines([record])
    else:
        typer.echo(f"{record['site']} {_MODES[record['mode']]}")


def _say_counted(told: list[dict[str, Any]], name: str, as_json: bool) -> None:
    counted: dict[str, int] = {}
    for one in told:
        counted[one["outcome"]] = counted.get(one["outcome"], 0) + 1
        line = f"{one['outcome']:<12} {name}:{one['row']} {one['reason']}"
        typer.echo(json.dumps(one, ensure_ascii=False) if as_json else line)
    parts = ", ".join(f"{number} {outcome}" for outcome, number in sorted(counted.items()))
    (sys.stderr if as_json else sys.stdout).write(f"{len(told)} rows: {parts}\n")
    if set(counted) - {"accepted", "duplicate", "held"}:
        sys.stderr.write("mend the refused rows and count the whole file again: what was taken counts once\n")
        raise typer.Exit(1)


