"""The views about money over the tables: calendars, cost versions from the log, and the same answers from every database."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from schemas import topics
from schemas.codec import encode
from schemas.codes import Code
from schemas.events import ReferenceChange, StockEvent, Tick
from schemas.keys import encode_key
from schemas.kinds import BalanceStatus, EventKind, Feed, LocationKind
from schemas.log import LogRecord
from schemas.raw import RawRef
from schemas.records import Balance, Movement
from schemas.reference import REFERENCE_KINDS, Item, Location, Product, Site, SupplierItem
from sinks.finance.charges import Basis
from sinks.finance.layers import Method
from sinks.sql import Projection, finance
from sinks.sql.charges import charges

START = datetime(2026, 3, 10, 12, tzinfo=UTC)


class Hub:
    """Records as a hub writes them, and the tables they are projected to."""

    def __init__(self, url: str) -> None:
        self.projection = Projection(url)
        self._offsets: dict[str, int] = {}
        self._revision = 0
        self.records: list[LogRecord] = []
        self.learn(Site(id="mercy", name="Mercy", zone="America/New_York"))
        self.learn(Item(id="hep", name="Heparin", base_unit="vial", schedule=2))

    def put(self, topic: str, key: tuple[Any, ...], value: Any, at: datetime | None = None, type_: str = "") -> None:
        offset = self._offsets[topic] = self._offsets.get(topic, -1) + 1
        headers = (("ce_type", type_), ("ce_time", at.isoformat() if at else ""))
        self.records.append(LogRecord(topic, 0, offset, encode_key(key), encode(value), headers))

    def learn(self, record: Any, at: datetime | None = None) -> None:
        kind = next(kind for kind in REFERENCE_KINDS.values() if kind.codec.type is type(record))
        self._revision += 1
        fields = {name: getattr(record, name) for name in record.__dataclass_fields__}
        change = ReferenceChange(revision=self._revision, kind=kind.name, id=kind.id_of(record), record=fields)
        self.put(topics.REFERENCE, (kind.name, kind.id_of(record)), change, at)

    def withdraw(self, kind: str, id_: str, at: datetime) -> None:
        self._revision += 1
        self.put(topics.REFERENCE, (kind, id_), ReferenceChange(revision=self._revision, kind=kind, id=id_), at)

    def move(self, number: int, source: str, target: str, quantity: int, *, known: datetime | None = None, **more: Any) -> None:
        """Movement `number`, `number` minutes after the start."""
        given: dict[str, Any] = {
            "site": "mercy", "event_id": f"e{number}", "kind": "receive" if source == "supplier" else "vend", "item": "hep",
            "product": "hep-a", "lot": "L-1", "unit": "vial", "occurred": START + timedelta(minutes=number), "cause": f"k{number}",
            "expiry": date(2026, 3, 31),
        }  # fmt: skip
        value = Movement(movement_id=f"m{number}", quantity=quantity, from_account=source, to_account=target, **{**given, **more})
        self.put(topics.MOVEMENTS, ("mercy",), value, known or value.occurred, "Movement")

    def hold(self, location: str, quantity: int, status: BalanceStatus = BalanceStatus.AVAILABLE) -> None:
        value = Balance(
            site="mercy", location=location, item="hep", product="hep-a", lot="L-1", quantity=quantity, unit="vial", status=status,
            as_of=START,
        )  # fmt: skip
        self.put(topics.BALANCES, ("mercy", location), value)

    def say(self, key: str, feed: Feed, kind: EventKind, quantity: str, **more: Any) -> None:
        """A charge or an administration."""
        given: dict[str, Any] = {
            "occurred": START, "unit": "vial", "patient": "p1", "codes": (Code(system="item", value="hep"),), **more,
        }  # fmt: skip
        value = StockEvent(
            event_id=f"id-{key}", event_key=key, kind=kind, feed=feed, site="mercy", source="adt", raw=RawRef(partition=0, offset=0),
            received_at=START, quantity=Decimal(quantity), **given,
        )  # fmt: skip
        self.put(topics.SITE_LOG, ("mercy",), value, START, "StockEvent")

    def ask(self, question: Any, *arguments: Any, **filters: Any) -> list[dict[str, Any]]:
        self.projection.apply(self.records)
        with self.projection.engine.connect() as connection:
            rows: list[dict[str, Any]] = question(connection, *arguments, **filters)
        return rows


@pytest.fixture
def hub(url: str) -> Iterator[Hub]:
    made = Hub(url)
    yield made
    made.projection.close()


def product(cost: str | None, id_: str = "hep-a") -> Product:
    return Product(id=id_, item="hep", labeler="acme", package_quantity=25, unit_cost=None if cost is None else Decimal(cost))


def test_valuation_is_by_the_costs_that_were_in_force(hub: Hub) -> None:
    """10 at 2.50 (stated before the hub knew the time), 10 at 3 (in force from minute 5); 4 leave: 6×2.50 + 10×3 = 45."""
    hub.learn(product("2.50"))
    hub.learn(product("3"), START + timedelta(minutes=5))
    hub.move(1, "supplier", "stock:main", 10)
    hub.move(6, "supplier", "stock:main", 10)
    hub.move(7, "stock:main", "patient", 4)
    (row,) = hub.ask(finance.valuation, Method.FIFO)
    assert row == {
        "site": "mercy", "item": "hep", "product": "hep-a", "account": "inventory", "quantity": 16, "unpriced": 0,
        "unit_cost": "2.8125", "value": "45.00",
    }  # fmt: skip


def test_a_withdrawn_product_has_no_cost_and_the_suppliers_price_counts(hub: Hub) -> None:
    hub.learn(SupplierItem(supplier="acme", item="hep", price=Decimal("1.1")))
    hub.learn(product("2"))
    hub.withdraw("product", "hep-a", START + timedelta(minutes=2))
    hub.move(1, "supplier", "stock:main", 1)
    hub.move(3, "supplier", "stock:main", 1)
    assert [row["value"] for row in hub.ask(finance.valuation, Method.AVERAGE)] == ["3.10"]


def test_an_unknown_cost_is_null_and_never_zero(hub: Hub) -> None:
    hub.move(1, "supplier", "stock:main", 5)
    (row,) = hub.ask(finance.valuation, Method.FIFO)
    assert (row["unpriced"], row["unit_cost"], row["value"]) == (5, None, None)
    assert [row["value"] for row in hub.ask(finance.valuation, Method.FIFO, lots=True)] == [None]
    assert [row["amount"] for row in hub.ask(finance.journal, Method.FIFO)] == [None]


def test_lots_share_the_value_and_carry_their_status_or_what_the_calendar_says(hub: Hub) -> None:
    """3 at 10/3 each: 10.00 in all, 3.33 for the one and 6.67 for the two. A lot dated the 31st is good all of that day."""
    hub.learn(product("3.333333333333"))
    hub.move(1, "supplier", "stock:main", 3)
    hub.move(2, "stock:main", "stock:icu", 2)
    hub.hold("main", 1)
    hub.hold("icu", 2, BalanceStatus.RECALLED)
    rows = hub.ask(finance.valuation, Method.FIFO, lots=True)
    assert [(row["location"], row["lot"], row["quantity"], row["value"], row["status"]) for row in rows] == [
        ("icu", "L-1", 2, "6.67", "recalled"),
        ("main", "L-1", 1, "3.33", "available"),
    ]
    for day, status in ((31, "not_expired"), (32, "expired")):
        at = date(2026, 3, 1) + timedelta(days=day - 1)
        assert {row["status"] for row in hub.ask(finance.valuation, Method.FIFO, lots=True, at=at)} == {status}


def test_a_date_ends_at_the_sites_own_midnight(hub: Hub) -> None:
    """23:30 on the 10th in New York (UTC-4) is 03:30 UTC on the 11th."""
    hub.learn(product("1"))
    hub.move(1, "supplier", "stock:main", 8)
    hub.move(930, "stock:main", "patient", 2)
    hub.move(990, "stock:main", "patient", 1)
    values = [hub.ask(finance.valuation, Method.FIFO, at=date(2026, 3, day)) for day in (9, 10, 11)]
    assert [[row["value"] for row in rows] for rows in values] == [[], ["6.00"], ["5.00"]]
    assert [row["posting_date"] for row in hub.ask(finance.journal, Method.FIFO)] == ["2026-03-10", "2026-03-10", "2026-03-11"]


def test_what_is_known_late_is_posted_late_with_its_dimensions(hub: Hub) -> None:
    """2 given on March 10th and reported on April 2nd are of April, with March's document date."""
    hub.learn(product("1.5"))
    hub.move(1, "supplier", "stock:main", 8)
    hub.move(2, "stock:main", "patient", 2, known=datetime(2026, 4, 2, 9, tzinfo=UTC))
    rows = hub.ask(finance.journal, Method.FIFO, window=(date(2026, 4, 1), date(2026, 4, 30)))
    shown = (
        "period",
        "document_date",
        "debit",
        "credit",
        "amount",
        "debit_location",
        "credit_location",
        "item_class",
        "movement_id",
    )
    assert [tuple(row[name] for name in shown) for row in rows] == [
        ("2026-04", "2026-03-10", "consumption", "inventory", "3.00", None, "main", "schedule_2", "m2"),
    ]


