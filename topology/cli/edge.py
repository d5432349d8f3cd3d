"""`wardstock edge`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def edge(
    hub: Annotated[str, typer.Option("--hub", help="Address of the hub's feeds, e.g. http://hub.example:8080.")],
    spool: Annotated[Path, typer.Option("--spool", help="The folder to keep in; it needs a disk of its own, or room.")],
    port: Annotated[int, typer.Option("--port", min=0, max=65_535, help="Port for the devices; 0 takes a free one.")] = 8090,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    megabytes: Annotated[int, typer.Option("--megabytes", min=1, help="Most that is kept; then devices are refused.")] = 4096,
) -> None:
    """Keep what cabinets and scanners send through an outage, and hand it to the hub in order."""
    from topology.edge import run_edge

    run_edge(spool, hub, host=host, port=port, bytes_max=megabytes * 1024 * 1024, say=typer.echo)
