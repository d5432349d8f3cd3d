"""`wardstock schemas DIR`: the JSON Schema of every contract, and the OpenAPI document of the hub's HTTP addresses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from topology.contracts import all_schemas


def write(folder: Annotated[Path, typer.Argument(help="Folder to write to; made when absent.")]) -> None:
    """Write one JSON Schema (2020-12) a contract, and openapi.json (OpenAPI 3.1)."""
    from topology.openapi import document  # the web framework takes its time to load

    folder.mkdir(parents=True, exist_ok=True)
    written = all_schemas()
    for name, schema in written.items():
        _write(folder / f"{name}.schema.json", schema)
    _write(folder / "openapi.json", document("Wardstock"))
    typer.echo(f"wrote {len(written)} schemas and openapi.json to {folder}")


def _write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")
