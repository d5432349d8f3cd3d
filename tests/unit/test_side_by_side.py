"""The tests' own runner: it tries every folder once, and no failure gets lost in the sum."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.side_by_side import HERE, Run, runs_of, side_by_side

GOOD = "def test_good():\n    pass\n"
BAD = "def test_bad():\n    assert False\n"


def _folder(path: Path, **folders: str) -> Path:
    for name, text in folders.items():
        (path / name).mkdir()
        (path / name / f"test_{name}.py").write_text(text)
    return path


def test_every_folder_that_has_tests_is_in_exactly_one_run() -> None:
    folders = [folder for run in runs_of(HERE) for folder in run]
    assert sorted(folders) == sorted(set(folders))
    assert {path.relative_to(HERE).parts[0] for path in HERE.rglob("test_*.py")} == set(folders)


def test_a_folder_nobody_named_is_tried_too(tmp_path: Path) -> None:
    assert runs_of(_folder(tmp_path, new=GOOD, kafka=GOOD, contract=GOOD, unit=GOOD)) == [("kafka", "contract"), ("unit",), ("new",)]


def test_all_pass_and_are_summed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert side_by_side(_folder(tmp_path, unit=GOOD, cli=GOOD), 2, ["-p", "no:cacheprovider"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("2 passed in ")


def test_one_that_fails_fails_all_and_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert side_by_side(_folder(tmp_path, unit=GOOD, cli=BAD), 2, ["-p", "no:cacheprovider"]) == 1
    *_, named, last = capsys.readouterr().out.splitlines()
    assert named == "FAILED: tests/cli (code 1)"
    assert last.startswith("1 passed, 1 failed in ")


def test_a_run_that_broke_before_its_first_test_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert side_by_side(_folder(tmp_path, unit=GOOD, cli="import nothing_of_this_name\n"), 2, ["-p", "no:cacheprovider"]) == 1
    assert "FAILED: tests/cli (code 2)" in capsys.readouterr().out


def test_nothing_tried_is_no_pass(tmp_path: Path) -> None:
    assert side_by_side(_folder(tmp_path, unit=""), 1, ["-p", "no:cacheprovider"]) == 1


def test_the_sum_is_of_the_last_line_that_pytest_printed() -> None:
    output = "3 failed of something a test printed\n1 failed, 12 passed, 2 skipped, 1 error in 3.21s\n"
    assert Run(("unit",), 1, output, 1.0).counts == {"failed": 1, "passed": 12, "skipped": 2, "errors": 1}
