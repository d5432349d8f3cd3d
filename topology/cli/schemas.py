"""`wardstock schemas DIR`: the JSON Schema of every contract."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from topology.contracts import all_schemas


def write(folder: Annotated[Path, typer.Argument(help="Folder to write to; made when absent.")]) -> None:
    """Write one JSON Schema (2020-12) a contract."""
    folder.mkdir(parents=True, exist_ok=True)
    written = all_schemas()
    for name, schema in written.items():
        (folder / f"{name}.schema.json").write_text(json.dumps(schema, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    typer.echo(f"wrote {len(written)} schemas to {folder}")
