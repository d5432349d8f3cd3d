"""`wardstock controlled …`: what auditors, DEA forms and pharmacists ask about controlled substances."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer

from schemas.controlled import ControlledInventory
from schemas.reference import Role
from topology.access import open_access
from topology.cli.options import DEFAULT_DATA, AsJson, Data, ItemFilter, Limit, SiteFilter
from topology.cli.output import print_lines, print_rows
from topology.controlled.page import page
from topology.errors import InputRefusedError
from topology.vault.opening import check_pharmacist

AsCsv = Annotated[bool, typer.Option("--csv", help="CSV, for a spreadsheet.")]
From = Annotated[str | None, typer.Option("--from", metavar="DATE", help="First date, in the calendar of the site.")]
To = Annotated[str | None, typer.Option("--to", metavar="DATE", help="Last date, in the calendar of the site.")]
CaseId = Annotated[str, typer.Argument(help="The case's id, as `wardstock cases` shows it.")]
_TOTALS: Final = (
    "site", "location", "schedule", "item", "unit", "opening", "receipts", "removals", "returns", "wastes", "transfers",
    "adjustments", "closing", "dose_wastes", "as_of",
)  # fmt: skip
_ENTRIES: Final = (
    "site", "location", "schedule", "item", "line", "at", "kind", "category", "quantity", "change", "balance", "user", "witness",
    "patient", "lot", "source",
)  # fmt: skip
_INVENTORY: Final = (
    "part", "schedule", "name", "strength", "form", "ndc", "package_quantity", "full_containers",
    "opened_container_units", "units", "unit", "opened_count", "places", "places_counted_by_two",
)  # fmt: skip
_NOTHING: Final = "nothing: no controlled item has moved yet, or the filter fits nothing"


class Moment(StrEnum):
    """When on its day an inventory is taken."""

    BEGINNING = "beginning"
    CLOSE = "close"


At = Annotated[Moment, typer.Option("--at", help="Beginning or close of business.")]
_AHEAD_OF_UTC: Final = timedelta(hours=14)
"""A day has begun somewhere so long before it begins in UTC; sites are asked no closer than that."""
On = Annotated[str, typer.Option("--on", metavar="DATE", help="The day, in the calendar of the site.")]


def balance(
    data: Data = DEFAULT_DATA,
    site: SiteFilter = None,
    item: ItemFilter = None,
    schedule: Annotated[str | None, typer.Option("--schedule", help="I to V.")] = None,
    location: Annotated[str | None, typer.Option("--location", help="Only this place and below.")] = None,
    from_: From = None,
    to: To = None,
    by_place: Annotated[bool, typer.Option("--by-place", help="Each place apart.")] = False,
    entries: Annotated[bool, typer.Option("--entries", help="Opening balance, every entry, closing balance.")] = False,
    limit: Limit = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """The perpetual inventory: opening balance, what came and went, closing balance, by event time as it is known now."""
    with open_access(data) as hub:
        rows = hub.query(
            "controlled_balance", site=site, item=item, schedule=schedule, location=location, to=to, limit=limit,
            by_place=str(by_place).lower(), entries=str(entries).lower(), **{"from": from_},
        )  # fmt: skip
    _print(rows, _ENTRIES if entries else _TOTALS, as_json=as_json, as_csv=as_csv)


def inventory(
    on: On,
    data: Data = DEFAULT_DATA,
    site: SiteFilter = None,
    at: At = Moment.CLOSE,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """The data of an inventory (21 CFR 1304.11): book values to compare with what two people count."""
    with open_access(data) as hub:
        rows = hub.query("controlled_inventory", site=site, at=on, moment=at.value)
    _print(rows, _INVENTORY, as_json=as_json, as_csv=as_csv)


def inventory_taken(
    on: On,
    site: Annotated[str, typer.Option("--site", help="The site.")],
    by: Annotated[str, typer.Option("--by", help="Who took it: a pharmacist of the site.")],
    witness: Annotated[str, typer.Option("--witness", help="The second person.")],
    data: Data = DEFAULT_DATA,
    at: At = Moment.CLOSE,
    document: Annotated[str, typer.Option("--document", help="Where the signed record is kept.")] = "",
) -> None:
    """Record that an inventory of all controlled substances was taken: the next is due two years later."""
    taken = _taken(on, site, at.value, by, witness, document)
    if taken.taken_on > (datetime.now(UTC) + _AHEAD_OF_UTC).date():
        msg = f"--on: {taken.taken_on.isoformat()} has not been yet: record an inventory once it was taken"
        raise InputRefusedError(msg)
    with open_access(data) as hub:
        if site not in hub.known().get("site", ()):
            msg = f"there is no site {site}: `wardstock reference load` takes a file of sites"
            raise InputRefusedError(msg)
        check_pharmacist([record for _, _, record in hub.held("role") if isinstance(record, Role)], by, {site})
        hub.load_reference([("controlled_inventory", f"{site}|{taken.taken_on.isoformat()}", taken)])
    typer.echo(f"recorded: inventory of {site} on {taken.taken_on.isoformat()}, {at.value} of business, by {by} and {witness}")


def _taken(
    on: str, site: str, moment: Literal["beginning", "close"] | str, by: str, witness: str, document: str
) -> ControlledInventory:  # fmt: skip
    """The record. Raises `InputRefusedError` for what can't stand in it."""
    names = {"--by": by.strip(), "--witness": witness.strip()}
    for option, name in names.items():
        if not name or len(name) > 200:
            msg = f"{option} names a person, with at most 200 characters"
            raise InputRefusedError(msg)
    if names["--by"].casefold() == names["--witness"].casefold():
        msg = "an inventory is taken by two people: --witness names the second one"
        raise InputRefusedError(msg)
    try:
        day = date.fromisoformat(on)
    except ValueError:
        msg = f"--on is a date like 2026-03-31, not {on!r}"
        raise InputRefusedError(msg) from None
    if len(document) > 200 or not 1970 <= day.year <= 9000:
        msg = "--document has at most 200 characters, and --on lies between 1970 and 9000"
        raise InputRefusedError(msg)
    return ControlledInventory(
        site=site, taken_on=day, moment="beginning" if moment == "beginning" else "close", taken_by=names["--by"],
        witness=names["--witness"], document=document,
    )  # fmt: skip


