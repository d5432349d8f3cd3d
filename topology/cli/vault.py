"""`wardstock vault log`: who named patients, when and why."""

from __future__ import annotations

import sys
from typing import Any

import typer

from topology.cli.options import DEFAULT_DATA, AsJson, Data
from topology.cli.output import print_rows
from topology.vault.access_log import read_log
from topology.vault.client import check_has_vault
from topology.vault.store import Vault


def log(data: Data = DEFAULT_DATA, as_json: AsJson = False) -> None:
    """Openings of the identity vault, the oldest first; exit code 1 when the log is not as it was written."""
    check_has_vault(data)
    with Vault(data) as vault:
        found, fault = read_log(vault)
    rows: list[dict[str, Any]] = found if as_json else [{**line, "sites": ", ".join(line["sites"])} for line in found]
    columns = ("number", "at", "by", "notice", "sites", "patients", "reason")
    print_rows(rows, columns, as_json=as_json, empty="the vault was never opened" if fault is None else "no opening can be shown")
    if fault is not None:
        sys.stderr.write(f"wardstock: the access log was changed: {fault}\n")
        raise typer.Exit(1)
