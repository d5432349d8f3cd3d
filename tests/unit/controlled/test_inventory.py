"""Inventories and Form 41: how opened containers are counted, what stands at which moment, what is destruction and what is not."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from schemas.controlled import ControlledPolicy
from schemas.events import StockEvent
from sinks.controlled.inventory import count_method
from sinks.sql.controlled import form_41, inventory
from tests.support.facts import BY_PRODUCT, minutes, reversal, told
from tests.support.hub import SiteHub
from tests.support.world import POCKET, SITE, STORE
from tests.unit.controlled.support import done, hub, tables

DAY = date(2026, 3, 2)


@pytest.mark.parametrize(
    ("schedule", "package", "unit", "method"),
    [
        (1, 10, "tablet", "exact"), (2, 100, "tablet", "exact"), (2, 500, "mL", "exact"), (3, 1_000, "tablet", "estimate"),
        (3, 1_001, "tablet", "exact"), (4, 1_001, "capsule", "exact"), (5, 500, "capsule", "estimate"), (5, 5_000, "mL", "estimate"),
    ],
)  # fmt: skip
def test_domain_3_7_an_opened_container_is_counted_exactly_or_estimated(schedule: int, package: int, unit: str, method: str) -> None:
    """I and II exactly; III to V an estimate unless the container holds more than 1,000 tablets or capsules."""
    assert count_method(schedule, package, unit) == method


def came(quantity: int, **more: Any) -> StockEvent:
    """From a supplier into the store, of a product that is not stated."""
    return told("receive", quantity, place=STORE, unit="vial", **more)


def asked(made: SiteHub, day: date = DAY, moment: Any = "close") -> list[dict[str, Any]]:
    with tables(made) as connection:
        return inventory(connection, SITE, day, moment)


def test_units_full_containers_and_what_is_in_opened_ones() -> None:
    """Boxes of 25: 60 in the store are two boxes and 10; 7 in the pocket are an opened one."""
    made = hub()
    made.hear(
        told("receive", 67, place=STORE, unit="vial", at=minutes(0), lot="L1", codes=BY_PRODUCT),
        done("refill", 7, at=minutes(5), lot="L1", codes=BY_PRODUCT),
        done("count", 7, at=minutes(20), lot="L1", codes=BY_PRODUCT, witness="nurse-2"),
    )
    [row] = asked(made)
    assert (row["units"], row["full_containers"], row["opened_container_units"], row["opened_count"]) == (67, 2, 17, "exact")
    assert (row["part"], row["schedule"], row["ndc"], row["strength"], row["form"]) == ("I-II", "II", "0409-4713-02", "100 mcg", "injection")
    assert (row["places"], row["places_counted_by_two"], row["counted_units"]) == (2, 1, None)
    assert (row["taken_on"], row["moment"], row["retention"]) == ("2026-03-02", "close", "keep at least 5 years")


def test_the_beginning_and_the_close_of_business_are_the_sites_own() -> None:
    made = hub(ControlledPolicy(site=SITE, business_opens="08:00", business_closes="18:00", registrant="North General", dea_number="AB1"))
    for minute, quantity in ((30, 1), (120, 2), (700, 4)):
        made.hear(came(quantity, at=minutes(minute)))
    assert [row["units"] for row in asked(made, moment="beginning")] == [1], "07:30 is before 08:00 at the site"
    assert [row["units"] for row in asked(made, moment="close")] == [3], "18:40 is after the close"
    assert asked(made)[0]["dea_number"] == "AB1"
    plain = hub()
    plain.hear(came(4, at=minutes(700)))
    assert asked(plain, moment="beginning") == []
    assert [row["units"] for row in asked(plain)] == [4]


def test_a_late_event_changes_the_inventory_it_belongs_to_in_any_order() -> None:
    first, late = came(9, at=minutes(10), key="a"), done("vend", 2, at=minutes(20), patient="A", key="b")
    for order in ((first, late, late), (late, first, first)):
        made = hub()
        made.hear(*order)
        assert [row["units"] for row in asked(made)] == [7]


def test_stock_of_an_unknown_product_has_no_container_size_and_is_counted_exactly() -> None:
    made = hub(schedule=4)
    made.hear(came(30, at=minutes(0)))
    [row] = asked(made)
    assert (row["product"], row["full_containers"], row["opened_count"], row["part"]) == (None, None, "exact", "III-V")


def destroyed(made: SiteHub, first: date | None = None, last: date | None = None) -> dict[str, Any]:
    with tables(made) as connection:
        [form] = form_41(connection, SITE, (first, last))
    return form


def test_form_41_lists_destroyed_inventory_and_not_what_was_wasted_of_a_dose() -> None:
    made = hub()
    made.hear(
        told("receive", 60, place=STORE, unit="vial", at=minutes(0), lot="L1", codes=BY_PRODUCT),
        told("discard", 27, place=STORE, unit="vial", at=minutes(10), lot="L1", codes=BY_PRODUCT, actor="pia", witness="paul", key="d1"),
        told("discard", 2, place=STORE, unit="vial", at=minutes(20), lot="L1", codes=BY_PRODUCT, actor="pia", key="d2"),
        told("discard", 9, place=STORE, unit="vial", at=minutes(30), lot="L1", codes=BY_PRODUCT, actor="pia", witness="paul", key="d3"),
        reversal("d3", at=minutes(40)),
        done("vend", 1, at=minutes(50), patient="A"), done("waste", 100, at=minutes(60), patient="A", witness="paul"),
    )  # fmt: skip
    form = destroyed(made)
    lines = sorted(form["items"], key=lambda one: -one["total_destroyed"])
    assert [(one["full_packages"], one["partial_package_count"], one["total_destroyed"]) for one in lines] == [(1, 2, 27), (0, 2, 2)]
    assert (lines[0]["witness_1"], lines[0]["witness_2"], lines[0]["two_witnesses"]) == ("pia", "paul", True)
    assert form["lines_without_two_witnesses"] == 1
    assert (lines[0]["ndc"], lines[0]["batch_number"], lines[0]["schedule"]) == ("0409-4713-02", "L1", "II")
    assert {"method_of_destruction", "signatures_of_both_witnesses"} <= set(form["to_fill_in"])


def test_form_41_is_of_a_window_of_the_sites_days_and_expired_stock_is_to_be_confirmed() -> None:
    made = hub()
    made.hear(
        done("refill", 20, at=minutes(0)),
        told("expire", 3, place=POCKET, unit="vial", at=minutes(16 * 60 + 30), witness="b", key="e"),
        told("discard", 1, place=POCKET, unit="vial", at=minutes(30 * 60), witness="b", key="d"),
    )
    assert [(one["kind"], one["to_confirm"]) for one in destroyed(made, DAY, DAY)["items"]] == [("expire", True)]
    assert [one["total_destroyed"] for one in destroyed(made, date(2026, 3, 3), None)["items"]] == [1]
