"""A real mosquitto for tests: on a free port of 127.0.0.1, with its state on disk, ended by its own process object.

Without it the tests are left out and say so; where `WARDSTOCK_REQUIRE` names `mqtt`, leaving out is failing.
"""

from __future__ import annotations

import getpass
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

HOST: Final = "127.0.0.1"
START_SECONDS_MAX: Final = 10.0
PLAIN: Final = ("allow_anonymous true",)
MISSING: Final = (
    "LEFT OUT: NOTHING WAS TRIED WITH A REAL MQTT BROKER, BECAUSE MOSQUITTO IS NOT INSTALLED (DEBIAN PACKAGE mosquitto)"
)


def program(name: str = "mosquitto") -> str | None:
    """Where the broker is, or None; Debian installs it outside of most people's PATH."""
    return shutil.which(name) or next((path for path in (f"/usr/sbin/{name}",) if Path(path).exists()), None)


def found_or_left_out(path: str | None, required: str) -> str:
    """The path, when there is one; else the test is left out loudly, or fails where `required` names mqtt."""
    if path is not None:
        return path
    if "mqtt" in required.replace(",", " ").split():
        pytest.fail(MISSING)
    pytest.skip(MISSING)


def free_port() -> int:
    with socket.socket() as one:
        one.bind((HOST, 0))
        return int(one.getsockname()[1])


class Mosquitto:
    """One broker, with a folder and a port that it keeps over restarts.

    Its own default drops what a persistent session has waiting beyond 1,000 messages; here it drops nothing.
    """

    def __init__(self, path: str, folder: Path, options: Sequence[str] = PLAIN, *, inflight_max: int = 20) -> None:
        """`options`: further lines of its configuration, behind those of its one listener."""
        self.port = free_port()
        self._path = path
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(exist_ok=True)
        lines = (
            f"user {getpass.getuser()}", f"listener {self.port} {HOST}", *options, "persistence true", f"persistence_location {folder}/",
            "autosave_interval 0", f"max_inflight_messages {inflight_max}", "max_queued_messages 0",
        )  # fmt: skip
        (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def start(self) -> None:
        """Start it and wait until it listens."""
        with (self._folder / "log").open("ab") as log:
            command = [self._path, "-c", str(self._folder / "mosquitto.conf")]
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        until = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                socket.create_connection((HOST, self.port), 1).close()
            except OSError:
                assert self._process.poll() is None, self.log
                assert time.monotonic() < until, self.log
                time.sleep(0.02)
            else:
                return

    def stop(self) -> None:
        """It writes its state to disk and ends."""
        if self._process is None:
            return
        self._process.terminate()
        self._process.wait(START_SECONDS_MAX)
        self._process = None

    @property
    def log(self) -> str:
        """What it said."""
        return (self._folder / "log").read_text(encoding="utf-8", errors="replace")
