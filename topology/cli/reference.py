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
from topology.reference_files.par_list_map import read_map
from topology.reference_files.par_lists import NEEDED, check_site, par_policies
from topology.reference_known import CODED


def load(
    paths: Annotated[list[Path], typer.Argument(help="CSV or YAML files, or folders of them.")], data: Data = DEFAULT_DATA
) -> None:
    """Load reference data. Bad rows are listed by file, line and reason, and then nothing is loaded."""
    with open_access(data, create=True) as hub:
        loaded = load_reference(paths, hub.known(), hub.held(*CODED))
        if loaded.problems:
            for problem in loaded.problems:
                sys.stderr.write(f"{problem}\n")
            sys.stderr.write(f"nothing was loaded: {len(loaded.problems)} problems\n")
            raise typer.Exit(1)
        count = hub.load_reference(loaded.records)
    kinds = Counter(kind for kind, _, _ in loaded.records)
    shown = ", ".join(f"{kinds[kind]} {kind}" for kind in kinds)
    typer.echo(f"loaded {count} records: {shown}")


def par_list(
    file: Annotated[Path, typer.Argument(help="The cabinet's par list as CSV.")],
    map_: Annotated[Path, typer.Option("--map", help="YAML: which column holds what.")],
    site: Annotated[str, typer.Option("--site", help="The site whose cabinets these are.")],
    data: Data = DEFAULT_DATA,
) -> None:
    """Load a cabinet's own par list as par policies. Bad rows are listed by line and reason, and then nothing is loaded."""
    with open_access(data) as hub:
        how, held = read_map(map_), hub.held(*NEEDED)
        check_site(site, held)
        loaded = par_policies(file, how, site, held)
        if loaded.problems or not loaded.records:
            for problem in loaded.problems:
                sys.stderr.write(f"{problem}\n")
            count = len(loaded.problems)
            empty = f"nothing was loaded: {file} holds no row below its header\n"
            sys.stderr.write(f"nothing was loaded: {count} problems\n" if count else empty)
            raise typer.Exit(1)
        count = hub.load_reference(loaded.records)
    typer.echo(f"loaded {count} par policies of site {site}")
