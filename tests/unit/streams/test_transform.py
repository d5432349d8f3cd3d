"""Stock that becomes other stock (design: ledger, `transform`): lines post together, balance item by item, and recalls follow them."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from schemas.codes import Code
from schemas.events import StockEvent
from schemas.preparation import BeyondUsePolicy, Recipe, RecipeInput
from schemas.reference import RecallNotice
from schemas.topics import BALANCES, MOVEMENTS
from tests.support.facts import BY_PRODUCT, day, decision, minutes, part, reversal, told, transform
from tests.support.world import BIN, ITEM, SITE, STORE, WARD, item, location, policy, product
from tests.unit.verify.logs import RecordedHub
from topology.verify.run import verify

BAG, KIT = "bag", "kit"
BY_TEVA = (Code(system="local", value="TEVA"),)


def hub(*more: Any) -> RecordedHub:
    """Ten of lot L1 and ten of lot L2 in the store; a bag that is made of them, and a kit that holds bags."""
    made = RecordedHub(
        item(BAG), item(KIT), product("amox-teva", ndc="0093-1234-01", gtin=None, codes=BY_TEVA),
        BeyondUsePolicy(site=SITE, event="transform", hours=12), *more,
    )  # fmt: skip
    made.tick(minutes(-120))
    for lot in ("L1", "L2"):
        made.tell(told("receive", 10, place=STORE, lot=lot, codes=BY_PRODUCT, at=minutes(-60), expiry=day(90)))
    return made


def bags(quantity: int = 2, lot: str = "B1", of: str | None = "L1", used: int = 3, **changes: Any) -> StockEvent:
    """Bags, made of tablets of a lot."""
    parts = [part(used, lot=of, codes=BY_PRODUCT), part(quantity, made=True, code=f"{BAG}-1", lot=lot)]
    return transform(*parts, **{"place": STORE, "key": f"make|{lot}", **changes})


def kits(lot: str = "K1", of: str | None = "B1", **changes: Any) -> StockEvent:
    """A kit of one bag."""
    parts = [part(1, code=f"{BAG}-1", lot=of), part(1, made=True, code=f"{KIT}-1", lot=lot, place=WARD)]
    return transform(*parts, **{"place": STORE, "key": f"make|{lot}", "at": minutes(30), **changes})


def recall(classification: str = "II", lots: tuple[str, ...] = ("L1",), **changes: Any) -> RecallNotice:
    fields = {"id": "R1", "classification": classification, "products": ("amox-hospira",), "lots": lots, "all_lots": not lots}
    return RecallNotice(**{**fields, **changes})


def standing(site: RecordedHub, name: str) -> list[tuple[str, str, int, str]]:
    """Place, lot, quantity and status of an item."""
    return [(one.location, one.lot, one.quantity, str(one.status)) for one in site.latest(BALANCES) if one.item == name]


def agrees(site: RecordedHub) -> bool:
    return verify(site.logs()).differences == [] and all(site.accounts_total(name) == 0 for name in (ITEM, BAG, KIT))


# ---- what it posts -------------------------------------------------------------------------------------------------------


def test_inputs_leave_to_the_account_transform_and_outputs_come_from_it() -> None:
    site = hub()
    site.tell(bags(actor="pia", witness="tom"))
    made = [one for one in site.all(MOVEMENTS) if one.kind == "transform"]
    assert [(one.item, one.lot, one.quantity, one.from_account, one.to_account) for one in made] == [
        (ITEM, "L1", 3, f"stock:{STORE}", "transform"), (BAG, "B1", 2, "transform", f"stock:{STORE}"),
    ]  # fmt: skip
    assert {(one.actor, one.witness, one.event_id) for one in made} == {("pia", "tom", made[0].event_id)}
    assert (site.lots(STORE), site.lots(STORE, BAG)) == ({"L1": 7, "L2": 10}, {"B1": 2})
    assert site.outcomes()[-1] == "posted"
    assert agrees(site)


def test_an_output_has_a_beyond_use_instant_by_the_policy_or_its_label() -> None:
    site = hub()
    site.tell(bags())
    site.tell(
        transform(
            part(1, lot="L1"), part(1, made=True, code=f"{BAG}-1", lot="B2", beyond_use=minutes(60)),
            part(1, made=True, code=f"{BAG}-1", lot="B3", container="tray 7", beyond_use=minutes(90)), place=STORE,
        )
    )  # fmt: skip
    ends = {one.lot: (one.beyond_use, one.container) for one in site.latest(BALANCES) if one.item == BAG}
    assert ends == {"B1": (minutes(12 * 60), None), "B2": (minutes(60), None), "B3": (minutes(90), "tray 7")}
    site.tick(minutes(61))
    assert site.usable(STORE, BAG) == 3
    site.tick(minutes(12 * 60))
    assert (site.usable(STORE, BAG), site.on_hand(STORE, BAG)) == (0, 4)
    assert agrees(site)


def test_the_lines_of_one_item_may_differ_in_number_and_each_item_balances_by_itself() -> None:
    """A box of 10 becomes 9 unit doses: one was lost, and the account says so."""
    site = hub()
    site.tell(transform(part(10, lot="L2", codes=BY_PRODUCT), part(9, made=True, lot="UD1", codes=BY_PRODUCT), place=STORE))
    assert site.lots(STORE) == {"L1": 10, "UD1": 9}
    moved = site.moved()
    assert (moved["transform", ITEM, "L2"], moved["transform", ITEM, "UD1"]) == (10, -9)
    assert agrees(site)


def test_a_transform_with_a_line_that_is_not_known_waits_whole_and_posts_whole() -> None:
    site = hub()
    site.tell(transform(part(3, lot="L1"), part(1, made=True, code="new-code", lot="N1", place="NEWROOM"), place=STORE, key="t"))
    assert site.outcomes()[-1] == "unknown_location"
    assert site.lots(STORE) == {"L1": 10, "L2": 10}
    site.learn(location("clean", codes=("NEWROOM",)))
    assert site.outcomes()[-1] == "unknown_code"
    site.learn(item("new", codes=(Code(system="local", value="new-code"),)))
    assert (site.outcomes()[-1], site.lots(STORE), site.lots("clean", "new")) == ("posted", {"L1": 7, "L2": 10}, {"N1": 1})
    assert agrees(site)


def test_a_transform_that_waits_is_kept_whole_across_a_restart() -> None:
    site = hub()
    site.tell(transform(part(3, lot="L1", place="NEWROOM"), part(1, made=True, code=f"{BAG}-1", lot="N1"), place=STORE))
    site.restart()
    site.learn(location("clean", codes=("NEWROOM",)))
    assert (site.lots("clean"), site.lots(STORE, BAG)) == ({"L1": -3}, {"N1": 1})
    assert agrees(site)


def test_taking_a_transform_back_takes_all_of_its_lines_back_in_either_order() -> None:
    first, second = hub(), hub()
    first.hear(bags(), reversal("make|B1", at=minutes(5)))
    second.hear(reversal("make|B1", at=minutes(5)), bags())
    for site in (first, second):
        assert (site.lots(STORE), site.lots(STORE, BAG)) == ({"L1": 10, "L2": 10}, {})
        assert agrees(site)
    back = [one for one in first.all(MOVEMENTS) if one.kind == "reversal"]
    assert len(back) == 2
    assert {one.event_id for one in back} == {back[0].event_id}


def test_a_resend_makes_nothing_twice_and_other_lines_under_one_identity_are_a_conflict() -> None:
    site = hub()
    site.hear(bags(), bags(), bags(used=4))
    assert site.outcomes()[-3:] == ["posted", "duplicate", "conflicting_duplicate"]
    assert site.lots(STORE) == {"L1": 7, "L2": 10}


def test_an_input_that_was_beyond_use_or_recalled_is_a_case_and_posts() -> None:
    site = hub()
    site.hear(bags(), kits(at=minutes(13 * 60)))
    (case,) = site.open_cases("unusable_used")
    assert f"{BAG} 250 mg tablet: lot B1 was used to make other stock although it was beyond its use-by time" in case.text
    assert site.lots(WARD, KIT) == {"K1": 1}
    assert agrees(site)


def test_an_input_taken_at_a_place_that_needs_supply_opens_its_need() -> None:
    site = hub(policy(STORE, minimum=18, par=40, critical=18))
    site.tell(bags())
    assert [(one.location, one.item) for one in site.open_commands()] == [(STORE, ITEM)]


# ---- recipes ---------------------------------------------------------------------------------------------------------------


RECIPE = Recipe(id="bag-2", item=BAG, quantity=2, inputs=(RecipeInput(item=ITEM, quantity=3),), tolerance_percent=10)


@pytest.mark.parametrize(
    ("made", "used", "said"),
    [
        (2, 3, None), (4, 6, None), (20, 33, None), (20, 27, None),
        (20, 34, "34 of amox went in, where 30 belong"), (2, 4, "4 of amox went in, where 3 belong"), (3, 4, "4 of amox went in, where 9/2 belong"),
    ],
)  # fmt: skip
def test_a_transform_is_checked_against_the_recipe_it_names(made: int, used: int, said: str | None) -> None:
    """Two bags of three tablets, 10 % more or less: 30 for twenty bags, 27 to 33."""
    site = hub(RECIPE)
    site.tell(bags(made, used=used, recipe="bag-2"))
    assert [case.text.partition("it: ")[2] for case in site.open_cases("recipe_deviation")] == ([said] if said else [])
    assert site.lots(STORE, BAG) == {"B1": made}


def test_a_recipe_that_nobody_loaded_or_that_makes_something_else_is_said() -> None:
    site = hub(RECIPE)
    site.hear(bags(recipe="no-such"), kits(recipe="bag-2"))
    assert sorted(case.text.partition("it: ")[2] for case in site.open_cases("recipe_deviation")) == [
        "1 of kit came out, which it does not make; no bag came out", "recipe no-such is not known: load it, or correct the name",
    ]  # fmt: skip


# ---- recalls (domain §3.8; design: recall traverses `transform`) -------------------------------------------------------------


def test_a_recalled_input_blocks_what_was_made_of_it_in_every_step() -> None:
    site = hub()
    site.hear(bags(), bags(lot="B2", of="L2"), kits(), kits(lot="K2", of="B2"))
    site.learn(recall())
    assert standing(site, BAG) == [(STORE, "B1", 1, "recalled"), (STORE, "B2", 1, "available")]
    assert standing(site, KIT) == [(WARD, "K1", 1, "recalled"), (WARD, "K2", 1, "available")]
    texts = sorted(case.text for case in site.open_cases("recall"))
    assert texts == [
        "lot B1 of bag is recalled (class II) as made of a recalled lot: R1", "lot K1 of kit is recalled (class II) as made of a recalled lot: R1",
        "lot L1 of amox is recalled (class II): R1",
    ]  # fmt: skip
    site.learn(recall(released="FDA"))
    assert {row[3] for name in (BAG, KIT, ITEM) for row in standing(site, name)} == {"available"}
    assert agrees(site)


def test_any_order_of_arrival_blocks_the_same() -> None:
    """The recall first, the kit before its bag, the goods last, a bag that is taken back: 120 orders."""
    steps = [recall(), bags(), kits(), bags(lot="B9", key="b9"), reversal("b9", at=minutes(50))]
    seen = set()
    for number, order in enumerate(permutations(steps)):
        site = hub()
        for step in order:
            if isinstance(step, RecallNotice):
                site.learn(step)
            else:
                site.tell(step)
        seen.add(tuple(sorted((*standing(site, BAG), *standing(site, KIT)))))
        if number % 20 == 0:
            assert agrees(site)
    assert seen == {((STORE, "B1", 1, "recalled"), (WARD, "K1", 1, "recalled"))}


def test_a_making_that_is_taken_back_lets_its_output_go() -> None:
    site = hub()
    site.hear(bags(), kits())
    site.learn(recall())
    site.tell(reversal("make|B1", at=minutes(60)))
    assert [row[3] for row in standing(site, KIT)] == ["available"]
    assert agrees(site)


@pytest.mark.parametrize(("classification", "status"), [("I", "recalled"), ("II", "available"), ("III", "available")])
def test_stock_made_of_an_unknown_lot_is_a_case_to_trace_and_under_class_i_blocked_till_it_is_closed(
    classification: str, status: str
) -> None:
    site = hub()
    site.hear(told("count", 30, place=STORE, at=minutes(-5)), bags(of=None), kits())
    site.learn(recall(classification))
    assert [row[3] for name in (BAG, KIT) for row in standing(site, name)] == [status, status]
    cases = site.open_cases("recall_trace")
    assert sorted(case.item for case in cases) == [BAG, KIT]
    assert "lot B1 of bag was made of an unknown lot that recall R1 may name" in min(case.text for case in cases)
    for case in cases:
        site.say(decision(case.case_id, "close", "pia"))
    assert [row[3] for name in (BAG, KIT) for row in standing(site, name)] == ["available", "available"]
    assert agrees(site)
    site.tell(transform(part(1), part(1, made=True, code=f"{BAG}-1", lot="B1"), place=STORE, at=minutes(90)))
    assert [case.item for case in site.open_cases("recall_trace")] == [BAG], "what went in now is another question"
    assert agrees(site)


def test_an_input_of_another_product_of_the_item_is_not_recalled() -> None:
    site = hub()
    site.hear(
        told("receive", 5, place=STORE, lot="L1", codes=BY_TEVA),
        transform(part(2, lot="L1", codes=BY_TEVA), part(1, made=True, code=f"{BAG}-1", lot="B5"), place=STORE, at=minutes(5)),
    )
    site.learn(recall())
    assert standing(site, BAG) == [(STORE, "B5", 1, "available")]
    assert agrees(site)


def test_the_product_of_an_input_that_becomes_known_lets_its_output_go() -> None:
    """L7 was stated without a product: it could be the recalled one, until the scan says it is not."""
    site = hub()
    site.tell(transform(part(2, lot="L7"), part(1, made=True, code=f"{BAG}-1", lot="B7"), place=STORE, at=minutes(5)))
    site.learn(recall(lots=("L7",)))
    assert standing(site, BAG) == [(STORE, "B7", 1, "recalled")]
    site.tell(told("count", 4, place=BIN, lot="L7", codes=BY_TEVA, at=minutes(9)))
    assert standing(site, BAG) == [(STORE, "B7", 1, "available")]
    assert agrees(site)


def test_a_number_of_two_products_that_is_first_told_without_one_may_be_the_one_made_of_recalled_stock() -> None:
    """Product A's M1 was made of a recalled lot, product B has an M1 too; then an M1 of nobody's comes."""
    codes = {name: (Code(system="local", value=f"BAG-{name}"),) for name in "AB"}
    site = hub(*(product(f"bag-{name.lower()}", item=BAG, ndc=None, gtin=None, codes=codes[name]) for name in "AB"))
    made = part(2, made=True, lot="M1", codes=codes["A"])
    site.hear(
        transform(part(3, lot="L1", codes=BY_PRODUCT), made, place=STORE),
        told("receive", 4, place=STORE, lot="M1", codes=codes["B"], at=minutes(5)),
    )
    site.learn(recall())
    site.tell(told("receive", 1, place=BIN, lot="M1", codes=(Code(system="local", value=f"{BAG}-1"),), at=minutes(9)))
    assert sorted(standing(site, BAG)) == [(STORE, "M1", 2, "recalled"), (STORE, "M1", 4, "available"), (BIN, "M1", 1, "recalled")]
    assert agrees(site)


def test_stock_that_is_made_of_itself_ends_somewhere() -> None:
    """Repackaged under the same number, twice."""
    site = hub()
    for at in (5, 6):
        site.tell(
            transform(part(2, lot="L1", codes=BY_PRODUCT), part(2, made=True, lot="L1", codes=BY_PRODUCT), place=STORE, at=minutes(at))
        )
    site.learn(recall(lots=("OTHER",)))
    assert site.usable(STORE) == 20
    assert agrees(site)


def test_a_transform_that_is_told_late_is_put_in_its_place() -> None:
    site = hub()
    site.hear(told("count", 6, place=STORE, lot="L1", codes=BY_PRODUCT, at=minutes(60)), bags())
    assert site.lots(STORE) == {"L1": 6, "L2": 10}
    assert site.lots(STORE, BAG) == {"B1": 2}
    assert site.moved()["variance", ITEM, "L1"] == 1
    assert agrees(site)
