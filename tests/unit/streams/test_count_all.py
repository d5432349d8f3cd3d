"""A count of everything at a place, lot by lot, as scanners and cabinets tell it: one item, every lot, nothing else is there.

Rules: ADR 24; docs/contracts.md (what an event posts).
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from schemas.codes import Code
from schemas.controlled import ShiftCount
from schemas.events import FoundLot, StockEvent
from schemas.kinds import EventKind, Feed
from schemas.topics import BALANCES, MOVEMENTS, OUTCOMES
from tests.support.facts import BY_ITEM, minutes, reversal, told
from tests.support.hub import SiteHub
from tests.support.world import NDC, POCKET, SITE, STORE, item, product
from tests.unit.verify.logs import RecordedHub
from topology.verify.run import verify

OTHER_NDC = "0093-1111-01"
OWN, OTHER = Code(system="ndc", value=NDC), Code(system="ndc", value=OTHER_NDC)


def counted(*lots: tuple[Code, str | None, int], at: float = 60, place: str = POCKET, **more: Any) -> StockEvent:
    """What a mapper makes of it: the codes of all lots, and each lot with its own."""
    found = tuple(FoundLot(codes=(code,), quantity=Decimal(quantity), lot=lot) for code, lot, quantity in lots)
    total = sum(quantity for *_, quantity in lots)
    codes = tuple(dict.fromkeys(code for code, *_ in lots))
    return told("count", total, place=place, at=minutes(at), feed=Feed.SCAN, codes=codes, found=found, **more)


def test_what_moved_without_lot_and_a_lot_that_is_used_up_are_settled_together() -> None:
    """Of A and B, 10 each, all of A left without lot and 4 came without lot: only the whole of it says what lies there."""
    hub = SiteHub()
    hub.tell(told("receive", 10, place=STORE, lot="A", at=minutes(1)))
    hub.tell(told("receive", 10, place=STORE, lot="B", at=minutes(2)))
    hub.tell(told("discard", 10, place=STORE, at=minutes(3)))
    hub.tell(told("return", 4, place=STORE, at=minutes(4), feed=Feed.SCAN))
    assert hub.on_hand(STORE) == 14
    hub.tell(counted((OWN, "B", 14), place=STORE))
    assert (hub.on_hand(STORE), hub.lots(STORE)) == (14, {"B": 14})
    assert hub.accounts_total() == 0


def test_lots_of_two_products_of_one_item_keep_their_products() -> None:
    hub = SiteHub(product("amox-teva", ndc=OTHER_NDC, gtin=None, labeler="Teva"))
    hub.tell(counted((OWN, "A", 5), (OTHER, "A", 3)))
    held = {(one.product, one.lot): one.quantity for one in hub.latest(BALANCES) if one.quantity}
    assert held == {("amox-hospira", "A"): 5, ("amox-teva", "A"): 3}


def test_packages_of_each_lot_are_those_of_its_product() -> None:
    """25 tablets in a package of the one, 100 in one of the other."""
    hub = SiteHub(product("amox-teva", ndc=OTHER_NDC, gtin=None, labeler="Teva", package_quantity=100))
    hub.tell(counted((OWN, "A", 2), (OTHER, "B", 1), unit="{package}"))
    assert hub.lots(POCKET) == {"A": 50, "B": 100}


def test_lots_of_two_items_are_held_and_told() -> None:
    hub = SiteHub(item("morphine"), product("morphine-a", item="morphine", ndc=OTHER_NDC, gtin=None))
    hub.tell(counted((OWN, "A", 5), (OTHER, "B", 3)))
    [outcome] = hub.all(OUTCOMES)
    assert outcome.outcome == "held"
    assert "a count of a place is of one item, and this one names lots of amox, morphine: count each by itself" in outcome.reason
    assert hub.lots(POCKET) == {}


def test_a_code_nobody_knows_holds_all_of_it_until_it_is_known() -> None:
    hub = SiteHub()
    hub.tell(counted((OWN, "A", 5), (OTHER, "B", 3)))
    assert (hub.outcomes(), hub.lots(POCKET)) == (["unknown_code"], {})
    hub.learn(product("amox-teva", ndc=OTHER_NDC, gtin=None, labeler="Teva"))
    assert hub.lots(POCKET) == {"A": 5, "B": 3}


def test_it_is_taken_back_as_a_whole() -> None:
    hub = SiteHub()
    hub.tell(told("load", 9, place=POCKET, lot="A", at=minutes(1)))
    hub.tell(counted((OWN, "A", 5), (OWN, "B", 3), key="c"))
    hub.tell(reversal("c", at=minutes(70)))
    assert hub.lots(POCKET) == {"A": 9}


@pytest.mark.parametrize(("found", "is_off"), [(10, False), (8, True)])
def test_a_controlled_item_that_is_off_is_a_discrepancy(found: int, is_off: bool) -> None:
    """As by any count: what differs, and no late event explained, is a case that a person closes."""
    hub = SiteHub(item(schedule=2))
    hub.tell(told("load", 10, place=POCKET, lot="A", at=minutes(1), codes=BY_ITEM))
    hub.tell(counted((OWN, "A", found), witness="nurse-2"))
    hub.tick(minutes(60 + 24 * 60))
    cases = hub.open_cases("discrepancy")
    assert [case.facts["difference"] for case in cases] == ([found - 10] if is_off else [])


def test_it_is_a_count_of_the_pocket_at_the_end_of_a_shift() -> None:
    hub = SiteHub(item(schedule=2), ShiftCount(site=SITE, location="icu/cab1", ends=("07:30",)))
    hub.tell(told("count", 10, place=POCKET, lot="A", at=minutes(-100), witness="nurse-2"))
    hub.tick(minutes(0))
    hub.tell(counted((OWN, "A", 6), (OWN, "B", 4), at=30, witness="nurse-2"))
    hub.tick(minutes(30 + 4 * 60))
    assert hub.open_cases("shift_count_missing") == []


@pytest.mark.parametrize("kind", ["count", "opening"])
def test_a_number_that_turns_out_to_be_of_two_products_is_parted_again_where_the_count_came_first(kind: str) -> None:
    """3 of the product's A and 1 of an A that nobody said the product of; then another product's A is told of."""
    hub = SiteHub(product("amox-teva", ndc=OTHER_NDC, gtin=None, labeler="Teva"))
    hub.tell(replace(counted((OWN, "A", 3), (BY_ITEM[0], "A", 1)), kind=EventKind(kind)))
    hub.tell(told("receive", 5, place=STORE, lot="A", codes=(OTHER,), at=minutes(90)))
    held = {(one.location, one.product): one.quantity for one in hub.latest(BALANCES) if one.quantity}
    assert held == {(POCKET, "amox-hospira"): 3, (POCKET, ""): 1, (STORE, "amox-teva"): 5}
    assert hub.accounts_total() == 0
    assert set(hub.outcomes()) == {"posted"}


def test_a_device_whose_clock_runs_ahead_is_a_case_and_verify_finds_the_same_stock() -> None:
    hub = RecordedHub()
    hub.tell(told("load", 9, place=POCKET, lot="A", at=minutes(1)))
    hub.tell(counted((OWN, "A", 5), (OWN, "B", 3), received_at=minutes(0)))
    [case] = hub.open_cases("clock_ahead")
    assert "is ahead by 60 minutes" in case.text
    assert hub.lots(POCKET) == {"A": 5, "B": 3}
    assert verify(hub.logs()).differences == []


@pytest.mark.parametrize("unit", ["tablet", "{package}"])
def test_verify_derives_a_count_of_two_products_alike(unit: str) -> None:
    hub = RecordedHub(product("amox-teva", ndc=OTHER_NDC, gtin=None, labeler="Teva", package_quantity=100))
    hub.tell(counted((OWN, "A", 5), (OTHER, "A", 3), (OTHER, "B", 1), unit=unit))
    assert verify(hub.logs()).differences == []


def test_two_lots_that_get_their_product_by_one_count_have_movements_of_their_own() -> None:
    """Each is named anew with two movements; no two movements of a site have one id."""
    hub = RecordedHub(product("amox-teva", ndc=OTHER_NDC, gtin=None, labeler="Teva"))
    for number, lot in enumerate(("A", "B")):
        hub.tell(told("receive", 8, place=STORE, lot=lot, at=minutes(number + 1)))  # by the item's code: of either product
    hub.tell(counted((OTHER, "A", 8), (OTHER, "B", 8), place=STORE))
    named = [one for one in hub.all(MOVEMENTS) if one.kind == "identify"]
    assert len(named) == 4
    assert len({one.movement_id for one in hub.all(MOVEMENTS)}) == len(hub.all(MOVEMENTS))
    assert verify(hub.logs()).differences == []
