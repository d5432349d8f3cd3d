"""`wardstock simulate`: a deterministic hospital network in real wire formats, with its ground truth."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from connectors.simulator import KnobError, Knobs, write_simulation
from topology.errors import InputRefusedError


def simulate(
    out: Annotated[Path, typer.Option("--out", help="Folder to write to.")],
    seed: Annotated[int, typer.Option("--seed")] = 1,
    sites: Annotated[int, typer.Option("--sites")] = 3,
    beds: Annotated[int, typer.Option("--beds", help="Beds of a site.")] = 40,
    days: Annotated[int, typer.Option("--days")] = 7,
    start: Annotated[datetime, typer.Option("--start", formats=["%Y-%m-%d"])] = datetime(2026, 1, 5),  # noqa: DTZ001
    duplicates: Annotated[float, typer.Option("--duplicates", help="Share of messages resent.")] = 0.0,
    reorder_minutes: Annotated[int, typer.Option("--reorder-minutes")] = 0,
    outages: Annotated[int, typer.Option("--outages", help="How many; they delay, never lose.")] = 0,
    outage_hours: Annotated[float, typer.Option("--outage-hours")] = 4.0,
    miscounts: Annotated[float, typer.Option("--miscounts", help="Share of counts off by one or two.")] = 0.0,
    wrong_codes: Annotated[float, typer.Option("--wrong-codes", help="Share of stock messages with an unknown code.")] = 0.0,
    unreported_lots: Annotated[float, typer.Option("--unreported-lots", help="Share of stock messages without lot.")] = 0.0,
    unscanned: Annotated[float, typer.Option("--unscanned", help="Share of what all but scanners tell that names no lot.")] = 0.0,
    whole_counts: Annotated[bool, typer.Option("--whole-counts", help="Counts by lot say that this was all.")] = False,
    drawing: Annotated[str, typer.Option("--drawing", help="How lots are taken: fefo, fifo or random.")] = "fefo",
    careless: Annotated[float, typer.Option("--careless", help="Share of removals that don't keep to it.")] = 0.0,
) -> None:
    """Write reference/, feeds/*.capture.jsonl, truth.jsonl and truth_balances.json."""
    try:
        knobs = Knobs(
            seed=seed, sites=sites, beds=beds, days=days, start=start.date(), duplicates=duplicates,
            reorder_minutes=reorder_minutes, outages=outages, outage_hours=outage_hours, miscounts=miscounts,
            wrong_codes=wrong_codes, unreported_lots=unreported_lots, unscanned=unscanned, whole_counts=whole_counts,
            drawing=drawing, careless=careless,
        )  # fmt: skip
        summary = write_simulation(knobs, out)
    except KnobError as error:
        raise InputRefusedError(str(error)) from None
    typer.echo(f"wrote {summary.messages} messages, {summary.movements} movements, {summary.needs} needs to {out}")
