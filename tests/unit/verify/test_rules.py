"""Each rule of the ledger as verify knows it, on logs written by hand: the expected values come from the rule, not from the hub."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import permutations

import pytest

from schemas.codes import Code
from schemas.kinds import ConsumptionRuleKind, Feed, LocationKind
from schemas.reference import ConsumptionRule, RecallNotice, UnitFactor
from tests.support.facts import BY_ITEM, BY_PRODUCT, day, minutes, reversal, told
from tests.support.world import BIN, GTIN, ITEM, OTHER_POCKET, POCKET, STORE, WARD, item, location, policy, product
from tests.unit.verify.story import Story
from topology.verify.words import microseconds

TEVA = product("amox-teva", ndc="0093-1234-01", gtin=None, codes=(Code(system="local", value="TEVA"),))
BY_TEVA = (Code(system="local", value="TEVA"),)
MIDNIGHT = datetime(2026, 3, 3, 5, 0, tzinfo=UTC)
"""The end of 2 March 2026 in New York (UTC−5)."""


# ---- what an event posts (docs/contracts.md) -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "place", "to", "here", "there", "account"),
    [
        ("vend", POCKET, None, -3, {}, ("patient", 3)),
        ("return", POCKET, None, 3, {}, ("patient", -3)),
        ("expire", POCKET, None, -3, {}, ("waste", 3)),
        ("discard", BIN, None, -3, {}, ("waste", 3)),
        ("receive", STORE, None, 3, {}, ("supplier", -3)),
        ("dispense", STORE, None, -3, {}, ("patient", 3)),
        ("administer", WARD, None, -3, {}, ("patient", 3)),
        ("put_away", STORE, BIN, -3, {BIN: 3}, None),
        ("pick", STORE, POCKET, -3, {POCKET: 3}, None),
        ("pick", STORE, None, -3, {"transit": 3}, None),
        ("refill", POCKET, None, 3, {STORE: -3}, None),
        ("refill", WARD, None, 3, {}, ("suspense", -3)),
    ],
)
def test_a_kind_moves_between_its_accounts(
    kind: str, place: str, to: str | None, here: int, there: dict[str, int], account: tuple[str, int] | None
) -> None:
    story = Story()
    story.hear(told(kind, 3, place=place, to=to))
    assert story.on_hand(place) == here
    assert {other: story.on_hand(other) for other in there} == there
    if account is not None:
        assert story.outside(account[0]) == account[1]


def test_a_waste_destroys_what_was_removed_before_and_no_place_changes() -> None:
    story = Story()
    story.hear(told("waste", 2, place=POCKET))
    assert (story.on_hand(), story.outside("patient"), story.outside("waste")) == (0, -2, 2)


def test_a_load_states_the_new_total_and_an_unload_leaves_nothing() -> None:
    story = Story()
    story.hear(told("return", 5, place=POCKET, lot="A"), told("load", 8, place=POCKET, lot="B", at=minutes(1)))
    assert (story.lots(), story.on_hand(STORE), story.outside("variance")) == ({"B": 8}, -8, 5)
    story.hear(told("unload", 6, place=POCKET, lot="B", at=minutes(2)))
    assert (story.lots(), story.on_hand(STORE), story.outside("variance")) == ({}, -2, 7)


def test_a_count_of_a_lot_sets_the_lot_and_one_without_a_lot_the_place() -> None:
    story = Story()
    story.hear(
        told("return", 5, place=POCKET, lot="A"), told("return", 3, place=POCKET, lot="B", at=minutes(1)),
        told("count", 4, place=POCKET, lot="A", at=minutes(2)), told("count", 9, place=POCKET, at=minutes(3)),
    )  # fmt: skip
    assert story.lots() == {"A": 4, "B": 3, "unknown": 2}
    story.hear(told("count", 0, place=POCKET, at=minutes(4)))
    assert story.lots() == {}


def test_an_event_that_arrives_late_is_absorbed_by_the_count_behind_it() -> None:
    story = Story()
    story.hear(told("count", 10, place=POCKET, at=minutes(30)), told("vend", 4, place=POCKET, at=minutes(10)))
    assert (story.on_hand(), story.outside("patient"), story.outside("variance")) == (10, 4, -14)


def test_a_verified_begin_count_is_a_count_before_the_event_and_an_expected_one_is_not() -> None:
    story = Story()
    story.hear(told("vend", 1, place=POCKET, begin_count=Decimal(7), begin_count_verified=True))
    assert story.on_hand() == 6
    story.hear(told("vend", 1, place=OTHER_POCKET, begin_count=Decimal(7)))
    assert story.on_hand(OTHER_POCKET) == -1


# ---- identity, versions --------------------------------------------------------------------------------------------------


def test_a_key_counts_once_whatever_it_says_the_second_time() -> None:
    story = Story()
    story.hear(told("return", 5, place=POCKET, key="k"), told("return", 5, place=POCKET, key="k"))
    story.hear(told("return", 6, place=POCKET, key="k"))
    assert story.on_hand() == 5


def test_test_traffic_claims_no_key() -> None:
    story = Story()
    story.hear(told("return", 5, place=POCKET, key="k", test=True), told("return", 4, place=POCKET, key="k"))
    assert story.on_hand() == 4


def test_what_is_older_than_400_days_posts_nothing_and_claims_no_key() -> None:
    story = Story()
    at = minutes(0)
    story.hear(told("return", 5, place=POCKET, key="k", at=at, received_at=at + timedelta(days=400, microseconds=1)))
    assert story.on_hand() == 0
    story.hear(told("return", 5, place=POCKET, key="k", at=at, received_at=at + timedelta(days=400)))
    assert story.on_hand() == 5


@pytest.mark.parametrize("reversal_first", [False, True])
def test_a_reversal_takes_the_event_back_whichever_comes_first(reversal_first: bool) -> None:
    story = Story()
    facts = [told("return", 5, place=POCKET, key="k"), reversal("k", at=minutes(1))]
    story.hear(*(reversed(facts) if reversal_first else facts))
    assert (story.on_hand(), story.outside("patient")) == (0, 0)


def test_a_reversal_of_a_reversal_takes_nothing_back() -> None:
    story = Story()
    story.hear(told("return", 5, place=POCKET, key="k"), reversal("k", key="r"), reversal("r", key="r2"))
    assert story.on_hand() == 0


def test_of_several_versions_the_latest_counts_and_none_after_a_deletion() -> None:
    story = Story()
    versions = [
        told("vend", 1, place=POCKET, key="v0"), told("vend", 3, place=POCKET, key="v2", replaces="v0", at=minutes(2)),
        told("vend", 2, place=POCKET, key="v1", replaces="v0", at=minutes(1)),
    ]  # fmt: skip
    story.hear(*versions)
    assert story.on_hand() == -3
    story.hear(reversal("v0", key="gone"), told("vend", 4, place=POCKET, key="v3", replaces="v0", at=minutes(9)))
    assert story.on_hand() == 0


# ---- resolving -----------------------------------------------------------------------------------------------------------


def test_only_the_feed_with_authority_decrements_a_place() -> None:
    story = Story()
    story.hear(told("dispense", 2, place=POCKET), told("administer", 2, place=POCKET), told("vend", 2, place=POCKET))
    assert story.on_hand() == -2


def test_an_unknown_code_waits_and_applies_itself_when_the_item_master_knows_it() -> None:
    story = Story()
    story.hear(told("return", 5, place=POCKET, codes=(Code(system="local", value="NEW"),), key="k"))
    assert story.on_hand() == 0
    story.learn(item(codes=(*item().codes, Code(system="local", value="new"))))
    assert story.on_hand() == 5


def test_a_place_that_becomes_known_lets_its_events_go_and_a_reversal_drops_one_that_waits() -> None:
    story = Story()
    story.hear(told("return", 5, place="NEW", key="a"), told("return", 2, place="NEW", key="b"), reversal("b"))
    story.learn(location("east", LocationKind.WARD, codes=("NEW",)))
    assert story.on_hand("east") == 5


def test_an_ambiguous_code_waits_until_one_meaning_is_left() -> None:
    both = (Code(system="local", value="BOTH"),)
    story = Story(item("ibu", codes=both))
    story.learn(item(codes=(*item().codes, *both)))
    story.hear(told("return", 5, place=POCKET, codes=both))
    assert story.on_hand() == 0
    story.learn(item("ibu", codes=()))
    assert story.on_hand() == 5


@pytest.mark.parametrize(
    ("quantity", "unit", "is_dose", "units"),
    [
        ("2", "tab", False, 2), ("500", "mg", False, 2), ("0.5", "g", False, 2), ("1", "pack", False, 25), ("2", "box", False, 20),
        ("300", "mg", True, 2), ("300", "mg", False, 0), ("1", "case", False, 0), ("0.5", "tablet", False, 0),
    ],
)  # fmt: skip
def test_quantities_become_whole_base_units_exactly_or_wait(quantity: str, unit: str, is_dose: bool, units: int) -> None:
    story = Story(UnitFactor(item=ITEM, unit="box", numerator=10))
    story.hear(told("return", quantity, place=POCKET, unit=unit, quantity_is_dose=is_dose, codes=BY_PRODUCT))
    assert story.on_hand() == units


def test_a_dose_that_may_be_split_waits_where_the_place_says_so() -> None:
    rule = ConsumptionRule(site="north", location="icu", item=ITEM, rule=ConsumptionRuleKind.SPLITTABLE)
    story = Story(rule)
    story.hear(told("return", "300", place=POCKET, unit="mg", quantity_is_dose=True))
    assert story.on_hand() == 0


def test_a_dispense_without_a_place_left_the_one_dispensing_store() -> None:
    story = Story()
    story.hear(told("dispense", 2))
    assert story.on_hand(STORE) == -2
    story.learn(location("second", authority=Feed.DISPENSE))
    story.hear(told("dispense", 2))
    assert story.on_hand(STORE) == -2


# ---- lots ----------------------------------------------------------------------------------------------------------------


def test_a_lot_follows_the_product_that_is_first_named_with_it() -> None:
    story = Story(TEVA)
    story.hear(told("return", 5, place=POCKET, lot="ab-1", codes=BY_ITEM))
    assert story.products() == {("", "AB1"): 5}
    story.hear(told("receive", 2, place=STORE, lot="AB1", codes=BY_TEVA))
    assert story.products() == {("amox-teva", "AB1"): 5}
    story.hear(told("vend", 1, place=POCKET, lot="AB1", codes=BY_ITEM, at=minutes(5)))
    assert story.products() == {("amox-teva", "AB1"): 4}


def test_a_lot_without_product_is_of_the_items_only_product() -> None:
    story = Story()
    story.hear(told("return", 5, place=POCKET, lot="A", codes=BY_ITEM))
    assert story.products() == {("amox-hospira", "A"): 5}


def test_a_lot_number_of_two_products_belongs_to_neither_where_none_is_named() -> None:
    story = Story(TEVA)
    for codes in (BY_PRODUCT, BY_TEVA, BY_ITEM):
        story.hear(told("return", 1, place=POCKET, lot="A", codes=codes))
    assert story.products() == {("amox-hospira", "A"): 1, ("amox-teva", "A"): 1, ("", "A"): 1}


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_a_count_of_a_number_of_two_products_counts_both(order: tuple[int, ...]) -> None:
    """5 and 3 came, 2 were taken, 7 are counted by the item's code: one is missing that nobody can tell the product of."""
    stream = [
        told("return", 5, place=POCKET, key="a", lot="A", codes=BY_PRODUCT), told("return", 3, place=POCKET, key="b", lot="A", codes=BY_TEVA),
        told("vend", 2, place=POCKET, key="v", lot="A", codes=BY_ITEM, at=minutes(1)),
        told("count", 7, place=POCKET, key="c", lot="A", codes=BY_ITEM, at=minutes(2)),
    ]  # fmt: skip
    story = Story(TEVA)
    story.hear(*(stream[at] for at in order))
    assert story.products() == {("amox-hospira", "A"): 5, ("amox-teva", "A"): 3, ("", "A"): -1}


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_date_told_without_a_product_holds_for_every_product(order: tuple[int, ...]) -> None:
    stream = [
        told("return", 5, place=POCKET, key="a", lot="A", codes=BY_PRODUCT, expiry=day(3)),
        told("return", 3, place=POCKET, key="b", lot="A", codes=BY_TEVA),
        told("return", 1, place=POCKET, key="d", lot="A", codes=BY_ITEM, expiry=day(0)),
    ]
    story = Story(TEVA)
    story.hear(*(stream[at] for at in order))
    story.tick(MIDNIGHT)
    assert (story.usable(), story.on_hand()) == (0, 9)


