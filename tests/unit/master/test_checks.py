"""What speaks against a change of the item master, check by check."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from schemas.codes import Code
from schemas.kinds import ConsumptionRuleKind
from schemas.master import Finding
from schemas.reference import REFERENCE_KINDS, CodeLink, PackageLevel, SiteItem, UnitFactor
from tests.support.world import ITEM, SITE, item, product
from topology.master.alike import Likes, normal_name
from topology.master.checks import FINDINGS_MAX, findings
from topology.master.held import Held, differences, fields_of

AMOX = replace(item(), form="tablet")
PRODUCT = product()


def held(*records: Any) -> Held:
    kinds = {kind.codec.type: kind for kind in REFERENCE_KINDS.values()}
    named = {(kinds[type(one)].name, kinds[type(one)].id_of(one)): one for one in (AMOX, PRODUCT, *records)}
    ids: dict[str, set[str]] = {"site": {SITE}}
    for kind, id_ in named:
        ids.setdefault(kind, set()).add(id_)
    return Held(named, ids)


def found(
    *wanted: Any, over: Held | None = None, removed: tuple[tuple[str, str], ...] = (), on_hand: int = 0
) -> list[tuple[str, str]]:
    """Severity and code of what is found when records are to be so."""
    return [(one.severity, one.code) for one in whole(*wanted, over=over, removed=removed, on_hand=on_hand)]


def whole(
    *wanted: Any, over: Held | None = None, removed: tuple[tuple[str, str], ...] = (), on_hand: int = 0
) -> tuple[Finding, ...]:
    kinds = {kind.codec.type: kind for kind in REFERENCE_KINDS.values()}
    here = over or held()
    rows = [(kinds[type(one)].name, kinds[type(one)].id_of(one), one) for one in wanted]
    return findings(here, differences("m1", here, [*rows, *((kind, id_, None) for kind, id_ in removed)]), lambda _: on_hand)


def new(**changes: Any) -> Any:
    """A whole new item that looks like no other."""
    fields = {
        "name": "Zolpidem 10 mg tablet",
        "strength_amount": Decimal(10),
        "form": "tablet",
        "codes": (Code(system="local", value="Z"),),
    }
    return item("zolpidem", **{**fields, **changes})


def test_a_sound_change_finds_nothing() -> None:
    assert found(new()) == []
    assert found(replace(AMOX, substitutes=("zolpidem",)), new()) == []
    assert found(replace(AMOX, formulary=False), on_hand=99) == []


@pytest.mark.parametrize(
    "record",
    [
        new(codes=(Code(system="local", value="amox-1"),)),
        new(codes=(Code(system="ndc", value="00409-4713-02"),)),
        product("other", ndc="0409-4713-02", gtin=None),
        product("other", ndc=None, gtin=None, levels=(PackageLevel(gtin="00304094713021", quantity=5),)),
    ],
)
def test_a_code_never_points_to_two_items_nor_an_ndc_to_two_products(record: Any) -> None:
    assert ("stop", "code_conflict") in found(new(), record)


def test_a_code_may_move_from_one_item_to_another_in_one_change() -> None:
    assert (
        found(replace(AMOX, codes=(Code(system="local", value="A2"),)), new(codes=(Code(system="local", value="amox-1"),))) == []
    )


def test_links_that_follow_each_other_do_not_conflict_and_those_that_overlap_do() -> None:
    here = held(CodeLink(system="local", value="X", item=ITEM, valid_to=date(2026, 5, 31)), new())
    assert found(CodeLink(system="local", value="X", item="zolpidem", valid_from=date(2026, 6, 1)), over=here) == []
    overlap = CodeLink(system="local", value="X", item="zolpidem", valid_from=date(2026, 5, 31))
    assert found(overlap, over=here) == [("stop", "code_conflict")]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (product("p2", item="nothing", ndc=None, gtin=None), "item nothing is not known"),
        (product("p2", ndc="0409471302", gtin=None), "ambiguous"),
        (new(strength_unit=None), "go together"),
        (CodeLink(system="local", value="Q", item=ITEM, product="none"), "product none is not known"),
        (SiteItem(site="nowhere", item=ITEM), "site nowhere is not known"),
        (UnitFactor(item=ITEM, unit="tab", numerator=2), "is the item's base unit"),
    ],
)
def test_a_record_that_breaks_a_rule_is_stopped_with_the_rule(record: Any, reason: str) -> None:
    stopped = [one for one in whole(record) if one.severity == "stop"]
    assert any(one.code == "invalid" and reason in one.reason for one in stopped), stopped


def test_a_link_to_a_product_of_another_item_is_stopped() -> None:
    (one,) = whole(CodeLink(system="local", value="Q", item="zolpidem", product=PRODUCT.id), over=held(new()))
    assert (one.severity, one.code, one.reason) == (
        "stop",
        "invalid",
        f"product {PRODUCT.id} belongs to item {ITEM}, not to zolpidem",
    )


def test_a_base_unit_changes_only_without_stock() -> None:
    changed = replace(AMOX, base_unit="capsule")
    (one,) = whole(changed, on_hand=12)
    assert (one.severity, one.code) == ("stop", "unit_change_with_stock")
    assert "12 tablet are on hand" in one.reason
    assert found(changed) == [("warning", "unit_change")]


@pytest.mark.parametrize(
    "record",
    [
        replace(PRODUCT, package_quantity=30),
        replace(PRODUCT, levels=(PackageLevel(gtin="50304094713026", quantity=480),)),
        UnitFactor(item=ITEM, unit="strip", numerator=12),
        replace(AMOX, strength_amount=Decimal(500)),
    ],
)
def test_what_a_package_unit_or_strength_is_changes_with_a_warning_while_there_is_stock(record: Any) -> None:
    here = held(UnitFactor(item=ITEM, unit="strip", numerator=10))
    assert ("warning", "unit_change_with_stock") in found(record, over=here, on_hand=5)
    assert ("warning", "unit_change_with_stock") not in found(record, over=here)


def test_an_item_is_removed_only_without_stock_and_when_nothing_names_it() -> None:
    alone = held(new())
    assert found(over=alone, removed=(("item", "zolpidem"),)) == []
    assert found(over=alone, removed=(("item", "zolpidem"),), on_hand=1) == [("stop", "stock_on_hand")]
    assert found(removed=(("item", ITEM),)) == [("stop", "still_named")]
    assert found(removed=(("item", ITEM), ("product", PRODUCT.id))) == []
    assert found(over=held(new(), replace(AMOX, substitutes=("zolpidem",))), removed=(("item", "zolpidem"),)) == [
        ("stop", "still_named")
    ]


def test_an_item_with_a_par_policy_is_still_named() -> None:
    here = held(new())
    here.ids["par_policy"] = {f"{SITE}|main|zolpidem"}  # type: ignore[index]
    assert found(over=here, removed=(("item", "zolpidem"),)) == [("stop", "still_named")]


def test_what_was_changed_since_the_proposal_is_proposed_anew() -> None:
    changes = differences("m1", held(), [("item", ITEM, replace(AMOX, formulary=False))])
    later = held(replace(AMOX, high_alert=True))
    assert [(one.severity, one.code) for one in findings(later, changes, lambda _: 0)][:1] == [("stop", "changed_since")]


@pytest.mark.parametrize(
    ("name", "is_like"),
    [
        ("amox tab 250mg", True),
        ("AMOX 250 MG TABLETS", True),
        ("Tablet amox, 250 mg", True),
        ("amox 500 mg tablet", False),
        ("ampicillin 250 mg tablet", False),
    ],
)
def test_an_item_that_looks_like_another_is_a_warning(name: str, is_like: bool) -> None:
    twin = replace(AMOX, id="twin", name=name, codes=(Code(system="local", value="T"),))
    assert (("warning", "duplicate") in found(twin)) is is_like


def test_another_strength_or_unit_is_another_drug_whatever_the_name() -> None:
    twin = replace(AMOX, id="twin", codes=(Code(system="local", value="T"),))
    assert ("warning", "duplicate") not in found(replace(twin, strength_amount=Decimal(500)))
    assert ("warning", "duplicate") not in found(replace(twin, base_unit="capsule"))


def test_two_new_items_of_one_change_are_compared_with_each_other() -> None:
    twin = replace(new(), id="twin", codes=(Code(system="local", value="T"),))
    assert found(new(), twin) == [("warning", "duplicate")] * 2


def test_names_are_compared_by_words_with_numbers_apart_from_units() -> None:
    assert normal_name("Morphine 4mg/mL Syr.") == "morphine 4 mg mL syringe"
    assert Likes([AMOX]).like(AMOX) == [], "nothing looks like itself"


@pytest.mark.parametrize(
    ("record", "lacks"),
    [
        (new(codes=()), "lacks a code or a product"),
        (new(strength_amount=None, strength_unit=None), "strength"),
        (new(form=None), "form"),
        (new(base_unit="pen", consumption_rule=ConsumptionRuleKind.METERED), "a base unit smaller than pen"),
        (product("bare", ndc=None, gtin=None), "no scan would find it"),
    ],
)
def test_what_feeds_need_and_is_missing_is_a_warning(record: Any, lacks: str) -> None:
    warned = [one for one in whole(record) if one.code == "missing_attribute"]
    assert [one.severity for one in warned] == ["warning"]
    assert lacks in warned[0].reason


def test_how_an_item_is_handled_does_not_change_silently() -> None:
    (one,) = whole(replace(AMOX, schedule=2))
    assert (one.severity, one.code, one.reason) == ("warning", "handling", "schedule none becomes 2")


def test_findings_are_bounded_and_stops_come_first() -> None:
    many = [
        new(form=None, name=f"drug {number}", codes=(Code(system="local", value=f"N{number}"),))
        for number in range(FINDINGS_MAX + 40)
    ]
    named = [replace(one, id=f"n{number}") for number, one in enumerate(many)]
    result = whole(*named, replace(AMOX, base_unit="capsule"), on_hand=1)
    assert len(result) == FINDINGS_MAX
    assert (result[0].severity, result[-1].code) == ("stop", "more")
    assert "42 more findings are not listed" in result[-1].reason


def test_a_change_says_each_field_before_and_after() -> None:
    (one,) = differences("m1", held(), [("item", ITEM, replace(AMOX, formulary=False, high_alert=True))])
    assert fields_of(one) == [("formulary", True, False), ("high_alert", False, True)]
    assert differences("m1", held(), [("item", ITEM, AMOX)]) == []
