"""Leaving PostgreSQL out is loud, and forbidden where it is required. Needs no PostgreSQL itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import postgres
from tests.support.postgres import found_or_left_out, programs


def test_found_programs_are_used() -> None:
    assert found_or_left_out(Path("/somewhere/bin"), "postgres") == Path("/somewhere/bin")


def test_without_postgresql_the_tests_are_left_out_in_capitals() -> None:
    with pytest.raises(pytest.skip.Exception, match="LEFT OUT: NOTHING WAS TRIED ON A REAL POSTGRESQL"):
        found_or_left_out(None, "kafka,mqtt")


@pytest.mark.parametrize("required", ["postgres", "kafka,postgres", "kafka postgres"])
def test_without_postgresql_they_fail_where_it_is_required(required: str) -> None:
    with pytest.raises(pytest.fail.Exception, match="NOT INSTALLED"):
        found_or_left_out(None, required)


def test_the_newest_of_debians_versions_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for version in ("9", "15", "not-a-version"):
        (tmp_path / version / "bin").mkdir(parents=True)
        (tmp_path / version / "bin" / "initdb").touch()
    monkeypatch.setattr(postgres, "DEBIAN", tmp_path)
    assert programs() == tmp_path / "15" / "bin"


def test_where_there_is_none_none_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "DEBIAN", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert programs() is None
