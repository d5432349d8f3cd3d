"""The house rules a machine can check: sizes, purity, nothing of this or any machine in the files."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("schemas", "streams", "connectors", "sinks", "topology", "tests")
FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 60
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_fit_the_limits(path: Path) -> None:
    """A file is one idea and a function fits a screen."""
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= FILE_LINES_MAX
    tree = ast.parse(text)
    long = [
        f"{node.name}: {(node.end_lineno or 0) - node.lineno + 1} lines"
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno + 1 > FUNCTION_LINES_MAX
    ]
    assert not long, long


@pytest.mark.parametrize("path", sorted((ROOT / "streams").rglob("*.py")), ids=lambda path: path.name)
def test_processors_have_no_clock_no_random_no_io(path: Path) -> None:
    """A processor is a pure function of its log: whatever could differ between two replays stays out."""
    forbidden = re.compile(
        r"datetime\.(now|utcnow|today)\(|date\.today\(|time\.(time|monotonic)\(|\brandom\b|uuid4\(|\bopen\(|"
        r"import (faust|confluent_kafka|aiokafka|rocksdict|sqlite3|requests|httpx|os|time)\b"
    )
    found = [line for line in path.read_text(encoding="utf-8").splitlines() if forbidden.search(line) and not _is_prose(line)]
    assert not found, found


def _is_prose(line: str) -> bool:
    """Whether the line is a docstring or comment that speaks of what is forbidden."""
    return line.lstrip().startswith(('"""', "#")) or "random, no I/O" in line


def test_quantities_are_never_floats() -> None:
    """No float type, literal or conversion in contracts and processors."""
    found = []
    for package in ("schemas", "streams"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                is_name = isinstance(node, ast.Name) and node.id == "float"
                is_literal = isinstance(node, ast.Constant) and isinstance(node.value, float)
                if is_name or is_literal:
                    found.append(f"{path.name}:{node.lineno}")
    assert not found, found


def test_what_installs_names_no_address() -> None:
    """Lock, project, Makefile, CI and image leave it to the machine where packages come from."""
    for name in ("requirements.lock", "pyproject.toml", "Makefile", ".ci/run", "docker/Dockerfile"):
        text = (ROOT / name).read_text(encoding="utf-8").replace("http://127.0.0.1", "")
        assert "://" not in text, name


def test_no_file_names_a_path_of_a_machine() -> None:
    """Nothing in the project points at a home or a work folder."""
    pattern = re.compile(r"/(root|farm|home/[a-z]+)/")
    skipped = {".git", ".venv", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", "wardstock-data", "wardstock-demo"}
    found = []
    for path in ROOT.rglob("*"):
        relative = path.relative_to(ROOT)
        if path == Path(__file__) or not path.is_file() or skipped & set(relative.parts) or path.suffix in {".png", ".pyc"}:
            continue
        if pattern.search(path.read_text(encoding="utf-8", errors="replace")):
            found.append(str(relative))
    assert not found, found
