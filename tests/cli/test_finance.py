"""`wardstock finance …` over a simulated network: the same money by every road, and refusals a person can act on."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.cli.running import Answer, run_here


@pytest.fixture
def data(ingested: tuple[Path, Answer]) -> Path:
    return ingested[0]


def lines(data: Path, *arguments: str) -> list[dict[str, Any]]:
    answer = run_here("finance", *arguments, "--data", str(data), "--json")
    assert (answer.code, answer.err) == (0, "")
    return answer.lines


def total(rows: list[dict[str, Any]], name: str = "value") -> Decimal:
    return sum((Decimal(row[name]) for row in rows if row[name] is not None), Decimal(0))


def test_layers_journal_and_stock_agree_for_every_site_and_method(data: Path) -> None:
    rows = lines(data, "check")
    assert Counter(row["method"] for row in rows) == {"fifo": 3, "average": 3}
    assert all(row["adds_up"] and row["value"] == row["posted"] and row["out_of_balance"] == "0.00" for row in rows)


def test_a_balance_that_the_movements_do_not_explain_ends_the_check_with_1(data: Path, tmp_path: Path) -> None:
    hub = Path(shutil.copytree(data, tmp_path / "hub"))
    with contextlib.closing(sqlite3.connect(hub / "projection.sqlite")) as connection, connection:
        connection.execute("UPDATE balances SET quantity = quantity + 1 WHERE rowid = (SELECT min(rowid) FROM balances)")
    answer = run_here("finance", "check", "--data", str(hub))
    assert answer.code == 1
    assert answer.err.startswith("wardstock: the money of north (fifo), north (average) does not add up")


@pytest.mark.parametrize("method", ["fifo", "average"])
def test_the_journal_adds_up_to_the_valuation_and_that_to_its_lots(data: Path, method: str) -> None:
    values = lines(data, "valuation", "--method", method)
    posted: Counter[str] = Counter()
    for row in lines(data, "journal", "--method", method):
        cents = int(Decimal(row["amount"] or 0) * 100)
        posted[row["debit"]] += cents
        posted[row["credit"]] -= cents
    assert posted["inventory"] + posted["in_transit"] == total(values) * 100
    assert total(lines(data, "valuation", "--lots", "--method", method)) == total(values)
    assert not any(row["unpriced"] for row in values), "every product of the simulated network has a cost"


def test_every_ledger_entry_is_posted_once(data: Path) -> None:
    """One pair a movement, found again by its id; adjustments and roundings have ids of their own."""
    rows = lines(data, "journal")
    assert len({row["posting_id"] for row in rows}) == len(rows)
    own = Counter(row["movement_id"] for row in rows if row["reason"] in {"movement", "reversal"})
    assert set(own.values()) == {1}


def test_stock_is_valued_unit_for_unit(data: Path) -> None:
    held: Counter[tuple[str, str, str]] = Counter()
    for row in run_here("stock", "--data", str(data), "--json").lines:
        held[row["site"], row["item"], row["product"]] += row["quantity"]
    valued: Counter[tuple[str, str, str]] = Counter()
    for row in lines(data, "valuation"):
        valued[row["site"], row["item"], row["product"]] += row["quantity"]
    assert {key: quantity for key, quantity in valued.items() if quantity} == {key: number for key, number in held.items() if number}


def test_cost_of_goods_in_turns_is_the_consumption_that_was_posted(data: Path) -> None:
    """Nothing of the simulated network is known after the window, so both views have the same movements."""
    posted: Counter[str] = Counter()
    for row in lines(data, "journal"):
        for account, sign in ((row["debit"], 1), (row["credit"], -1)):
            posted[row["site"]] += sign * int(Decimal(row["amount"] or 0) * 100) * (account == "consumption")
    pools = Counter(site for site, _ in {(row["site"], row["product"]) for row in lines(data, "journal")})
    for row in lines(data, "turns"):
        carried = abs(posted[row["site"]] - Decimal(row["cogs"]) * 100)
        assert carried <= pools[row["site"]] / 2, "each product carries half a cent at most"
        assert row["days"] <= 3


def test_tables_for_people_and_filters(data: Path) -> None:
    for question in ("valuation", "turns", "journal", "charges", "check"):
        answer = run_here("finance", question, "--data", str(data), "--site", "north")
        assert (answer.code, answer.err) == (0, "")
        assert "north" in answer.out
    assert {row["site"] for row in lines(data, "journal", "--site", "north")} == {"north"}
    assert len(lines(data, "journal", "--limit", "3")) == 3
    assert lines(data, "valuation", "--at", "2020-01-01") == []


def test_charges_list_what_was_never_charged(data: Path) -> None:
    """The simulated network sends no charges: whatever left for a patient is open, and by default only that is listed."""
    rows = lines(data, "charges")
    assert rows
    assert {row["state"] for row in rows} <= {"not_charged", "not_comparable"}
    assert {row["charged"] for row in rows} == {0}
    assert len(lines(data, "charges", "--all")) >= len(rows)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("valuation", "--at", "31.3.2026"), "at is a date like 2026-03-31, not '31.3.2026'"),
        (("valuation", "--at", "9999-12-31"), "at is a date from 1900 to 9000"),
        (("journal", "--from", "2026-02-02", "--to", "2026-02-01"), "from 2026-02-02 lies after to 2026-02-01"),
        (("turns", "--from", "1950-01-01"), "it has 1 to 3660"),
        (("charges", "--from", "tomorrow"), "from is a date like"),
    ],
)
def test_what_can_not_be_asked_is_refused_in_a_sentence(data: Path, arguments: tuple[str, ...], said: str) -> None:
    answer = run_here("finance", *arguments, "--data", str(data))
    assert answer.code == 1
    assert said in answer.err
    assert answer.err.count("\n") == 1


@pytest.mark.parametrize("command", ["charges", "check", "valuation", "turns", "journal"])
def test_an_unknown_site_is_not_a_site_without_money(data: Path, command: str) -> None:
    for more in ((), ("--json",)):
        answer = run_here("finance", command, "--site", "mars", *more, "--data", str(data))
        assert (answer.code, answer.out) == (1, "")
        assert answer.err.startswith("wardstock: there is no site mars: ask for ")


def test_a_window_with_nothing_in_it_is_not_called_charged(data: Path) -> None:
    answer = run_here("finance", "charges", "--from", "2020-01-01", "--to", "2020-01-31", "--data", str(data))
    assert (answer.code, answer.out) == (0, "no removals and no charges in this window\n")
