"""SupplyDelivery, SupplyRequest, InventoryReport, InventoryItem and DeviceDispense (`domain` §4, message → stock movement map)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from schemas.codes import Code
from schemas.events import StockEvent
from schemas.kinds import EventKind, Feed
from schemas.mapping import NoEffect
from tests.unit.fhir.samples import NDC, RECEIVED, bundle, event, mapped, refused

GTIN = "https://www.gs1.org/gtin"
CONCEPT = {"coding": [{"system": NDC, "code": "0409-4713-02"}]}
BATCH = {
    "resourceType": "Medication", "id": "m1", "code": CONCEPT, "batch": {"lotNumber": "L7", "expirationDate": "2027-05"},
}  # fmt: skip


def delivery(release: str = "R4", **changes: Any) -> dict[str, Any]:
    supplied = {"quantity": {"value": 40, "unit": "vial"}, "itemReference": {"reference": "#m1"}}
    resource: dict[str, Any] = {
        "resourceType": "SupplyDelivery", "id": "sd-1", "status": "completed", "contained": [BATCH],
        "suppliedItem": supplied if release == "R4" else [supplied],
        "occurrenceDateTime": "2026-03-02T08:00:00-06:00", "destination": {"reference": "Location/central"},
        "basedOn": [{"identifier": {"value": "PO-9"}}],
    } | changes  # fmt: skip
    return {name: value for name, value in resource.items() if value is not None}


def report(*items: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "resourceType": "InventoryReport", "id": "ir-1", "status": "active", "countType": "snapshot",
        "reportedDateTime": "2026-03-02T09:00:00Z",
        "inventoryListing": [{"location": {"reference": "Location/central"}, "item": list(items)}],
    } | changes  # fmt: skip


def counted(value: object, code: str = "0409-4713-02", **item: Any) -> dict[str, Any]:
    return {
        "quantity": {"value": value, "unit": "vial"},
        "item": item or {"concept": {"coding": [{"system": NDC, "code": code}]}},
    }


def events(document: object) -> list[StockEvent]:
    results = mapped(document)
    assert all(isinstance(one, StockEvent) for one in results), results
    return results  # type: ignore[return-value]


@pytest.mark.parametrize("release", ["R4", "R5"])
def test_a_completed_delivery_is_a_receipt_at_its_destination_with_the_batch(release: str) -> None:
    found = event(delivery(release))
    assert (found.kind, found.feed) == (EventKind.RECEIVE, Feed.SUPPLY)
    assert (found.quantity, found.unit, found.lot, found.expiry) == (Decimal(40), "vial", "L7", date(2027, 5, 31))
    assert found.codes == (Code(system="ndc", value="0409-4713-02"),)
    assert found.location_codes == ("central",)
    assert found.occurred == datetime(2026, 3, 2, 14, tzinfo=UTC)
    assert found.order_id == "PO-9"
    assert found.no_effect is None


def test_the_same_delivery_is_the_same_fact_in_both_releases() -> None:
    assert event(delivery("R4")).event_key == event(delivery("R5")).event_key == "fhir|SupplyDelivery|sd-1"


@pytest.mark.parametrize("release", ["R4", "R5"])
def test_a_delivery_by_another_site_of_the_network_is_the_arrival_of_a_transfer(release: str) -> None:
    """Its number is what it is based on, else its own identifier: the sender's dispatch must bear the same."""
    found = event(delivery(release, supplier={"identifier": {"value": "NORTH-HOSPITAL"}}))
    assert (found.kind, found.partner, found.shipment) == (EventKind.TRANSFER_IN, "north", "PO-9")
    unnumbered = event(delivery(release, supplier={"identifier": {"value": "NORTH-HOSPITAL"}}, basedOn=None))
    assert unnumbered.shipment == "sd-1"
    by_a_supplier = event(delivery(release, supplier={"display": "Prairie Drug Wholesale"}))
    assert (by_a_supplier.kind, by_a_supplier.partner, by_a_supplier.shipment) == (EventKind.RECEIVE, None, None)


def test_an_arrival_that_was_entered_in_error_is_taken_back_like_a_receipt() -> None:
    supplier = {"identifier": {"value": "NORTH-HOSPITAL"}}
    posted, gone = event(delivery(supplier=supplier)), event(delivery(supplier=supplier, status="entered-in-error"))
    assert (gone.kind, gone.reverses) == (EventKind.REVERSAL, posted.event_key)


