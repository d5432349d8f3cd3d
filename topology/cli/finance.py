"""`wardstock finance …`: what stock is worth, how often it turns over, what is posted, and whether it all agrees."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from topology.access import open_access
from topology.cli.options import DEFAULT_DATA, AsJson, Data, ItemFilter, Limit, SiteFilter
from topology.cli.output import print_rows
from topology.errors import InputRefusedError

_NOTHING: Final = "nothing: no movement has been posted yet, or the filter fits nothing"


class CostMethod(StrEnum):
    """How costs leave stock."""

    FIFO = "fifo"
    AVERAGE = "average"


MethodOption = Annotated[CostMethod, typer.Option("--method", help="Which costs leave first: the oldest, or their average.")]
From = Annotated[str | None, typer.Option("--from", metavar="DATE", help="First date, in the calendar of the site.")]
To = Annotated[str | None, typer.Option("--to", metavar="DATE", help="Last date, in the calendar of the site.")]


def valuation(
    data: Data = DEFAULT_DATA,
    site: SiteFilter = None,
    item: ItemFilter = None,
    method: MethodOption = CostMethod.FIFO,
    at: Annotated[str | None, typer.Option("--at", metavar="DATE", help="At the end of this date; now without it.")] = None,
    lots: Annotated[bool, typer.Option("--lots", help="By lot, place and status instead of by product.")] = False,
    limit: Limit = None,
    as_json: AsJson = False,
) -> None:
    """What stock is worth, by site and product or lot. An unknown cost is shown as unpriced, never as 0."""
    columns: tuple[str, ...] = ("site", "item", "product", "account", "quantity", "unpriced", "unit_cost", "value")
    if lots:
        columns = ("site", "location", "item", "product", "lot", "expiry", "status", "quantity", "value")
    rows = _asked(data, "valuation", site=site, item=item, method=method, at=at, lots=str(lots).lower(), limit=limit)
    print_rows(rows, columns, as_json=as_json, empty=_NOTHING)


def turns(
    data: Data = DEFAULT_DATA,
    site: SiteFilter = None,
    item: ItemFilter = None,
    method: MethodOption = CostMethod.FIFO,
    from_: From = None,
    to: To = None,
    as_json: AsJson = False,
) -> None:
    """Cost of goods used against average value of stock; the last 30 days unless told."""
    columns = ("site", "from", "to", "cogs", "waste", "opening_value", "closing_value", "average_value", "turns", "turns_a_year")
    rows = _asked(data, "turns", site=site, item=item, method=method, to=to, **{"from": from_})
    print_rows(rows, columns, as_json=as_json, empty=_NOTHING)


def journal(
    data: Data = DEFAULT_DATA,
    site: SiteFilter = None,
    item: ItemFilter = None,
    method: MethodOption = CostMethod.FIFO,
    from_: From = None,
    to: To = None,
    limit: Limit = None,
    as_json: AsJson = False,
) -> None:
    """The posting feed for the general ledger: a debit and a credit a row, by posting date."""
    columns = ("posting_date", "site", "debit", "credit", "amount", "item", "quantity", "reason", "kind", "document_date")
    rows = _asked(data, "journal", site=site, item=item, method=method, to=to, limit=limit, **{"from": from_})
    print_rows(rows, columns, as_json=as_json, empty=_NOTHING)


class ChargeBasis(StrEnum):
    """What a charge should equal."""

    REMOVED = "removed"
    ADMINISTERED = "administered"


def charges(
    data: Data = DEFAULT_DATA,
    site: SiteFilter = None,
    item: ItemFilter = None,
    from_: From = None,
    to: To = None,
    basis: Annotated[ChargeBasis, typer.Option("--basis", help="What a charge should equal.")] = ChargeBasis.REMOVED,
    limit: Limit = None,
    all_lines: Annotated[bool, typer.Option("--all", help="Matched ones too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Removals and administrations against charges, by patient (keyed hash), order and item; the last 30 days unless told."""
    columns = ("site", "patient", "order_id", "item", "removed", "administered", "charged", "state", "reason")
    state = "all" if all_lines else "open"
    filters = {"from": from_, "to": to, "basis": basis, "state": state}
    rows = _asked(data, "charges", site=site, item=item, limit=limit, **filters)
    empty = "nothing is open: every removal is charged, and every charge was removed"
    if not rows and not as_json and not _asked(data, "charges", site=site, item=item, limit=1, **{**filters, "state": "all"}):
        empty = "no removals and no charges in this window"
    print_rows(rows, columns, as_json=as_json, empty=empty)


def credit(data: Data = DEFAULT_DATA, site: SiteFilter = None, limit: Limit = None, as_json: AsJson = False) -> None:
    """Returns to suppliers and reverse distributors: the credit expected, received, and still open."""
    columns = ("site", "shipment", "partner", "since", "expected", "received", "open")
    rows = _asked(data, "credits", site=site, limit=limit)
    print_rows(rows, columns, as_json=as_json, empty="no return with a credit was told")


def check(data: Data = DEFAULT_DATA, site: SiteFilter = None, as_json: AsJson = False) -> None:
    """Whether cost layers, journal and stock agree, to the unit and the cent. Exit code 1 when they do not."""
    columns = ("site", "method", "postings", "value", "posted", "out_of_balance", "quantity_differences", "value_differences")
    rows = _asked(data, "finance_check", site=site)
    print_rows(rows, columns, as_json=as_json, empty=_NOTHING)
    wrong = [f"{row['site']} ({row['method']})" for row in rows if not row["adds_up"]]
    if wrong:
        msg = f"the money of {', '.join(wrong)} does not add up: please report it with this output"
        raise InputRefusedError(msg)


def _asked(data: Path, view: str, **filters: str | int | None) -> list[dict[str, object]]:
    with open_access(data) as hub:
        return hub.query(view, **filters)
