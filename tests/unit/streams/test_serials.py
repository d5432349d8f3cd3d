"""A package with a serial number is received once (`domain` §4: "serial once"; §3.9: suspect product)."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from schemas.codes import Code
from schemas.events import StockEvent
from tests.support.facts import BY_PRODUCT, minutes, reversal, told
from tests.support.world import STORE, product
from tests.unit.verify.logs import RecordedHub
from topology.verify.run import verify

OTHER = (Code(system="local", value="TEVA"),)


def received(serial: str | None, key: str, **changes: Any) -> StockEvent:
    return told("receive", 1, place=STORE, key=key, serial=serial, codes=changes.pop("codes", BY_PRODUCT), **changes)


def hub() -> RecordedHub:
    return RecordedHub(product("amox-teva", ndc="0093-1234-01", gtin=None, codes=OTHER))


def test_the_same_serial_number_counts_once_and_somebody_looks() -> None:
    site = hub()
    site.hear(received("S1", "a"), received("S1", "b", at=minutes(5)))
    assert site.on_hand(STORE) == 1
    assert site.outcomes() == ["posted", "serial_again"]
    [case] = site.open_cases("serial_again")
    assert "S1" in case.text
    assert verify(site.logs()).differences == []


def test_other_serials_other_products_and_none_are_other_packages() -> None:
    site = hub()
    site.hear(
        received("S1", "a"), received("S2", "b"), received("S1", "c", codes=OTHER), received(None, "d"), received(None, "e")
    )
    assert site.on_hand(STORE) == 5
    assert site.open_cases("serial_again") == []


def test_only_receipts_are_once_a_package_is_picked_and_brought_back() -> None:
    site = hub()
    site.hear(
        received("S1", "a"),
        *(
            told(kind, 1, place=STORE, serial="S1", codes=BY_PRODUCT, at=minutes(at))
            for at, kind in enumerate(("pick", "return", "pick"), 1)
        ),
    )
    assert site.on_hand(STORE) == 0


def test_a_receipt_that_was_taken_back_frees_the_number() -> None:
    site = hub()
    site.hear(received("S1", "a"), reversal("a"), received("S1", "b"))
    assert site.on_hand(STORE) == 1
    assert verify(site.logs()).differences == []


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_whichever_comes_first_one_counts(order: tuple[int, ...]) -> None:
    told_of = [received("S1", key, at=minutes(number)) for number, key in enumerate("abc")]
    site = hub()
    site.hear(*(told_of[number] for number in order))
    assert site.on_hand(STORE) == 1
