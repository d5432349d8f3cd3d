"""Notifications of a Subscription (R4 rest-hook, the R5 backport, R5): what they carry counts, what they leave out is asked for."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.events import StockEvent
from schemas.mapping import NoEffect, Refused
from tests.unit.fhir.samples import dispense, mapped, refused

URL = "https://ehr.example/fhir/MedicationDispense/md-1"
R5 = {"resourceType": "SubscriptionStatus", "status": "active", "type": "event-notification", "subscription": {"reference": "s"}}
BACKPORT = {
    "resourceType": "Parameters",
    "parameter": [
        {"name": "subscription", "valueReference": {"reference": "s"}},
        {"name": "status", "valueCode": "active"},
        {"name": "type", "valueCode": "event-notification"},
    ],
}


def notification(status: dict[str, Any], *entries: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "history", "entry": [{"resource": status}, *entries]}


@pytest.mark.parametrize("status", [R5, BACKPORT], ids=["R5", "backport"])
def test_a_notification_with_the_whole_resource_counts(status: dict[str, Any]) -> None:
    entry = {"fullUrl": URL, "resource": dispense(), "request": {"method": "POST", "url": "MedicationDispense"}}
    first, second = mapped(notification(status, entry))
    assert isinstance(first, NoEffect)
    assert first.code == "subscription_status"
    assert isinstance(second, StockEvent)
    assert second.event_key == "fhir|MedicationDispense|md-1"


@pytest.mark.parametrize(
    "entry",
    [
        {"fullUrl": URL, "request": {"method": "POST", "url": "MedicationDispense"}},
        {"fullUrl": URL, "request": {"method": "PUT", "url": "MedicationDispense/md-1"}},
        {"fullUrl": URL, "request": {"method": "PUT", "url": URL}},
    ],
)
def test_a_notification_that_names_a_resource_and_does_not_hold_it_is_refused(entry: dict[str, Any]) -> None:
    _, second = mapped(notification(R5, entry))
    assert isinstance(second, Refused)
    assert second.code == "no_resource"
    assert "full-resource" in second.reason


def test_a_named_resource_of_another_type_is_no_loss() -> None:
    _, second = mapped(
        notification(R5, {"fullUrl": "https://ehr.example/fhir/Encounter/e", "request": {"method": "POST", "url": "Encounter"}})
    )
    assert isinstance(second, NoEffect)


@pytest.mark.parametrize("status", [R5, BACKPORT], ids=["R5", "backport"])
def test_a_notification_without_content_is_refused(status: dict[str, Any]) -> None:
    assert refused(notification(status)).code == "notification_without_content"


@pytest.mark.parametrize("kind", ["handshake", "heartbeat", "query-status"])
def test_a_handshake_says_nothing_about_stock(kind: str) -> None:
    (found,) = mapped(notification({**R5, "type": kind}))
    assert isinstance(found, NoEffect)
    assert kind in found.reason


def test_parameters_that_are_no_notification_move_nothing() -> None:
    (found,) = mapped({"resourceType": "Parameters", "parameter": [{"name": "type", "valueCode": "event-notification"}]})
    assert isinstance(found, NoEffect)
    assert found.code == "no_stock_meaning"
