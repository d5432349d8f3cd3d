"""Whom a recall concerns (domain §3.8), in small stated cases: what was told to a hub, and who is on the list for which reason."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import chain
from typing import Any

import pytest

from schemas.codes import normalise_lot
from schemas.events import StockEvent
from sinks.recalls.lookback import lookback
from sinks.recalls.scope import Move
from sinks.sql.rows import instant_text
from tests.support.facts import minutes, reversal, told
from tests.support.hub import SiteHub
from tests.support.world import ITEM, OTHER_POCKET, POCKET, STORE, item, product
from tests.unit.recalls.support import PRODUCT, look, notice, patients, places

Told = Callable[[], list[StockEvent]]


def vend(patient: str, at: float, quantity: int = 1, place: str = POCKET, **changes: object) -> StockEvent:
    return told("vend", quantity, place=place, at=minutes(at), patient=patient, **changes)


def refill(quantity: int, at: float, lot: str | None = None, place: str = POCKET) -> StockEvent:
    return told("refill", quantity, place=place, at=minutes(at), lot=lot)


def receive(quantity: int, at: float, lot: str | None = None) -> StockEvent:
    return told("receive", quantity, place=STORE, at=minutes(at), lot=lot)


CASES: dict[str, tuple[Told, dict[str, str]]] = {
    "a dose of the lot was given": (
        lambda: [receive(9, 0, "AB0123"), refill(9, 1, "AB0123"), vend("p", 2, lot="AB0123")], {"p": "sure"},
    ),
    "the lot number is written otherwise": (
        lambda: [receive(9, 0, "ab-0123 "), refill(9, 1, "AB 0123"), vend("p", 2, lot="ab-0123")], {"p": "sure"},
    ),
    "leading zeros count: 0123 is not 123": (
        lambda: [receive(9, 0, "B0123"), receive(9, 0, "0123"), receive(9, 0, "123"), refill(9, 1, "123"), vend("p", 2, lot="123")], {},
    ),
    "a lot that nobody told, from a pocket that held the lot and another": (
        lambda: [receive(9, 0, "AB0123"), receive(9, 0, "ZZ9"), refill(4, 1, "AB0123"), refill(4, 1, "ZZ9"), vend("p", 2)],
        {"p": "possible"},
    ),
    "a lot that nobody told, from a pocket that held another lot alone": (
        lambda: [receive(9, 0, "AB0123"), receive(9, 0, "ZZ9"), refill(4, 1, "ZZ9"), vend("p", 2)], {},
    ),
    "before the lot came to the pocket": (
        lambda: [receive(9, 0, "AB0123"), receive(9, 0, "ZZ9"), refill(4, 1, "ZZ9"), vend("p", 2), refill(4, 3, "AB0123"), vend("q", 4)],
        {"q": "possible"},
    ),
    "the refill was not labelled and the store held the lot": (
        lambda: [receive(9, 0, "AB0123"), receive(9, 0, "ZZ9"), refill(4, 1), vend("p", 2)], {"p": "possible"},
    ),
    "the refill was not labelled and the store never held it": (
        lambda: [receive(9, 0, "ZZ9"), refill(4, 1), vend("p", 2)], {},
    ),
    "goods came without a lot": (lambda: [receive(9, 0), refill(4, 1), vend("p", 2)], {"p": "possible"}),
    "all of the lot that is known to have come has gone: some may still be there": (
        lambda: [receive(9, 0, "AB0123"), refill(2, 1, "AB0123"), vend("p", 2, 2, lot="AB0123"), receive(9, 3, "ZZ9"),
                 refill(4, 4, "ZZ9"), vend("q", 5)],
        {"p": "sure", "q": "possible"},
    ),
    "a count found the pocket empty in between": (
        lambda: [receive(9, 0, "AB0123"), receive(9, 0, "ZZ9"), refill(4, 1, "AB0123"), vend("p", 2, 3),
                 told("count", 0, place=POCKET, at=minutes(3)), refill(4, 4, "ZZ9"), vend("q", 5)],
        {"p": "possible"},
    ),
    "the pocket was unloaded in between": (
        lambda: [receive(9, 0, "AB0123"), receive(9, 0, "ZZ9"), refill(4, 1, "AB0123"), vend("p", 2),
                 told("unload", 3, place=POCKET, at=minutes(3), lot="AB0123"), told("load", 4, place=POCKET, at=minutes(4), lot="ZZ9"),
                 vend("q", 5)],
        {"p": "possible"},
    ),
    "a count of another lot says nothing of this one": (
        lambda: [receive(9, 0, "AB0123"), receive(9, 0, "ZZ9"), refill(4, 1, "AB0123"), refill(1, 1, "ZZ9"),
                 told("count", 0, place=POCKET, at=minutes(2), lot="ZZ9"), vend("q", 3)],
        {"q": "possible"},
    ),
    "more was taken than came: what was not reported may be of any lot": (
        lambda: [receive(9, 0, "ZZ9"), refill(2, 1, "ZZ9"), vend("p", 2), vend("q", 3, 3)], {"p": "possible", "q": "possible"},
    ),
    "a count found what nobody reported": (
        lambda: [receive(9, 0, "ZZ9"), refill(4, 1, "ZZ9"), vend("p", 2), told("count", 6, place=POCKET, at=minutes(3)), vend("q", 4)],
        {"p": "possible", "q": "possible"},
    ),
    "a vend shows the lot where no refill named it": (
        lambda: [receive(9, 0, "ZZ9"), refill(6, 1, "ZZ9"), vend("p", 2), vend("q", 3, lot="AB0123")], {"p": "possible", "q": "sure"},
    ),
    "what was taken back was not given": (
        lambda: [receive(9, 0, "AB0123"), refill(9, 1, "AB0123"), vend("p", 2, lot="AB0123", key="v1"), reversal("v1", at=minutes(3))], {},
    ),
    "a corrected dose is given once, in its last version": (
        lambda: [receive(9, 0, "AB0123"), refill(9, 1, "AB0123"), vend("p", 2, 2, lot="AB0123", key="v1"),
                 vend("p", 2, 1, lot="ZZ9", key="v2", replaces="v1")],
        {},
    ),
    "a verified begin count found some, and all of them were taken at once": (
        lambda: [receive(9, 0, "ZZ9"), refill(2, 1, "ZZ9"), vend("o", 2, 2, lot="ZZ9"),
                 vend("p", 3, 3, begin_count=Decimal(3), begin_count_verified=True)],
        {"p": "possible"},
    ),
    "what was passed on at one instant": (
        lambda: [receive(9, 1), refill(4, 1), told("put_away", 2, place=POCKET, to=OTHER_POCKET, at=minutes(1)),
                 vend("p", 1, place=OTHER_POCKET)],
        {"p": "possible"},
    ),
    "a pocket that passed it on": (
        lambda: [receive(9, 0), refill(4, 1), told("put_away", 2, place=POCKET, to=OTHER_POCKET, at=minutes(2)),
                 vend("p", 3, place=OTHER_POCKET)],
        {"p": "possible"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_who_is_on_the_list(name: str) -> None:
    """The same list in whatever order the events arrive."""
    events, expected = CASES[name]
    told_once = events()
    for order in (told_once, told_once[::-1]):
        hub = SiteHub(product())
        hub.hear(*order)
        assert patients(look(hub, notice("AB0123"))) == expected


def test_a_dose_dated_before_the_notice_that_arrives_after_it_is_on_the_list() -> None:
    hub = SiteHub()
    hub.hear(receive(9, 0, "AB0123"), refill(9, 1, "AB0123"))
    hub.tick(minutes(60))
    hub.learn(notice("AB0123"))
    assert patients(look(hub, notice("AB0123"))) == {}
    hub.tell(vend("late", 5, lot="AB0123"))
    assert patients(look(hub, notice("AB0123"))) == {"late": "sure"}


def test_a_line_says_how_much_when_for_which_order_and_by_whom_and_what_came_back() -> None:
    hub = SiteHub()
    hub.hear(
        receive(9, 0, "AB0123"), refill(9, 1, "AB0123"), vend("p", 2, 2, lot="AB0123", order_id="O1", actor="ann"),
        vend("p", 90, 1, lot="AB0123", order_id="O2", actor="ben"),
        told("return", 1, place=POCKET, at=minutes(95), patient="p", lot="AB0123"),
    )  # fmt: skip
    line = look(hub, notice("AB0123"))[-1]
    assert {name: line[name] for name in ("about", "quantity", "returned", "first", "last", "orders", "given_by", "reason")} == {
        "about": "patient", "quantity": 3, "returned": 1, "first": "2026-03-02T12:02:00.000000Z",
        "last": "2026-03-02T13:30:00.000000Z", "orders": ["O1", "O2"], "given_by": ["ann", "ben"],
        "reason": "lot AB0123 was given",
    }  # fmt: skip


def test_a_dose_for_nobody_named_is_a_line_of_its_own() -> None:
    """The order and the person who gave it lead on."""
    hub = SiteHub()
    hub.hear(receive(9, 0, "AB0123"), refill(9, 1, "AB0123"))
    hub.hear(*(told("vend", 1, place=POCKET, at=minutes(2 + n), lot="AB0123", order_id=f"O{n}") for n in range(2)))
    lines = [line for line in look(hub, notice("AB0123")) if line["about"] == "patient"]
    assert [(line["patient"], line["orders"]) for line in lines] == [(None, ["O0"]), (None, ["O1"])]


def test_places_say_what_lies_there_now() -> None:
    hub = SiteHub()
    hub.hear(receive(9, 0, "AB0123"), refill(4, 1, "AB0123"), vend("p", 2), refill(2, 3, place=OTHER_POCKET))
    lines = look(hub, notice("AB0123"))
    assert places(lines) == {POCKET: "sure", STORE: "sure", OTHER_POCKET: "possible"}
    held = {line["location"]: (line["quantity"], line["unknown_lot_quantity"]) for line in lines if line["about"] == "place"}
    assert held == {POCKET: (4, -1), STORE: (9 - 4, -2), OTHER_POCKET: (2, 0)}


@pytest.mark.parametrize(
    ("all_products", "expected"), [(frozenset({PRODUCT}), "sure"), (frozenset({PRODUCT, "amox-other"}), "possible")]
)
def test_a_fitting_number_of_an_unstated_product(all_products: frozenset[str], expected: str) -> None:
    """It is the recalled product's when the item has no other; else it may be."""
    others = [product(id_, ndc=None, gtin=None) for id_ in sorted(all_products - {PRODUCT})]
    hub = SiteHub(*others)
    hub.hear(receive(9, 0, "AB0123"), refill(9, 1, "AB0123"), vend("p", 2, lot="AB0123"))
    assert patients(look(hub, notice("AB0123"), {ITEM: all_products})) == {"p": expected}


