"""The commands that read: what they print for people and for programs, and how they end."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from schemas.records import COMMAND
from tests.cli.running import Answer, run_here

STOCK_FIELDS = ["site", "location", "item", "product", "lot", "expiry", "status", "quantity", "unit"]
READERS = ("stock", "positions", "commands", "cases", "alerts", "holds", "quarantine", "outcomes")


def read(data: Path, *arguments: str) -> Answer:
    answer = run_here(*arguments, "--data", str(data))
    assert answer.code == 0, answer.err
    assert answer.err == ""
    return answer


def lines(data: Path, *arguments: str) -> list[dict[str, Any]]:
    return read(data, *arguments, "--json").lines


@pytest.fixture
def data(ingested: tuple[Path, Answer]) -> Path:
    return ingested[0]


def test_stock_lines_have_exactly_the_stated_fields_in_order(data: Path) -> None:
    rows = lines(data, "stock")
    assert rows
    for row in rows:
        assert list(row) == STOCK_FIELDS
        assert isinstance(row["quantity"], int)
        assert row["quantity"] != 0
        assert row["status"] in {"available", "expired", "quarantined", "recalled"}
    assert len({tuple(row[name] for name in STOCK_FIELDS if name != "quantity") for row in rows}) == len(rows)


def test_stock_equals_the_truth_where_every_code_is_known(data: Path, simulation: Path) -> None:
    """Two in a hundred messages carry a code nobody knows; what they moved is held, everything else is exact."""
    held = {(row["site"]) for row in lines(data, "holds")}
    assert held
    truth = json.loads((simulation / "truth_balances.json").read_text())
    expected = {(row["site"], row["location"], row["item"], row["lot"]): row["quantity"] for row in truth}
    found: Counter[tuple[str, str, str, str]] = Counter()
    for row in lines(data, "stock"):
        found[row["site"], row["location"], row["item"], row["lot"]] += row["quantity"]
    same = sum(found[key] == quantity for key, quantity in expected.items())
    assert same > len(expected) * 0.8


@pytest.mark.parametrize("reader", READERS)
def test_every_reader_prints_one_json_object_a_line(data: Path, reader: str) -> None:
    answer = read(data, reader, "--json")
    for line in answer.out.splitlines():
        assert isinstance(json.loads(line), dict)
    if reader not in {"quarantine"}:
        assert answer.lines, f"{reader} has nothing to show in a run that has some of everything"


@pytest.mark.parametrize("reader", READERS)
def test_every_reader_prints_a_table_for_people(data: Path, reader: str) -> None:
    answer = read(data, reader)
    assert answer.out.strip()
    assert "{" not in answer.out.splitlines()[0]


def test_outcomes_say_how_each_item_ended_as_its_ingest_did(ingested: tuple[Path, Answer]) -> None:
    data, answer = ingested
    rows = lines(data, "outcomes", "--limit", "1000000")
    of_files = Counter((line["outcome"], line["code"]) for line in answer.lines if "outcome" in line)
    now = Counter((row["outcome"], row["code"]) for row in rows)
    assert sum(now.values()) == sum(of_files.values())
    assert now["quarantined", "bad_segment"] == of_files["quarantined", "bad_segment"]
    assert len(lines(data, "outcomes")) == 100, "unless more are asked for"
    one = next(row for row in rows if row["outcome"] == "held")
    assert one in lines(data, "outcomes", "--message", one["message"])
    assert {row["message"] for row in lines(data, "outcomes", "--message", one["message"])} == {one["message"]}
    assert {row["outcome"] for row in lines(data, "outcomes", "--outcome", "duplicate")} == {"duplicate"}
    assert {row["source"] for row in lines(data, "outcomes", "--source", one["source"])} == {one["source"]}
    assert {row["code"] for row in lines(data, "outcomes", "--code", one["code"])} == {one["code"]}


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [("--message", "7", "message is PARTITION/OFFSET"), ("--outcome", "lost", "outcome is one of accepted, duplicate, held, quarantined")],
)
def test_outcomes_of_what_can_not_be_are_a_sentence(data: Path, option: str, value: str, said: str) -> None:
    answer = run_here("outcomes", option, value, "--data", str(data))
    assert (answer.code, answer.out) == (1, "")
    assert said in answer.err


@pytest.mark.parametrize("reader", READERS)
def test_a_limit_gives_the_first_rows(data: Path, reader: str) -> None:
    whole = lines(data, reader)
    assert lines(data, reader, "--limit", "1") == whole[:1]


def test_filters_keep_what_fits(data: Path) -> None:
    rows = lines(data, "stock")
    site, item, location = rows[0]["site"], rows[0]["item"], rows[0]["location"]
    assert lines(data, "stock", "--site", site) == [row for row in rows if row["site"] == site]
    assert lines(data, "stock", "--item", item) == [row for row in rows if row["item"] == item]
    below = [row for row in rows if row["location"] == location or row["location"].startswith(f"{location}/")]
    assert lines(data, "stock", "--location", location) == below


def test_a_location_filter_takes_whole_segments(data: Path) -> None:
    """`icu/cab1` is not `icu/cab10`, and `ma` is not `main` (design: composite keys)."""
    answer = run_here("stock", "--location", "ma", "--data", str(data))
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith("wardstock: no place ma at any site: ")


def test_a_command_line_is_the_command_record(data: Path) -> None:
    rows = lines(data, "commands", "--all")
    assert rows
    for row in rows:
        COMMAND.validate_json(json.dumps(row))
    opened = lines(data, "commands")
    assert opened == [row for row in rows if row["state"] not in {"satisfied", "cancelled"}]
    assert len({(row["site"], row["location"], row["item"]) for row in opened}) == len(opened)


def test_a_lot_is_traced_through_every_movement_in_time_order(data: Path) -> None:
    row = max(lines(data, "stock"), key=lambda row: row["quantity"])
    moved = lines(data, "trace", row["lot"])
    assert moved
    assert {one["lot"] for one in moved} == {row["lot"]}
    assert [one["occurred"] for one in moved] == sorted(one["occurred"] for one in moved)
    assert "no movement names lot NO-SUCH-LOT" in read(data, "trace", "NO-SUCH-LOT").out


def test_a_command_is_explained_by_trigger_arithmetic_policy_and_movements(data: Path) -> None:
    command = lines(data, "commands")[0]
    text = read(data, "explain", command["command_id"]).out
    for word in (command["item"], command["location"], "trigger", "arithmetic", "policy", "position", "movement"):
        assert word in text
    (document,) = lines(data, "explain", command["command_id"])
    assert document["command_id"] == command["command_id"]
    assert document["proof"]
    assert document["movements"]


def test_an_unknown_command_is_a_sentence(data: Path) -> None:
    answer = run_here("explain", "no-such-id", "--data", str(data))
    assert answer.code == 1
    assert answer.err.startswith("wardstock: no command no-such-id is known")


def test_a_closed_command_is_listed_only_when_asked_for(data: Path) -> None:
    states = {row["state"] for row in lines(data, "commands", "--all")}
    assert "satisfied" in states
    assert "satisfied" not in {row["state"] for row in lines(data, "commands")}


@pytest.mark.parametrize("reader", READERS)
def test_an_empty_hub_says_in_words_that_there_is_nothing(example: Path, reader: str) -> None:
    assert read(example, reader, "--json").out == ""
    text = read(example, reader).out
    assert len(text.split()) > 1
    assert len(text.splitlines()) == 1


@pytest.mark.parametrize("reader", READERS)
def test_reading_where_there_is_no_hub_is_a_sentence_and_makes_none(tmp_path: Path, reader: str) -> None:
    """A mistyped --data must not look like an empty hospital."""
    answer = run_here(reader, "--data", str(tmp_path / "typo"))
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith(f"wardstock: there is no hub's folder {tmp_path / 'typo'}")
    assert not (tmp_path / "typo").exists()


@pytest.mark.parametrize("reader", [*READERS])
def test_a_site_that_is_not_there_is_refused_and_not_empty(data: Path, reader: str) -> None:
    answer = run_here(reader, "--site", "mars", "--data", str(data))
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith("wardstock: there is no site mars: ask for ")


def test_a_site_without_a_record_that_told_something_is_no_unknown_name(tmp_path: Path) -> None:
    """Messages may name a site before it is loaded: they are held, and there are no cases of it yet."""
    (tmp_path / "x.json").write_text("[")
    told = run_here("ingest", str(tmp_path / "x.json"), "--format", "cabinet", "--site", "trial", "--data", str(tmp_path / "hub"))
    assert told.code == 0, told.err
    assert read(tmp_path / "hub", "cases", "--site", "trial").out == "no open case\n"
    assert run_here("cases", "--site", "mars", "--data", str(tmp_path / "hub")).code == 1