def test_places_for_transit_are_an_account_of_their_own(hub: Hub) -> None:
    hub.learn(product("2"))
    hub.learn(Location(site="mercy", path="van", kind=LocationKind.TRANSIT))
    hub.move(1, "supplier", "stock:main", 8)
    hub.move(2, "stock:main", "stock:van/bin1", 3)
    hub.move(3, "stock:main", "stock:vanity", 1)
    assert [(row["account"], row["value"]) for row in hub.ask(finance.valuation, Method.FIFO)] == [
        ("in_transit", "6.00"), ("inventory", "10.00"),
    ]  # fmt: skip
    assert [row["debit"] for row in hub.ask(finance.journal, Method.FIFO)] == ["inventory", "in_transit", "inventory"]


def test_turns_are_cost_of_goods_used_over_average_value(hub: Hub) -> None:
    """The published case: 20 million used over 10 million held on average are 2.0 turns. Here within one day."""
    hub.learn(product("1"))
    hub.move(-1440, "supplier", "stock:main", 10_000_000)
    hub.move(1, "supplier", "stock:main", 20_000_000)
    hub.move(2, "stock:main", "patient", 21_000_000)
    hub.move(3, "patient", "stock:main", 1_000_000, kind="return")
    (row,) = hub.ask(finance.turns, Method.FIFO, window=(date(2026, 3, 10), date(2026, 3, 10)))
    assert (row["cogs"], row["average_value"], row["turns"], row["turns_a_year"]) == (
        "20000000.00",
        "10000000.00",
        "2.00",
        "730.00",
    )


