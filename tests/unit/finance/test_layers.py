"""Cost layers by worked examples: each states its arithmetic; the expected numbers are made by hand, not by the code."""

from __future__ import annotations

import pytest

from schemas.kinds import EventKind
from sinks.finance.chain import Chain
from sinks.finance.costs import Costs, CostVersion
from sinks.finance.layers import EMPTY, Layer, Method, Pool, put, take
from sinks.finance.money import cents, divided, exact, money_text, shared_out, unit_text
from tests.support.moves import (
    CABINET,
    ITEM,
    MAIN,
    TRANSIT,
    derived,
    in_transit,
    instant,
    money,
    move,
    prices,
    received,
    used,
    value_cents,
)

FIFO, AVERAGE = Method.FIFO, Method.AVERAGE
TEXTBOOK = [received(1, 150), used(2, 120), received(3, 225), used(4, 180), received(5, 210), used(6, 180)]
"""The shape of the perpetual example of accounting textbooks: 150 at 21, 225 at 27, 210 at 33; 480 sold in three sales."""
RISING = prices((-1, "21"), (3, "27"), (5, "33"))


def consumed(moves: list, costs: Costs, method: Method) -> int:
    """Cents given to patients."""
    effects = [effect for _, done in derived(moves, costs, method).effects() for effect in done.values()]
    return cents(sum(effect.value * ((effect.leg.target == "patient") - (effect.leg.source == "patient")) for effect in effects))


def test_first_in_first_out_by_hand() -> None:
    """Sales: 120×21 = 2,520; 30×21 + 150×27 = 4,680; 75×27 + 105×33 = 5,490; together 12,690. Left: 105×33 = 3,465.

    Bought: 150×21 + 225×27 + 210×33 = 16,155 = 12,690 + 3,465.
    """
    assert consumed(TEXTBOOK, RISING, FIFO) == 12_690_00
    assert value_cents(derived(TEXTBOOK, RISING, FIFO)) == {"inventory": 3_465_00}


def test_moving_average_by_hand() -> None:
    """120×21 = 2,520, left 630. +6,075 = 6,705 for 255: 180/255 of it are 4,732.94, left 1,972.06. +6,930 = 8,902.06 for 285:
    180/285 of it are 5,622.35, left 3,279.71. Sold 12,875.29; 12,875.29 + 3,279.71 = 16,155.
    """
    assert consumed(TEXTBOOK, RISING, AVERAGE) == 12_875_29
    assert value_cents(derived(TEXTBOOK, RISING, AVERAGE)) == {"inventory": 3_279_71}


@pytest.mark.parametrize("method", [FIFO, AVERAGE])
def test_a_shortage_leaves_at_the_last_known_cost_and_the_next_receipt_settles_it(method: Method) -> None:
    """10 come at 2, 13 leave: 3 more than there are, at the last cost 2. 5 come at 3: three of them settle the shortage, whose
    difference 3×(3-2) = 3 is a price variance; 2 stay at 3 = 6.
    """
    moves, costs = [received(1, 10), used(2, 13)], prices((-1, "2"), (3, "3"))
    chain = derived(moves, costs, method)
    pool = chain.standing.pools["hep-a", "inventory"]
    assert (pool.quantity, pool.value) == (-3, money("0") - 3 * money("2"))
    chain = derived([*moves, received(3, 5)], costs, method)
    assert (chain.standing.pools["hep-a", "inventory"].quantity, value_cents(chain)) == (2, {"inventory": 6_00})
    settled = [effect.variance for _, done in chain.effects() for effect in done.values() if effect.variance]
    assert settled == [((("hep-a", "inventory"), money("3")),)]


@pytest.mark.parametrize("method", [FIFO, AVERAGE])
def test_units_of_one_cost_are_one_layer_and_units_of_another_are_not(method: Method) -> None:
    """Short by 1, 1 and 1 at 2 each, then by 1 at 3: two shortages, of 3 and of 1. What a removal adds does not grow with them."""
    pool = EMPTY
    for last in (2, 2, 2, 3):
        pool, _ = take(pool, 1, last)
    assert pool.short == (Layer(3, 6), Layer(1, 3))
    pool, variance = put(pool, Layer(5, 20), method)
    assert (pool, variance) == (Pool((Layer(1, 4),)), 3 * (4 - 2) + (4 - 3))


def test_receipts_of_one_cost_are_one_layer_only_where_it_comes_out_even() -> None:
    """3 for 10 and 3 for 10 cost a third more than 3 each: together their parts would round otherwise, so they stay apart."""
    pool = EMPTY
    for layer in (Layer(2, 6), Layer(4, 12), Layer(1, None), Layer(2, None), Layer(3, 10), Layer(3, 10)):
        pool, _ = put(pool, layer, FIFO)
    assert pool.layers == (Layer(6, 18), Layer(3, None), Layer(3, 10), Layer(3, 10))


