"""Receipts against their order and their fitness: over, short, another item, damaged, too warm, expired, short-dated."""

from __future__ import annotations

from datetime import date
from random import Random
from typing import Any

import pytest

from schemas.kinds import Feed, LocationKind
from schemas.reference import Supplier, SupplierItem
from tests.support.facts import BY_ITEM, BY_PRODUCT, day, minutes, reversal, told
from tests.support.world import ITEM, STORE, item, location, purchase_policy, site
from tests.unit.verify.logs import RecordedHub
from topology.verify.run import verify

BIN = "main/quarantine"
PLACE = location(BIN, LocationKind.QUARANTINE, codes=("QUAR",), authority=Feed.SCAN)


def hub(*more: Any, **changes: Any) -> RecordedHub:
    return RecordedHub(site(**changes), PLACE, *more)


def received(quantity: int = 10, **changes: Any) -> Any:
    return told("receive", quantity, **{"place": STORE, "lot": "L1", "expiry": day(400), **changes})


def agrees(one: RecordedHub) -> bool:
    return verify(one.logs()).differences == [] and one.accounts_total() == 0


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"condition": "damaged"}, "it arrived damaged"),
        ({"condition": "temperature"}, "it was too warm or too cold on the way"),
        ({"expiry": day(-1)}, "it had expired (2026-03-01) when it arrived"),
        ({"expiry": day(29)}, "it expires 2026-03-31, and this site wants 30 days left on arrival"),
    ],
)
def test_what_arrives_unfit_is_received_into_quarantine_with_a_case(changes: dict[str, Any], why: str) -> None:
    """Domain §3.4: goods that are expired are physically there; they are received, and not refused."""
    one = hub(receipt_life_days=30)
    one.hear(received(**changes))
    assert (one.on_hand(STORE), one.on_hand(BIN), one.usable(BIN)) == (0, 10, 0)
    [case] = one.open_cases("receipt_unfit")
    assert why in case.text
    assert (case.location, one.outcomes()[-1]) == (BIN, "posted")
    assert agrees(one)


@pytest.mark.parametrize("expiry", [day(0), day(30), None, date.max], ids=["last day", "30 days", "not stated", "never"])
def test_what_is_fit_is_received_where_it_was_scanned(expiry: date | None) -> None:
    """A product dated today is usable all that day; 30 days left are 30 days."""
    one = hub(receipt_life_days=0 if expiry == day(0) else 30)
    one.hear(received(expiry=expiry))
    assert one.on_hand(STORE) == 10
    assert one.open_cases() == []
    assert agrees(one)


def test_a_site_without_a_quarantine_place_is_told_where_it_stands() -> None:
    one = RecordedHub()
    one.hear(received(condition="damaged"))
    assert one.on_hand(STORE) == 10
    assert "the site has no quarantine place: it stands in main" in one.open_cases("receipt_unfit")[0].text
    assert agrees(one)


def ordering() -> tuple[RecordedHub, str]:
    """A store at 50 of 200 with a purchase of 150 open."""
    supplier = (Supplier(id="mck", name="McKesson"), SupplierItem(supplier="mck", item=ITEM, price=1))
    one = hub(item("ibu"), purchase_policy(), *supplier)
    one.hear(told("count", 50, place=STORE, at=minutes(1)))
    one.tick(minutes(200))
    [command] = one.open_commands()
    assert command.quantity == 150
    return one, command.command_id


def later(one: RecordedHub, hours: int = 30) -> None:
    one.tick(minutes(200 + hours * 60))


def kinds(one: RecordedHub) -> list[str]:
    return sorted(case.kind for case in one.open_cases() if case.kind.startswith("receipt"))


def test_an_order_that_came_whole_in_two_parts_is_no_case() -> None:
    one, order = ordering()
    one.hear(received(100, order_id=order), received(50, order_id=order, at=minutes(60)))
    later(one)
    assert kinds(one) == []


def test_less_than_ordered_is_said_a_day_after_the_first_and_closes_when_the_rest_comes() -> None:
    one, order = ordering()
    one.hear(received(100, order_id=order))
    later(one, 20)
    assert kinds(one) == []
    later(one)
    assert [case.text for case in one.open_cases("receipt_short")] == [
        f"of 150 tablet of amox ordered ({order}), 100 have come: ask for the rest"
    ]
    one.hear(received(50, order_id=order, at=minutes(2_100)))
    assert kinds(one) == []


def test_more_than_ordered_and_another_item_are_said_at_once() -> None:
    one, order = ordering()
    one.hear(received(160, order_id=order))
    assert "10 more than the 150 ordered" in one.open_cases("receipt_over")[0].text
    one.hear(received(5, order_id=order, codes=item("ibu").codes))
    assert "which is of amox 250 mg tablet" in one.open_cases("receipt_wrong_item")[0].text
    assert agrees(one)


def test_a_receipt_that_is_taken_back_did_not_come() -> None:
    one, order = ordering()
    one.hear(received(150, order_id=order, key="twice"), reversal("twice", at=minutes(30)), received(150, order_id=order))
    later(one)
    assert kinds(one) == []


def test_the_number_of_an_order_that_is_not_the_hubs_says_nothing() -> None:
    one, _ = ordering()
    one.hear(received(999, order_id="PO-1"))
    later(one)
    assert kinds(one) == []


@pytest.mark.parametrize("seed", range(30))
def test_verify_agrees_on_any_receipts(seed: int) -> None:
    random = Random(seed)
    one = hub(receipt_life_days=random.choice([0, 30]))
    for number in range(30):
        changes: dict[str, Any] = {
            "lot": random.choice(["L1", "L2", None]), "expiry": random.choice([day(-2), day(0), day(29), day(31), None]),
            "condition": random.choice([None, None, None, "damaged"]), "at": minutes(random.randint(-3_000, 3_000)),
            "codes": random.choice([BY_ITEM, BY_PRODUCT]), "key": f"r{random.randint(0, 25)}",
        }  # fmt: skip
        match random.randint(0, 5):
            case 0:
                one.hear(reversal(f"r{random.randint(0, 25)}", key=f"back{number}", at=minutes(number)))
            case 1:
                one.learn(site(receipt_life_days=random.choice([0, 30, 90])))
            case _:
                one.hear(received(random.randint(1, 9), **changes))
    assert agrees(one)
