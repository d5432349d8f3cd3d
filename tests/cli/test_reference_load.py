"""`wardstock reference load`: all or nothing, and every bad row by file, line and reason."""

from __future__ import annotations

import shutil
from pathlib import Path

from schemas.topics import REFERENCE
from tests.cli.running import EXAMPLE, run_here
from tests.simulation import promises
from topology.local import LocalHub


def loaded_records(data: Path) -> int:
    with LocalHub(data) as hub:
        return sum(1 for _ in promises.records(hub.engine, REFERENCE))


def test_the_example_network_loads_and_says_what_it_was(tmp_path: Path) -> None:
    answer = run_here("reference", "load", str(EXAMPLE), "--data", str(tmp_path))
    assert answer.code == 0
    assert answer.err == ""
    assert answer.out.startswith("loaded ")
    for kind in ("3 site", "item", "par_policy", "supplier"):
        assert kind in answer.out
    count = int(answer.out.split()[1])
    assert loaded_records(tmp_path) == count


def test_loading_again_is_a_new_version_of_every_record(example: Path) -> None:
    before = loaded_records(example)
    assert run_here("reference", "load", str(EXAMPLE / "items.csv"), "--data", str(example)).code == 0
    assert loaded_records(example) > before


def test_bad_rows_are_listed_by_file_line_and_reason_and_nothing_is_loaded(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(EXAMPLE, tmp_path / "reference", ignore=shutil.ignore_patterns("feeds")))
    sites = folder / "sites.csv"
    rows = sites.read_text().splitlines()
    rows[1] = rows[1].replace("America/New_York", "America/Atlantis")
    sites.write_text("\n".join(rows) + "\n")
    with (folder / "items.csv").open("a") as file:
        file.write("a-pill,A pill\n")
    line_of_item = len((folder / "items.csv").read_text().splitlines())
    data = tmp_path / "hub"
    answer = run_here("reference", "load", str(folder), "--data", str(data))
    assert answer.code == 1
    assert answer.out == ""
    *problems, total = answer.err.splitlines()
    assert any(problem.startswith(f"{sites}:2:") and "America/Atlantis" in problem for problem in problems)
    assert any(problem.startswith(f"{folder}/items.csv:{line_of_item}:") for problem in problems)
    assert total == f"nothing was loaded: {len(problems)} problems"
    assert loaded_records(data) == 0


def test_a_file_that_is_no_table_is_a_problem_by_name_not_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "sites.csv").write_bytes(b"\x00\xff\xfe\x01" * 100)
    (tmp_path / "items.yaml").write_text("- [unclosed\n")
    files = (str(tmp_path / "sites.csv"), str(tmp_path / "items.yaml"))
    answer = run_here("reference", "load", *files, "--data", str(tmp_path / "hub"))
    assert answer.code == 1
    assert "sites.csv" in answer.err
    assert "items.yaml" in answer.err
    assert loaded_records(tmp_path / "hub") == 0


def test_a_path_that_does_not_exist_is_a_problem(tmp_path: Path) -> None:
    answer = run_here("reference", "load", "/no/such/folder", "--data", str(tmp_path / "hub"))
    assert answer.code == 1
    assert "/no/such/folder" in answer.err


def test_records_may_refer_to_what_the_hub_already_has(example: Path, tmp_path: Path) -> None:
    header, first = (EXAMPLE / "par_policies.csv").read_text().splitlines()[:2]
    (tmp_path / "par_policies.csv").write_text(f"{header}\n{first}\n")
    fresh = run_here("reference", "load", str(tmp_path / "par_policies.csv"), "--data", str(tmp_path / "fresh"))
    assert fresh.code == 1
    known = run_here("reference", "load", str(tmp_path / "par_policies.csv"), "--data", str(example))
    assert known.code == 0