def test_a_window_left_open_is_thirty_days_and_begins_with_the_first_movement(hub: Hub) -> None:
    hub.move(1, "supplier", "stock:main", 1)
    hub.move(1440 * 3, "supplier", "stock:main", 1)
    (row,) = hub.ask(finance.turns, Method.FIFO)
    assert (row["from"], row["to"], row["days"], row["turns"]) == ("2026-03-10", "2026-03-13", 4, None)


def test_the_check_finds_a_balance_that_the_movements_do_not_explain(hub: Hub) -> None:
    hub.learn(product("2"))
    hub.move(1, "supplier", "stock:main", 8)
    hub.hold("main", 8)
    assert [(row["method"], row["value"], row["adds_up"]) for row in hub.ask(finance.check)] == [
        ("fifo", "16.00", True), ("average", "16.00", True),
    ]  # fmt: skip
    hub.hold("main", 7)
    assert [(row["quantity_differences"], row["adds_up"]) for row in hub.ask(finance.check)] == [(1, False)] * 2


@pytest.mark.parametrize("method", list(Method))
def test_the_order_in_which_the_log_has_the_movements_changes_no_value(hub: Hub, method: Method) -> None:
    """The same movements of a random day in another order, as after an outage of a feed."""
    chance = random.Random(7)
    told = [
        (number, *chance.choice([("supplier", "stock:main"), ("stock:main", "patient"), ("stock:main", "stock:transit"),
                                 ("variance", "stock:main"), ("stock:main", "waste")]), chance.randint(1, 9))
        for number in range(60)
    ]  # fmt: skip
    later = [(START + timedelta(minutes=minute), Decimal(chance.randint(1, 10**6)) / 10**5) for minute in (15, 30, 45)]
    found = []
    for order in (told, chance.sample(told, len(told))):
        other = Hub("sqlite://") if found else hub
        other.learn(product("1.23456"))
        for at, cost in later:
            other.learn(product(str(cost)), at)
        for number, source, target, quantity in order:
            other.move(number, source, target, quantity)
        found.append(other.ask(finance.valuation, method))
        rows = other.ask(finance.check)
        assert all(row["value_differences"] == 0 and row["out_of_balance"] == "0.00" for row in rows)
    assert found[0] == found[1]


