"""Whatever the bytes: no exception, at least one result, every result of a known kind, and every row of a good report is told."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events import STOCK_EVENT, StockEvent
from schemas.mapping import NoEffect, Refused
from tests.unit.report.support import HEADER, PROFILE, by_shipped, mapped, report, row
from tests.unit.report.test_rows import CSV_HEADER, CSV_ROW, FIXED

FIXED_BODY = FIXED.split("\n", 1)[1]
CELL = st.text(st.characters(codec="utf-8", exclude_characters=',"\r\n\0'), max_size=8)


def check(results: object) -> None:
    """What the contract of a mapper promises."""
    assert isinstance(results, list)
    assert results
    for index, one in enumerate(results):
        if isinstance(one, StockEvent):
            STOCK_EVENT.check(one)
            assert one.raw.index == index
        else:
            assert isinstance(one, NoEffect | Refused)
            assert one.code
            assert one.reason


@settings(deadline=None)
@given(body=st.binary(max_size=400), name=st.sampled_from(("report-csv", "report-fixed")))
def test_any_bytes(body: bytes, name: str) -> None:
    check(by_shipped(body, name))


@settings(deadline=None)
@given(body=st.text(max_size=300))
def test_any_text_under_a_good_header(body: str) -> None:
    check(mapped(f"{HEADER}\n{body}"))
    check(by_shipped(f"{CSV_HEADER}\n{body}", "report-csv"))


@settings(deadline=None)
@given(cells=st.lists(st.lists(CELL, min_size=8, max_size=8), min_size=1, max_size=6))
def test_every_row_has_one_outcome(cells: list[list[str]]) -> None:
    """Rows of any text. One that says nothing in any column is none, and neither is the header once more."""
    rows = [",".join(one) for one in cells]
    results = mapped(report(*rows))
    check(results)
    said = [trimmed for one in cells if any(trimmed := [cell.strip() for cell in one]) and trimmed != HEADER.split(",")]
    assert len(results) == max(len(said), 1)


@pytest.mark.parametrize("seed", range(8))
def test_mutations_of_good_reports(seed: int) -> None:
    """Cut, doubled, changed and moved bytes: thousands of near misses, with the rows that stay whole still read."""
    chance = random.Random(seed)
    good = {
        "report-csv": f"{CSV_HEADER}\n{CSV_ROW}\n{CSV_ROW.replace('880017', '880018')}\n".encode(),
        "report-fixed": FIXED_BODY.encode(),
    }
    for _ in range(500):
        name = chance.choice(sorted(good))
        body = bytearray(good[name])
        for _ in range(chance.randint(1, 4)):
            first, last = sorted(chance.sample(range(len(body) + 1), 2))
            match chance.randrange(4):
                case 0:
                    del body[first : min(last, first + 20)]
                case 1:
                    body[first:first] = body[first : min(last, first + 200)]
                case 2:
                    body[first:first] = chance.choice([b'"', b",", b"\n", b"\r", b"\t", b"\0", b"\xff", b"-", b"9" * 30, b"\xc2\xa0"])
                case _:
                    body[min(first, len(body) - 1)] = chance.randrange(256)
        check(by_shipped(bytes(body), name))


def test_a_pattern_of_the_profile_can_not_stop_the_hub() -> None:
    text = PROFILE.replace("  facts:", "  ignore: {matches: '(?i) *(total|sum) *x'}\n  facts:", 1)
    check(mapped(report(" " * 5_000, row(), "total " * 5_000), text))
