"""The posting feed by worked examples: balanced pairs, what comes late, what is taken back, and cents that are carried on."""

from __future__ import annotations

import pytest

from sinks.finance.facts import Move
from sinks.finance.journal import Posting
from sinks.finance.layers import Method
from tests.support.moves import (
    CABINET,
    MAIN,
    TRANSIT,
    balances,
    derived,
    instant,
    move,
    posted,
    prices,
    received,
    used,
    value_cents,
)

FIFO, AVERAGE = Method.FIFO, Method.AVERAGE


def pairs(postings: list[Posting]) -> list[tuple[str, str, str, int | None]]:
    return [(one.reason, one.debit, one.credit, one.amount) for one in postings]


def test_each_movement_is_one_balanced_pair_between_the_accounts_of_the_general_ledger() -> None:
    """10 come at 2.50; 3 are given, 1 comes back, 1 is destroyed, 1 is missing, 2 go on their way."""
    moves = [
        received(1, 10), used(2, 3), move(3, "patient", MAIN, 1), move(4, MAIN, "waste", 1), move(5, MAIN, "variance", 1),
        move(6, MAIN, TRANSIT, 2), move(7, MAIN, CABINET, 2), move(8, "patient", "waste", 1),
    ]  # fmt: skip
    _, made = posted(moves, prices((-1, "2.50")), FIFO)
    assert pairs(made) == [
        ("movement", "inventory", "supplier_clearing", 25_00),
        ("movement", "consumption", "inventory", 7_50),
        ("movement", "inventory", "consumption", 2_50),
        ("movement", "waste", "inventory", 2_50),
        ("movement", "count_variance", "inventory", 2_50),
        ("movement", "in_transit", "inventory", 5_00),
        ("movement", "inventory", "inventory", 5_00),
        ("movement", "waste", "consumption", 2_50),
    ]
    assert [(one.credit_location, one.debit_location) for one in made[-3:-1]] == [("main", "transit"), ("main", "icu/cab1")]
    assert [one.movement_id for one in made] == [f"m{number}" for number in range(1, 9)]


def test_what_comes_late_posts_when_it_is_known_with_the_difference_it_makes() -> None:
    """10 at 1, 10 at 3 and 10 given at minute 30: cost 10. Then 4 more, given at minute 20, are reported at minute 50: they took
    4 at 1, so the 10 took 6 at 1 and 4 at 3 = 18: 8 more. All in the period of minute 50.
    """
    costs = prices((-1, "1"), (2, "3"))
    late = used(20, 4, known=instant(50))
    _, made = posted([received(1, 10), received(2, 10), used(30, 10), late], costs, FIFO)
    assert pairs(made)[2:] == [
        ("movement", "consumption", "inventory", 10_00),
        ("movement", "consumption", "inventory", 4_00),
        ("adjustment", "consumption", "inventory", 8_00),
    ]
    assert [(one.movement_id, one.occurred, one.known) for one in made[3:]] == [
        ("m20", instant(20), instant(50)),
        ("m30", instant(30), instant(50)),
    ]


def test_what_is_taken_back_is_posted_the_other_way_round_with_the_same_amount() -> None:
    """The cost went from 1 to 3 meanwhile: the reversal gives back the 1 that was posted."""
    costs = prices((-1, "1"), (2, "3"))
    back = move(9, "patient", MAIN, 2, kind="reversal", corrects="e1", occurred=instant(1), event_id="e9")
    moves = [received(0, 5), used(1, 2), received(3, 5), back]
    _, made = posted(moves, costs, FIFO)
    assert pairs(made)[1] == ("movement", "consumption", "inventory", 2_00)
    assert pairs(made)[3:] == [("reversal", "inventory", "consumption", 2_00)]


def test_a_settled_shortage_posts_its_price_variance() -> None:
    """2 leave at the stated 2 before any came; 5 come at 3: 15 to the supplier, 2×(3-2) = 2 to the variance, 9 stay."""
    _, made = posted([used(1, 2), received(2, 5)], prices((-1, "2"), (2, "3")), FIFO)
    assert pairs(made) == [
        ("movement", "consumption", "inventory", 4_00),
        ("movement", "inventory", "supplier_clearing", 15_00),
        ("price_variance", "price_variance", "inventory", 2_00),
    ]
    assert balances(made)["inventory"] == 9_00


def test_an_unknown_cost_is_posted_without_amount_and_valued_when_it_is_known() -> None:
    """5 come and 2 are given before anybody states a cost; 4 is stated at minute 30: 20 and 8 are posted then."""
    moves = [received(1, 5), used(2, 2), received(40, 1)]
    _, made = posted(moves, prices((30, "4")), FIFO)
    assert [(one.amount, one.unpriced) for one in made[:2]] == [(None, 5), (None, 2)]
    assert pairs(made)[2:] == [
        ("cost_known", "inventory", "supplier_clearing", 20_00),
        ("cost_known", "consumption", "inventory", 8_00),
        ("movement", "inventory", "supplier_clearing", 4_00),
    ]
    assert [one.known for one in made[2:4]] == [instant(30)] * 2


def test_a_tenth_of_a_cent_is_carried_until_it_makes_a_cent() -> None:
    """100 tablets at 0.001 are 10 cents. Given one by one, the account always stands at the exact value, rounded half up."""
    moves = [received(1, 100), *(used(number, 1) for number in range(2, 102))]
    _, made = posted(moves, prices((-1, "0.001")), FIFO)
    standing = 0
    for left, one in zip(range(100, -1, -1), made, strict=True):
        standing += (one.amount or 0) * (1 if one.debit == "inventory" else -1)
        assert standing == (left + 5) // 10
    assert sum(one.amount or 0 for one in made[1:]) == 10


def test_a_cent_between_two_pools_goes_to_rounding() -> None:
    """5 at 0.005 are 2.5 cents, posted as 3. One goes on its way: half a cent, posted as 1; 2.0 and 0.5 (rounded 1) are left: even.
    The second: 1.5 (2) stay and 1.0 (1) is on its way, of which 2 are posted: one cent to rounding on either side.
    """
    moves = [received(1, 5), move(2, MAIN, TRANSIT, 1), move(3, MAIN, TRANSIT, 1)]
    costs = prices((-1, "0.005"))
    _, made = posted(moves, costs, FIFO)
    assert balances(made) == {"inventory": 2, "in_transit": 1, "supplier_clearing": -3}
    assert [one.reason for one in made].count("rounding") == 2
    assert value_cents(derived(moves, costs, FIFO)) == {"inventory": 2, "in_transit": 1}


@pytest.mark.parametrize("method", [FIFO, AVERAGE])
def test_a_feed_that_goes_on_repeats_what_it_said_before(method: Method) -> None:
    """A posting never changes: the postings of the first movements are the first postings of all movements."""
    costs = prices((-1, "1.25"), (15, "1.7"))
    moves: list[Move] = [
        received(1, 10), used(5, 4), received(20, 7), used(25, 9), used(10, 3, known=instant(30)),
        move(31, "patient", MAIN, 4, kind="reversal", corrects="e5", occurred=instant(5)), used(32, 12), received(33, 20),
    ]  # fmt: skip
    whole = posted(moves, costs, method)[1]
    assert len({one.posting_id for one in whole}) == len(whole)
    for cut in range(len(moves)):
        some = posted(moves[:cut], costs, method)[1]
        visible = [one for one in some if one.known <= moves[cut - 1].known]
        assert whole[: len(visible)] == visible
