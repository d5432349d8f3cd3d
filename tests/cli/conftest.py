"""Hubs the command line tests share: each is made once, by the commands themselves."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.running import EXAMPLE, Answer, run_here


@pytest.fixture(scope="session")
def simulation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small simulated network on disk."""
    path = tmp_path_factory.mktemp("simulation")
    answer = run_here(
        "simulate", "--out", str(path), "--sites", "3", "--beds", "4", "--days", "2", "--duplicates", "0.02",
        "--wrong-codes", "0.02", "--reorder-minutes", "30",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    assert answer.out.startswith("wrote ")
    return path


@pytest.fixture(scope="session")
def ingested(simulation: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Answer]:
    """A hub that has ingested the simulation, and what the ingest printed. Tests only read it."""
    data = tmp_path_factory.mktemp("ingested") / "hub"
    loaded = run_here("reference", "load", str(simulation / "reference"), "--data", str(data))
    assert loaded.code == 0, loaded.err
    return data, run_here("ingest", str(simulation / "feeds"), "--data", str(data), "--json")


@pytest.fixture(scope="session")
def _example_hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("example") / "hub"
    assert run_here("reference", "load", str(EXAMPLE), "--data", str(data)).code == 0
    return data


@pytest.fixture
def example(_example_hub: Path, tmp_path: Path) -> Path:
    """A hub of one's own that knows the example network."""
    return Path(shutil.copytree(_example_hub, tmp_path / "hub"))
