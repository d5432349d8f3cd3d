"""Which FHIR release a resource is written in, and which version of it this is."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.fhir.mapper import map_fhir
from connectors.fhir.validation import R4, R5, stated_release
from schemas.events import StockEvent
from schemas.kinds import EventKind
from schemas.mapping import Mapped, Refused
from schemas.raw import FHIR_JSON, RawMessage, RawRef
from tests.unit.fhir.samples import RECEIVED, Context, administration, bundle, dispense, event, mapped

R5_DISPENSE = dispense(medicationCodeableConcept=None, medication={"concept": {"text": "Aspirin 81 mg"}})


def as_release(document: dict[str, Any], number: str) -> Mapped:
    message = RawMessage(
        body=json.dumps(document).encode(), source="ehr", connector="fhir", received_at=RECEIVED, site="main-site",
        content_type=f"{FHIR_JSON}; fhirVersion={number}",
    )  # fmt: skip
    (result,) = map_fhir(message, RawRef(partition=0, offset=1), Context())
    return result


@pytest.mark.parametrize(
    ("content_type", "release"),
    [
        (FHIR_JSON, None),
        (f"{FHIR_JSON};charset=utf-8", None),
        (f"{FHIR_JSON};fhirVersion=4.0", R4),
        (f'{FHIR_JSON}; charset=utf-8; FHIRVERSION="4.3.0"', R4),
        (f"{FHIR_JSON}; fhirVersion=5.0.0", R5),
        (f"{FHIR_JSON}; fhirVersion=R5", R5),
    ],
)
def test_the_media_type_states_the_release(content_type: str, release: str | None) -> None:
    assert stated_release(content_type) == release


def test_a_stated_release_is_what_the_resource_is_held_against() -> None:
    assert isinstance(as_release(dispense(), "4.0"), StockEvent)
    assert isinstance(as_release(R5_DISPENSE, "5.0"), StockEvent)
    wrong = as_release(dispense(), "5.0")
    assert isinstance(wrong, Refused)
    assert "is no element of FHIR R5" in wrong.reason
    unknown = as_release(dispense(), "3.0")
    assert isinstance(unknown, Refused)
    assert unknown.code == "unsupported_release"
    assert "3.0" in unknown.reason


def test_a_type_of_another_release_is_told() -> None:
    found = as_release({"resourceType": "InventoryItem", "status": "active"}, "4.0")
    assert isinstance(found, Refused)
    assert "InventoryItem is no resource type of it" in found.reason


def test_without_a_stated_release_a_resource_that_is_valid_in_one_is_valid() -> None:
    """`recorded` stands in R5 alone, and nothing else in it tells the release."""
    assert event(dispense(medicationCodeableConcept=None, medication={"concept": {"text": "x"}}, recorded="2026-03-02")).codes
    assert event(administration(recorded="2026-03-02", medication={"concept": {"text": "x"}}, medicationCodeableConcept=None,
                                effectiveDateTime=None, occurenceDateTime="2026-03-02T08:00:00Z")).codes  # fmt: skip


def versioned(version: str, **changes: Any) -> StockEvent:
    return event(administration(meta={"versionId": version, "lastUpdated": "2026-03-02T15:00:00Z"}, **changes))


def test_versions_order_by_number_not_by_text() -> None:
    assert [versioned(label).version for label in ("1", "2", "010")] == [1, 2, 10]
    assert versioned("010").event_key == versioned("10").event_key


def test_a_version_that_is_no_number_orders_by_when_it_was_last_updated() -> None:
    at = datetime(2026, 3, 2, 15, tzinfo=UTC)
    assert versioned("a1b2").version == int(at.timestamp()) * 1_000_000
    bare = event(administration(meta={"versionId": "a1b2"}))
    assert (bare.version, bare.replaces) == (0, None)


def test_a_version_in_a_history_bundle_is_named_by_its_full_url() -> None:
    entry = {"fullUrl": "https://ehr.example/fhir/MedicationAdministration/ma-1/_history/3", "resource": administration()}
    found = event({"resourceType": "Bundle", "type": "history", "entry": [entry]})
    assert (found.version, found.replaces) == (3, "fhir|MedicationAdministration|ma-1")


def test_a_version_that_says_error_moves_nothing_and_still_replaces() -> None:
    found = versioned("2", status="entered-in-error")
    assert (found.kind, found.reverses) == (EventKind.ADMINISTER, None)
    assert found.no_effect
    assert found.replaces == "fhir|MedicationAdministration|ma-1"


def test_states_before_the_fact_are_versions_of_it_too() -> None:
    assert versioned("1", status="in-progress").replaces == versioned("2").replaces


def test_orders_and_resources_with_lines_have_no_versions_that_replace() -> None:
    order = {
        "resourceType": "MedicationRequest", "id": "o", "status": "active", "intent": "order", "meta": {"versionId": "4"},
        "medicationCodeableConcept": {"text": "x"}, "subject": {"reference": "Patient/p"},
    }  # fmt: skip
    assert event(order).replaces is None


def test_one_bundle_may_mix_both_releases_where_none_is_stated() -> None:
    results = mapped(bundle(dispense(), {**R5_DISPENSE, "id": "other"}))
    assert all(isinstance(one, StockEvent) for one in results)


def put(received_at: datetime, **changes: Any) -> StockEvent:
    entry = {"resource": dispense(**changes), "request": {"method": "PUT", "url": "MedicationDispense/md-1"}}
    message = RawMessage(
        body=json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": [entry]}).encode(), source="ehr", connector="fhir",
        content_type=FHIR_JSON, received_at=received_at, site="main-site",
    )  # fmt: skip
    (result,) = map_fhir(message, RawRef(partition=0, offset=1), Context())
    assert isinstance(result, StockEvent)
    return result


def test_an_update_without_a_version_is_a_version_by_when_it_was_received() -> None:
    first, second = put(RECEIVED), put(RECEIVED + timedelta(seconds=1), quantity={"value": 9, "unit": "vial"})
    assert first.replaces == second.replaces == "fhir|MedicationDispense|md-1"
    assert first.version < second.version
    assert first.event_key != second.event_key
    assert put(RECEIVED, meta={"versionId": "7"}).version == 7
