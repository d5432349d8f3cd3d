"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

Data = Annotated[Path, typer.Option("--data", envvar="WARDSTOCK_DATA", help="The embedded hub's folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
SiteFilter = Annotated[str | None, typer.Option("--site", help="Only this site.")]
ItemFilter = Annotated[str | None, typer.Option("--item", help="Only this item.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="At most so many rows.")]
AllStates = Annotated[bool, typer.Option("--all", help="Closed ones too.")]
Config = Annotated[Path | None, typer.Option("--config", help="Settings as TOML.", exists=True, dir_okay=False)]
Broker = Annotated[
    str | None, typer.Option("--broker", help="embedded, or kafka://host:port,host:port (overrules the settings).")
]

DEFAULT_DATA: Final = Path("wardstock-data")
DEMO_DATA: Final = Path("wardstock-demo")
