"""Codes, places and units: what is known is exact, what is not waits and applies itself when the fact arrives."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codes import Code
from schemas.events import ReferenceChange
from schemas.kinds import ConsumptionRuleKind, Feed, LocationKind
from schemas.reference import ConsumptionRule, UnitFactor
from schemas.topics import HOLDS, OUTCOMES
from streams.catalog import Catalog
from streams.site.resolve import Missing, Resolved, base_units
from tests.support.facts import BY_ITEM, START, minutes, reversal, told
from tests.support.hub import SiteHub
from tests.support.world import GTIN, ITEM, POCKET, SITE, STORE, WARD, item, location, product


def code(system: str, value: str) -> Code:
    return Code(system=system, value=value)


# ---- codes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "codes",
    [
        [("local", "amox-1")], [("LOCAL", " AMOX-1 ")], [("ndc", "0409-4713-02")], [("ndc", "00409471302")],
        [("ndc", "000409471302")], [("ndc", "0409471302")], [("gtin", GTIN)], [("gtin", "50304094713026")],
        [("gtin", "304094713021")], [("product", "amox-hospira")], [("local", "unheard-of"), ("ndc", "0409-4713-02")],
        [("local", "amox-1"), ("gtin", GTIN)],
    ],
    ids=lambda codes: "+".join("=".join(one) for one in codes),
)  # fmt: skip
def test_a_code_names_the_item_in_every_form_it_is_written(codes: list[tuple[str, str]]) -> None:
    hub = SiteHub()
    hub.tell(told("count", 3, place=POCKET, lot="L1", codes=tuple(code(*one) for one in codes)))
    assert hub.on_hand(POCKET) == 3


def test_codes_that_point_to_different_items_wait_and_say_which() -> None:
    hub = SiteHub(item("ibu"))
    hub.tell(told("count", 3, place=POCKET, codes=(code("local", "amox-1"), code("local", "ibu-1"))))
    [held] = hub.all(OUTCOMES)
    assert (held.outcome, held.code) == ("held", "ambiguous_code")
    assert "amox, ibu" in held.reason


def test_ten_digits_that_fit_two_items_are_not_guessed() -> None:
    """1234567890 is 1234-5678-90 and 12345-678-90."""
    hub = SiteHub(
        item("ibu"), product("p-442", ndc="1234-5678-90", gtin=None), product("p-532", item="ibu", ndc="12345-678-90", gtin=None)
    )
    hub.tell(told("count", 3, place=POCKET, codes=(code("ndc", "1234567890"),)))
    assert hub.outcomes() == ["ambiguous_code"]
    hub.tell(told("count", 3, place=POCKET, codes=(code("ndc", "1234-5678-90"),)))
    assert hub.on_hand(POCKET) == 3


RELEASING = [
    ("an item code", {"codes": (code("local", "new"),)}, item(codes=(*BY_ITEM, code("local", "NEW")))),
    ("a product code", {"codes": (code("ndc", "1111-2222-33"),)}, product("p2", ndc="1111-2222-33", gtin=None)),
    ("eleven digits", {"codes": (code("ndc", "01111222233"),)}, product("p2", ndc="1111-2222-33", gtin=None)),
    ("ten digits", {"codes": (code("ndc", "1111222233"),)}, product("p2", ndc="1111-2222-33", gtin=None)),
    ("a GTIN of an NDC", {"codes": (code("gtin", "00311112222335"),)}, product("p2", ndc="1111-2222-33", gtin=None)),
    ("a place", {"location_codes": ("ED-CAB2",)}, location("ed/cab2", LocationKind.CABINET, codes=("ed-cab2",))),
    ("a unit", {"unit": "box"}, UnitFactor(item=ITEM, unit="box", numerator=1)),
    ("a package", {"unit": "{package}", "codes": (code("local", "p3"),)}, product("p3", ndc=None, gtin=None, package_quantity=1, codes=(code("local", "p3"),))),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "record"), [row[1:] for row in RELEASING], ids=[row[0] for row in RELEASING])
def test_what_waits_for_a_fact_is_applied_when_the_fact_arrives(changes: dict[str, Any], record: Any) -> None:
    hub = SiteHub()
    hub.tick(START)
    event = replace(told("count", 3, place=POCKET, lot="L1"), **changes)
    hub.tell(event, items=4)
    assert [one.event_id for one in hub.latest(HOLDS)] == [event.event_id]
    hub.learn(record)
    assert hub.latest(HOLDS) == []
    last = hub.all(OUTCOMES)[-1]
    assert (last.outcome, last.was, last.items, last.raw) == ("accepted", "held", 4, event.raw)
    assert sum(hub.on_hand(place) for place in (POCKET, "ed/cab2")) == 3


def test_an_event_that_waits_for_two_facts_is_applied_after_the_second() -> None:
    hub = SiteHub()
    hub.tell(told("count", 3, place="ED-CAB2", unit="box", lot="L1"))
    hub.learn(location("ed/cab2", codes=("ED-CAB2",)))
    assert [one.waits_for for one in hub.latest(HOLDS)] == ["unit amox box"]
    hub.learn(UnitFactor(item=ITEM, unit="box", numerator=20))
    assert hub.on_hand("ed/cab2") == 60


def test_events_that_wait_for_one_fact_are_applied_in_the_order_they_happened() -> None:
    hub = SiteHub()
    unknown = (code("local", "new"),)
    for number, at in enumerate([30, 10, 20]):
        hub.tell(told("count", at, place=POCKET, at=minutes(at), key=f"k{number}", codes=unknown, lot="L1"))
    hub.learn(item(codes=(*BY_ITEM, *unknown)))
    posted = [one for one in hub.all(OUTCOMES) if one.code == "posted"]
    assert [one.reason.split()[2] for one in posted] == ["10", "20", "30"]
    assert hub.on_hand(POCKET) == 30


def test_a_held_event_resent_is_a_duplicate_and_waits_once() -> None:
    hub = SiteHub()
    event = told("count", 3, place="nowhere", lot="L1")
    hub.hear(event, event)
    assert hub.outcomes() == ["unknown_location", "duplicate"]
    assert len(hub.latest(HOLDS)) == 1


def test_a_held_event_that_is_taken_back_waits_no_more_and_never_posts() -> None:
    hub = SiteHub()
    hub.hear(told("count", 3, place="ED-CAB2", key="k", lot="L1"), reversal("k"))
    assert hub.latest(HOLDS) == []
    hub.learn(location("ed/cab2", codes=("ED-CAB2",)))
    assert hub.on_hand("ed/cab2") == 0


def test_a_reversal_of_a_held_event_that_is_applied_later_finds_it() -> None:
    hub = SiteHub()
    hub.tell(told("count", 3, place="ED-CAB2", key="k", lot="L1"))
    hub.learn(location("ed/cab2", codes=("ED-CAB2",)))
    hub.tell(reversal("k"))
    assert hub.on_hand("ed/cab2") == 0


# ---- places ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("codes", "pocket", "path"),
    [
        (("icu-cab1",), "d1/p1", POCKET),
        ((" ICU-CAB1 ",), "/d1/p1/", POCKET),
        (("unheard-of", "W4"), None, WARD),
        ((WARD,), None, WARD),
        ((POCKET,), None, POCKET),
    ],
)
def test_the_first_code_that_names_a_place_is_taken_with_the_pocket_below_it(
    codes: tuple[str, ...], pocket: str | None, path: str
) -> None:
    hub = SiteHub()
    hub.tell(told("count", 3, lot="L1", location_codes=codes, pocket=pocket))
    assert hub.on_hand(path) == 3


def test_a_dispense_that_names_no_place_left_the_one_dispensing_store() -> None:
    hub = SiteHub()
    hub.tell(told("dispense", 3, lot="L1"))
    assert hub.on_hand(STORE) == -3


def test_with_two_dispensing_stores_it_waits() -> None:
    hub = SiteHub(location("annex", authority=Feed.DISPENSE))
    hub.tell(told("dispense", 3, lot="L1"))
    assert hub.outcomes() == ["unknown_location"]


# ---- units -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quantity", "unit", "units"),
    [
        ("3", "TAB", 3), ("3", "tablets", 3), ("500", "mg", 2), ("0.5", "g", 2), ("500000", "mcg", 2), ("500000", "ug", 2),
        ("2", "box", 50), ("0.5", "strip", 5), ("3", "third", 1), ("2", "{package}", 50),
    ],
)  # fmt: skip
def test_units_convert_by_exact_factors_strength_and_package(quantity: str, unit: str, units: int) -> None:
    """A tablet of 250 mg; a box of 25; a strip of 10; a third of a tablet; the scanned product's package of 25."""
    factors = [
        UnitFactor(item=ITEM, unit="box", numerator=25),
        UnitFactor(item=ITEM, unit="strip", numerator=10),
        UnitFactor(item=ITEM, unit="third", numerator=1, denominator=3),
    ]
    hub = SiteHub(*factors)
    hub.tell(told("count", quantity, place=POCKET, unit=unit, lot="L1", codes=(code("gtin", GTIN),)))
    assert hub.on_hand(POCKET) == units


