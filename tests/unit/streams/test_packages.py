"""Packaging levels: a scanned case is what it holds, never one package (`domain` §3.9; GS1 General Specifications §2.1.6)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from schemas.codes import Code
from schemas.reference import PackageLevel, UnitFactor
from schemas.topics import HOLDS
from tests.support.facts import told
from tests.support.hub import SiteHub
from tests.support.world import ITEM, STORE, product
from tests.unit.verify.logs import RecordedHub
from topology.verify.run import verify

PACKAGE, CASE, INNER = "00304094713021", "50304094713026", "30304094713022"
"""NDC 0409-4713-02 as a package and, with indicators 5 and 3, as other levels (`domain` §3.9)."""


def received(gtin: str, *, quantity: int = 1, unit: str = "{package}") -> Any:
    return told("receive", quantity, place=STORE, codes=(Code(system="gtin", value=gtin),), unit=unit)


def hub(**changes: Any) -> SiteHub:
    made = RecordedHub()
    if changes:
        made.learn(replace(product(), **changes))
    return made


def test_the_own_package_is_one_package() -> None:
    site = hub()
    site.hear(received(PACKAGE, quantity=3))
    assert site.on_hand(STORE) == 3 * product().package_quantity


@pytest.mark.parametrize("gtin", [CASE, INNER])
def test_another_level_waits_until_somebody_says_what_it_holds(gtin: str) -> None:
    site = hub()
    site.hear(received(gtin, quantity=2))
    assert site.outcomes() == ["unknown_package"]
    assert gtin in site.latest(HOLDS)[0].reason
    assert site.on_hand(STORE) == 0
    site.learn(replace(product(), levels=(PackageLevel(gtin=gtin, quantity=480),)))
    assert site.on_hand(STORE) == 960
    assert verify(site.logs()).differences == []  # type: ignore[attr-defined]


def test_a_factor_of_the_unit_pack_does_not_hide_that_it_was_a_case() -> None:
    site = hub()
    site.learn(UnitFactor(item=ITEM, unit="pack", numerator=7))
    site.hear(received(CASE))
    assert site.outcomes() == ["unknown_package"]
    site.hear(received(PACKAGE))
    assert site.on_hand(STORE) == 7
    assert verify(site.logs()).differences == []  # type: ignore[attr-defined]


def test_a_stated_unit_says_how_much_it_is() -> None:
    site = hub()
    site.hear(received(CASE, quantity=12, unit="tablet"))
    assert site.on_hand(STORE) == 12


@pytest.mark.parametrize(
    ("changes", "gtin", "posts"),
    [
        ({"gtin": None}, PACKAGE, True),
        ({"gtin": None}, CASE, False),
        ({"gtin": CASE}, CASE, True),
        ({"gtin": CASE}, PACKAGE, False),
        ({"gtin": CASE, "codes": (Code(system="gtin", value=PACKAGE),)}, PACKAGE, True),
    ],
)
def test_which_gtin_is_the_products_own_package(changes: dict[str, Any], gtin: str, posts: bool) -> None:
    site = hub(**changes)
    site.hear(received(gtin))
    assert site.on_hand(STORE) == (product().package_quantity if posts else 0)
    assert verify(site.logs()).differences == []  # type: ignore[attr-defined]


def test_a_count_of_cases_counts_what_they_hold() -> None:
    site = hub(levels=(PackageLevel(gtin=CASE, quantity=480),))
    site.hear(
        replace(told("count", 2, place=STORE, codes=(Code(system="gtin", value=CASE),)), unit="{package}", quantity=Decimal(2))
    )
    assert site.on_hand(STORE) == 960
