"""`wardstock recall read` and `confirm`: published recalls as proposals, and a person's word that makes one a notice."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from connectors.openfda.enforcement import Enforcement, EnforcementError, read_enforcement
from schemas.reference import Product, RecallNotice, Role
from topology.access import Access, open_access
from topology.cli.options import DEFAULT_DATA, AsJson, Data
from topology.cli.output import print_lines
from topology.errors import InputRefusedError
from topology.recalls.proposals import Proposal, confirmed, propose
from topology.vault.opening import check_pharmacist

File = Annotated[Path, typer.Argument(help="Records of openFDA's drug/enforcement, as JSON.", exists=True, dir_okay=False)]
NDCS_SHOWN: Final = 10
All = Annotated[bool, typer.Option("--all", help="Those that concern no product of the item master too.")]


def read(file: File, data: Data = DEFAULT_DATA, with_all: All = False, as_json: AsJson = False) -> None:
    """What a file of openFDA enforcement reports would recall here, and what is unsure. Nothing is in force by it."""
    with open_access(data) as hub:
        proposals = _proposals(file, hub)
    shown = [one for one in proposals if one.products or with_all]
    if as_json:
        print_lines(_row(one) for one in shown)
        return
    for one in shown:
        for line in _lines(one, file):
            typer.echo(line)
        typer.echo("")
    others = len(proposals) - len([one for one in proposals if one.products])
    hint = " (--all shows them)" if others else ""
    typer.echo(f"{len(proposals)} records; {others} concern no product of the item master{hint}")
    typer.echo("nothing is in force: a pharmacist confirms each with `wardstock recall confirm`")


def confirm(
    file: File, number: Annotated[str, typer.Option("--number", help="The recall number, e.g. D-123-2026.")],
    by: Annotated[str, typer.Option("--by", help="Who confirms it: a pharmacist of all sites.")],
    lots: Annotated[str | None, typer.Option("--lots", help="The lots it covers, separated by commas.")] = None,
    all_lots: Annotated[bool, typer.Option("--all-lots", help="It covers all lots.")] = False,
    class_: Annotated[str | None, typer.Option("--class", help="I, II or III, where FDA has not said or says less.")] = None,
    data: Data = DEFAULT_DATA,
) -> None:  # fmt: skip
    """Put one record of a file in force as a recall notice, for the lots a pharmacist names."""
    named = [lot.strip() for lot in (lots or "").split(",") if lot.strip()]
    with open_access(data) as hub:
        roles = [record for _, _, record in hub.held("role") if isinstance(record, Role)]
        check_pharmacist(roles, by, {id_ for _, id_, _ in hub.held("site")})
        proposals = _proposals(file, hub)
        notice = confirmed(proposals, number, by=by, lots=named, all_lots=all_lots, classification=class_, held=_notices(hub))
        hub.load_reference([("recall", notice.id, notice)])
    covered = "all lots" if notice.all_lots else f"lots {', '.join(notice.lots)}"
    typer.echo(f"{notice.id} is in force: class {notice.classification}, {covered} of {', '.join(notice.products)}")
    [unknown] = [one.unknown_ndcs for one in proposals if one.report.number == number]
    if unknown:
        typer.echo(f"mind: {_ndcs(unknown)} of {number} match no product of the item master: no stock of them is blocked")


def _proposals(file: Path, hub: Access) -> list[Proposal]:
    try:
        reports = read_enforcement(file.read_bytes())
    except EnforcementError as error:
        msg = f"{file} can't be read as openFDA enforcement reports: {error}"
        raise InputRefusedError(msg) from None
    products = [record for _, _, record in hub.held("product") if isinstance(record, Product)]
    return propose(reports, products, _notices(hub))


def _notices(hub: Access) -> list[RecallNotice]:
    return [record for _, _, record in hub.held("recall") if isinstance(record, RecallNotice)]


def _row(one: Proposal) -> dict[str, Any]:
    report = one.report
    return {
        "number": report.number, "classification": report.classification, "status": report.status, "issued": report.issued,
        "reason": report.reason, "description": report.description, "code_info": report.code_info, "products": one.products,
        "lots": report.lots.lots, "all_lots": report.lots.all_lots, "not_understood": report.lots.rest,
        "unknown_ndcs": one.unknown_ndcs, "unsure": one.unsure,
    }  # fmt: skip


def _lines(one: Proposal, file: Path) -> list[str]:
    report = one.report
    class_ = f"class {report.classification}" if report.classification else "not classified"
    lines = [
        f"{report.number}  {class_}  {report.status}  {report.issued or ''}",
        f"  reason     {report.reason}",
        f"  product    {report.description}",
        f"  code info  {report.code_info}",
        f"  here       {', '.join(one.products) or 'no product of the item master'}",
        f"  lots       {', '.join(report.lots.lots) or ('all' if report.lots.all_lots else 'none found')}",
    ]
    if report.lots.rest:
        lines.append(f"  left over  {report.lots.rest}")
    if one.unknown_ndcs:
        lines.append(f"  not here   {_ndcs(one.unknown_ndcs)}")
    lines += [f"  unsure     {reason}" for reason in one.unsure]
    if one.products:
        lines += _to_confirm(report, file)
    return lines


def _ndcs(codes: Sequence[str]) -> str:
    more = f" and {len(codes) - NDCS_SHOWN} more" if len(codes) > NDCS_SHOWN else ""
    return f"NDC {', '.join(codes[:NDCS_SHOWN])}{more}"


def _to_confirm(report: Enforcement, file: Path) -> list[str]:
    """The command that confirms a record, with `…` for what a person must write."""
    ranged = report.lots.ranged
    lots = ",".join(report.lots.lots) if report.lots.lots and not ranged else "…"
    words = ["wardstock recall confirm", shlex.quote(str(file)), "--number", shlex.quote(report.number), "--lots", lots]
    words += [] if report.classification else ["--class …"]
    hint = ["             a range is not expanded: write out every lot in it, or say --all-lots"] if ranged else []
    return [f"  confirm    {' '.join(words)} --by PERSON", *hint]
