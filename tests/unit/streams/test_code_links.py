"""The identity graph: a code means one item, at a site, for a time; a supplier's number means what it sells.

Rules: design §3 (resolve), `domain` §3.9 (NDC forms); validity is the site's calendar day of the event.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from schemas.codes import Code, gtin_of_ndc
from schemas.reference import CodeLink, Supplier, SupplierItem
from schemas.topics import HOLDS
from tests.support.facts import told
from tests.support.hub import SiteHub
from tests.support.world import ITEM, SITE, STORE, item
from tests.unit.verify.logs import RecordedHub
from topology.verify.run import verify

OTHER = "other-item"


def received(system: str, value: str, **more: Any) -> Any:
    return told("receive", 10, place=STORE, codes=(Code(system=system, value=value),), unit="tablet", **more)


def hub() -> SiteHub:
    made = RecordedHub()
    made.learn(replace(item(), id=OTHER, name="Other", codes=()))
    return made


def agrees(site: SiteHub) -> bool:
    return verify(site.logs()).differences == []  # type: ignore[attr-defined]


def test_a_code_that_waits_is_let_through_by_its_link() -> None:
    site = hub()
    site.hear(received("local", "PYX-77"))
    assert site.outcomes() == ["unknown_code"]
    assert "add the code" in site.latest(HOLDS)[0].reason
    site.learn(CodeLink(system="local", value="pyx-77", item=ITEM, source="cabinet formulary of May"))
    assert site.on_hand(STORE) == 10
    assert agrees(site)


def test_a_link_of_another_site_says_nothing_here() -> None:
    site = hub()
    site.learn(CodeLink(system="local", value="PYX-77", item=OTHER, site="elsewhere"))
    site.learn(CodeLink(system="local", value="PYX-77", item=ITEM, site=SITE))
    site.hear(received("local", "PYX-77"))
    assert site.on_hand(STORE) == 10
    assert agrees(site)


@pytest.mark.parametrize(
    ("occurred", "code"),
    [
        (datetime(2026, 3, 1, 5, tzinfo=UTC), "posted"),  # midnight in New York
        (datetime(2026, 3, 1, 4, 59, tzinfo=UTC), "unknown_code"),
        (datetime(2026, 4, 1, 3, 59, tzinfo=UTC), "posted"),  # daylight saving time by now
        (datetime(2026, 4, 1, 4, tzinfo=UTC), "unknown_code"),
    ],
)
def test_it_holds_on_the_days_from_its_first_to_its_last(occurred: datetime, code: str) -> None:
    site = hub()
    site.learn(CodeLink(system="local", value="X1", item=ITEM, valid_from=date(2026, 3, 1), valid_to=date(2026, 3, 31)))
    site.hear(received("local", "X1", at=occurred))
    assert site.outcomes()[-1] == code
    assert agrees(site)


def test_a_code_that_was_given_to_another_item_means_what_it_meant_on_the_day() -> None:
    site = hub()
    site.learn(CodeLink(system="local", value="X1", item=OTHER, valid_to=date(2026, 2, 28)))
    site.learn(CodeLink(system="local", value="X1", item=ITEM, valid_from=date(2026, 3, 1)))
    site.hear(received("local", "X1", at=datetime(2026, 3, 20, 12, tzinfo=UTC)))
    assert site.on_hand(STORE) == 10
    assert agrees(site)


def test_two_meanings_on_one_day_are_never_guessed_between() -> None:
    site = hub()
    site.learn(CodeLink(system="local", value="X1", item=OTHER))
    site.learn(CodeLink(system="local", value="X1", item=ITEM))
    site.hear(received("local", "X1"))
    assert site.outcomes() == ["ambiguous_code"]
    site.withdraw("code", f"local|X1||{OTHER}")
    assert site.on_hand(STORE) == 10
    assert agrees(site)


def test_a_linked_ndc_is_found_as_the_ten_digits_and_the_gtin_of_a_package() -> None:
    for system, value in (("ndc", "0409471402"), ("gtin", gtin_of_ndc("0409471402")), ("ndc", "00409-4714-02")):
        site = hub()
        site.learn(CodeLink(system="ndc", value="0409-4714-02", item=ITEM, product="amox-hospira"))
        site.hear(received(system, value))
        assert site.on_hand(STORE) == 10, (system, value)
        assert agrees(site)


def test_what_waited_for_a_gtin_is_let_through_by_the_link_of_its_ndc() -> None:
    site = hub()
    site.hear(received("gtin", gtin_of_ndc("0409471402")))
    assert site.outcomes() == ["unknown_code"]
    site.learn(CodeLink(system="ndc", value="0409-4714-02", item=ITEM))
    assert site.on_hand(STORE) == 10
    assert agrees(site)


def test_a_suppliers_number_means_what_it_sells() -> None:
    site = hub()
    site.learn(Supplier(id="acme", name="Acme"))
    site.hear(received("supplier", "A-100"))
    assert site.outcomes() == ["unknown_code"]
    site.learn(SupplierItem(supplier="acme", item=ITEM, price=1, sku="a-100"))  # type: ignore[arg-type]
    assert site.on_hand(STORE) == 10
    assert agrees(site)


def test_one_number_of_two_suppliers_for_two_items_is_never_guessed() -> None:
    site = hub()
    for supplier, what in (("acme", ITEM), ("bolt", OTHER)):
        site.learn(Supplier(id=supplier, name=supplier))
        site.learn(SupplierItem(supplier=supplier, item=what, price=1, sku="100"))  # type: ignore[arg-type]
    site.hear(received("supplier", "100"))
    assert site.outcomes() == ["ambiguous_code"]
    assert agrees(site)