def test_another_items_lot_of_the_same_number_is_not_concerned() -> None:
    hub = SiteHub(item("ibu"), product("ibu-1", item="ibu", ndc=None, gtin=None))
    codes = tuple(chain(item("ibu").codes))
    hub.hear(told("receive", 9, place=STORE, lot="AB0123", codes=codes), told("vend", 1, place=STORE, patient="p", codes=codes))
    assert look(hub, notice("AB0123")) == []


def test_all_lots_of_a_product() -> None:
    hub = SiteHub()
    hub.hear(receive(9, 0, "A"), refill(9, 1), vend("p", 2), vend("q", 3, lot="ZZ9"))
    assert patients(look(hub, notice())) == {"p": "sure", "q": "sure"}


def test_a_look_back_over_years_of_a_busy_pocket_takes_seconds() -> None:
    """Loaded every morning without a lot, eight doses a day, 900 days: each dose was compared with each load, and that with each."""
    began = datetime(2024, 1, 1, 6, tzinfo=UTC)
    moves: list[Move] = []

    def add(kind: str, quantity: int, source: str, target: str, at: datetime, lot: str = "unknown", **more: Any) -> None:
        number = str(len(moves))
        moves.append(
            Move("north", ITEM, "", lot, normalise_lot(lot), quantity, "tablet", source, target, instant_text(at), kind, number, **more)
        )  # fmt: skip

    for day in range(900):
        morning = began + timedelta(days=day)
        add("load", 10, "suspense", f"stock:{POCKET}", morning)
        for hour in range(8):
            add("vend", 1, f"stock:{POCKET}", "patient", morning + timedelta(hours=hour, minutes=1), patient=f"p{day % 50}")
    before = time.process_time()
    lines = lookback(notice("AB1", *(f"X{number}" for number in range(300))), {ITEM: frozenset({PRODUCT})}, moves)
    assert time.process_time() - before < 10
    assert {line["certainty"] for line in lines} == {"possible"}
    assert sum(line["quantity"] for line in lines if line["about"] == "patient") == 7_200
