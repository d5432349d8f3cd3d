"""`make fast`: the folders of the tests side by side, as many at a time as there are cores; one sum at the end.

Each folder is a pytest run of its own, longest first. What needs the Kafka broker of a session is one run, so that there is one broker.
What a run printed is shown when it ends; the sum has pytest's words. Exit code 0 only if every run passed and something was tried.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
TOGETHER: Final = (("kafka", "contract"), ("simulation",), ("unit",), ("browser",), ("cli",))
"""By how long they take; folders in one run share the session's broker. A folder that is not named here is a run of its own."""
PASSED, NOTHING_TRIED = 0, 5
"""Exit codes of pytest."""
_COUNTED: Final = re.compile(r"(\d+) (passed|failed|skipped|xfailed|errors?)\b")


@dataclass(frozen=True)
class Run:
    """One run of pytest that has ended."""

    folders: tuple[str, ...]
    code: int
    output: str
    seconds: float

    @property
    def counts(self) -> Counter[str]:
        """How many passed, failed, were skipped …, by the last line that pytest printed."""
        lines = self.output.rstrip().splitlines()
        found: Counter[str] = Counter()
        for number, word in _COUNTED.findall(lines[-1] if lines else ""):
            found["errors" if word.startswith("error") else word] += int(number)
        return found


def runs_of(tests: Path) -> list[tuple[str, ...]]:
    """The folders below `tests` that have tests, in the runs they are tried in: all of them, each once."""
    there = {folder.name for folder in tests.iterdir() if folder.is_dir() and any(folder.rglob("test_*.py"))}
    named = [tuple(name for name in run if name in there) for run in TOGETHER]
    others = [(name,) for name in sorted(there - {name for run in TOGETHER for name in run})]
    return [run for run in (*named, *others) if run]


def tried(tests: Path, folders: tuple[str, ...], arguments: Sequence[str] = ()) -> Run:
    """Run pytest over the folders and wait for it."""
    sys.stdout.write(f"tests: {' '.join(folders)} began\n")
    sys.stdout.flush()
    began = time.monotonic()
    command = [sys.executable, "-m", "pytest", "-q", *arguments, *(str(tests / folder) for folder in folders)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    run = Run(folders, done.returncode, done.stdout.decode(errors="replace"), time.monotonic() - began)
    print(f"{run.output}\ntests: {' '.join(folders)} ended with code {run.code} after {run.seconds:.0f} s", flush=True)
    return run


def side_by_side(tests: Path, at_once: int, arguments: Sequence[str] = ()) -> int:
    """Try everything below `tests`; returns the exit code."""
    began = time.monotonic()
    with ThreadPoolExecutor(at_once) as pool:
        runs = list(pool.map(lambda folders: tried(tests, folders, arguments), runs_of(tests)))
    counts: Counter[str] = Counter()
    for run in runs:
        counts.update(run.counts)
    bad = [run for run in runs if run.code != PASSED and not (run.code == NOTHING_TRIED and not run.counts["failed"])]
    for run in bad:
        print(f"FAILED: tests/{' tests/'.join(run.folders)} (code {run.code})")
    print(", ".join(f"{number} {word}" for word, number in counts.items() if number) + f" in {time.monotonic() - began:.2f}s", flush=True)
    return 0 if not bad and counts["passed"] else 1


if __name__ == "__main__":
    sys.exit(side_by_side(HERE, min(2, os.cpu_count() or 1), sys.argv[1:]))
