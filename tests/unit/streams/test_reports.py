"""Resources with several lines and with versions (FHIR supply and inventory resources), in the ledger.

Rules: a snapshot is absolute and a difference a delta (`domain` §4); the newest version counts in any order of arrival; another
version of a resource with lines conflicts, and the first stands.
"""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from schemas.codes import Code
from schemas.events import StockEvent
from schemas.raw import RawRef
from schemas.topics import MOVEMENTS
from tests.support.facts import BY_ITEM, BY_PRODUCT, minutes, reversal, told
from tests.support.hub import SiteHub
from tests.support.world import POCKET, STORE, product

BY_TEVA = (Code(system="local", value="TEVA"),)


def report(
    *lines: tuple[int, Any], key: str = "report", offset: int = 50, kind: str = "count", at: Any = None
) -> list[StockEvent]:
    """The lines of one report: amount and codes of each; all at one place and instant unless `at` gives one for each."""
    return [
        told(
            kind, amount, place=STORE, codes=codes, key=key if number == 1 else f"{key}|{number}", lines=len(lines),
            part_of=None if number == 1 else key, raw=RawRef(partition=0, offset=offset, index=number - 1),
            at=at[number - 1] if at else minutes(0),
        )
        for number, (amount, codes) in enumerate(lines, start=1)
    ]  # fmt: skip


def hub() -> SiteHub:
    return SiteHub(product("amox-teva", ndc="0093-1234-01", gtin=None, codes=BY_TEVA))


def test_products_of_one_item_in_a_snapshot_are_parts_of_one_count() -> None:
    site = hub()
    site.hear(told("receive", 99, place=STORE, at=minutes(-10)), *report((5, BY_PRODUCT), (7, BY_TEVA), (3, BY_ITEM)))
    assert site.on_hand(STORE) == 15
    assert site.accounts_total() == 0


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_total_stands_whenever_each_line_was_counted(order: tuple[int, ...]) -> None:
    site = hub()
    times = [minutes(place) for place in order]
    site.hear(*report((5, BY_PRODUCT), (7, BY_TEVA), (3, BY_ITEM), at=times))
    assert site.on_hand(STORE) == 15


def test_a_line_that_waited_for_its_code_is_added_to_the_count_when_it_is_let_go() -> None:
    site = SiteHub()
    site.hear(*report((5, BY_PRODUCT), (7, BY_TEVA), (3, BY_ITEM)))
    assert site.on_hand(STORE) == 8
    site.learn(product("amox-teva", ndc="0093-1234-01", gtin=None, codes=BY_TEVA))
    assert site.on_hand(STORE) == 15


def test_a_later_snapshot_counts_anew() -> None:
    site = hub()
    later = [minutes(60)] * 2
    site.hear(*report((5, BY_PRODUCT), (7, BY_TEVA)), *report((1, BY_PRODUCT), (2, BY_TEVA), key="next", offset=51, at=later))
    assert site.on_hand(STORE) == 3


def test_a_report_taken_back_line_by_line_leaves_nothing() -> None:
    site = hub()
    site.hear(told("receive", 4, place=STORE, at=minutes(-10)), *report((5, BY_PRODUCT), (7, BY_TEVA)))
    site.hear(reversal("report"), reversal("report|2"))
    assert site.on_hand(STORE) == 4


def test_a_resent_report_is_a_duplicate_line_by_line() -> None:
    site = hub()
    site.hear(*report((5, BY_PRODUCT), (7, BY_TEVA)), *report((5, BY_PRODUCT), (7, BY_TEVA), offset=51))
    assert site.on_hand(STORE) == 12
    assert site.outcomes()[2:] == ["duplicate", "duplicate"]