def test_charges_are_compared_with_what_left_stock(hub: Hub) -> None:
    """p1: 3 vended, 1 returned, 2 charged. p2: 1 vended, its charge was credited. p3: a charge alone. Test traffic counts nothing."""
    for number, patient, quantity in ((1, "p1", 3), (2, "p2", 1)):
        hub.move(number, "stock:main", "patient", quantity, patient=patient)
    hub.move(3, "patient", "stock:main", 1, patient="p1", kind="return")
    hub.move(4, "stock:main", "patient", 9, patient="p1")
    back = {"kind": "reversal", "corrects": "e4", "occurred": START + timedelta(minutes=4)}
    hub.move(5, "patient", "stock:main", 9, **back)
    hub.say("c1", Feed.CHARGE, EventKind.DISPENSE, "2")
    hub.say("c2", Feed.CHARGE, EventKind.DISPENSE, "1", patient="p2")
    hub.say("c3", Feed.CHARGE, EventKind.RETURN, "1", patient="p2")
    hub.say("c4", Feed.CHARGE, EventKind.DISPENSE, "1", patient="p3")
    hub.say("c5", Feed.CHARGE, EventKind.DISPENSE, "7", test=True)
    hub.say("a1", Feed.ADMINISTRATION, EventKind.ADMINISTER, "2", quantity_is_dose=True)
    hub.say("v1", Feed.CABINET, EventKind.VEND, "3")
    hub.put(topics.SITE_LOG, ("tick",), Tick(at=START), START, "Tick")
    rows = hub.ask(charges, Basis.REMOVED, matched=True)
    shown = ("patient", "removed", "administered", "charged", "state")
    assert [tuple(row[name] for name in shown) for row in rows] == [
        ("p1", 2, 2, 2, "matched"),
        ("p2", 1, 0, 0, "not_charged"),
        ("p3", 0, 0, 1, "nothing_removed"),
    ]
    assert [row["patient"] for row in hub.ask(charges, Basis.REMOVED)] == ["p2", "p3"]
    assert hub.ask(charges, Basis.REMOVED, window=(date(2026, 3, 11), date(2026, 3, 12)), matched=True) == []


def test_every_question_can_be_narrowed_to_an_item_and_a_site(hub: Hub) -> None:
    hub.learn(product("1"))
    hub.move(1, "supplier", "stock:main", 3)
    for question in (finance.valuation, finance.turns, finance.journal):
        everything = hub.ask(question, Method.FIFO)
        assert len(everything) == 1
        assert hub.ask(question, Method.FIFO, item="hep", site="mercy") == everything
        assert hub.ask(question, Method.FIFO, site="elsewhere") == []


@pytest.mark.parametrize("days", [-3, 0, 3])
def test_a_charge_that_was_taken_back_or_corrected_does_not_count_whatever_time_that_says(hub: Hub, days: int) -> None:
    """Window 9 to 11 March; what takes back or replaces a charge may be dated before it, within it or behind it."""
    when = START + timedelta(days=days)
    hub.move(1, "stock:main", "patient", 1, patient="p1")
    hub.say("c1", Feed.CHARGE, EventKind.DISPENSE, "2")
    hub.say("r1", Feed.CHARGE, EventKind.REVERSAL, "2", reverses="c1", occurred=when)
    hub.say("c2", Feed.CHARGE, EventKind.DISPENSE, "3")
    hub.say("v2", Feed.CHARGE, EventKind.DISPENSE, "5", replaces="c2", version=2, occurred=when)
    (row,) = hub.ask(charges, Basis.REMOVED, matched=True, window=(date(2026, 3, 9), date(2026, 3, 11)))
    assert (row["removed"], row["charged"]) == (1, 0 if days else 5)


def test_charges_of_a_site_from_which_nothing_was_removed_are_compared_too(hub: Hub) -> None:
    """Charged, and nothing left: the site has no movement at all."""
    hub.say("c1", Feed.CHARGE, EventKind.DISPENSE, "2")
    (row,) = hub.ask(charges, Basis.REMOVED)
    assert (row["site"], row["charged"], row["state"]) == ("mercy", 2, "nothing_removed")


def test_a_clock_that_is_far_ahead_does_not_move_the_window(hub: Hub) -> None:
    """Events keep a time that has not been, flagged; one such cabinet must not make the last 30 days those of another year."""
    hub.learn(product("2"))
    hub.move(1, "supplier", "stock:main", 10)
    hub.move(2, "stock:main", "patient", 4)
    hub.move(3, "stock:main", "patient", 1, occurred=START + timedelta(days=9_000), known=START + timedelta(minutes=3))
    (row,) = hub.ask(finance.turns, Method.FIFO)
    assert (row["to"], row["cogs"]) == ("2026-03-10", "8.00")