def test_a_lot_expires_at_the_sites_midnight_and_the_earliest_stated_date_counts() -> None:
    story = Story()
    story.hear(told("return", 5, place=POCKET, lot="A", expiry=day(3)), told("return", 4, place=POCKET, lot="B"))
    story.hear(told("return", 1, place=POCKET, lot="A", expiry=day(0), at=minutes(1)))
    story.tick(MIDNIGHT - timedelta(seconds=1))
    assert story.usable() == 10
    story.tick(MIDNIGHT)
    assert (story.usable(), story.on_hand()) == (4, 10)


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("by", ["reversal", "version"])
def test_the_expiry_of_what_posts_nothing_holds_whichever_came_first(by: str, first: int) -> None:
    """A fact that was taken back, or is an older version, still told the date on the box."""
    old = told("return", 5, place=POCKET, key="v1", lot="A", expiry=day(0), **({} if by == "reversal" else {"replaces": "v", "version": 1}))
    other = (
        reversal("v1", at=minutes(1)) if by == "reversal"
        else told("return", 1, place=POCKET, key="v2", lot="A", replaces="v", version=2)
    )  # fmt: skip
    story = Story()
    story.hear(*([old, other] if first == 0 else [other, old]), told("return", 4, place=POCKET, lot="A", at=minutes(2)))
    story.tick(MIDNIGHT)
    assert (story.usable(), story.on_hand()) == (0, 4 if by == "reversal" else 5)


