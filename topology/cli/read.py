"""Commands that read the state: stock, commands, cases, holds, quarantine, trace, explain."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from connectors.hl7.conformance import findings
from schemas.raw import HL7_ER7
from topology.access import open_access
from topology.cli.explain import explanation
from topology.cli.options import DEFAULT_DATA, AllStates, AsJson, Data, ItemFilter, Limit, SiteFilter
from topology.cli.output import print_lines, print_rows
from topology.errors import InputRefusedError

_NOTHING: Final = "nothing: no feed has been ingested yet, or the filter fits nothing"


def _show(
    data: Path, view: str, columns: tuple[str, ...], *, as_json: bool, empty: str = _NOTHING, **filters: str | int | None
) -> None:
    with open_access(data) as hub:
        rows = hub.query(view, **filters)
    if any("stale_since" in row for row in rows):
        columns = (*columns, "stale_since")
    print_rows(rows, columns, as_json=as_json, empty=empty)


def stock(
    data: Data = DEFAULT_DATA,
    site: SiteFilter = None,
    item: ItemFilter = None,
    location: Annotated[str | None, typer.Option("--location", help="Only this place and below.")] = None,
    limit: Limit = None,
    as_json: AsJson = False,
) -> None:
    """Stock on hand by place, product, lot and status."""
    columns = ("site", "location", "item", "product", "lot", "expiry", "status", "quantity", "unit")
    _show(data, "stock", columns, as_json=as_json, site=site, item=item, location=location, limit=limit)


def positions(
    data: Data = DEFAULT_DATA,
    site: SiteFilter = None,
    item: ItemFilter = None,
    limit: Limit = None,
    as_json: AsJson = False,
) -> None:
    """What may be used today, what is due, levels and open needs."""
    columns = ("site", "location", "item", "on_hand", "usable", "due", "minimum", "par", "urgency", "days_to_stock_out")
    _show(data, "positions", columns, as_json=as_json, site=site, item=item, limit=limit)


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


def alerts(data: Data = DEFAULT_DATA, site: SiteFilter = None, limit: Limit = None, as_json: AsJson = False) -> None:
    """What happened that somebody should know."""
    _show(data, "alerts", ("site", "kind", "text", "at"), as_json=as_json, empty="no alert", site=site, limit=limit)


def holds(data: Data = DEFAULT_DATA, site: SiteFilter = None, limit: Limit = None, as_json: AsJson = False) -> None:
    """Items that are understood and wait for a fact; they apply themselves when it arrives."""
    columns = ("event_id", "site", "kind", "source", "waits_for", "reason", "since")
    _show(data, "holds", columns, as_json=as_json, empty="nothing is held", site=site, limit=limit)


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
        rows = hub.query("quarantine", site=site, limit=limit, with_body=True)
    for row in rows:
        body = base64.b64decode(row.pop("body_base64", None) or "")
        told = findings(body) if row["content_type"] == HL7_ER7 else []
        row["findings"] = [f"{one.severity}: {one.text}" for one in told]
    shown = rows if as_json else [{**row, "findings": "; ".join(row["findings"])} for row in rows]
    print_rows(shown, (*columns, "findings"), as_json=as_json, empty="nothing is quarantined")


def trace(lot: Annotated[str, typer.Argument(help="Lot number.")], data: Data = DEFAULT_DATA, as_json: AsJson = False) -> None:
    """Every movement of a lot, in time order."""
    columns = ("occurred", "site", "kind", "item", "product", "lot", "quantity", "unit", "from_account", "to_account")
    empty = f"no movement names lot {lot}: see `wardstock stock` for the lots there are"
    _show(data, "trace", columns, as_json=as_json, empty=empty, lot=lot)


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