@pytest.mark.parametrize(
    ("rule", "dose", "code_said", "units"),
    [
        (ConsumptionRuleKind.WHOLE_CONTAINER, True, "posted", 1),
        (ConsumptionRuleKind.PATIENT_SPECIFIC, True, "posted", 1),
        (ConsumptionRuleKind.SPLITTABLE, True, "fractional_quantity", 0),
        (ConsumptionRuleKind.METERED, True, "fractional_quantity", 0),
        (ConsumptionRuleKind.WHOLE_CONTAINER, False, "fractional_quantity", 0),
    ],
)
def test_half_a_container_uses_the_whole_one_where_the_rule_says_so_and_only_for_doses(
    rule: ConsumptionRuleKind, dose: bool, code_said: str, units: int
) -> None:
    """50 mcg from a 100 mcg vial."""
    vial = item(base_unit="vial", strength_amount=Decimal(100), strength_unit="mcg", consumption_rule=rule)
    hub = SiteHub(vial)
    hub.tell(told("administer", 50, place=WARD, unit="mcg", lot="L1", quantity_is_dose=dose))
    assert hub.outcomes() == [code_said]
    assert hub.on_hand(WARD) == -units


@pytest.mark.parametrize(("quantity", "units"), [("100", 1), ("101", 2), ("200", 2), ("0.001", 1)])
def test_whole_containers_are_rounded_up(quantity: str, units: int) -> None:
    hub = SiteHub(item(base_unit="vial", strength_amount=Decimal(100), strength_unit="mcg"))
    hub.tell(told("administer", quantity, place=WARD, unit="mcg", lot="L1", quantity_is_dose=True))
    assert hub.on_hand(WARD) == -units