@pytest.mark.parametrize("status", ["in-progress", "abandoned", None])
def test_a_delivery_that_has_not_arrived_moves_nothing_and_says_why(status: str | None) -> None:
    found = event(delivery(status=status, occurrenceDateTime=None))
    assert found.kind is EventKind.RECEIVE
    assert found.no_effect
    assert found.occurred == RECEIVED


def test_goods_on_the_way_and_goods_arrived_are_two_facts() -> None:
    on_the_way, arrived = event(delivery(status="in-progress")), event(delivery())
    assert on_the_way.event_key == f"{arrived.event_key}|in-progress"


def test_a_delivery_entered_in_error_takes_every_line_back() -> None:
    lines = [{"quantity": {"value": n, "unit": "vial"}, "itemCodeableConcept": CONCEPT} for n in (1, 2)]
    posted = events(delivery("R5", suppliedItem=lines))
    gone = events(delivery("R5", suppliedItem=lines, status="entered-in-error"))
    assert [one.kind for one in gone] == [EventKind.REVERSAL] * 2
    assert [one.reverses for one in gone] == [one.event_key for one in posted]


def test_lines_of_a_delivery_are_facts_of_their_own_that_know_their_first() -> None:
    lines = [{"quantity": {"value": n, "unit": "vial"}, "itemCodeableConcept": CONCEPT} for n in (1, 2, 3)]
    found = events(
        bundle({"resourceType": "Patient"}, delivery("R5", suppliedItem=lines), delivery(id="sd-2"))["entry"][1]["resource"]
    )
    assert [one.event_key for one in found] == [
        "fhir|SupplyDelivery|sd-1",
        "fhir|SupplyDelivery|sd-1|2",
        "fhir|SupplyDelivery|sd-1|3",
    ]
    assert [one.part_of for one in found] == [None, found[0].event_key, found[0].event_key]
    assert [(one.lines, one.raw.index) for one in found] == [(3, 0), (3, 1), (3, 2)]
    among_others = mapped(bundle({"resourceType": "Patient"}, delivery("R5", suppliedItem=lines), delivery(id="sd-2")))
    assert [one.raw.index for one in among_others if isinstance(one, StockEvent)] == [1, 2, 3, 4]


def test_a_completed_delivery_of_nothing_is_refused() -> None:
    assert refused(delivery(suppliedItem=None)).code == "no_item"


def test_a_delivery_can_not_be_deleted_by_name_alone() -> None:
    entry = {"request": {"method": "DELETE", "url": "SupplyDelivery/sd-1"}}
    found = refused({"resourceType": "Bundle", "type": "transaction", "entry": [entry]})
    assert (found.code, "entered-in-error" in found.reason) == ("unsupported_change", True)


@pytest.mark.parametrize("item", [{"itemCodeableConcept": CONCEPT}, {"item": {"concept": CONCEPT}}], ids=["R4", "R5"])
def test_a_supply_request_asks_and_moves_nothing(item: dict[str, Any]) -> None:
    request = {
        "resourceType": "SupplyRequest", "id": "sr-1", "identifier": [{"value": "REQ-1"}], "status": "active",
        "quantity": {"value": 10, "unit": "vial"}, "authoredOn": "2026-03-02",
        "deliverFrom": {"reference": "Location/central"}, "deliverTo": {"reference": "Location/ward-4"}, **item,
    }  # fmt: skip
    found = event(request)
    assert (found.kind, found.feed, found.order_id) == (EventKind.REQUEST, Feed.SUPPLY, "REQ-1")
    assert (found.quantity, found.location_codes, found.to_location_codes) == (Decimal(10), ("central",), ("ward-4",))
    assert event({**request, "status": "completed"}).event_key != found.event_key


def test_a_snapshot_counts_each_item_at_its_place_and_time() -> None:
    listing = {"location": {"reference": "Location/ward-4"}, "countingDateTime": "2026-03-02T08:30:00Z", "item": [counted(3)]}
    document = report(counted(12), counted(0, "0409-4713-03"))
    document["inventoryListing"].append(listing)
    found = events(document)
    assert [one.kind for one in found] == [EventKind.COUNT] * 3
    assert [one.quantity for one in found] == [Decimal(12), Decimal(0), Decimal(3)]
    assert [one.no_effect for one in found] == [None] * 3, "counting nothing is a count"
    assert [one.location_codes[0] for one in found] == ["central", "central", "ward-4"]
    assert [one.occurred.minute for one in found] == [0, 0, 30]