def form41(
    data: Data = DEFAULT_DATA, site: SiteFilter = None, from_: From = None, to: To = None, as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:  # fmt: skip
    """The data of DEA Form 41: inventory that was destroyed, with both witnesses, and what is still to be filled in."""
    columns = (
        "schedule", "ndc", "batch_number", "name", "strength", "form", "package_quantity", "full_packages",
        "partial_package_count", "total_destroyed", "kind", "date_of_destruction", "witness_1", "witness_2",
    )  # fmt: skip
    with open_access(data) as hub:
        [document] = hub.query("controlled_form41", site=site, to=to, **{"from": from_})
    _print_form(document, columns, as_json=as_json, as_csv=as_csv)


def form106(case: CaseId, data: Data = DEFAULT_DATA, as_json: AsJson = False, as_csv: AsCsv = False) -> None:
    """The data of DEA Form 106 for a case: theft or significant loss, its deadlines, and what is still to be filled in."""
    columns = ("ndc", "name", "schedule", "strength", "form", "quantity", "unit", "purchase_value")
    with open_access(data) as hub:
        [document] = hub.query("controlled_form106", case=case)
    _print_form(document, columns, as_json=as_json, as_csv=as_csv)


def evidence(
    case: CaseId,
    data: Data = DEFAULT_DATA,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for evidence.json and evidence.html, to print.")] = None,
    as_json: AsJson = False,
) -> None:
    """Everything about a case in one document: removals, doses, wastes, counts, people, messages, decisions, open questions."""
    with open_access(data) as hub:
        [document] = hub.query("controlled_evidence", case=case)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        _write(out / "evidence.json", json.dumps(document, ensure_ascii=False, indent=1) + "\n")
        _write(out / "evidence.html", page(document))
        typer.echo(f"wrote {out / 'evidence.json'} and {out / 'evidence.html'}")
        return
    if as_json:
        print_lines([document])
        return
    typer.echo(f"{document['case']['kind']} at {document['place'] or document['case']['site']}: {document['case']['text']}")
    columns = ("at", "about", "quantity", "unit", "stated", "change", "balance", "user", "witness", "patient", "source")
    print_rows(document["timeline"], columns, as_json=False, empty="nothing is known of its item there")
    for question in document["open_questions"]:
        typer.echo(f"open: {question}")


def _write(target: Path, text: str) -> None:
    """The whole file or none: written beside its place, synced, renamed into it."""
    draft = target.with_name(f".{target.name}.{os.getpid()}.new")
    try:
        with draft.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def scores(
    data: Data = DEFAULT_DATA, site: SiteFilter = None, limit: Limit = None, as_json: AsJson = False,
    identify: Annotated[bool, typer.Option("--identify", help="Name the people: it is logged.")] = False,
    by: Annotated[str | None, typer.Option("--by", help="Who opens the names: a pharmacist of the sites.")] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Why.")] = None,
) -> None:  # fmt: skip
    """Whose removals go wrong more often than those of their peers, by pseudonym; 1.00 is a signal. Decision support only."""
    if identify and not (by and reason):
        msg = "who names people says so: --by PERSON --reason \"...\""
        raise InputRefusedError(msg)
    with open_access(data) as hub:
        rows = hub.query("controlled_scores", site=site, limit=limit)
        if identify:
            rows = _identified(data, hub, rows, site, by=by or "", reason=reason or "")
    who = ("person",) if identify else ()
    columns = (
        "site", "user", *who, "concern", "removals", "events", "expected", "score", "highest", "signals", "first_signal",
        "false_signal_at_most", "note",
    )  # fmt: skip
    print_rows(rows, columns, as_json=as_json, empty="nobody is scored: no removal of a controlled item is past its time")


def _identified(
    data: Path, hub: Any, rows: list[dict[str, Any]], site: str | None, *, by: str, reason: str
) -> list[dict[str, Any]]:  # fmt: skip
    from topology.controlled.staff import opened, staff_key
    from topology.embedded.folder import patient_key_of
    from topology.vault.client import check_has_vault
    from topology.vault.store import Vault

    check_has_vault(data)
    roles = [record for _, _, record in hub.held("role") if isinstance(record, Role)]
    people = [row["person"] for row in hub.query("controlled_users", site=site)]
    with Vault(data) as vault:
        key = staff_key(patient_key_of(data))
        return opened(vault, rows, people, roles, key=key, by=by, reason=reason, at=datetime.now(UTC))


def _print_form(document: dict[str, Any], columns: Sequence[str], *, as_json: bool, as_csv: bool) -> None:
    """A form as one JSON line, its lines as CSV, or both its lines and its other fields for people."""
    if as_json and not as_csv:
        print_lines([document])
        return
    _print(document["items"], columns, as_json=as_json, as_csv=as_csv)
    if as_csv:
        return
    for name, value in document.items():
        if name not in ("items", "registrant") and value not in (None, "", []):
            typer.echo(f"{name:28} {', '.join(map(str, value)) if isinstance(value, list) else value}")
    for name, value in document["registrant"].items():
        typer.echo(f"{name:28} {value}")


def _print(rows: list[dict[str, Any]], columns: Sequence[str], *, as_json: bool, as_csv: bool) -> None:
    if as_json and as_csv:
        msg = "--json and --csv exclude each other"
        raise InputRefusedError(msg)
    if not as_csv:
        print_rows(rows, columns, as_json=as_json, empty=_NOTHING)
        return
    names = list(dict.fromkeys(name for row in rows for name in row)) or list(columns)
    writer = csv.DictWriter(sys.stdout, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
