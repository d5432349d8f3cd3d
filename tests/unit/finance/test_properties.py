"""Whatever happened, in whatever order it was told: debits are credits, accounts are layers, layers are the ledger."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinks.finance.costs import Costs, CostVersion
from sinks.finance.facts import Move, is_stock
from sinks.finance.layers import Method
from sinks.finance.money import cents
from sinks.finance.valuation import lot_values, product_values
from tests.support.moves import CABINET, ITEM, MAIN, TRANSIT, balances, derived, instant, move, posted

ACCOUNTS = (MAIN, CABINET, TRANSIT, "supplier", "patient", "waste", "variance", "suspense", "opening")
MINUTES = 200


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Move], Costs]:
    """Movements with reversals and moved variances, at times that collide, told in any order; costs that change or are unknown."""
    count = draw(st.integers(1, 14))
    moves: list[Move] = []
    for number in range(count):
        source, target = draw(st.lists(st.sampled_from(ACCOUNTS), min_size=2, max_size=2, unique=True))
        at = draw(st.integers(0, 30))
        more = {"product": draw(st.sampled_from(("hep-a", "hep-b", ""))), "lot": draw(st.sampled_from("xy"))}
        moves.append(move(number, source, target, draw(st.integers(1, 12)), occurred=instant(at), known=instant(number), **more))
    for number in range(draw(st.integers(0, 3))):
        original = draw(st.sampled_from(moves[:count]))
        if any(one.kind == "reversal" and one.corrects == original.event_id for one in moves):
            continue
        back = {"kind": "reversal", "corrects": original.event_id, "occurred": original.occurred}
        moves.append(
            move(
                100 + number,
                original.target,
                original.source,
                original.quantity,
                product=original.product,
                lot=original.lot,
                **back,
            )
        )
    costs = []
    for revision in range(draw(st.integers(0, 4))):
        cost = draw(st.none() | st.integers(0, 10**13).map(lambda value: value * 10))
        since = draw(st.sampled_from(("", instant(3), instant(8), instant(50), instant(MINUTES + 5))))
        which = draw(st.sampled_from(("hep-a", "hep-b")))
        costs.append(CostVersion("product", which, revision + 1, ITEM, cost, since))
    return moves, Costs(costs)


def held(moves: list[Move]) -> Counter[tuple[str, str]]:
    """The ledger: base units per product, on their way or not, straight from the movements."""
    sums: Counter[tuple[str, str]] = Counter()
    for one in moves:
        for account, sign in ((one.source, -1), (one.target, 1)):
            if is_stock(account):
                sums[one.product, "in_transit" if account == TRANSIT else "inventory"] += sign * one.quantity
    return Counter({key: quantity for key, quantity in sums.items() if quantity})


@pytest.mark.parametrize("method", list(Method))
@settings(max_examples=150, deadline=None)
@given(history=histories(), order=st.randoms(use_true_random=False))
def test_accounts_layers_and_ledger_agree_to_the_cent(method: Method, history: tuple[list[Move], Costs], order) -> None:  # type: ignore[no-untyped-def]
    moves, costs = history
    told = list(moves)
    order.shuffle(told)
    journal, made = posted(told, costs, method)
    chain = derived(moves, costs, method)

    assert sum(balances(made).values()) == 0
    assert all(one.amount is None or one.amount >= 0 for one in made)
    assert len({one.posting_id for one in made}) == len(made)
    assert {one.movement_id for one in made if one.reason in {"movement", "reversal"}} == {one.movement_id for one in moves}

    values = {key: cents(pool.value) for key, pool in chain.standing.pools.items()}
    accounts = {key[1]: amount for key, amount in journal.account_cents().items()}
    assert {key: amount for key, amount in accounts.items() if amount} == {key: value for key, value in values.items() if value}
    for account in ("inventory", "in_transit"):
        assert balances(made).get(account, 0) == sum(value for key, value in values.items() if key[1] == account)

    quantities = {key: pool.quantity for key, pool in chain.standing.pools.items() if pool.quantity}
    assert quantities == dict(held(moves))


@pytest.mark.parametrize("method", list(Method))
@settings(max_examples=150, deadline=None)
@given(history=histories(), order=st.randoms(use_true_random=False))
def test_the_order_of_arrival_changes_no_value(method: Method, history: tuple[list[Move], Costs], order) -> None:  # type: ignore[no-untyped-def]
    moves, costs = history
    told = list(moves)
    order.shuffle(told)
    one, other = derived(moves, costs, method), derived(told, costs, method)
    assert one.standing == other.standing
    assert list(one.effects()) == list(other.effects())
    assert posted(told, costs, method)[0].chains[ITEM].standing == one.standing


@pytest.mark.parametrize("method", list(Method))
@settings(max_examples=100, deadline=None)
@given(history=histories())
def test_the_rows_of_lots_add_up_to_their_product(method: Method, history: tuple[list[Move], Costs]) -> None:
    moves, costs = history
    chain = derived(moves, costs, method)
    for until in (None, instant(10)):
        lots = lot_values(chain, until)
        for row in product_values(chain, until):
            mine = [lot for lot in lots if (lot.product, lot.account) == (row.product, row.account)]
            assert sum(lot.quantity for lot in mine) == row.quantity
            if all(lot.value is not None for lot in mine):
                assert sum(lot.value or 0 for lot in mine) == (row.value or 0)