def test_lot_expiry_and_serial_come_from_the_inventory_item() -> None:
    stock = {
        "resourceType": "InventoryItem", "id": "i1", "status": "active",
        "code": [{"coding": [{"system": GTIN, "code": "00304094713021"}]}],
        "instance": {"lotNumber": "L7", "expiry": "2027-05-31", "identifier": [{"value": "SN-1"}]},
    }  # fmt: skip
    found = event(report(counted(2, reference={"reference": "#i1"}), contained=[stock]))
    assert (found.lot, found.expiry, found.serial) == ("L7", date(2027, 5, 31), "SN-1")
    assert found.codes == (Code(system="gtin", value="00304094713021"),)


@pytest.mark.parametrize(("operation", "kind"), [("addition", EventKind.ADJUST_IN), ("subtraction", EventKind.ADJUST_OUT)])
def test_a_difference_is_a_delta(operation: str, kind: EventKind) -> None:
    found = event(report(counted(4), countType="difference", operationType={"coding": [{"code": operation}]}))
    assert (found.kind, found.quantity) == (kind, Decimal(4))


def test_a_difference_that_does_not_say_which_way_is_refused() -> None:
    assert refused(report(counted(4), countType="difference")).code == "unknown_operation"
    two_ways = {"coding": [{"code": "addition"}, {"code": "subtraction"}]}
    assert refused(report(counted(4), countType="difference", operationType=two_ways)).code == "unknown_operation"
    assert refused(report(counted(4), countType="estimate")).code == "unknown_count_type"


@pytest.mark.parametrize("status", ["draft", "requested"])
def test_a_report_that_is_not_made_yet_counts_nothing(status: str) -> None:
    assert event(report(counted(4), status=status)).no_effect


def test_a_report_of_nothing_counts_nothing() -> None:
    assert event(report(inventoryListing=[])).no_effect


def lotted(value: int, lot: str) -> dict[str, Any]:
    return counted(value, reference={"reference": f"#{lot}"})


def of_lot(lot: str) -> dict[str, Any]:
    return {"resourceType": "InventoryItem", "id": lot, "status": "active", "code": [CONCEPT], "instance": {"lotNumber": lot}}


def test_a_snapshot_that_counts_one_thing_twice_is_refused_whole() -> None:
    assert refused(report(counted(4), counted(5))).code == "counted_twice"
    assert refused(report(lotted(4, "A"), lotted(5, "A"), contained=[of_lot("A")])).code == "counted_twice"
    assert refused(report(lotted(4, "A"), counted(5), contained=[of_lot("A")])).code == "counted_twice"
    assert len(events(report(lotted(4, "A"), lotted(5, "B"), contained=[of_lot("A"), of_lot("B")]))) == 2
    more = report(counted(4), counted(5), countType="difference", operationType={"coding": [{"code": "addition"}]})
    assert len(events(more)) == 2, "two additions are two"


def test_an_inventory_item_by_itself_says_what_there_is_and_moves_nothing() -> None:
    (found,) = mapped(of_lot("A"))
    assert isinstance(found, NoEffect)
    assert refused({**of_lot("A"), "status": 5}).code == "invalid_resource"


def test_a_dispensed_device_is_a_dispense() -> None:
    document = {
        "resourceType": "DeviceDispense", "id": "dd-1", "status": "completed", "subject": {"reference": "Patient/p"},
        "device": {"concept": {"coding": [{"system": GTIN, "code": "00613994223838"}]}}, "quantity": {"value": 1, "unit": "each"},
        "whenHandedOver": "2026-03-02T08:00:00Z", "location": {"reference": "Location/central"},
    }  # fmt: skip
    found = event(document)
    assert (found.kind, found.feed, found.quantity) == (EventKind.DISPENSE, Feed.DISPENSE, Decimal(1))
    assert found.codes[0].value == "00613994223838"


def test_a_delivered_device_is_known_by_its_udi_lot_and_serial() -> None:
    device = {
        "resourceType": "Device", "id": "m1", "lotNumber": "D1", "serialNumber": "S1", "expirationDate": "2027-01-31",
        "udiCarrier": [{"deviceIdentifier": "00613994223838", "issuer": "urn:oid:1.3.160"}],
    }  # fmt: skip
    found = event(delivery(contained=[device]))
    assert (found.lot, found.serial, found.expiry) == ("D1", "S1", date(2027, 1, 31))
    assert found.codes == (Code(system="gtin", value="00613994223838"),)
