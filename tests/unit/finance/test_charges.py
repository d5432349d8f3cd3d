"""Charge reconciliation by stated cases: what left and what was given against what was charged."""

from __future__ import annotations

from typing import Any

import pytest

from sinks.finance.charges import Amount, Basis, Said, Side, reconciled, standing
from sinks.finance.master import Master
from tests.support.moves import instant


def amount(side: str, quantity: int, order: str = "o1", **more: Any) -> Amount:
    given = {"site": "mercy", "patient": "p1", "item": "heparin", **more}
    return Amount(side=Side(side), order_id=order, quantity=quantity, **given)


def states(*amounts: Amount, basis: Basis = Basis.REMOVED) -> list[tuple[str, str]]:
    return [(line.order_id, line.state) for line in reconciled(amounts, basis)]


@pytest.mark.parametrize(
    ("removed", "charged", "state"),
    [((3,), (3,), "matched"), ((3, -1), (2,), "matched"), ((3,), (), "not_charged"), ((), (2,), "nothing_removed"),
     ((3,), (2,), "differs"), ((3,), (3, -3), "not_charged"), ((2, -2), (), "matched")],
)  # fmt: skip
def test_a_charge_equals_what_left_less_what_came_back(removed: tuple[int, ...], charged: tuple[int, ...], state: str) -> None:
    """Both ways: what left and is not charged, and what is charged and never left."""
    amounts = [*(amount("removed", each) for each in removed), *(amount("charged", each) for each in charged)]
    assert states(*amounts) == [("o1", state)]


def test_where_only_administrations_were_reported_they_are_what_is_due() -> None:
    assert states(amount("administered", 2), amount("charged", 2)) == [("o1", "matched")]


def test_the_basis_decides_between_what_was_removed_and_what_was_given() -> None:
    """3 removed, 2 given (one was wasted), 2 charged."""
    told = [amount("removed", 3), amount("administered", 2), amount("charged", 2)]
    assert states(*told) == [("o1", "differs")]
    assert states(*told, basis=Basis.ADMINISTERED) == [("o1", "matched")]


def test_orders_are_compared_one_by_one_where_the_feeds_name_them_alike() -> None:
    told = [amount("removed", 1, "a"), amount("removed", 2, "b"), amount("charged", 1, "a")]
    assert states(*told) == [("a", "matched"), ("b", "not_charged")]


@pytest.mark.parametrize("order", ["filler-7", ""])
def test_orders_named_apart_or_not_at_all_are_compared_as_a_whole(order: str) -> None:
    """The cabinet says the placer's number, the charge the filler's, or none: 1 + 2 removed, 3 charged."""
    told = [amount("removed", 1, "a"), amount("removed", 2, "b"), amount("charged", 3, order)]
    assert states(*told) == [("", "matched")]


def test_patients_items_and_sites_are_never_mixed() -> None:
    told = [amount("removed", 1), amount("charged", 1, patient="p2"), amount("charged", 1, item="saline")]
    assert sorted(state for _, state in states(*told)) == ["not_charged", "nothing_removed", "nothing_removed"]


def test_what_can_not_be_compared_says_why_and_is_never_a_match() -> None:
    """A charge without a unit counts nothing; a removal for nobody belongs to nobody. A dose that is not needed hides nothing."""
    unsure = amount("charged", 0, why="its quantity has no unit")
    (line,) = reconciled([amount("removed", 2), unsure], Basis.REMOVED)
    assert (line.state, line.reason) == ("not_comparable", "charged not counted: its quantity has no unit")
    assert states(amount("removed", 2, patient="")) == [("o1", "not_comparable")]
    dose = amount("administered", 0, why="no factor from mg to vial")
    assert states(amount("removed", 2), amount("charged", 2), dose) == [("o1", "matched")]
    assert states(amount("charged", 2), dose) == [("o1", "not_comparable")]


