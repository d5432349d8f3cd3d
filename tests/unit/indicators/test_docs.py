"""The page of the key figures lists each of them, with its target."""

from __future__ import annotations

from pathlib import Path

import pytest

from sinks.indicators.catalogue import INDICATORS

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "kpis.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", INDICATORS)
def test_every_indicator_has_a_row(name: str) -> None:
    (row,) = (line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |"))
    assert (INDICATORS[name].target or "| |") in row


def test_the_page_lists_no_other() -> None:
    assert PAGE.count("\n| `") == len(INDICATORS)
