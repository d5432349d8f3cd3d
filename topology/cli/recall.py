"""`wardstock recall …`: notices, and whom and what they concern."""

from __future__ import annotations

import csv
import sys
from collections import Counter
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer

from schemas.reference import Role
from topology.access import open_access
from topology.cli.options import DEFAULT_DATA, AsJson, Data, SiteFilter
from topology.cli.output import print_lines, print_rows
from topology.errors import InputRefusedError, UnknownNameError
from topology.vault.client import open_vault
from topology.vault.opening import identified

NoticeId = Annotated[str, typer.Argument(help="The notice's id, as `wardstock recall list` shows it.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="CSV, for a spreadsheet.")]

SITE_COLUMNS: Final = ("site", "state", "revision", "at", "partition", "offset")
PLACE_COLUMNS: Final = (
    "certainty", "probability", "site", "location", "item", "lot", "quantity", "unknown_lot_quantity", "unit", "first", "last",
    "reason",
)  # fmt: skip
PATIENT_COLUMNS: Final = (
    "certainty", "probability", "site", "patient", "location", "item", "lot", "quantity", "returned", "unit", "first", "last",
    "orders", "given_by", "reason",
)  # fmt: skip
_NOT_STATED: Final = "not stated"
_CSV_COLUMNS: Final = ("about", *dict.fromkeys((*PATIENT_COLUMNS, *PLACE_COLUMNS)))


def list_notices(data: Data = DEFAULT_DATA, as_json: AsJson = False) -> None:
    """Recall notices that were loaded, in force and released."""
    with open_access(data) as hub:
        notices = hub.query("recalls")
    columns = ("id", "classification", "state", "effective", "issued", "lots", "products", "reason")
    rows = notices if as_json else [_in_words(notice) for notice in notices]
    print_rows(rows, columns, as_json=as_json, empty="no recall notice was loaded")


def show(notice: NoticeId, data: Data = DEFAULT_DATA, site: SiteFilter = None, as_json: AsJson = False) -> None:
    """A notice, where its stock lies now, and how many patients it concerns."""
    with open_access(data) as hub:
        found = next((one for one in hub.query("recalls") if one["id"] == notice), None)
        if found is None:
            msg = f"there is no recall notice {notice!r}; `wardstock recall list` names them"
            raise UnknownNameError(msg)
        lines = hub.query("lookback", notice=notice, site=site)
        sites = hub.query("recall_sites", notice=notice, site=site)
    places = [line for line in lines if line["about"] == "place" and (line["quantity"] or line["unknown_lot_quantity"])]
    patients = Counter((line["certainty"], line["site"], line["patient"] or line["first"]) for line in lines if _is_patient(line))
    counted = Counter(certainty for certainty, _, _ in patients)
    if as_json:
        concerned = {name: counted[name] for name in ("sure", "possible")}
        print_lines([{**found, "patients": concerned, "sites": sites, "places": places}])
        return
    for name, value in _in_words(found).items():
        typer.echo(f"{name:15} {value}")
    typer.echo(f"{'patients':15} {counted['sure']} surely, {counted['possible']} possibly")
    typer.echo("")
    print_rows(sites, SITE_COLUMNS, as_json=False, empty="no site is loaded")
    typer.echo("")
    print_rows(places, PLACE_COLUMNS, as_json=False, empty="nothing of it is on hand by the ledger")


def lookback(
    notice: NoticeId, data: Data = DEFAULT_DATA, site: SiteFilter = None, as_json: AsJson = False, as_csv: AsCsv = False,
    identify: Annotated[bool, typer.Option("--identify", help="Name the patients: opens the identity vault.")] = False,
    by: Annotated[str | None, typer.Option("--by", help="Who opens it: a pharmacist of the sites.")] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Why.")] = None,
) -> None:  # fmt: skip
    """Every place and every patient a notice surely or possibly concerns, each with the reason."""
    if as_json and as_csv:
        msg = "--json and --csv exclude each other"
        raise InputRefusedError(msg)
    if identify and not (by and reason):
        msg = "who names patients says so: --by PERSON --reason \"...\""
        raise InputRefusedError(msg)
    with open_access(data) as hub:
        lines = hub.query("lookback", notice=notice, site=site)
        if identify:
            roles = [record for _, _, record in hub.held("role") if isinstance(record, Role)]
            with open_vault(data, hub) as vault:
                at = datetime.now(UTC)
                lines = identified(vault, lines, roles, notice=notice, by=by or "", reason=reason or "", at=at)
    print_lookback(lines, as_json=as_json, as_csv=as_csv, more=("identifiers",) if identify else ())


def print_lookback(lines: list[dict[str, Any]], *, as_json: bool, as_csv: bool, more: tuple[str, ...] = ()) -> None:
    """A look-back as JSON lines, CSV or two tables. `more` are further columns of patients."""
    if as_json:
        print_lines(lines)
        return
    plain = [{name: _plain(value) for name, value in line.items()} for line in lines]
    if as_csv:
        writer = csv.DictWriter(sys.stdout, (*_CSV_COLUMNS, *more), restval="", extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(plain)
        return
    places = [line for line in plain if not _is_patient(line)]
    print_rows(places, PLACE_COLUMNS, as_json=False, empty="no place held it, or could have held it")
    typer.echo("")
    patients = [line for line in plain if _is_patient(line)]
    columns = (*PATIENT_COLUMNS[:4], *more, *PATIENT_COLUMNS[4:])
    print_rows(patients, columns, as_json=False, empty="no patient was given it, or could have been given it")


def _is_patient(line: dict[str, Any]) -> bool:
    return bool(line["about"] == "patient")


def _in_words(notice: dict[str, Any]) -> dict[str, Any]:
    released = notice.get("released")
    return {
        "id": notice["id"],
        "classification": f"class {notice['classification']}",
        "state": f"released by {released}" if released else "in force",
        "effective": _effective(notice["effective_at"], notice["pending_at"]),
        "issued": notice.get("issued") or _NOT_STATED,
        "lots": "all lots" if notice.get("all_lots") else ", ".join(notice.get("lots") or ()),
        "products": ", ".join(notice["products"]),
        "reason": notice.get("reason") or _NOT_STATED,
    }


def _effective(effective: list[str], pending: list[str]) -> str:
    """At which sites what the notice says holds: those whose partition has read it."""
    if pending:
        return f"at {len(effective)} of {len(effective) + len(pending)} sites, pending at {', '.join(pending)}"
    return f"at all {len(effective)} sites, none is pending" if effective else "no site is loaded"


def _plain(value: object) -> object:
    return ", ".join(_one(one) for one in value) if isinstance(value, list) else value


def _one(value: object) -> str:
    """An identifier with who assigned it; anything else as text."""
    if not isinstance(value, dict):
        return str(value)
    return f"{value['identifier']} ({value['authority']})" if value["authority"] else str(value["identifier"])
