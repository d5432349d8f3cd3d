"""`wardstock kpis`: what it prints, how it is filtered and grouped, and how it refuses."""

from __future__ import annotations

import json
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sinks.indicators.catalogue import INDICATORS
from tests.cli.running import Answer, run_here

FIELDS = [
    "site", "location", "item_class", "period", "kpi", "value", "unit", "numerator", "denominator", "reason", "formula", "counts",
    "target", "source", "as_of", "watermark",
]  # fmt: skip


def kpis(data: Path, *arguments: str) -> Answer:
    answer = run_here("kpis", *arguments, "--data", str(data))
    assert answer.code == 0, answer.err
    assert answer.err == ""
    return answer


def rows(data: Path, *arguments: str) -> list[dict[str, Any]]:
    return kpis(data, *arguments, "--json").lines


@pytest.fixture
def data(ingested: tuple[Path, Answer]) -> Path:
    return ingested[0]


def totals(found: list[dict[str, Any]]) -> dict[tuple[str, str], tuple[Decimal, Decimal]]:
    """Numerators and denominators by site and indicator; two rows of four places each may lose half a last place."""
    sums: dict[tuple[str, str], tuple[Decimal, Decimal]] = defaultdict(lambda: (Decimal(0), Decimal(0)))
    for row in found:
        over, under = sums[row["site"], row["kpi"]]
        sums[row["site"], row["kpi"]] = (over + Decimal(str(row["numerator"])), under + Decimal(str(row["denominator"])))
    return {key: (round(pair[0], 1), round(pair[1], 0)) for key, pair in sums.items() if any(pair)}


def test_every_site_has_every_indicator_with_what_it_is_made_of(data: Path) -> None:
    found = rows(data)
    sites = list(dict.fromkeys(row["site"] for row in found))
    assert len(sites) == 3
    assert [row["kpi"] for row in found] == list(INDICATORS) * 3
    for row in found:
        assert list(row) == FIELDS
        assert row["as_of"]
        assert row["watermark"]
        assert row["formula"]
        assert (row["value"] is None) == (row["reason"] is not None)


def test_groups_and_filters_divide_the_same_sums(data: Path) -> None:
    """A filter gives the rows that the grouping has for it."""
    grouped = rows(data, "--by", "location", "--by", "item-class", "--period", "day")
    assert totals(grouped) == totals(rows(data))
    assert len({row["period"] for row in grouped}) >= 2
    of_a = [row for row in grouped if row["item_class"] == "A"]
    assert of_a
    assert totals(rows(data, "--item-class", "A")) == totals(of_a)
    place = max((row["location"] for row in grouped), key=len)
    assert totals(rows(data, "--location", place)) == totals([row for row in grouped if row["location"] == place])
    first = min(row["period"] for row in grouped)
    assert totals(rows(data, "--from", first, "--to", first)) == totals([row for row in grouped if row["period"] == first])


def test_people_get_a_table_and_the_formulas(data: Path) -> None:
    text = kpis(data).out
    for name, one in INDICATORS.items():
        assert f"{name} = {one.formula}" in text


def test_the_published_counters_are_still_there(data: Path) -> None:
    assert {row["kpi"] for row in rows(data, "--counters")} >= {"inventory_accuracy", "posted_share"}


def test_posted_counters_and_mined_figures_agree_on_the_counts_that_were_compared(data: Path) -> None:
    """The counters compare a count when the site's lateness has passed, so that they have at most as many."""
    counted = {row["site"]: row["denominator"] for row in rows(data, "--counters") if row["kpi"] == "inventory_accuracy"}
    for row in rows(data):
        if row["kpi"] == "inventory_accuracy":
            assert row["denominator"] >= counted[row["site"]]


def test_one_site_alone_and_none(data: Path) -> None:
    site = rows(data)[0]["site"]
    assert rows(data, "--site", site) == [row for row in rows(data) if row["site"] == site]
    for more in ((), ("--counters",), ("--json",)):
        answer = run_here("kpis", "--site", "atlantis", *more, "--data", str(data))
        assert (answer.code, answer.out) == (1, "")
        assert answer.err.startswith("wardstock: there is no site atlantis: ask for ")


def test_a_place_that_is_not_there(data: Path) -> None:
    """A registered place, what lies above or below it, and nothing else."""
    site = rows(data)[0]["site"]
    for more, where in (((), "any site"), (("--site", site), site)):
        answer = run_here("kpis", "--location", "atlantis", *more, "--data", str(data))
        assert (answer.code, answer.out) == (1, "")
        assert answer.err.startswith(f"wardstock: no place atlantis at {where}: ")
    place = next(row["location"] for row in rows(data, "--by", "location") if "/" in row["location"])
    assert rows(data, "--location", place)
    assert rows(data, "--location", place.split("/")[0])


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--period", "year"), "there is no period 'year'; there are day, week, month"),
        (("--item-class", "D"), "there is no item_class 'D'; there are A, B, C"),
        (("--by", "lot"), "figures can't be told apart by 'lot'; there are location, item_class"),
        (("--from", "yesterday"), "from is a date like 2026-03-31, not 'yesterday'"),
        (("--to", "9999-12-31"), "to is a date from 1900 to 9000"),
        (("--from", "2026-02-02", "--to", "2026-02-01"), "from 2026-02-02 lies after to 2026-02-01"),
    ],
)
def test_what_can_not_be_asked_is_a_sentence(data: Path, arguments: tuple[str, ...], text: str) -> None:
    answer = run_here("kpis", *arguments, "--data", str(data))
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith(f"wardstock: {text}")


def test_an_empty_hub_has_no_figures(example: Path) -> None:
    assert kpis(example, "--json").out == ""
    assert len(kpis(example).out.splitlines()) == 1


def test_every_line_is_json(data: Path) -> None:
    for line in kpis(data, "--json", "--period", "week").out.splitlines():
        assert isinstance(json.loads(line), dict)
