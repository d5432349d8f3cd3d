"""Running `wardstock`: here in the process, where it is quick, or as the program it is."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from topology.cli import main

ROOT: Final = Path(__file__).resolve().parents[2]
EXAMPLE: Final = ROOT / "docs" / "example"
TIMEOUT_SECONDS: Final = 120


@dataclass(frozen=True)
class Answer:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Standard output as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def skipped(self) -> list[dict[str, Any]]:
        """Files without messages, which `ingest --json` tells on standard error before the summary."""
        return [json.loads(line) for line in self.err.splitlines()[:-1]]


def run_here(*arguments: str) -> Answer:
    """Run a command in this process, from its arguments to its exit code."""
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with (
        patch.object(sys, "argv", ["wardstock", *arguments]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    return Answer(code, out.getvalue(), err.getvalue())


def program() -> list[str]:
    """The command as a program of its own."""
    return [sys.executable, "-c", "from topology.cli import main; main()"]


def environment() -> dict[str, str]:
    """An environment in which the program finds the project and no settings of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WARDSTOCK_")}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


def run_program(*arguments: str, cwd: Path | None = None) -> Answer:
    """Run a command as a process of its own."""
    done = subprocess.run(
        [*program(), *arguments], capture_output=True, text=True, check=False, timeout=TIMEOUT_SECONDS,
        env=environment(), cwd=cwd or ROOT,
    )  # fmt: skip
    return Answer(done.returncode, done.stdout, done.stderr)
