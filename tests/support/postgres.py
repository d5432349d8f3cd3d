"""A real PostgreSQL for tests: a cluster of the session in a folder of its own, behind a Unix socket, ended by its own process.

Without its programs the tests are left out and say so; where `WARDSTOCK_REQUIRE` names `postgres`, leaving out is failing.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
import sqlalchemy as sa

DEBIAN: Final = Path("/usr/lib/postgresql")
SECONDS_MAX: Final = 30.0
KINDS: Final = ("sqlite", pytest.param("postgresql", marks=pytest.mark.postgres))
"""Parameters of a fixture that gives each test both databases."""
MISSING: Final = (
    "LEFT OUT: NOTHING WAS TRIED ON A REAL POSTGRESQL, BECAUSE IT IS NOT INSTALLED (DEBIAN PACKAGE postgresql, 15 OR LATER)"
)
LOCALE: Final = ("--encoding=UTF8", "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US")
"""People's order of text, as most installations have it: what the views sort must not depend on it."""
SETTINGS: Final = ("listen_addresses=", "fsync=off", "full_page_writes=off", "max_connections=50", "shared_buffers=32MB")


def programs() -> Path | None:
    """The folder of the newest PostgreSQL's programs, or None; Debian installs them outside of everyone's PATH."""
    found = [path.parent for path in DEBIAN.glob("*/bin/initdb") if path.parents[1].name.isdigit()]
    if found:
        return max(found, key=lambda folder: int(folder.parent.name))
    other = shutil.which("initdb")
    return Path(other).resolve().parent if other else None


def found_or_left_out(folder: Path | None, required: str) -> Path:
    """The folder, when there is one; else the test is left out loudly, or fails where `required` names postgres."""
    if folder is not None:
        return folder
    if "postgres" in required.replace(",", " ").split():
        pytest.fail(MISSING)
    pytest.skip(MISSING)


def _other_user() -> dict[str, Any]:
    """How to start its programs: PostgreSQL refuses to be root, so root starts it as somebody without rights."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("nobody")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


class Postgres:
    """One server without a network address; its socket's folder is open to its owner (and root) alone."""

    def __init__(self, programs_folder: Path) -> None:
        """Makes the cluster. The folder is not pytest's: those are closed to other users, and too long for a socket."""
        self._programs = programs_folder
        self._user = _other_user()
        self._made = 0
        self._process: subprocess.Popen[bytes] | None = None
        self.folder = Path(tempfile.mkdtemp(prefix="wardstock-pg-"))
        if self._user:
            os.chown(self.folder, self._user["user"], self._user["group"])
        options = ("-U", "tests", "-A", "trust", "--no-sync", *LOCALE)
        command = [str(self._programs / "initdb"), "-D", str(self.folder / "data"), *options]
        made = subprocess.run(command, capture_output=True, cwd=self.folder, timeout=SECONDS_MAX * 2, check=False, **self._user)
        assert made.returncode == 0, made.stderr.decode(errors="replace")

    def start(self) -> None:
        """Start it and wait until it answers."""
        settings = [part for setting in SETTINGS for part in ("-c", setting)]
        command = [str(self._programs / "postgres"), "-D", str(self.folder / "data"), "-k", str(self.folder), *settings]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=self.folder, **self._user)
        until = time.monotonic() + SECONDS_MAX
        while True:
            try:
                self._run("SELECT 1")
            except psycopg.OperationalError:
                assert self._process.poll() is None, self.log
                assert time.monotonic() < until, self.log
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        """It drops its connections and ends; its folder goes with it."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(SECONDS_MAX)
            self._process = None
        shutil.rmtree(self.folder)

    def _run(self, statement: str) -> None:
        with psycopg.connect(host=str(self.folder), user="tests", dbname="postgres", autocommit=True) as connection:
            connection.execute(statement.encode())

    def create(self) -> str:
        """The name of a new, empty database."""
        self._made += 1
        name = f"test{self._made}"
        self._run(f"CREATE DATABASE {name}")
        return name

    def drop(self, name: str) -> None:
        """Drop a database, whoever is connected."""
        self._run(f"DROP DATABASE {name} WITH (FORCE)")

    def url(self, name: str) -> str:
        """The SQLAlchemy URL of a database."""
        return f"postgresql+psycopg://tests@/{name}?host={self.folder}"

    @property
    def log(self) -> str:
        """What it said."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")


@contextmanager
def fresh_databases(kind: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[Callable[[], str]]:
    """A function that makes an empty database of a kind of `KINDS` at each call and gives its URL.

    Behind it PostgreSQL's databases are dropped, and connections that the test left open are closed.
    """
    if kind == "sqlite":
        numbers = iter(range(1_000))
        yield lambda: f"sqlite:///{folder / f'{next(numbers)}.db'}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    names: list[str] = []
    left: list[Any] = []

    def made() -> str:
        names.append(server.create())
        return server.url(names[-1])

    def note(connection: Any, _record: object) -> None:
        left.append(connection)

    sa.event.listen(sa.pool.Pool, "connect", note)
    try:
        yield made
    finally:
        sa.event.remove(sa.pool.Pool, "connect", note)
        for connection in left:
            connection.close()
        for name in names:
            server.drop(name)
