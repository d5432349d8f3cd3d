"""`make bench`, `make bench-kafka`: all rates of one run as a table. A row with a `value` is no rate: it says its unit itself."""

from __future__ import annotations

import gc
import platform
import sys
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.bench import fhir, growth, hl7, http, hub, kafka, mllp, scans
from topology.collector import collect_seldom

TEXT_COLUMNS = ("what", "peer", "what limits it")


def main() -> None:
    """Measure everything and print the table."""
    collect_seldom()
    table = Table(title=f"Rates of one run, Python {platform.python_version()}, one process", box=None)
    for name in ("what", "ours/s", "peer", "peer/s", "ratio", "what limits it"):
        table.add_column(name, justify="left" if name in TEXT_COLUMNS else "right", overflow="fold")
    for rows in _measured(sys.argv[1:]):
        gc.collect()
        for row in rows():
            peer = row.get("peer_per_second")
            table.add_row(
                row["name"],
                row.get("value") or f"{row['ours_per_second']:,.0f}",
                row.get("peer") or "",
                f"{peer:,.0f}" if peer else "",
                f"{row['ours_per_second'] / peer:.2f} ×" if peer else "",
                row["limit"],
            )
    Console(width=180).print(table)


def _measured(arguments: list[str]) -> list[Callable[[], Iterable[dict[str, Any]]]]:
    """What is asked for: `kafka` or `growth` and the names of its parts, or all that needs no broker."""
    for name, module in (("kafka", kafka), ("growth", growth)):
        if name in arguments:
            parts = [part for part in arguments if part != name]
            return [partial(module.rows, parts)]
    # The hub first: the models of fhir.resources that others load would stay in this process's heap.
    return [module.rows for module in (hub, hl7, scans, fhir, http, mllp, growth)]


if __name__ == "__main__":
    main()
