"""Opening the projection of a hub: the SQL tables that people read, in the hub's folder or where the settings say."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy.exc import DatabaseError

from sinks.sql.projection import Projection

PROJECTION_FILE: Final = "projection.sqlite"


def open_projection(path: Path, url: str | None) -> Projection:
    """The projection; a damaged SQLite file is put aside and made anew, for it holds nothing that the log does not."""
    if url is not None:
        return Projection(url)
    file = path / PROJECTION_FILE
    try:
        return Projection(f"sqlite:///{file}")
    except DatabaseError:
        for part in path.glob(f"{PROJECTION_FILE}*"):
            part.replace(part.with_name(f"damaged-{part.name}"))
        return Projection(f"sqlite:///{file}")
