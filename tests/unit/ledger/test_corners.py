"""Corners of the ledger: where facts, lots, recalls, levels and calendars meet."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta
from typing import Any

from schemas.codes import Code
from schemas.reference import RecallNotice
from tests.support import world
from tests.support.facts import BY_ITEM, BY_PRODUCT, START, day, minutes, reversal, told
from tests.support.hub import SiteHub
from tests.support.world import POCKET, STORE, WARD, policy

END = START + timedelta(days=40)


def both(first: Any, second: Any, *reference: Any) -> tuple[SiteHub, SiteHub]:
    """Two hubs that heard the same two facts in either order."""
    hubs = (SiteHub(*reference), SiteHub(*reference))
    hubs[0].hear(first, second)
    hubs[1].hear(second, first)
    for hub in hubs:
        hub.tick(END)
    return hubs


def test_a_count_by_item_code_that_arrives_before_the_receipt_counts_the_same_lot() -> None:
    fill = told("receive", 5, place=STORE, at=minutes(0), lot="L1", codes=BY_PRODUCT)
    count = told("count", 5, place=STORE, at=minutes(10), lot="L1", codes=BY_ITEM)
    x, y = both(fill, count)
    assert x.on_hand(STORE) == y.on_hand(STORE) == 5


def test_an_expiry_stated_with_the_product_holds_for_the_lot_told_by_item() -> None:
    fill = told("receive", 10, place=STORE, at=minutes(0), lot="L2", expiry=day(2), codes=BY_PRODUCT)
    out = told("dispense", 4, place=STORE, at=minutes(10), lot="L2", codes=BY_ITEM)
    x, y = both(fill, out)
    assert x.lots(STORE) == y.lots(STORE) == {"L2": 6}
    assert x.usable(STORE) == y.usable(STORE) == 0


def test_a_lot_told_by_item_code_belongs_to_the_items_only_product() -> None:
    hub = SiteHub()
    hub.hear(told("receive", 5, place=STORE, lot="L1", codes=BY_ITEM))
    assert [b.product for b in hub.latest("stock.balances")] == ["amox-hospira"]


def test_releasing_one_of_two_recalls_keeps_the_other() -> None:
    hub = SiteHub()
    hub.tick(START)
    hub.hear(told("receive", 5, place=STORE, lot="L1", codes=BY_PRODUCT))
    a = {"classification": "I", "products": ("amox-hospira",), "lots": ("L1",)}
    hub.learn(RecallNotice(id="A", **a))
    hub.learn(RecallNotice(id="B", **a))
    assert hub.usable(STORE) == 0
    hub.learn(RecallNotice(id="A", **a, released="dr-x"))
    assert hub.usable(STORE) == 0


def test_a_recall_that_is_narrowed_lets_go_of_the_lots_it_no_longer_names() -> None:
    hub = SiteHub()
    hub.tick(START)
    hub.hear(told("receive", 5, place=STORE, lot="L1", codes=BY_PRODUCT))
    hub.learn(RecallNotice(id="A", classification="I", products=("amox-hospira",), all_lots=True))
    hub.learn(RecallNotice(id="A", classification="I", products=("amox-hospira",), lots=("L9",)))
    assert hub.usable(STORE) == 5


def test_a_reversal_of_a_reversal_gives_the_same_stock_in_any_order() -> None:
    v = told("vend", 2, place=POCKET, key="v", lot="L1")
    r = reversal("v", key="r", at=minutes(1))
    rr = reversal("r", key="rr", at=minutes(2))
    seen = set()
    for stream in itertools.permutations([v, r, rr]):
        hub = SiteHub()
        hub.hear(*stream)
        seen.add(hub.on_hand(POCKET))
    assert len(seen) == 1, seen


def test_an_administration_that_is_updated_and_then_deleted_leaves_nothing() -> None:
    a = told("administer", 2, place=WARD, key="a", lot="L1")
    u = told("administer", 1, place=WARD, key="u", lot="L1", replaces="a", at=minutes(1))
    d = reversal("a", at=minutes(2))
    hub = SiteHub()
    hub.hear(a, u, d)
    assert hub.on_hand(WARD) == 0


def test_two_updates_of_one_administration_count_once() -> None:
    a = told("administer", 2, place=WARD, key="a", lot="L1")
    u1 = told("administer", 1, place=WARD, key="u1", lot="L1", replaces="a", at=minutes(1))
    u2 = told("administer", 3, place=WARD, key="u2", lot="L1", replaces="a", at=minutes(2))
    hub = SiteHub()
    hub.hear(a, u1, u2)
    assert hub.on_hand(WARD) == -3


def test_a_card_whose_only_fact_was_taken_back_needs_nothing() -> None:
    v = told("vend", 1, place=POCKET, key="v", lot="L1")
    r = reversal("v", at=minutes(1))
    x, y = both(v, r, policy())
    assert x.open_commands() == y.open_commands() == []


def test_an_expiry_before_the_first_fact_opens_no_need() -> None:
    hub = SiteHub(policy())
    hub.hear(
        told("refill", 7, place=POCKET, at=START + timedelta(days=5), lot="L1"),
        told("return", 1, place=POCKET, at=START + timedelta(days=5, minutes=1), lot="OLD", expiry=day(1)),
    )
    hub.tick(END)
    assert hub.usable(POCKET) == 7
    assert hub.open_commands() == []  # 7 is above the minimum of 4, and never was at or below it


def test_a_load_is_one_fact_and_never_passes_through_an_empty_pocket() -> None:
    hub = SiteHub(policy())
    hub.hear(told("refill", 7, place=POCKET, lot="L1"), told("load", 7, place=POCKET, at=minutes(5), lot="L1"))
    hub.tick(START + timedelta(days=1))
    assert hub.usable(POCKET) == 7
    assert hub.open_commands() == []


def test_a_put_away_to_the_same_place_is_one_fact() -> None:
    hub = SiteHub(policy(STORE))
    hub.hear(told("receive", 7, place=STORE, lot="L1"), told("put_away", 6, place=STORE, to=STORE, at=minutes(5), lot="L1"))
    hub.tick(START + timedelta(days=1))
    assert hub.usable(STORE) == 7
    assert hub.open_commands() == []


def test_no_need_closes_before_it_opened() -> None:
    p = policy(critical=4)
    hub = SiteHub(p)
    hub.hear(
        told("refill", 3, place=POCKET, at=minutes(0), lot="L1"),
        told("refill", 17, place=POCKET, at=minutes(10), lot="L1"),
        told("vend", 17, place=POCKET, at=minutes(60), lot="L1"),
        told("refill", 10, place=POCKET, at=minutes(50), lot="L1"),
    )
    hub.tick(END)
    for c in hub.all("replenishment.commands"):
        assert c.closed_at is None or c.closed_at >= c.opened_at


def test_an_expiry_in_the_last_year_of_the_calendar_posts() -> None:
    hub = SiteHub()
    hub.may_fail = True
    hub.hear(told("receive", 5, place=STORE, lot="L1", expiry=date(9999, 12, 31)))
    assert not hub.faults
    assert hub.on_hand(STORE) == 5


def test_a_window_begins_at_the_sites_midnight_across_a_clock_change() -> None:
    hub = SiteHub()
    hub.hear(told("receive", 5, place=STORE, at=datetime(2026, 1, 2, 12, tzinfo=UTC), lot="L1", expiry=date(2026, 4, 15)))
    hub.tick(datetime(2026, 1, 15, 4, 30, tzinfo=UTC))  # 23:30 on the 14th at the site: 91 days left
    assert [a for a in hub.all("alerts") if "within 90 days" in a.text] == []


def test_an_expiry_learned_at_one_place_is_published_at_all_places() -> None:
    hub = SiteHub()
    hub.hear(told("refill", 3, place=POCKET, lot="L1"), told("count", 3, place=WARD, lot="L1", expiry=day(100), at=minutes(5)))
    hub.tick(START + timedelta(days=1))
    assert {b.location: b.expiry for b in hub.latest("stock.balances")}[POCKET] == day(100)


def test_corrections_of_two_containers_are_two_movements() -> None:
    hub = SiteHub()
    hub.hear(
        told("return", 2, place=POCKET, lot="L1", container="c1"),
        told("return", 3, place=POCKET, lot="L1", container="c2", at=minutes(1)),
        told("count", 0, place=POCKET, at=minutes(60)),
        told("return", 1, place=POCKET, lot="L1", container="c1", at=minutes(5)),
        told("return", 1, place=POCKET, lot="L1", container="c2", at=minutes(6)),
    )
    ids = [m.movement_id for m in hub.all("stock.movements")]
    assert len(ids) == len(set(ids))


def test_a_count_with_an_empty_lot_text_is_of_the_whole_place() -> None:
    hub = SiteHub()
    hub.hear(told("refill", 5, place=POCKET, lot="L1"), told("count", 6, place=POCKET, lot="", at=minutes(1)))
    assert hub.on_hand(POCKET) == 6


def test_new_levels_hold_from_their_instant_whatever_arrives_late() -> None:
    seen = set()
    for late in (False, True):
        hub = SiteHub(policy(minimum=5, par=20, satisfied_at=8))
        hub.tick(START)
        stream = [
            told("count", 5, place=POCKET, lot="L1", at=minutes(1)),
            told("count", 7, place=POCKET, lot="L1", at=minutes(20)),
        ]
        early = told("count", 9, place=POCKET, lot="L1", at=minutes(0))
        if not late:
            hub.hear(early)
        hub.hear(*stream)
        hub.tick(START + timedelta(hours=8))
        hub.learn(policy(minimum=3, par=20, satisfied_at=10))
        if late:
            hub.hear(early)
        hub.tick(END)
        seen.add(len(hub.open_commands()))
    assert len(seen) == 1


def test_a_recall_of_all_lots_asks_to_look_at_stock_of_unknown_lots() -> None:
    hub = SiteHub()
    hub.tick(START)
    hub.hear(told("count", 5, place=POCKET, codes=BY_PRODUCT))
    hub.learn(RecallNotice(id="A", classification="I", products=("amox-hospira",), all_lots=True))
    assert hub.usable(POCKET) == 0 or hub.open_cases()


def test_usable_stock_is_never_published_below_nothing() -> None:
    hub = SiteHub()
    hub.hear(told("vend", 2, place=POCKET, lot="L1"))
    assert hub.usable(POCKET) == 0


def test_levels_that_arrive_at_the_instant_of_the_first_fact_see_its_stock() -> None:
    hub = SiteHub()
    hub.tick(START)
    hub.hear(told("receive", 10, place=STORE, lot="L1"))
    hub.learn(policy(STORE))
    hub.tick(START + timedelta(hours=8))
    assert hub.usable(STORE) == 10
    assert hub.open_commands() == []


def test_the_expiry_stated_by_item_code_follows_the_lot_to_its_product() -> None:
    p2 = world.product("amox-teva", ndc="0093-1234-01", gtin=None)
    a = told("receive", 10, place=STORE, lot="L2", expiry=day(2), codes=BY_ITEM)
    b = told("receive", 1, place=STORE, at=minutes(5), lot="L2", codes=(Code(system="ndc", value="0093-1234-01"),))
    x, y = both(a, b, p2)
    assert x.usable(STORE) == y.usable(STORE) == 0, (x.usable(STORE), y.usable(STORE))


def test_the_earlier_of_two_expiries_follows_the_lot_to_its_product() -> None:
    p2 = world.product("amox-teva", ndc="0093-1234-01", gtin=None)
    a = told("receive", 10, place=STORE, lot="L2", expiry=day(2), codes=BY_ITEM)
    b = told(
        "receive", 1, place=STORE, at=minutes(5), lot="L2", expiry=day(90), codes=(Code(system="ndc", value="0093-1234-01"),)
    )
    x, y = both(a, b, p2)
    assert x.usable(STORE) == y.usable(STORE) == 0, (x.usable(STORE), y.usable(STORE))


def test_a_recall_follows_the_lot_to_its_product() -> None:
    p2 = world.product("amox-teva", ndc="0093-1234-01", gtin=None)
    hub = SiteHub(p2)
    hub.tick(START)
    hub.hear(told("receive", 10, place=STORE, lot="L2", codes=BY_ITEM))
    hub.learn(RecallNotice(id="A", classification="I", products=("amox-teva",), lots=("L2",)))
    hub.hear(told("receive", 1, place=STORE, at=minutes(5), lot="L2", codes=(Code(system="ndc", value="0093-1234-01"),)))
    assert hub.usable(STORE) == 0


def test_a_second_product_in_the_item_master_does_not_split_a_lot() -> None:
    a = told("receive", 5, place=STORE, lot="L9", codes=BY_ITEM)
    b = told("count", 5, place=STORE, at=minutes(5), lot="L9", codes=BY_ITEM)
    hub = SiteHub()
    hub.hear(a)
    hub.learn(world.product("amox-teva", ndc="0093-1234-01", gtin=None))
    hub.hear(b)
    assert hub.on_hand(STORE) == 5