# ---- recalls -------------------------------------------------------------------------------------------------------------


def notice(**changes: object) -> RecallNotice:
    fields = {"id": "R1", "classification": "I", "products": ("amox-hospira",), "lots": ("a",), "reason": "glass"}
    return RecallNotice(**{**fields, **changes})  # type: ignore[arg-type]


def test_a_recall_blocks_from_the_tick_in_force_until_it_is_released() -> None:
    story = Story(policy(minimum=2, satisfied_at=5))
    story.hear(told("return", 8, place=POCKET, lot="A"), told("return", 1, place=POCKET, lot="B", at=minutes(1)))
    story.tick(minutes(30))
    story.learn(notice())
    assert (story.usable(), story.armed_at()) == (1, microseconds(minutes(30)))
    story.tick(minutes(60))
    story.learn(notice(released="FDA"))
    assert (story.usable(), story.armed_at()) == (9, None)


def test_a_recall_that_was_read_before_covers_a_lot_from_when_it_is_first_heard_of() -> None:
    story = Story(notice())
    story.hear(told("return", 8, place=POCKET, lot="A"), told("return", 2, place=POCKET, lot="B", at=minutes(1)))
    assert story.usable() == 2


@pytest.mark.parametrize(("codes", "usable"), [(BY_TEVA, 11), (BY_PRODUCT, 0)])
def test_a_recall_lets_go_of_a_lot_that_is_known_to_be_of_another_product(codes: tuple[Code, ...], usable: int) -> None:
    story = Story(TEVA)
    story.hear(told("return", 10, place=POCKET, lot="A", codes=BY_ITEM))
    story.learn(notice())
    story.tick(minutes(30))
    assert story.usable() == 0
    story.hear(told("return", 1, place=POCKET, lot="A", codes=codes, at=minutes(31)))
    story.tick(minutes(60))
    assert story.usable() == usable


