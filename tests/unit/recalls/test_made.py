"""A recall follows what its lots were made into: the bag, the kit, the patient (domain §3.8; design: recall traverses `transform`)."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.events import StockEvent
from schemas.reference import RecallNotice
from tests.support.facts import BY_PRODUCT, minutes, part, reversal, told, transform
from tests.support.hub import SiteHub
from tests.support.world import ITEM, OTHER_POCKET, POCKET, STORE, item, product
from tests.unit.recalls.support import PRODUCT, look, notice, patients, places

BAG, KIT = "bag", "kit"
LOT = "AB0123"


def received(lot: str | None, at: float = 0, quantity: int = 20, **changes: Any) -> StockEvent:
    return told("receive", quantity, place=STORE, at=minutes(at), lot=lot, codes=BY_PRODUCT, **changes)


def made(lot: str, of: str | None, at: float, code: str = f"{ITEM}-1", into: str = BAG, **changes: Any) -> StockEvent:
    """One bag (or kit) of one of the input."""
    parts = [part(1, lot=of, code=code), part(1, made=True, code=f"{into}-1", lot=lot)]
    return transform(*parts, place=STORE, at=minutes(at), key=f"make|{lot}", **changes)


def given(patient: str, lot: str | None, at: float, code: str = f"{BAG}-1", **changes: Any) -> StockEvent:
    codes = part(1, code=code).codes
    return told("dispense", 1, place=STORE, at=minutes(at), lot=lot, codes=codes, patient=patient, **changes)


def hub(*events: StockEvent) -> SiteHub:
    site = SiteHub(item(BAG), item(KIT))
    site.hear(*events)
    return site


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([received(LOT), made("B1", LOT, 5), given("p", "B1", 9)], {"p": "sure"}),
        ([received("ZZ"), received(LOT), made("B1", "ZZ", 5), given("p", "B1", 9)], {}),
        (
            [received(LOT), made("B1", LOT, 5), made("K1", "B1", 6, f"{BAG}-1", KIT), given("p", "K1", 9, f"{KIT}-1")],
            {"p": "sure"},
        ),
        ([received(LOT), made("B1", None, 5), given("p", "B1", 9)], {"p": "possible"}),
        ([received("ZZ"), made("B1", None, 5), given("p", "B1", 9)], {}),
        ([received(LOT), made("B1", LOT, 5), given("p", None, 9)], {"p": "possible"}),
        ([received(LOT), made("B1", LOT, 5), given("p", "B1", 9), reversal("make|B1", at=minutes(10))], {}),
        ([received(LOT), given("p", "B1", 9), made("B1", LOT, 5)], {"p": "sure"}),
    ],
    ids=[
        "the lot is in the bag", "another lot is in the bag", "the bag is in the kit", "an unknown lot from a store that held it",
        "an unknown lot from a store that never held it", "a bag without a lot from a place that held the bag",
        "the making was taken back", "told after the dose",
    ],
)  # fmt: skip
def test_whom_a_recall_of_an_input_concerns(events: list[StockEvent], expected: dict[str, str]) -> None:
    assert patients(look(hub(*events), notice(LOT))) == expected


def test_a_line_says_what_the_lot_was_made_of() -> None:
    site = hub(received(LOT), made("B1", LOT, 5), given("p", "B1", 9), made("B2", None, 6), given("q", "B2", 9))
    lines = look(site, notice(LOT))
    reasons = {line["patient"]: line["reason"] for line in lines if line["about"] == "patient"}
    assert reasons == {
        "p": f"lot B1 was given, made of lot {LOT} of {ITEM}",
        "q": f"lot B2 was given, made of an unknown lot of {ITEM}, possibly recalled",
    }
    assert {(line["location"], line["item"], line["certainty"]) for line in lines if line["about"] == "place"} == {
        (STORE, ITEM, "sure"), (STORE, BAG, "sure"),
    }  # fmt: skip


def test_an_input_of_another_product_with_the_same_number_is_another_lot() -> None:
    site = SiteHub(item(BAG), product("amox-teva", ndc="0093-1234-01", gtin=None, codes=part(1, code="TEVA").codes))
    teva = part(1, code="TEVA").codes
    site.hear(
        received(LOT), told("receive", 5, place=STORE, lot=LOT, codes=teva),
        transform(part(1, lot=LOT, codes=teva), part(1, made=True, code=f"{BAG}-1", lot="B1"), place=STORE, at=minutes(5)),
        given("p", "B1", 9),
    )  # fmt: skip
    assert patients(look(site, notice(LOT), {ITEM: frozenset({PRODUCT, "amox-teva"})})) == {}


def test_a_dose_from_an_opened_container_is_of_the_containers_lot() -> None:
    """The nurse scans the label of the vial alone; who opened it scanned the lot."""
    site = hub(
        received(LOT), told("open", 5, place=STORE, at=minutes(5), lot=LOT, container="V1", codes=BY_PRODUCT),
        told("dispense", 1, place=STORE, at=minutes(9), container="V1", patient="p"),
        told("dispense", 1, place=STORE, at=minutes(9), container="V2", patient="q"),
    )  # fmt: skip
    assert patients(look(site, notice(LOT))) == {"p": "sure", "q": "possible"}


def test_opening_a_container_brings_nothing_to_its_place() -> None:
    """A pocket of a known lot: what is opened there was there before, and an unknown lot given later is of the known one."""
    site = hub(
        received(LOT), received("ZZ"), told("refill", 5, place=POCKET, at=minutes(3), lot="ZZ"),
        told("open", 2, place=POCKET, at=minutes(5), lot="ZZ", container="V1"),
        told("refill", 5, place=OTHER_POCKET, at=minutes(3), lot=LOT),
        told("open", 2, place=OTHER_POCKET, at=minutes(5), lot=LOT, container="V2"),
    )  # fmt: skip
    assert places(look(site, notice(LOT))) == {STORE: "sure", OTHER_POCKET: "sure"}


def test_any_order_of_telling_gives_the_same_list() -> None:
    events = [received(LOT), made("B1", LOT, 5), made("K1", "B1", 6, f"{BAG}-1", KIT), given("p", "K1", 9, f"{KIT}-1")]
    lists = [look(hub(*order), notice(LOT)) for order in (events, events[::-1], events[1:] + events[:1], events[2:] + events[:2])]
    assert all(one == lists[0] for one in lists)


def test_all_lots_of_a_product_are_in_whatever_was_made_of_it() -> None:
    everything = RecallNotice(id="R2", classification="II", products=(PRODUCT,), all_lots=True)
    site = hub(received("ZZ"), made("B1", None, 5), given("p", "B1", 9))
    assert patients(look(site, everything)) == {"p": "sure"}
