"""Allocations: no unit of a store is promised to two commands, and none that may not be given."""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from schemas.codes import normalise_lot
from topology.verify.cards import LotKey
from topology.verify.compare import Ledger, is_isolated
from topology.verify.lots import UNKNOWN
from topology.verify.published import Commands
from topology.verify.report import Report
from topology.verify.words import Card, Ordered

_TAKES: Final = frozenset({"awaiting_approval", "issued", "acknowledged"})


def check_allocations(ledger: Ledger, commands: Commands, report: Report, site: str | None, settled: int) -> None:
    """What open restocks were told to take, against what lies at the store and may be given."""
    promised: defaultdict[tuple[Card, LotKey], int] = defaultdict(int)
    by: defaultdict[tuple[Card, LotKey], list[str]] = defaultdict(list)
    for command in commands.newest.values():
        if not _takes(command) or (command.site, command.location, command.item) in commands.moved_on:
            continue
        for lot in command.lots:
            number = lot.lot if lot.lot == UNKNOWN else normalise_lot(lot.lot)
            key = ((command.site, lot.location, command.item), (lot.product, number, lot.container or ""))
            promised[key] += lot.quantity
            by[key].append(command.command_id)
    for key in sorted(promised):
        card, lot_key = key
        if site is None or card[0] == site:
            _check(ledger, report, card, lot_key, promised[key], by[key], settled)


def _takes(command: Ordered) -> bool:
    told = command.proof.get("allocation")
    return command.kind == "restock" and command.state in _TAKES and told is not None and "released" not in told


def _check(
    ledger: Ledger, report: Report, card: Card, lot: LotKey, promised: int, commands: list[str], settled: int
) -> None:
    total = ledger.totals.get(card)
    there = total.lots.get(lot, 0) if total is not None else 0
    site, place, item = card
    known = ledger.derived.lot_facts(card, lot)
    may = not is_isolated(ledger.derived, site, place) and (known is None or known.usable(settled))
    if may and promised <= there:
        return
    why = f"{there} are there" if may else "none of it may be given"
    text = f"{site} {place} {item} lot {lot[1]}: {promised} are promised to {', '.join(commands)}, and {why}"
    report.differ(
        "allocation", text, site=site, location=place, item=item, published=promised, derived=there if may else 0,
        about={"product": lot[0], "lot": lot[1]},
    )  # fmt: skip