# ---- par levels ----------------------------------------------------------------------------------------------------------


def test_a_need_arms_at_the_minimum_and_stands_until_the_satisfied_level() -> None:
    story = Story(policy(minimum=4, par=20))  # satisfied at 12: halfway, rounded up
    story.hear(told("return", 20, place=POCKET), told("vend", 15, place=POCKET, at=minutes(1)))
    assert story.armed_at() is None
    story.hear(told("vend", 1, place=POCKET, at=minutes(2)))
    assert story.armed_at() == microseconds(minutes(2))
    story.hear(told("refill", 7, place=POCKET, at=minutes(3)))
    assert story.armed_at() == microseconds(minutes(2))
    story.hear(told("refill", 1, place=POCKET, at=minutes(4)))
    assert story.armed_at() is None


def test_the_trigger_does_not_look_in_the_middle_of_an_event() -> None:
    story = Story(policy(minimum=4, par=20))
    story.hear(told("return", 20, place=POCKET), told("load", 15, place=POCKET, at=minutes(1)))
    assert story.armed_at() is None


def test_a_changed_policy_counts_from_the_tick_in_force_and_entries_before_keep_their_levels() -> None:
    story = Story(policy(minimum=2, satisfied_at=3))
    story.hear(told("return", 8, place=POCKET))
    story.tick(minutes(30))
    story.learn(policy(minimum=10, satisfied_at=15))
    story.hear(told("vend", 1, place=POCKET, at=minutes(5)))
    assert story.armed_at() == microseconds(minutes(30))


