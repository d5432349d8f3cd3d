"""Opens the database of the projection. Owns the databases' settings and when a transaction begins; knows no table.

On both databases a reader sees one snapshot over several queries, and a writer is alone before it reads the offsets. Python's
sqlite3 begins transactions by itself and only before some statements; here SQLAlchemy begins them. PostgreSQL's readers are
REPEATABLE READ; its writers are READ COMMITTED behind a lock of their own: what they read is what the one before them wrote.
"""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import StaticPool

BUSY_TIMEOUT_MS: Final = 30_000
"""How long a connection waits for SQLite's write lock before it reports that the database is locked."""

WRITERS_LOCK: Final = 7_764_100_031
"""The number of the lock in a PostgreSQL database that its one writer holds for a transaction (an arbitrary number of ours)."""

_PRAGMAS: Final = ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON", f"busy_timeout = {BUSY_TIMEOUT_MS}")


def open_engine(engine_or_url: Engine | str) -> Engine:
    """The engine of a URL, with this module's settings for its database; an engine is returned as it is.

    `sqlite://` is a database in memory on one shared connection: for one thread at a time.
    """
    if isinstance(engine_or_url, Engine):
        return engine_or_url
    url = sa.make_url(engine_or_url)
    if url.get_backend_name() == "postgresql":
        engine = sa.create_engine(url, isolation_level="REPEATABLE READ")
        sa.event.listen(engine, "begin", _begin_postgresql)
        return engine
    if url.get_backend_name() != "sqlite":
        return sa.create_engine(url)
    if url.database in (None, "", ":memory:"):
        engine = sa.create_engine(url, poolclass=StaticPool, connect_args={"check_same_thread": False})
    else:
        engine = sa.create_engine(url)
    sa.event.listen(engine, "connect", _prepare)
    sa.event.listen(engine, "begin", _begin)
    return engine


def writer(engine: Engine) -> Connection:
    """A connection that is going to write: its transaction begins when no other writer's is open."""
    isolation = {"isolation_level": "READ COMMITTED"} if engine.dialect.name == "postgresql" else {}
    return engine.connect().execution_options(writes=True, **isolation)


def _prepare(connection: Any, _record: object) -> None:
    """Settings of a fresh SQLite connection; sqlite3's own transaction handling is switched off."""
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    """Begin where SQLAlchemy does; a writer locks at once, so that it never loses its snapshot halfway."""
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")


def _begin_postgresql(connection: Connection) -> None:
    """A writer waits for the one before it, whether or not there are rows that both could lock."""
    if connection.get_execution_options().get("writes"):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITERS_LOCK})")
