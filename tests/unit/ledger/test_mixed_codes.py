"""Feeds that name the item and feeds that name the product tell of the same lots: what is held does not depend on who spoke first."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codes import Code
from tests.support.facts import BY_ITEM, START, day
from tests.support.hub import SiteHub
from tests.support.reference_ledger import Fact
from tests.support.world import POCKET, product
from tests.unit.ledger.histories import (
    END,
    EXPIRY_DAYS,
    POLICIES,
    SPAN_MINUTES,
    assert_same_needs,
    assert_same_stock,
    assert_same_usable,
    event_of,
    histories,
    truth,
)
from tests.unit.ledger.test_random_histories import STEADY

SECOND: Final = product("amox-teva", ndc="0093-1234-01", gtin=None, labeler="Teva")
NDC_OF: Final = {"L1": "0409-4713-02", "L2": "0409-4713-02", "L3": "0093-1234-01", "A-0 7": "0093-1234-01"}


def naming() -> list[Fact]:
    """One fact a lot that names its product and its expiry; the others may leave out both."""
    before = START - timedelta(hours=2)
    return [
        Fact(f"named|{lot}", "return", before, POCKET, 1, lot, None if days is None else day(days))
        for lot, days in EXPIRY_DAYS.items()
    ]


@STEADY
@given(st.data())
def test_the_product_of_a_lot_may_become_known_at_any_time(data: st.DataObject) -> None:
    history = [*naming(), *data.draw(histories(size=8))]
    hub = SiteHub(SECOND, *POLICIES)
    for fact in data.draw(st.permutations(history)):
        event = event_of(fact)
        by_product = (Code(system="ndc", value=NDC_OF[fact.lot or "L1"]),)
        if fact.key.startswith("named"):
            event = replace(event, codes=by_product)
        elif fact.kind != "reversal":
            event = replace(event, codes=data.draw(st.sampled_from([by_product, BY_ITEM])))
            event = replace(event, expiry=data.draw(st.sampled_from([event.expiry, None])))
        hub.tell(event)
        if data.draw(st.integers(0, 5)) == 0:
            hub.tick(START + timedelta(minutes=data.draw(st.integers(0, SPAN_MINUTES))))
    hub.tick(END)
    hub.tick(END + timedelta(days=1))
    assert_same_stock(hub, truth(history))
    assert_same_usable(hub, truth(history))
    assert_same_needs(hub, truth(history))


def test_a_lot_told_by_item_code_is_the_items_only_products() -> None:
    hub = SiteHub()
    hub.tell(event_of(Fact("f", "return", START, POCKET, 2, "L1")))
    assert [one.product for one in hub.latest("stock.balances")] == ["amox-hospira"]


def test_a_count_by_item_code_that_arrives_before_the_receipt_by_product_counts_the_same_lot() -> None:
    """Received 5 of a lot by its NDC, then counted 5 of the lot by the item's code: 5, in either order of arrival."""
    received = replace(event_of(Fact("r", "return", START, POCKET, 5, "L3")), codes=(Code(system="ndc", value=NDC_OF["L3"]),))
    counted = replace(event_of(Fact("c", "count", START + timedelta(hours=1), POCKET, 5, "L3")), codes=BY_ITEM)
    for stream in ([received, counted], [counted, received]):
        hub = SiteHub(SECOND)
        hub.hear(*stream)
        assert hub.lots(POCKET) == {"L3": 5}
        assert [one.product for one in hub.latest("stock.balances")] == ["amox-teva"]


FIRST_PRODUCT, OTHER_PRODUCT, NO_PRODUCT = (Code(system="ndc", value="0409-4713-02"),), (Code(system="ndc", value="0093-1234-01"),), BY_ITEM


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_a_number_of_two_products_is_counted_as_one_where_no_product_is_named(order: tuple[int, ...]) -> None:
    """5 of lot M1 of one product came, 3 of lot M1 of another, 2 of M1 were taken; then 7 of M1 are counted by the item's code.

    7 are there whoever spoke first: 5 and 3 are known, and 1 of them is missing that nobody can tell the product of.
    """
    at = [START + timedelta(hours=number) for number in range(4)]
    stream = [
        replace(event_of(Fact("a", "return", at[0], POCKET, 5, "M1")), codes=FIRST_PRODUCT),
        replace(event_of(Fact("b", "return", at[1], POCKET, 3, "M1")), codes=OTHER_PRODUCT),
        replace(event_of(Fact("v", "vend", at[2], POCKET, 2, "M1")), codes=NO_PRODUCT),
        replace(event_of(Fact("c", "count", at[3], POCKET, 7, "M1")), codes=NO_PRODUCT),
    ]
    hub = SiteHub(SECOND)
    hub.hear(*(stream[at] for at in order))
    hub.tick(at[3] + timedelta(days=1))
    assert {one.product: one.quantity for one in hub.latest("stock.balances")} == {"amox-hospira": 5, "amox-teva": 3, "": -1}
    assert hub.on_hand(POCKET) == 7
    assert hub.accounts_total() == 0


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_date_told_without_a_product_holds_for_every_product_with_the_number(order: tuple[int, ...]) -> None:
    """The item's code says M1 ends on day 2; one product's own label says day 9. Nobody may be given either after day 2."""
    at = [START + timedelta(hours=number) for number in range(3)]
    stream = [
        replace(event_of(Fact("a", "return", at[0], POCKET, 5, "M1")), codes=FIRST_PRODUCT, expiry=day(9)),
        replace(event_of(Fact("b", "return", at[1], POCKET, 3, "M1")), codes=OTHER_PRODUCT, expiry=None),
        replace(event_of(Fact("d", "return", at[2], POCKET, 1, "M1")), codes=NO_PRODUCT, expiry=day(2)),
    ]
    hub = SiteHub(SECOND)
    hub.hear(*(stream[at] for at in order))
    hub.tick(START + timedelta(days=4))
    assert {(one.product, one.quantity, one.expiry, str(one.status)) for one in hub.latest("stock.balances")} == {
        ("amox-hospira", 5, day(2), "expired"), ("amox-teva", 3, day(2), "expired"), ("", 1, day(2), "expired"),
    }  # fmt: skip
    assert [one.kind for one in hub.open_cases("expiry_conflict")] == ["expiry_conflict"]
