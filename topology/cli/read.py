"""Commands that read the state: stock, what expires, commands, cases, holds, quarantine, trace, explain."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from connectors.hl7.conformance import findings
from schemas.raw import HL7_ER7
from sinks.sql.expiry import DAYS_MAX
from topology.access import Access, open_access
from topology.cli.explain import explanation
from topology.cli.options import DEFAULT_DATA, AllStates, AsJson, Data, ItemFilter, Limit, SiteFilter
from topology.cli.output import print_lines, print_rows
from topology.errors import InputRefusedError
from topology.query import EXPIRING_WITHIN_DAYS

_LOT_COLUMNS: Final = (
    "site", "location", "item", "product", "lot", "expiry", "sure", "expected", "most", "probability", "unit",
)  # fmt: skip
_GENEALOGY: Final = (
    "relation", "steps", "of_lot", "item", "lot", "container", "quantity", "unit", "site", "location", "occurred", "actor",
)  # fmt: skip
OUTCOMES_SHOWN: Final = 100
_NOTHING: Final = "nothing: no feed has been ingested yet, or the filter fits nothing"
_STOCK: Final[tuple[str, tuple[str, ...], str]] = ("stock", (), _NOTHING)
_OPENED: Final = ("containers", ("container", "beyond_use"), "nothing is opened, thawed or made here")


def _show(
    data: Path, view: str, columns: tuple[str, ...], *, as_json: bool, empty: str = _NOTHING, **filters: str | int | None
) -> None:
    with open_access(data) as hub:
        rows = hub.query(view, **filters)
    if any("stale_since" in row for row in rows):
        columns = (*columns, "stale_since")
    if any(row.get("shadow") for row in rows):
        columns = (*columns, "shadow")
    print_rows(rows, columns, as_json=as_json, empty=empty)


def stock(
    data: Data = DEFAULT_DATA,
    site: SiteFilter = None,
    item: ItemFilter = None,
    location: Annotated[str | None, typer.Option("--location", help="Only this place and below.")] = None,
    lots: Annotated[bool, typer.Option("--lots", help="What lies there surely and probably, where lots are not told.")] = False,
    opened: Annotated[bool, typer.Option("--opened", help="What was opened or made, with its beyond-use times.")] = False,
    limit: Limit = None,
    as_json: AsJson = False,
) -> None:
    """Stock on hand by place, product, lot and status."""
    if lots:
        _show(data, "lots", _LOT_COLUMNS, as_json=as_json, site=site, item=item, location=location, limit=limit)
        return
    view, more, empty = _OPENED if opened else _STOCK
    columns = ("site", "location", "item", "product", "lot", *more, "expiry", "status", "quantity", "unit")
    _show(data, view, columns, as_json=as_json, empty=empty, site=site, item=item, location=location, limit=limit)


def positions(
    data: Data = DEFAULT_DATA,
    site: SiteFilter = None,
    item: ItemFilter = None,
    limit: Limit = None,
    as_json: AsJson = False,
) -> None:
    """What may be used today, what is due, levels and open needs."""
    columns = (
        "site", "location", "item", "on_hand", "usable", "allocated", "due", "minimum", "par", "urgency", "days_to_stock_out",
    )  # fmt: skip
    _show(data, "positions", columns, as_json=as_json, site=site, item=item, limit=limit)


def expiring(
    data: Data = DEFAULT_DATA,
    site: SiteFilter = None,
    item: ItemFilter = None,
    location: Annotated[str | None, typer.Option("--location", help="Only this place and below.")] = None,
    within: Annotated[int, typer.Option("--within", min=0, max=DAYS_MAX, help="Days to look ahead.")] = EXPIRING_WITHIN_DAYS,
    risk: Annotated[bool, typer.Option("--risk", help="Only lots that will not be used up before they expire.")] = False,
    limit: Limit = None,
    as_json: AsJson = False,
) -> None:
    """Lots that have expired or soon will, and how much of them will not be used before, as each place uses the item now."""
    columns = (
        "site", "location", "item", "lot", "expiry", "days", "bucket", "status", "quantity", "unit", "daily_demand", "risk",
    )  # fmt: skip
    empty = f"no lot on hand {'is at risk to expire unused' if risk else 'expires'} within {within} days"
    about = {"site": site, "item": item, "location": location, "within": within, "risk": "true" if risk else None}
    _show(data, "expiring", columns, as_json=as_json, empty=empty, limit=limit, **about)


def commands(
    data: Data = DEFAULT_DATA,
    site: SiteFilter = None,
    item: ItemFilter = None,
    limit: Limit = None,
    all_states: AllStates = False,
    as_json: AsJson = False,
) -> None:
    """Replenishment commands, open ones unless --all."""
    columns = ("command_id", "site", "location", "item", "kind", "state", "urgency", "quantity", "unit", "opened_at")
    state = "all" if all_states else "open"
    empty = "no open command: every level is covered"
    _show(data, "commands", columns, as_json=as_json, empty=empty, site=site, item=item, state=state, limit=limit)


def cases(
    data: Data = DEFAULT_DATA,
    site: SiteFilter = None,
    item: ItemFilter = None,
    limit: Limit = None,
    all_states: AllStates = False,
    as_json: AsJson = False,
) -> None:
    """What a person must look at, open ones unless --all."""
    columns = ("case_id", "site", "kind", "state", "text", "opened_at")
    state = "all" if all_states else "open"
    _show(data, "cases", columns, as_json=as_json, empty="no open case", site=site, item=item, state=state, limit=limit)


def transfers(
    data: Data = DEFAULT_DATA,
    site: SiteFilter = None,
    item: ItemFilter = None,
    limit: Limit = None,
    all_states: Annotated[bool, typer.Option("--all", help="What has arrived or is written off as well.")] = False,
    as_json: AsJson = False,
) -> None:
    """What is on its way between sites, since when, and what does not fit."""
    columns = ("site", "to_site", "shipment", "item", "lot", "sent", "received", "lost", "under_way", "unit", "since", "state")
    state = "all" if all_states else "open"
    empty = "nothing is on its way between sites"
    _show(data, "transfers", columns, as_json=as_json, empty=empty, site=site, item=item, state=state, limit=limit)


def alerts(data: Data = DEFAULT_DATA, site: SiteFilter = None, limit: Limit = None, as_json: AsJson = False) -> None:
    """What happened that somebody should know."""
    _show(data, "alerts", ("site", "kind", "text", "at"), as_json=as_json, empty="no alert", site=site, limit=limit)


def holds(data: Data = DEFAULT_DATA, site: SiteFilter = None, limit: Limit = None, as_json: AsJson = False) -> None:
    """Items that are understood and wait for a fact; they apply themselves when it arrives."""
    columns = ("event_id", "site", "kind", "source", "waits_for", "reason", "since")
    _show(data, "holds", columns, as_json=as_json, empty="nothing is held", site=site, limit=limit)


def outcomes(
    data: Data = DEFAULT_DATA,
    message: Annotated[str | None, typer.Option("--message", help="Of this message: PARTITION/OFFSET.")] = None,
    site: SiteFilter = None,
    source: Annotated[str | None, typer.Option("--source", help="Only of this feed.")] = None,
    outcome: Annotated[str | None, typer.Option("--outcome", help="accepted, duplicate, held or quarantined.")] = None,
    code: Annotated[str | None, typer.Option("--code", help="Only with this reason code, as not_authorised.")] = None,
    limit: Limit = OUTCOMES_SHOWN,
    as_json: AsJson = False,
) -> None:
    """How what was received ended, and why: messages, decisions and answers, the newest first."""
    columns = ("message", "item", "source", "site", "outcome", "code", "reason", "at")
    asked = {"message": message, "site": site, "source": source, "outcome": outcome, "code": code, "limit": limit}
    _show(data, "outcomes", columns, as_json=as_json, empty="nothing was received that fits", **asked)


def quarantine(
    context: typer.Context,
    data: Data = DEFAULT_DATA,
    site: SiteFilter = None,
    limit: Limit = None,
    with_findings: Annotated[bool, typer.Option("--findings", help="What of HL7 v2 each message does not conform to.")] = False,
    as_json: AsJson = False,
) -> None:
    """What could not be understood, with the reason; kept whole."""
    if context.invoked_subcommand is not None:
        return
    columns = ("raw_partition", "raw_offset", "raw_index", "source", "code", "reason")
    if not with_findings:
        _show(data, "quarantine", columns, as_json=as_json, empty="nothing is quarantined", site=site, limit=limit)
        return
    with open_access(data) as hub:
        rows = hub.query("quarantine", site=site, limit=limit)
        told: dict[str, list[str]] = {}
        for row in rows:
            message = f"{row['raw_partition']}/{row['raw_offset']}"
            if message not in told:
                told[message] = _findings(hub, message) if row["content_type"] == HL7_ER7 else []
            row["findings"] = told[message]
    shown = rows if as_json else [{**row, "findings": "; ".join(row["findings"])} for row in rows]
    print_rows(shown, (*columns, "findings"), as_json=as_json, empty="nothing is quarantined")


def _findings(hub: Access, message: str) -> list[str]:
    """What a message does not conform to. Its body stands in its first refused item, and is asked for by itself."""
    rows = hub.query("quarantine", message=message, with_body=True)
    body = next((row["body_base64"] for row in rows if row["content_type"] == HL7_ER7 and row["body_base64"]), "")
    return [f"{one.severity}: {one.text}" for one in findings(base64.b64decode(body))]


def trace(lot: Annotated[str, typer.Argument(help="Lot number.")], data: Data = DEFAULT_DATA, as_json: AsJson = False) -> None:
    """Every movement of a lot, in time order; then what it was made of, and what was made of it."""
    columns = ("occurred", "site", "kind", "item", "product", "lot", "quantity", "unit", "from_account", "to_account")
    empty = f"no movement names lot {lot}: see `wardstock stock` for the lots there are"
    with open_access(data) as hub:
        rows, lines = hub.query("trace", lot=lot), hub.query("genealogy", lot=lot)
    print_rows(rows, columns, as_json=as_json, empty=empty)
    if lines:
        typer.echo("", nl=not as_json)
        print_rows(lines, _GENEALOGY, as_json=as_json, empty="")


def explain(
    command: Annotated[str, typer.Argument(help="Command id.")], data: Data = DEFAULT_DATA, as_json: AsJson = False
) -> None:
    """The proof of a command: trigger, arithmetic, policy, options, approvals, and the movements behind it."""
    with open_access(data) as hub:
        found = hub.query("command", command_id=command)
        if not found:
            msg = f"no command {command} is known; `wardstock commands --all` lists them"
            raise InputRefusedError(msg)
        document: dict[str, Any] = found[0]
        movements = hub.query("movements", command=command, limit=200)
    if as_json:
        print_lines([{**document, "movements": movements}])
    else:
        typer.echo(explanation(document, movements))