def test_changes_of_a_policy_at_one_tick_count_in_the_order_of_their_revisions() -> None:
    """9 before 10: as numbers, not as text."""
    story = Story()
    story.learn(policy(minimum=2, satisfied_at=3), revision=8)
    story.hear(told("return", 8, place=POCKET))
    story.tick(minutes(30))
    story.learn(policy(minimum=10, satisfied_at=15), revision=9)
    story.learn(policy(minimum=2, satisfied_at=12), revision=10)
    assert story.armed_at() == microseconds(minutes(30))


def test_a_policy_loaded_before_the_first_entry_has_no_before() -> None:
    story = Story()
    story.tick(minutes(30))
    story.learn(policy(minimum=4, satisfied_at=6))
    story.hear(told("return", 3, place=POCKET, at=minutes(1)))
    assert story.armed_at() == microseconds(minutes(1))


def test_an_older_revision_and_an_older_tick_change_nothing() -> None:
    story = Story()
    story.learn(policy(minimum=4), revision=50)
    story.learn(policy(minimum=9), revision=49)
    story.tick(minutes(10))
    story.tick(minutes(5))
    assert story.derivation.known.policy(("north", POCKET, ITEM)).minimum == 4  # type: ignore[union-attr]
    assert story.derivation.now == microseconds(minutes(10))


def test_a_gtin_finds_the_product_whose_ten_digit_ndc_it_holds() -> None:
    story = Story(reference=())
    assert story.derivation.known.records["product"] == {}
    other = Story()
    other.learn(product(gtin=None))
    other.hear(told("return", 1, place=POCKET, codes=(Code(system="gtin", value=GTIN),)))
    assert other.on_hand() == 1
