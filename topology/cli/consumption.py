"""`wardstock consumption`: what places used by month, corrected for the days without stock."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from topology.access import open_access
from topology.cli.options import DEFAULT_DATA, AsJson, Data, SiteFilter
from topology.cli.output import print_rows

_COLUMNS: Final = (
    "site", "location", "item", "month", "opening", "received", "consumed", "adjusted", "closing", "days_out", "corrected",
    "unmet", "average", "abc", "ven", "category",
)  # fmt: skip
_NOTHING: Final = "nothing: no feed has been ingested yet, or the filter fits nothing"


def consumption(
    data: Data = DEFAULT_DATA,
    site: SiteFilter = None,
    item: Annotated[str | None, typer.Option("--item", help="Only this item.")] = None,
    location: Annotated[str | None, typer.Option("--location", help="Only this place and below.")] = None,
    by_location: Annotated[bool, typer.Option("--by-location", help="Each place apart, instead of the site as one.")] = False,
    months: Annotated[str, typer.Option("--months", help="Whole months that the average is of.")] = "3",
    method: Annotated[
        str, typer.Option("--method", help="How a month is corrected for days without stock: openlmis, msupply or none.")
    ] = "openlmis",
    as_json: AsJson = False,
) -> None:
    """Consumption by month of the site's calendar: opening + received ± adjusted - consumed = closing."""
    by = "location" if by_location else None
    with open_access(data) as hub:
        rows = hub.query("consumption", site=site, item=item, location=location, months=months, method=method, by=by)
    print_rows(rows, _COLUMNS, as_json=as_json, empty=_NOTHING)