def said(key: str, kind: str = "administer", quantity: str = "1", **more: Any) -> Said:
    given = {"site": "mercy", "feed": "administration", "occurred": instant(1), "codes": (), "is_dose": False, "version": 0}
    return Said(event_key=key, kind=kind, quantity=quantity, **{**given, **more})


def test_the_newest_version_of_a_fact_stands_and_one_that_was_taken_back_does_not() -> None:
    """In any order of arrival: b replaces a twice (the higher number counts); c is taken back by its key, d by its other name."""
    told = [
        said("a"), said("b1", quantity="3", replaces="a", version=2), said("b2", quantity="2", replaces="a", version=1),
        said("c"), said("x", "reversal", reverses="c"), said("d", alias="order-d"), said("y", "reversal", reverses="order-d"),
        said("e"), said("z", "reversal", reverses="e", site="stluke"),
    ]  # fmt: skip
    for order in (told, told[::-1]):
        assert [(one.event_key, one.quantity) for one in standing(order)] == [("b1", "3"), ("e", "1")]


MASTER = {
    "item": [
        {"id": "morphine", "base_unit": "vial", "strength_amount": "10", "strength_unit": "mg", "consumption_rule": "whole_container",
         "codes": [{"system": "rxnorm", "value": "7052"}]},
        {"id": "apap", "base_unit": "tablet", "consumption_rule": "splittable", "codes": []},
    ],
    "product": [
        {"id": "mor-a", "item": "morphine", "package_quantity": 25, "ndc": "0409-1891-01", "codes": []},
        {"id": "apap-a", "item": "apap", "package_quantity": 100, "gtin": "00300450449108", "codes": []},
    ],
    "unit_factor": [{"item": "apap", "unit": "box", "numerator": 100, "denominator": 1}],
    "code": [{"system": "local", "value": "ap", "item": "apap", "site": "mercy", "valid_from": "2026-03-11"}],
}  # fmt: skip


def master() -> Master:
    return Master(lambda kind: MASTER[kind], lambda _site, at: at[:10])


@pytest.mark.parametrize(
    ("codes", "means"),
    [([("ndc", "00409-1891-01")], ("morphine", "mor-a")), ([("NDC", "0409189101")], ("morphine", "mor-a")),
     ([("rxnorm", "7052")], ("morphine", "")), ([("item", "apap")], ("apap", "")), ([("gtin", "300450449108")], ("apap", "apap-a")),
     ([("rxnorm", "7052"), ("item", "apap")], None), ([("ndc", "nobody's")], None), ([], None), ([("local", "ap")], None)],
)  # fmt: skip
def test_codes_mean_what_the_item_master_says(codes: list[tuple[str, str]], means: tuple[str, str] | None) -> None:
    """Codes that point to two items mean none; a link holds from its first day on."""
    assert master().item_of(codes, "mercy", instant(1)) == means


def test_a_link_holds_at_its_site_from_its_first_day() -> None:
    assert master().item_of([("local", "ap")], "mercy", instant(1440)) == ("apap", "")
    assert master().item_of([("local", "ap")], "stluke", instant(1440)) is None


@pytest.mark.parametrize(
    ("item", "quantity", "unit", "expected"),
    [("morphine", "2", "VIAL", 2), ("morphine", "4", "mg", 1), ("morphine", "12", "mg", 2), ("morphine", "10000", "mcg", 1),
     ("apap", "2", "box", 200), ("morphine", "1", "pack", 25), ("apap", "0.5", "tab", "0.5 tab is no whole number of tablet"),
     ("apap", "1", "mg", "no factor from mg to tablet"), ("apap", "1", None, "its quantity has no unit"),
     ("apap", None, "tab", "it states no quantity")],
)  # fmt: skip
def test_quantities_are_compared_in_base_units(item: str, quantity: str | None, unit: str | None, expected: int | str) -> None:
    """4 mg of a 10 mg vial use the vial; nothing is taken one to one."""
    product = {"morphine": "mor-a", "apap": "apap-a"}[item]
    assert master().base_units((item, product), quantity, unit, is_dose=True) == expected
