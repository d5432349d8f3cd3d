"""How rows are printed: one JSON object a line, or a table for people."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table


def print_lines(rows: Iterable[dict[str, Any]]) -> None:
    """One JSON object a line."""
    for row in rows:
        sys.stdout.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")


def print_rows(rows: Sequence[dict[str, Any]], columns: Sequence[str], *, as_json: bool, empty: str) -> None:
    """Rows as JSON lines, or the chosen columns as a table; `empty` says what it means that there are none."""
    if as_json:
        print_lines(rows)
        return
    if not rows:
        sys.stdout.write(empty + "\n")
        return
    console = Console(soft_wrap=False, width=None if sys.stdout.isatty() else 200, highlight=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        numeric = all(isinstance(row.get(column), int) or row.get(column) is None for row in rows)
        table.add_column(column.replace("_", " "), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*("" if row.get(column) is None else str(row.get(column)) for column in columns))
    console.print(table)
