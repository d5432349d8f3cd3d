"""A package with a serial number is received once (`domain` §4: "serial once"; §3.9: suspect product)."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from schemas.codes import Code
from schemas.events import StockEvent
from tests.support.facts import BY_PRODUCT, minutes, reversal, told
from tests.support.world import STORE, item, product
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


def moved(kind: str, key: str, minute: int = 1, **changes: Any) -> StockEvent:
    return told(kind, 1, place=STORE, key=key, serial="S1", codes=BY_PRODUCT, at=minutes(minute), **changes)


@pytest.mark.parametrize(
    ("kinds", "asks"),
    [
        (["pick"], False),
        (["return"], False),  # it left unscanned, as a vend does
        (["pick", "return", "pick"], False),
        (["return", "pick", "return"], False),
        (["pick", "pick"], True),
        (["return", "return"], True),
        (["pick", "return", "pick", "pick"], True),
        (["discard", "discard"], True),
        (["pick", "return", "discard"], False),
    ],
)
def test_a_package_is_picked_once_and_brought_back_once_each_time(kinds: list[str], asks: bool) -> None:
    for order in permutations(range(len(kinds))):
        site = hub()
        site.hear(*(moved(kinds[number], f"m{number}", number) for number in order))
        assert bool(site.open_cases("serial_state")) is asks, order
        assert site.outcomes() == ["posted"] * len(kinds), "facts always count"


def test_the_case_closes_when_the_missing_scan_arrives_or_one_is_taken_back() -> None:
    site = hub()
    site.hear(moved("pick", "a", 1), moved("pick", "b", 3))
    (case,) = site.open_cases("serial_state")
    assert "serial number S1 of amox-hospira was picked 2 times and came back 0 times" in case.text
    site.hear(moved("return", "c", 2))
    assert site.open_cases("serial_state") == []
    site.hear(moved("pick", "d", 4), reversal("d"), moved("return", "e", 5))
    assert site.open_cases("serial_state") == []
    site.hear(moved("return", "f", 6), moved("return", "g", 7))
    assert len(site.open_cases("serial_state")) == 1


def test_a_case_of_a_controlled_substance_does_not_close_itself() -> None:
    site = RecordedHub(item(schedule=2))
    site.hear(moved("pick", "a", 1), moved("pick", "b", 3), moved("return", "c", 2))
    assert len(site.open_cases("serial_state")) == 1


def test_a_scan_that_is_sent_again_is_one_scan() -> None:
    site = hub()
    site.hear(moved("pick", "a"), moved("pick", "a"))
    assert site.open_cases("serial_state") == []
