"""Which lots stock may be of that came from outside without one; UNNAMED (0) is possible each time."""

from __future__ import annotations

from sinks.lots.labels import SAME_ORDER, goods_may_be, return_may_be


def test_goods_may_be_of_a_lot_that_is_named_later_and_that_nobody_saw_come() -> None:
    """Act 0 came without lot; lot 1 came by name, lot 2 is first vended."""
    assert goods_may_be({0: None, 1: None}, [(1, 1), (3, 2), (4, 1)]) == {0: ((0, 1), (2, 1))}


def test_a_lot_that_was_named_before_the_goods_came_did_not_come_with_them() -> None:
    assert goods_may_be({2: None}, [(1, 1), (3, 1)]) == {2: ((0, 1),)}


def test_goods_of_an_order_are_likely_of_the_lot_of_its_other_packages() -> None:
    assert goods_may_be({0: "PO-1", 1: "PO-1", 2: "PO-2"}, [(0, 1)]) == {1: ((0, 1), (1, SAME_ORDER)), 2: ((0, 1),)}


def test_what_comes_back_is_of_a_lot_that_was_given_by_then() -> None:
    """Three of lot 1 were given before, lot 2 was only seen, lot 3 came later."""
    assert return_may_be(5, [(2, 1, 3), (7, 3, 9)], [(0, 1), (1, 2), (2, 1), (7, 3)]) == ((0, 1), (1, 4), (2, 1))
