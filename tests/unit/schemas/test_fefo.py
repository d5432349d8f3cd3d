"""First expired, first out: the order of lots, and consumption of which nobody knows the lots (`domain` §3.4)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from schemas.fefo import Batch, draw_unbatched, in_order, take


def quantities(batches: list[Batch[str]]) -> dict[str, int]:
    return {one.lot: one.quantity for one in batches}


def test_domain_3_4_order_is_expiry_then_receipt_then_lot_and_no_expiry_last() -> None:
    batches = [
        Batch("none", 1, None, 0), Batch("late", 1, "2026-09-01", 0), Batch("b", 1, "2026-06-01", 5), Batch("a", 1, "2026-06-01", 5),
        Batch("first", 1, "2026-06-01", 4), Batch("never", 1, "9999-12-31", 9),
    ]  # fmt: skip
    assert [one.lot for one in in_order(batches)] == ["first", "a", "b", "late", "never", "none"]


def test_domain_3_4_qat_unbatched_consumption_is_drawn_first_expired_first_out_across_batches() -> None:
    batches = [Batch("B", 50, "2026-08-31"), Batch("A", 40, "2026-07-31"), Batch("C", 10)]
    assert quantities(draw_unbatched(batches, 60, "2026-05-01")) == {"A": 0, "B": 30, "C": 10}


def test_domain_3_4_qat_a_batch_that_expires_this_month_leaves_by_expiry_and_not_by_consumption() -> None:
    """May's consumption of 30: A expires in May and keeps its 40 until it does, B gives the 30."""
    batches = [Batch("A", 40, "2026-05-20"), Batch("B", 50, "2026-07-31")]
    assert quantities(draw_unbatched(batches, 30, "2026-06-01")) == {"A": 40, "B": 20}


def test_what_is_consumed_beyond_all_batches_is_drawn_from_nothing() -> None:
    assert quantities(draw_unbatched([Batch("A", 4, "2026-06-01"), Batch("U", -9)], 9, "2026-05-01")) == {"A": 0, "U": -9}


batches_of = st.lists(
    st.tuples(st.integers(-20, 50), st.sampled_from([None, "2026-05-01", "2026-06-01", "2026-07-01"]), st.integers(0, 3)), max_size=8
).map(lambda rows: [Batch(f"L{number}", *row) for number, row in enumerate(rows)])


@given(batches_of, st.integers(0, 200), st.integers(1, 10))
def test_what_is_taken_and_what_is_left_are_what_was_there(batches: list[Batch[str]], quantity: int, most: int) -> None:
    ordered = in_order(batches)
    taken, left = take(ordered, quantity, most)
    there = sum(max(one.quantity, 0) for one in batches)
    assert sum(amount for _, amount in taken) + sum(max(one.quantity, 0) for one in left) == there
    assert len(taken) <= most
    assert all(0 < amount <= batch.quantity for batch, amount in taken)
    assert len(taken) == most or sum(amount for _, amount in taken) == min(quantity, there)


@given(batches_of, st.integers(0, 200), st.randoms(use_true_random=False))
def test_the_order_in_which_batches_are_named_changes_nothing(batches: list[Batch[str]], quantity: int, random: object) -> None:
    shuffled = list(batches)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert draw_unbatched(shuffled, quantity, "2026-06-01") == draw_unbatched(batches, quantity, "2026-06-01")
