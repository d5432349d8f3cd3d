"""Money of what is opened or made of the same item: it keeps its cost; what is made of another item goes by the account `transform`."""

from __future__ import annotations

import pytest

from sinks.finance.layers import Method
from tests.support.moves import MAIN, balances, derived, move, posted, prices, received, used, value_cents


def opened(number: int, quantity: int) -> list:
    """A container is opened: its stock leaves under one name and comes back under another."""
    name = {"kind": "open", "event_id": f"e{number}", "cause": f"k{number}"}
    return [
        move(number, MAIN, "transform", quantity, **name),
        move(number, "transform", MAIN, quantity, **name, container="V1", movement_id=f"m{number}b"),
    ]


@pytest.mark.parametrize("method", list(Method))
def test_opening_a_container_changes_no_value(method: Method) -> None:
    """Ten at 2.00 and ten at 5.00; the fifteen that are opened cost what they cost: nothing is left in the account."""
    moves = [received(1, 10), received(20, 10), *opened(30, 15)]
    costs = prices((-1, "2"), (15, "5"))
    assert value_cents(derived(moves, costs, method)) == {"inventory": 7_000}
    journal, postings = posted(moves, costs, method)
    assert balances(postings) == {"inventory": 7_000, "supplier_clearing": -7_000}
    assert sum(journal.account_cents().values()) == 7_000


def test_an_opening_that_is_taken_back_leaves_no_trace_in_the_accounts() -> None:
    first, second = opened(30, 5)
    back = {"kind": "reversal", "event_id": "undo", "corrects": "e30", "cause": "undo"}
    moves = [
        received(1, 10), first, second, move(30, "transform", MAIN, 5, **back, movement_id="r1"),
        move(30, MAIN, "transform", 5, **back, container="V1", movement_id="r2"), used(60, 4),
    ]  # fmt: skip
    _, postings = posted(moves, prices((-1, "2")), Method.FIFO)
    assert balances(postings) == {"inventory": 1_200, "supplier_clearing": -2_000, "consumption": 800}


def test_repackaging_in_parts_shares_the_cost_out() -> None:
    """Six at 2.00 and four at 5.00 become two lots of five: 32.00 in, 32.00 out."""
    name = {"kind": "transform", "event_id": "e30", "cause": "k30"}
    moves = [
        received(1, 6), received(20, 4), move(30, MAIN, "transform", 10, **name),
        move(30, "transform", MAIN, 5, **name, lot="U1", movement_id="u1"),
        move(30, "transform", MAIN, 5, **name, lot="U2", movement_id="u2"),
    ]  # fmt: skip
    _, postings = posted(moves, prices((-1, "2"), (15, "5")), Method.FIFO)
    assert balances(postings) == {"inventory": 3_200, "supplier_clearing": -3_200}


def test_what_is_used_for_another_item_stands_in_the_account_transform() -> None:
    moves = [received(1, 10), move(30, MAIN, "transform", 3, kind="transform")]
    _, postings = posted(moves, prices((-1, "2")), Method.FIFO)
    assert balances(postings) == {"inventory": 1_400, "supplier_clearing": -2_000, "transform": 600}
