"""The README's commands run, and give what it shows."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
WARDSTOCK = Path(sys.executable).with_name("wardstock")


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def _commands() -> list[str]:
    """Every `wardstock …` line of the console blocks, in order."""
    return [line[2:] for block in _blocks("console") for line in block.splitlines() if line.startswith("$ wardstock ")]


def test_the_readme_names_the_two_commands() -> None:
    """`make run` and `make test` are all a newcomer has to type, and the Makefile has both."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in ("run", "test"):
        assert f"make {target}" in README
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Run the README's commands one after the other in an empty folder, with the example network beside it."""
    folder = tmp_path_factory.mktemp("newcomer")
    (folder / "docs").symlink_to(ROOT / "docs")
    environment = {**os.environ, "COLUMNS": "200"}
    found: dict[str, str] = {}
    for command in _commands():
        words = [str(WARDSTOCK), *shlex.split(command)[1:]]
        done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, (command, done.stderr)
        assert "Traceback" not in done.stderr
        found[command] = done.stdout
    return found


def test_every_command_of_the_readme_runs(outputs: dict[str, str]) -> None:
    assert len(outputs) >= 5


def test_every_output_line_the_readme_shows_is_printed(outputs: dict[str, str]) -> None:
    """The lines under a command are its real output; `…` stands for lines left out."""
    for block in _blocks("console"):
        command = ""
        for line in block.splitlines():
            if line.startswith("$ "):
                command = line[2:]
            elif command in outputs and line.strip() not in ("", "…"):
                printed = [" ".join(real.split()) for real in outputs[command].splitlines()]
                assert " ".join(line.split()) in printed, (command, line)


def test_pictures_and_links_exist() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target