def test_an_unknown_cost_stays_unknown_and_is_not_zero() -> None:
    """4 come without a cost, then 6 at 5. First in first out: 5 leave, four of them unknown and one at 5: 5 at 5 are left, 25."""
    costs = prices((-1, None), (2, "5"))
    moves = [received(1, 4), received(2, 6), used(3, 5)]
    unknown = Costs([])
    pool = derived(moves, unknown, FIFO).standing.pools["hep-a", "inventory"]
    assert (pool.quantity, pool.unpriced, pool.value) == (5, 5, 0)
    assert derived(moves[:1], unknown, FIFO).cost_in_force("hep-a", instant(1)) is None
    assert value_cents(derived(moves, costs, FIFO)) == {"inventory": 25_00}


def test_the_first_cost_stated_later_values_what_came_before_it() -> None:
    """Nobody had stated a cost when 4 came; 7 is stated afterwards and is the first there is: 4×7 = 28. A later one changes nothing."""
    assert value_cents(derived([received(1, 4)], prices((5, "7"), (9, "8")), FIFO)) == {"inventory": 28_00}


def test_the_cost_of_a_receipt_is_the_products_then_the_preferred_suppliers() -> None:
    """The product's own cost; where it has none, the supplier of the lowest rank; a withdrawn price is none."""
    offers = [
        CostVersion("supplier_item", "acme|heparin", 1, ITEM, money("4"), rank=2),
        CostVersion("supplier_item", "best|heparin", 2, ITEM, money("6"), rank=1),
    ]
    own = [CostVersion("product", "hep-a", 3, ITEM, money("5"), instant(10))]
    gone = [CostVersion("supplier_item", "best|heparin", 4, ITEM, None, instant(20), rank=1)]
    costs = Costs([*offers, *own, *gone])
    assert costs.at(ITEM, "hep-a", instant(9)) == money("6")
    assert costs.at(ITEM, "hep-a", instant(10)) == money("5")
    assert costs.at(ITEM, "hep-b", instant(20)) == money("4")
    assert costs.at(ITEM, "hep-a", instant(10), visible=instant(9)) == money("6")
    assert costs.at("other", "", instant(10)) is None
    assert costs.changes(ITEM) == [instant(10), instant(20)]


def test_a_free_sample_costs_nothing_and_is_known_to() -> None:
    chain = derived([received(1, 4)], prices((-1, "0")), FIFO)
    pool = chain.standing.pools["hep-a", "inventory"]
    assert (pool.unpriced, pool.value) == (0, 0)


def test_a_return_comes_back_at_the_cost_of_the_last_unit_that_left() -> None:
    """2 at 10 and 2 at 20; 1 leaves at 10 and comes back: 10 + 2×20 + 10 = 60, not 70."""
    moves = [received(1, 2), received(2, 2), used(3, 1), move(4, "patient", MAIN, 1)]
    assert value_cents(derived(moves, prices((-1, "10"), (2, "20")), FIFO)) == {"inventory": 60_00}


def test_transit_is_a_pool_of_its_own_and_costs_travel_with_the_stock() -> None:
    """5 at 2 and 5 at 3; 7 go on their way: 5×2 + 2×3 = 16; 3×3 = 9 stay. 6 of them arrive: 5×2 + 3 = 13, so 22 and 3."""
    moves = [received(1, 5), received(2, 5), move(3, MAIN, TRANSIT, 7), move(4, TRANSIT, CABINET, 6)]
    costs = prices((-1, "2"), (2, "3"))
    assert value_cents(derived(moves[:3], costs, FIFO)) == {"inventory": 9_00, "in_transit": 16_00}
    assert value_cents(derived(moves, costs, FIFO)) == {"inventory": 22_00, "in_transit": 3_00}


def test_what_was_taken_back_never_moved_a_cost() -> None:
    """2 at 1, 2 at 9; 3 leave and are taken back: the layers are as they were, and the 1 that leaves then leaves at 1."""
    taken_back = move(9, "patient", MAIN, 3, kind="reversal", corrects="e3", occurred=instant(3))
    moves = [received(1, 2), received(2, 2), used(3, 3), used(4, 1), taken_back]
    costs = prices((-1, "1"), (2, "9"))
    assert derived(moves, costs, FIFO).standing.pools == {
        ("hep-a", "inventory"): Pool((Layer(1, money("1")), Layer(2, money("18"))))
    }
    assert consumed(moves, costs, FIFO) == 1_00


def test_a_fact_that_moves_when_more_of_it_is_known_has_what_it_passed_derived_again() -> None:
    """At one instant a dispense stands before a receipt. That a receipt names a lot is published before the receipt itself, and
    alone it stands where a count would, before the dispense: when the receipt is known, both go behind it.
    """
    naming = {"kind": "identify", "cause": "scan|main", "event_id": "e9", "occurred": instant(5)}
    told = [
        received(1, 4, product=""), move(2, MAIN, "suspense", 4, product="", **naming), move(3, "suspense", MAIN, 4, **naming),
        used(5, 2, kind="dispense"), received(9, 4, occurred=instant(5)),
    ]  # fmt: skip
    offer = CostVersion("supplier_item", "acme|heparin", 1, ITEM, money("4"), rank=1)
    costs = Costs([offer, CostVersion("product", "hep-a", 2, ITEM, money("3"), rank=1)])
    chain = Chain(ITEM, FIFO, costs, in_transit)
    for one in told:
        chain.add(one)
    assert list(chain.effects()) == list(derived(told, costs, FIFO).effects())
    assert consumed(told, costs, FIFO) == 6_00, "two leave before any of the product came, at its stated 3"


