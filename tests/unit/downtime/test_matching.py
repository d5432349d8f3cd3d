"""Paper against device log: every line ends in one class; the order and the sides make no difference."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topology.downtime.matching import Line, Matched, match, same_lot

START = datetime(2026, 3, 3, 2, 0, tzinfo=UTC)
TOLERANCE = timedelta(minutes=15)


def line(id_: str, minute: int = 0, quantity: int = 1, **changes: object) -> Line:
    at = START + timedelta(minutes=minute)
    return replace(Line(id=id_, deed="removal", place="icu/cab1/d1/p1", item="amox", quantity=quantity, occurred=at), **changes)


def ids(found: Matched) -> set[tuple[str, str]]:
    return {(one.id, other.id) for one, other in found.pairs}


@st.composite
def sides(draw: st.DrawFn) -> tuple[list[Line], list[Line]]:
    """Lines of both sides at two places, close in time, with few quantities, lots and people, so that much could pair with much."""
    def some(prefix: str) -> list[Line]:
        count = draw(st.integers(0, 7))
        return [
            line(
                f"{prefix}{number}", draw(st.integers(0, 60)), draw(st.integers(1, 2)),
                place=draw(st.sampled_from(["a", "b"])), lots=frozenset(draw(st.sampled_from([[], ["L1"], ["L-2"], ["l1", "L2"]]))),
                person=draw(st.sampled_from(["", "kim", "lee"])),
            )
            for number in range(count)
        ]  # fmt: skip
    return some("p"), some("d")


@settings(max_examples=200, deadline=None)
@given(both=sides())
def test_every_line_ends_in_exactly_one_class(both: tuple[list[Line], list[Line]]) -> None:
    """Matched and unmatched are all lines of each side, each once."""
    paper, device = both
    found = match(paper, device, TOLERANCE)
    assert sorted([one.id for one, _ in found.pairs] + [one.id for one in found.paper_alone]) == sorted(one.id for one in paper)
    assert sorted([one.id for _, one in found.pairs] + [one.id for one in found.device_alone]) == sorted(one.id for one in device)


@settings(max_examples=200, deadline=None)
@given(both=sides(), data=st.data())
def test_order_and_sides_make_no_difference(both: tuple[list[Line], list[Line]], data: st.DataObject) -> None:
    paper, device = both
    found = match(paper, device, TOLERANCE)
    again = match(data.draw(st.permutations(paper)), data.draw(st.permutations(device)), TOLERANCE)
    assert again == found
    turned = match(device, paper, TOLERANCE)
    assert {(other, one) for one, other in ids(turned)} == ids(found)


@settings(max_examples=200, deadline=None)
@given(both=sides())
def test_no_possible_pair_is_left_and_each_pair_is_possible(both: tuple[list[Line], list[Line]]) -> None:
    """No line alone has one on the other side that it could be; each pair names one place, and times within the tolerance."""
    found = match(*both, TOLERANCE)
    for one, other in found.pairs:
        assert (one.place, one.item, one.deed) == (other.place, other.item, other.deed)
        assert abs(one.occurred - other.occurred) <= TOLERANCE
    alone = [(one, other) for one in found.paper_alone for other in found.device_alone if one.place == other.place]
    assert not [pair for pair in alone if abs(pair[0].occurred - pair[1].occurred) <= TOLERANCE]


@settings(max_examples=100, deadline=None)
@given(both=sides())
def test_as_many_agree_as_can_agree(both: tuple[list[Line], list[Line]]) -> None:
    """Against trying every choice of pairs: the number of pairs with one quantity and no contradicting lot is the largest possible."""
    paper, device = ([one for one in side if one.place == "a"][:4] for side in both)
    could = [
        (one.id, other.id) for one in paper for other in device
        if one.quantity == other.quantity and not one.lots and not other.lots and abs(one.occurred - other.occurred) <= TOLERANCE
    ]  # fmt: skip
    plain = [one for one in paper if not one.lots], [one for one in device if not one.lots]
    most = max(
        (size for size in range(5) for chosen in combinations(could, size) if _distinct(chosen)), default=0,
    )  # fmt: skip
    found = match(*plain, TOLERANCE)
    assert sum(one.quantity == other.quantity for one, other in found.pairs) == most


def _distinct(chosen: tuple[tuple[str, str], ...]) -> bool:
    return len({one for one, _ in chosen}) == len({other for _, other in chosen}) == len(chosen)


def test_agreeing_lines_are_paired_before_nearer_ones_that_differ() -> None:
    """The nurse wrote 2 at 02:00 and 1 at 02:05; the device says 1 at 02:01 and 2 at 02:04: both agree, crosswise."""
    found = match([line("p1", 0, 2), line("p2", 5, 1)], [line("d1", 1, 1), line("d2", 4, 2)], TOLERANCE)
    assert ids(found) == {("p1", "d2"), ("p2", "d1")}


def test_of_two_alike_the_same_persons_and_then_the_nearest_is_taken() -> None:
    kim, lee = line("p1", 0, person="Kim"), line("p2", 4, person="lee ")
    assert ids(match([kim, lee], [line("d1", 1, person="LEE")], TOLERANCE)) == {("p2", "d1")}
    assert ids(match([line("p1", 5)], [line("d1", 0), line("d2", 6)], TOLERANCE)) == {("p1", "d2")}


@pytest.mark.parametrize(("minutes", "paired"), [(15, 1), (16, 0)])
def test_the_tolerance_is_inclusive(minutes: int, paired: int) -> None:
    assert len(match([line("p1")], [line("d1", minutes)], TOLERANCE).pairs) == paired


@pytest.mark.parametrize("change", [{"place": "icu/cab1/d1/p2"}, {"item": "ibu"}, {"deed": "return"}])
def test_another_place_item_or_deed_is_another_fact(change: dict[str, str]) -> None:
    assert not match([line("p1")], [line("d1", **change)], TOLERANCE).pairs


@pytest.mark.parametrize(
    ("mine", "theirs", "same"),
    [
        ([], ["L1"], True), (["unknown"], ["L1"], True), (["ab-0123 "], ["AB0123"], True), (["0123"], ["123"], False),
        (["L1"], ["L1", "L2"], True), (["L1"], ["L2"], False), (["L1", "L2"], ["L2", "L3"], False),
    ],
)  # fmt: skip
def test_lots_agree_when_none_contradicts(mine: list[str], theirs: list[str], same: bool) -> None:
    """A lot is compared in capitals, without blanks and hyphens, with its leading zeros (as recalls are)."""
    one, other = line("p", lots=frozenset(mine)), line("d", lots=frozenset(theirs))
    assert same_lot(one, other) is same is same_lot(other, one)


def test_another_quantity_or_lot_is_a_pair_that_differs() -> None:
    found = match([line("p1", quantity=2), line("p2", 40, lots=frozenset({"L1"}))],
                  [line("d1", quantity=3), line("d2", 41, lots=frozenset({"L9"}))], TOLERANCE)  # fmt: skip
    assert ids(found) == {("p1", "d1"), ("p2", "d2")}
