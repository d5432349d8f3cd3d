"""Central fill to cabinets (domain §4): issued at the pharmacy, on its way, cleared by the cabinet's own refill."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.kinds import LocationKind
from tests.support.facts import BY_PRODUCT, minutes, told
from tests.support.hub import SiteHub
from tests.support.world import POCKET, STORE, location
from tests.unit.verify.logs import RecordedHub
from topology.verify.run import verify

CABINET = location("icu/cab1", LocationKind.CABINET, codes=("ICU-CAB1",), refill_from="cart")
CART = location("cart", LocationKind.TRANSIT)


def start(*more: Any) -> RecordedHub:
    hub = RecordedHub(CART, CABINET, *more)
    hub.tell(told("receive", 100, place=STORE, lot="L1", codes=BY_PRODUCT))
    return hub


def issue(quantity: int, to: str | None = "ICU-CAB1", **changes: Any) -> Any:
    return told("pick", quantity, place=STORE, to=to, lot="L1", at=minutes(10), codes=BY_PRODUCT, **changes)


def fill(quantity: int, **changes: Any) -> Any:
    return told("refill", quantity, place=POCKET, lot="L1", at=minutes(30), codes=BY_PRODUCT, **changes)


def stands(hub: SiteHub) -> tuple[int, int, int]:
    return hub.on_hand(STORE), hub.on_hand("cart"), hub.on_hand(POCKET)


@pytest.mark.parametrize("order", [("issue", "fill"), ("fill", "issue")], ids=["in order", "the fill is told first"])
def test_domain_4_central_fill_an_issue_is_on_its_way_and_the_fill_clears_it(order: tuple[str, str]) -> None:
    """Once the fill is told first, it is a case until the issue is."""
    hub = start()
    for one in order:
        hub.tell(issue(10) if one == "issue" else fill(10))
        if one == order[0] == "issue":
            assert stands(hub) == (90, 10, 0)
    assert stands(hub) == (90, 0, 10)
    assert hub.open_cases("unmatched_refill") == []
    assert verify(hub.logs()).differences == []


def test_domain_4_a_fill_without_an_issue_posts_and_is_an_unmatched_refill() -> None:
    hub = start()
    hub.tell(fill(10))
    assert stands(hub) == (100, -10, 10)
    [case] = hub.open_cases("unmatched_refill")
    assert case.location == "cart"
    assert hub.open_cases("negative_stock") == []


@pytest.mark.parametrize(("to", "on_the_way"), [("ICU-CAB1", 10), ("W4", 0), ("nobody knows it", 0), (None, 0)])
def test_domain_4_a_dispense_fills_a_cabinet_or_leaves_for_a_patient(to: str | None, on_the_way: int) -> None:
    hub = start()
    hub.tell(told("dispense", 10, place=STORE, to=to, lot="L1", at=minutes(10), codes=BY_PRODUCT))
    assert (hub.on_hand(STORE), hub.on_hand("cart")) == (90, on_the_way)
    assert verify(hub.logs()).differences == []


def test_an_issue_to_a_cabinet_that_is_filled_from_the_store_goes_there_at_once() -> None:
    hub = SiteHub()
    hub.hear(told("receive", 100, place=STORE, lot="L1"), told("pick", 10, place=STORE, to="ICU-CAB1", lot="L1"))
    assert (hub.on_hand(STORE), hub.on_hand("icu/cab1")) == (90, 10)