def test_stock_that_gets_its_product_keeps_its_cost() -> None:
    """3 came under the item alone at the supplier's 4, and 5 at 6; 2 left. Naming the lot moves 4 + 5x6 = 34, not 6 at the last 6."""
    offer = CostVersion("supplier_item", "acme|heparin", 1, ITEM, money("4"), rank=1)
    dearer = CostVersion("supplier_item", "acme|heparin", 2, ITEM, money("6"), instant(2), rank=1)
    naming = {"kind": "identify", "cause": "scan|main", "event_id": "e4", "occurred": instant(4)}
    moves = [
        received(1, 3, product=""), received(2, 5, product=""), used(3, 2, product=""),
        move(4, MAIN, "suspense", 6, product="", **naming), move(5, "suspense", MAIN, 6, **naming),
    ]  # fmt: skip
    chain = derived(moves, Costs([offer, dearer]), FIFO)
    assert {key: pool.value for key, pool in chain.standing.pools.items()} == {("hep-a", "inventory"): money("34")}


def test_an_average_leaves_no_remainder_when_the_last_unit_leaves() -> None:
    """3 for 10 in all: a third is 3.333333333333, the last one takes what is left, and the pool ends at nothing."""
    pool, values = Pool((Layer(3, money("10")),)), []
    for _ in range(3):
        pool, gone = take(pool, 1, None)
        values.append(gone[0].value)
    assert sum(value or 0 for value in values) == money("10")
    assert pool == EMPTY


def test_units_of_unknown_cost_leave_an_average_first() -> None:
    pool, _ = put(EMPTY, Layer(4, money("8")), AVERAGE)
    pool, _ = put(pool, Layer(2, None), AVERAGE)
    pool, gone = take(pool, 3, None)
    assert gone == (Layer(2, None), Layer(1, money("2")))
    assert (pool.quantity, pool.value, pool.unpriced) == (3, money("6"), 0)


def test_money_is_rounded_half_away_from_zero() -> None:
    assert [cents(money(text)) for text in ("0.004", "0.005", "0.015", "1.994999999999")] == [0, 1, 2, 199]
    assert cents(-money("0.005")) == -1
    assert (divided(5, 2), divided(-5, 2), divided(4, 3)) == (3, -3, 1)
    assert (money_text(-1234), money_text(5), unit_text(money("0.0125")), unit_text(money("3")), unit_text(None)) == (
        "-12.34", "0.05", "0.0125", "3.00", None,
    )  # fmt: skip


def test_shares_add_up_to_the_cent() -> None:
    """10.00 over three equal parts: 3.34, 3.33, 3.33."""
    assert shared_out(1000, [divided(money("10"), 3)] * 3) == [334, 333, 333]
    assert shared_out(0, []) == []


def test_an_amount_of_more_decimals_than_money_has_is_refused() -> None:
    from decimal import Decimal  # only here

    assert exact(Decimal("0.000000000001")) == 1
    with pytest.raises(ValueError, match="more than twelve decimals"):
        exact(Decimal("0.0000000000001"))


def test_kinds_that_the_examples_use_are_the_ledgers() -> None:
    """So that their rank within one instant is the ledger's."""
    assert {one.kind for one in TEXTBOOK} <= set(EventKind)


@pytest.mark.parametrize(("last_cost", "known"), [(2 * 10**12, True), (None, False)])
def test_an_item_that_is_only_ever_taken_keeps_one_shortage_and_not_one_a_removal(last_cost: int | None, known: bool) -> None:
    """20,000 removals of stock that nobody received: 1.6 GB of copies, were each a shortage of its own. The sums are the same."""
    pool = EMPTY
    for _ in range(20_000):
        pool, (gone,) = take(pool, 1, last_cost)
        assert gone == Layer(1, last_cost)
    assert pool == Pool((), (Layer(20_000, 20_000 * 2 * 10**12 if known else None),))
    pool, variance = put(pool, Layer(5, 5 * 3 * 10**12), FIFO)
    assert (pool.quantity, variance) == (-19_995, 5 * 10**12 if known else 15 * 10**12)


def test_layers_of_one_cost_are_one_and_others_stay_apart() -> None:
    pool = EMPTY
    for layer in (Layer(2, 20), Layer(3, 30), Layer(1, 11), Layer(3, 10), Layer(3, 10), Layer(2, None), Layer(1, None), Layer(1, 10)):
        pool, _ = put(pool, layer, FIFO)
    assert pool.layers == (Layer(5, 50), Layer(1, 11), Layer(3, 10), Layer(3, 10), Layer(3, None), Layer(1, 10))
    pool, gone = take(pool, 4, None)
    assert (gone, pool.layers[0]) == ((Layer(4, 40),), Layer(1, 10))
