"""`wardstock consumption`: what it prints, that it agrees with the stock, and how it refuses."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.cli.running import Answer, run_here


@pytest.fixture
def data(ingested: tuple[Path, Answer]) -> Path:
    return ingested[0]


def ask(command: str, data: Path, *arguments: str) -> list[dict[str, str | int | None]]:
    answer = run_here(command, *arguments, "--data", str(data), "--json")
    assert (answer.code, answer.err) == (0, ""), answer.err
    return answer.lines


def test_the_last_month_closes_with_what_is_in_stock(data: Path) -> None:
    """The simulator's past has no clock ahead, so every movement is in a month: by site, and by place."""
    stock: Counter[tuple[str, str, str]] = Counter()
    for row in ask("stock", data):
        for place in ("", str(row["location"])):
            stock[str(row["site"]), place, str(row["item"])] += int(row["quantity"] or 0)
    for arguments in ((), ("--by-location",)):
        found = {
            (str(row["site"]), str(row["location"]), str(row["item"])): row["closing"]
            for row in ask("consumption", data, *arguments)
        }
        assert len(found) > 20
        assert {key: left for key, left in found.items() if left} == {
            key: left for key, left in stock.items() if left and bool(key[1]) == bool(arguments)
        }


def test_a_month_adds_up_and_says_what_it_was_corrected_by(data: Path) -> None:
    for row in ask("consumption", data):
        whole = [int(row[name] or 0) for name in ("opening", "received", "adjusted", "consumed")]
        assert row["closing"] == whole[0] + whole[1] + whole[2] - whole[3]
        assert row["method"] == "openlmis"
        assert row["as_of"]
    plain = {(row["site"], row["item"]): row["consumed"] for row in ask("consumption", data, "--method", "none")}
    shown = {(row["site"], row["item"]): row["corrected"] for row in ask("consumption", data, "--method", "none")}
    assert {key: f"{value}.0" for key, value in plain.items()} == shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--method", "guess"), "there is no method 'guess'; there are openlmis, msupply, none"),
        (("--months", "0"), "months is a whole number from 1 to 120, not '0'"),
        (("--months", "x"), "months is a whole number from 1 to 120, not 'x'"),
        (("--site", "atlantis"), "there is no site atlantis"),
        (("--location", "atlantis"), "no place atlantis at any site"),
    ],
)
def test_what_can_not_be_asked_is_a_sentence(data: Path, arguments: tuple[str, ...], said: str) -> None:
    answer = run_here("consumption", *arguments, "--data", str(data))
    assert answer.code == 1
    assert said in answer.err
    assert answer.out == ""


@pytest.mark.parametrize("command", ["consumption", "expiring"])
def test_an_item_that_is_not_there_is_no_item_without_a_finding(data: Path, command: str) -> None:
    answer = run_here(command, "--item", "nix", "--data", str(data))
    assert (answer.code, answer.out) == (1, "")
    assert "there is no item nix" in answer.err
