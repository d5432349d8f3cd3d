"""Feeds that name the item and feeds that name the product tell of the same lots: what is held does not depend on who spoke first."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

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
