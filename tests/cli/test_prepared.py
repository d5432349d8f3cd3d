"""docs/preparation.md, run as it stands: its files, its commands, and what it says they print."""

from __future__ import annotations

import re
import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.running import ROOT, Answer, run_here

PAGE = (ROOT / "docs" / "preparation.md").read_text(encoding="utf-8")
DAY = datetime(2026, 11, 23, tzinfo=UTC)
"""The day of the page; here it is the day before yesterday, because what is told too late is quarantined."""


def moved(text: str) -> str:
    """The page's text with its instants moved: files are received now."""
    days = (datetime.now(UTC) - timedelta(days=2)).date() - DAY.date()

    def later(found: re.Match[str]) -> str:
        return (datetime.fromisoformat(found[0]) + days).isoformat().replace("+00:00", "Z")

    return re.sub(r"2026-1[12]-\d\dT\d\d:\d\d:\d\dZ", later, text)


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What each command of the page printed, in its order."""
    folder = tmp_path_factory.mktemp("preparation")
    for name, body in re.findall(r"`([\w.]+)`:\n\n```\w+\n(.*?)```", PAGE, re.DOTALL):
        (folder / name).write_text(moved(body), encoding="utf-8")
    assert run_here("reference", "load", str(ROOT / "docs" / "example"), "--data", str(folder / "hub")).code == 0
    found: dict[str, str] = {}
    for line in re.findall(r"^\$ (wardstock .*)$", PAGE, re.MULTILINE):
        words = [str(folder / word) if (folder / word).exists() or word == "hub" else word for word in shlex.split(line)[1:]]
        answer = run_here(*words)
        assert answer.code == 0, (line, answer.err)
        found[line] = answer.out
    found["folder"] = str(folder)
    return found


def test_every_line_that_the_page_shows_is_printed(printed: dict[str, str]) -> None:
    for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL):
        command = ""
        for line in block.splitlines():
            if line.startswith("$ "):
                command = line[2:]
            elif line != "…":
                real = [" ".join(one.split()) for one in printed[command].splitlines()]
                assert " ".join(moved(line).split()) in real, (command, line, printed[command])


def run(printed: dict[str, str], *words: str) -> Answer:
    answer = run_here(*words, "--data", str(Path(printed["folder"]) / "hub"))
    assert answer.code == 0, answer.err
    return answer


def test_verify_agrees_and_an_undo_takes_the_whole_transform_back(printed: dict[str, str]) -> None:
    assert "0 differences, 0 missing, 0 duplicated" in run(printed, "verify").out
    run(printed, "ingest", str(Path(printed["folder"]) / "undo.json"), "--site", "north")
    left = {row["lot"]: row["quantity"] for row in run(printed, "stock", "--json").lines}
    assert left == {"H1": 25, "S1": 14, "I1": 1000}
    assert run(printed, "recall", "lookback", "R-9", "--json").lines[0]["item"] == "heparin-5000unit-vial"
    assert {row["item"] for row in run(printed, "recall", "lookback", "R-9", "--json").lines} == {"heparin-5000unit-vial"}
    assert [line.get("relation") for line in run(printed, "trace", "H1", "--json").lines].count("made_into") == 0
    assert "0 differences, 0 missing, 0 duplicated" in run(printed, "verify").out


def test_a_table_that_says_nothing_is_told_by_its_rows(tmp_path: Path) -> None:
    (tmp_path / "beyond_use_policies.csv").write_text(
        "site,event,item,form,days\nnowhere,thaw,,,1\nnorth,melt,,,1\nnorth,thaw,,,\nnorth,thaw,no-item,,1\nnorth,thaw,heparin-5000unit-vial,vial,1\n"
    )
    (tmp_path / "recipes.csv").write_text("id,item,quantity,inputs\nr1,no-item,1,heparin-5000unit-vial=2\nr2,heparin-5000unit-vial,1,x\n")
    assert run_here("reference", "load", str(ROOT / "docs" / "example"), "--data", str(tmp_path / "hub")).code == 0
    names = (str(tmp_path / "beyond_use_policies.csv"), str(tmp_path / "recipes.csv"))
    answer = run_here("reference", "load", *names, "--data", str(tmp_path / "hub"))
    assert answer.code == 1
    for said in (
        "csv:2: site: site nowhere is not known", "csv:3: event:", "csv:4: days: the policy gives no time", "csv:5: item: item no-item is not known",
        "csv:6: item: a row is for a product, an item or a form", "csv:2: item: item no-item is not known", "csv:3: inputs: 'x' is not an input written as",
    ):  # fmt: skip
        assert said in answer.err, answer.err
