"""`wardstock kpis`: the indicators mined from the ledger, with what each is made of."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from topology.access import open_access
from topology.cli.options import DEFAULT_DATA, AsJson, Data, SiteFilter
from topology.cli.output import print_rows

_COLUMNS: Final = ("kpi", "value", "unit", "numerator", "denominator", "counts", "target", "reason", "as_of", "watermark")
_COUNTERS: Final = ("site", "kpi", "value", "numerator", "denominator", "as_of")
_NOTHING: Final = "nothing: no feed has been ingested yet, or the filter fits nothing"
_BY: Final = {"location": "location", "item-class": "item_class"}


def kpis(
    data: Data = DEFAULT_DATA,
    site: SiteFilter = None,
    location: Annotated[str | None, typer.Option("--location", help="Only this place and below.")] = None,
    item_class: Annotated[
        str | None, typer.Option("--item-class", help="A, B or C by issue value; controlled, fridge, freezer, room without cost.")
    ] = None,
    period: Annotated[str | None, typer.Option("--period", help="day, week (ISO) or month of the site's calendar.")] = None,
    first: Annotated[str | None, typer.Option("--from", help="First day, e.g. 2026-03-01.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last day.")] = None,
    by: Annotated[list[str] | None, typer.Option("--by", help="Apart for each location or item-class; may be repeated.")] = None,
    counters: Annotated[bool, typer.Option("--counters", help="The counters the sites publish every hour instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """Key figures with formula, numerator and denominator, event time they are as of, and watermark."""
    with open_access(data) as hub:
        if counters:
            print_rows(hub.query("kpis", site=site), _COUNTERS, as_json=as_json, empty=_NOTHING)
            return
        groups = ",".join(_BY.get(name, name) for name in by) if by else None
        asked = {"location": location, "item_class": item_class, "period": period, "from": first, "to": last, "by": groups}
        rows = hub.query("indicators", site=site, **asked)
    split = [name for name in ("site", "location", "item_class", "period") if any(row[name] for row in rows)]
    print_rows(rows, (*split, *_COLUMNS), as_json=as_json, empty=_NOTHING)
    if rows and not as_json:
        formulas = dict.fromkeys((row["kpi"], row["formula"]) for row in rows)
        typer.echo("\n" + "\n".join(f"{name} = {formula}" for name, formula in formulas))