def test_the_places_rule_outranks_the_items_and_holds_below_the_place() -> None:
    vial = item(
        base_unit="vial", strength_amount=Decimal(100), strength_unit="mcg", consumption_rule=ConsumptionRuleKind.SPLITTABLE
    )
    rule = ConsumptionRule(site=SITE, location=WARD, item=ITEM, rule=ConsumptionRuleKind.WHOLE_CONTAINER)
    hub = SiteHub(vial, rule)
    hub.tell(told("administer", 50, place="W4", pocket="shelf", unit="mcg", lot="L1", quantity_is_dose=True))
    assert hub.on_hand(f"{WARD}/shelf") == -1


def test_a_fraction_that_waits_is_applied_when_the_rule_arrives() -> None:
    vial = item(
        base_unit="vial", strength_amount=Decimal(100), strength_unit="mcg", consumption_rule=ConsumptionRuleKind.SPLITTABLE
    )
    hub = SiteHub(vial)
    hub.tell(told("administer", 50, place=WARD, unit="mcg", lot="L1", quantity_is_dose=True))
    hub.learn(ConsumptionRule(site=SITE, location=WARD, item=ITEM, rule=ConsumptionRuleKind.WHOLE_CONTAINER))
    assert hub.on_hand(WARD) == -1


@pytest.mark.parametrize(
    ("changes", "code_said"),
    [
        ({"unit": "blob"}, "unknown_unit"), ({"unit": None}, "no_unit"), ({"quantity": None}, "no_quantity"),
        ({"unit": "unit"}, "unknown_unit"), ({"unit": "{package}", "codes": (code("local", "nopack"),)}, "unknown_unit"),
        ({"codes": ()}, "unknown_code"), ({"codes": (code("ndc", "rubbish"),)}, "unknown_code"),
    ],
)  # fmt: skip
def test_what_is_not_known_waits_and_is_never_taken_one_to_one(changes: dict[str, Any], code_said: str) -> None:
    hub = SiteHub(item(codes=(*BY_ITEM, code("local", "nopack"))))
    hub.tell(replace(told("count", 3, place=POCKET), **changes))
    [outcome] = hub.all(OUTCOMES)
    assert (outcome.outcome, outcome.code) == ("held", code_said)
    assert len(outcome.reason) > 20
    assert hub.on_hand(POCKET) == 0


