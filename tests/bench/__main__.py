"""`make bench`, `make bench-kafka`: all rates of one run as a table."""

from __future__ import annotations

import gc
import platform
import sys

from rich.console import Console
from rich.table import Table

from tests.bench import fhir, hl7, hub, kafka, mllp, scans
from topology.collector import collect_seldom

TEXT_COLUMNS = ("what", "peer", "what limits it")


def main() -> None:
    """Measure everything and print the table."""
    collect_seldom()
    table = Table(title=f"Rates of one run, Python {platform.python_version()}, one process", box=None)
    for name in ("what", "ours/s", "peer", "peer/s", "ratio", "what limits it"):
        table.add_column(name, justify="left" if name in TEXT_COLUMNS else "right", overflow="fold")
    for module in (kafka,) if "kafka" in sys.argv else (hl7, scans, fhir, hub, mllp):
        gc.collect()
        for row in module.rows():
            peer = row.get("peer_per_second")
            table.add_row(
                row["name"],
                f"{row['ours_per_second']:,.0f}",
                row.get("peer") or "",
                f"{peer:,.0f}" if peer else "",
                f"{row['ours_per_second'] / peer:.2f} ×" if peer else "",
                row["limit"],
            )
    Console(width=180).print(table)


if __name__ == "__main__":
    main()
