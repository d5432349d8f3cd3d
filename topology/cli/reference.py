"""`wardstock reference load`: files in, all or nothing."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from topology.access import open_access
from topology.cli.options import DEFAULT_DATA, Data
from topology.reference_files import load_reference


def load(
    paths: Annotated[list[Path], typer.Argument(help="CSV or YAML files, or folders of them.")], data: Data = DEFAULT_DATA
) -> None:
    """Load reference data. Bad rows are listed by file, line and reason, and then nothing is loaded."""
    with open_access(data, create=True) as hub:
        loaded = load_reference(paths, hub.known())
        if loaded.problems:
            for problem in loaded.problems:
                sys.stderr.write(f"{problem}\n")
            sys.stderr.write(f"nothing was loaded: {len(loaded.problems)} problems\n")
            raise typer.Exit(1)
        count = hub.load_reference(loaded.records)
    kinds = Counter(kind for kind, _, _ in loaded.records)
    shown = ", ".join(f"{kinds[kind]} {kind}" for kind in kinds)
    typer.echo(f"loaded {count} records: {shown}")