def test_an_old_revision_of_a_record_changes_nothing() -> None:
    hub = SiteHub(UnitFactor(item=ITEM, unit="box", numerator=25))
    hub.say(
        ReferenceChange(revision=1, kind="unit_factor", id=f"{ITEM}|box", record={"item": ITEM, "unit": "box", "numerator": 99})
    )
    hub.tell(told("count", 1, place=POCKET, unit="box", lot="L1"))
    assert hub.on_hand(POCKET) == 25


def test_a_code_taken_from_an_item_names_nothing_any_more() -> None:
    hub = SiteHub()
    hub.learn(item(codes=(code("local", "other"),)))
    hub.tell(told("count", 3, place=POCKET))
    assert hub.outcomes() == ["unknown_code"]


# ---- exactness -------------------------------------------------------------------------------------------------------

QUANTITIES = st.decimals(min_value=0, max_value=10_000, places=3)
RULES = st.sampled_from(list(ConsumptionRuleKind))


@given(QUANTITIES, st.integers(1, 1_000), st.integers(1, 1_000), RULES, st.booleans())
def test_a_quantity_is_converted_exactly_or_waits_and_only_a_dose_uses_up_whole_containers(
    quantity: Decimal, numerator: int, denominator: int, rule: ConsumptionRuleKind, is_dose: bool
) -> None:
    """Integers and fractions all the way: what is no whole number of base units is never rounded, but for the container of a dose."""
    one = item(consumption_rule=rule)
    hub = SiteHub(one, UnitFactor(item=ITEM, unit="strip", numerator=numerator, denominator=denominator))
    event = told("administer", unit="strip", quantity=str(quantity), quantity_is_dose=is_dose)
    found = base_units(Catalog(hub.state), event, Resolved(one, ""), POCKET)
    exact = Fraction(quantity) * numerator / denominator
    if exact.denominator == 1:
        assert found == exact
    elif is_dose and rule in (ConsumptionRuleKind.WHOLE_CONTAINER, ConsumptionRuleKind.PATIENT_SPECIFIC):
        assert isinstance(found, int)
        assert found - 1 < exact < found
    else:
        assert isinstance(found, Missing)
        assert found.code == "fractional_quantity"


@pytest.mark.parametrize(
    ("base_unit", "strength", "rule", "dose", "unit", "used"),
    [
        ("vial", "100", ConsumptionRuleKind.WHOLE_CONTAINER, "50", "mcg", 1),  # 50 mcg from a vial of 100 mcg uses the vial
        ("tablet", "250", ConsumptionRuleKind.SPLITTABLE, "500", "mg", 2),  # 500 mg of a tablet of 250 mg is 2
        (
            "tablet",
            "250",
            ConsumptionRuleKind.SPLITTABLE,
            "125",
            "mg",
            "fractional_quantity",
        ),  # half a tablet is a smaller base unit's
        ("puff", "100", ConsumptionRuleKind.METERED, "2", "puff", 2),  # an inhaler is measured in puffs
        ("unit", None, ConsumptionRuleKind.METERED, "14", "iu", 14),  # a pen in units
        ("bag", "1000", ConsumptionRuleKind.PATIENT_SPECIFIC, "750", "mg", 1),  # what was made for one patient is used up
    ],
)
def test_a_dose_uses_what_the_consumption_rule_says(
    base_unit: str, strength: str | None, rule: ConsumptionRuleKind, dose: str, unit: str, used: int | str
) -> None:
    """design §3, resolve; issue: the item × location's consumption rule."""
    amount = None if strength is None else Decimal(strength)
    one = item(
        base_unit=base_unit,
        strength_amount=amount,
        strength_unit=amount and (unit if unit in ("mg", "mcg") else "mcg"),
        consumption_rule=rule,
    )
    event = told("administer", dose, unit=unit, quantity_is_dose=True)
    found = base_units(Catalog(SiteHub(one).state), event, Resolved(one, ""), POCKET)
    assert (found.code if isinstance(found, Missing) else found) == used


def test_a_quantity_that_factors_make_absurd_waits_for_another_factor() -> None:
    """10,000,000 boxes of 1,000: the unit or the factor is wrong, and no balance shows it as stock."""
    hub = SiteHub(UnitFactor(item=ITEM, unit="box", numerator=1_000))
    hub.tell(told("count", 10_000_000, place=POCKET, unit="box"))
    [held] = hub.all(OUTCOMES)
    assert (held.outcome, held.code) == ("held", "absurd_quantity")
    assert "more than 1000000000 " in held.reason
    hub.learn(UnitFactor(item=ITEM, unit="box", numerator=1, version=2))
    assert hub.on_hand(POCKET) == 10_000_000