@pytest.mark.parametrize("kind", ["receive", "adjust_in"])
@pytest.mark.parametrize(
    "other",
    [
        [(5, BY_PRODUCT), (7, BY_TEVA), (3, BY_ITEM)],
        [(5, BY_PRODUCT)],
        [(7, BY_TEVA), (5, BY_PRODUCT)],
        [(7, BY_TEVA), (5, BY_PRODUCT), (1, BY_ITEM)],
    ],
    ids=["a line more", "a line less", "another order", "reordered and longer"],
)
def test_another_version_of_a_resource_with_lines_posts_nothing_and_is_a_case(kind: str, other: list[tuple[int, Any]]) -> None:
    """Else a line that only moved to another place in the list would count twice."""
    site = hub()
    site.hear(*report((5, BY_PRODUCT), (7, BY_TEVA), kind=kind), *report(*other, offset=51, kind=kind))
    assert site.on_hand(STORE) == 12
    assert site.open_cases("conflicting_duplicate")
    assert "posted" not in site.outcomes()[2:]


def test_an_adjustment_runs_between_the_place_and_suspense() -> None:
    site = hub()
    site.hear(told("adjust_in", 9, place=STORE), told("adjust_out", 2, place=STORE))
    assert site.on_hand(STORE) == 7
    movements = site.all(MOVEMENTS)
    assert [(one.from_account, one.to_account) for one in movements] == [
        ("suspense", f"stock:{STORE}"),
        (f"stock:{STORE}", "suspense"),
    ]
    assert site.accounts_total() == 0


VERSIONS = [
    told("vend", 2, place=POCKET, key="f|v1", replaces="f", version=1),
    told("vend", 3, place=POCKET, key="f|v2", replaces="f", version=2, at=minutes(-30)),
    told("vend", 4, place=POCKET, key="f|v10", replaces="f", version=10, at=minutes(-60)),
]
MISTAKE = told("vend", 4, place=POCKET, key="f|v11", replaces="f", version=11, no_effect="entered in error")


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_highest_version_counts_in_any_order_though_it_happened_earlier(order: tuple[int, ...]) -> None:
    site = hub()
    site.hear(*(VERSIONS[number] for number in order))
    assert site.on_hand(POCKET) == -4


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_a_version_that_says_it_was_a_mistake_leaves_nothing(order: tuple[int, ...]) -> None:
    site = hub()
    site.hear(*([*VERSIONS, MISTAKE][number] for number in order))
    assert site.on_hand(POCKET) == 0


def test_a_version_after_the_mistake_counts_again() -> None:
    site = hub()
    site.hear(VERSIONS[0], MISTAKE, told("vend", 1, place=POCKET, key="f|v12", replaces="f", version=12))
    assert site.on_hand(POCKET) == -1


@pytest.mark.parametrize("first", [True, False])
def test_the_fact_without_a_version_by_another_route_is_not_counted_beside_its_versions(first: bool) -> None:
    bare = told("vend", 2, place=POCKET, key="f")
    site = hub()
    site.hear(*([bare, *VERSIONS] if first else [*VERSIONS, bare]))
    assert site.on_hand(POCKET) == -4


def test_a_newer_version_that_says_the_same_moves_nothing_again() -> None:
    site = hub()
    again = told("vend", 2, place=POCKET, key="f|v2", replaces="f", version=2)
    site.hear(VERSIONS[0], again)
    assert site.outcomes() == ["posted", "unchanged_version"]
    assert len(site.all(MOVEMENTS)) == 1
    site.hear(told("vend", 9, place=POCKET, key="f|v1b", replaces="f", version=1))
    assert site.on_hand(POCKET) == -2, "the older one stays behind the newer, though the newer posted nothing itself"
    site.hear(told("vend", 3, place=POCKET, key="f|v3", replaces="f", version=3))
    assert site.on_hand(POCKET) == -3
    site.hear(reversal("f"))
    assert site.on_hand(POCKET) == 0


@pytest.mark.parametrize("first", ["fact", "deletion"])
@pytest.mark.parametrize("version", [0, 4])
def test_a_fact_can_be_taken_back_by_its_other_name_in_any_order(first: str, version: int) -> None:
    """FHIR: the identity is an identifier, and a DELETE names the id."""
    fact = told(
        "vend", 2, place=POCKET, key="k|v4" if version else "k", replaces="k" if version else None, version=version, alias="id"
    )
    deletion = reversal("id")
    site = hub()
    site.hear(*([fact, deletion] if first == "fact" else [deletion, fact]))
    assert site.on_hand(POCKET) == 0
    site.hear(fact)
    assert site.on_hand(POCKET) == 0
