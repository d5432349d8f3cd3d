"""Opening the projection of a hub: the SQL tables that people read, in the hub's folder or where the settings say."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, SQLAlchemyError

from sinks.sql.projection import Projection, ProjectionError
from topology.errors import InputRefusedError

PROJECTION_FILE: Final = "projection.sqlite"


def open_projection(path: Path, url: str | None) -> Projection:
    """The projection; a damaged SQLite file is put aside and made anew, for it holds nothing that the log does not.

    Raises `InputRefusedError` when the database of a URL can't be used; the text shows no password.
    """
    if url is not None:
        try:
            return Projection(url)
        except (ProjectionError, SQLAlchemyError, ImportError, ValueError) as error:
            msg = f"projection_url: {_reason(error)}"
            raise InputRefusedError(msg) from error
    file = path / PROJECTION_FILE
    try:
        return Projection(f"sqlite:///{file}")
    except DatabaseError:
        for part in path.glob(f"{PROJECTION_FILE}*"):
            part.replace(part.with_name(f"damaged-{part.name}"))
        return Projection(f"sqlite:///{file}")


def _reason(error: Exception) -> str:
    """Why a database can't be used, in one line."""
    match error:
        case ImportError():
            return f"the driver {error.name} is not installed (PostgreSQL's is the extra `postgres`: pip install '.[postgres]')"
        case ProjectionError():
            return str(error)
        case DBAPIError():
            return f"the database can't be used: {' '.join(str(error.orig).split())}"
        case ArgumentError() | ValueError():
            return "not a database's URL, such as postgresql+psycopg://user:password@host/database"
        case _:
            return f"the database can't be used ({type(error).__name__})"
