"""Bad bodies: each has a name and a reason, spoils no neighbour, and never raises."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.fhir import body as body_module
from connectors.fhir.body import DEPTH_MAX, ITEMS_MAX
from connectors.fhir.events import EVENT_CHARACTERS_MAX
from connectors.fhir.resource_types import R5_ONLY, RESOURCE_TYPES, STATUS_OPTIONAL
from schemas.events import StockEvent
from schemas.mapping import NoEffect, Refused
from schemas.raw import BODY_BYTES_MAX
from tests.unit.fhir.samples import Context, administration, bundle, dispense, event, mapped, refused


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "empty_body"),
        (b'<MedicationDispense xmlns="http://hl7.org/fhir"/>', "not_json"),
        (b" \r\n ", "empty_body"),
        (b"MSH|^~\\&|", "not_json"),
        (b'{"resourceType": "Patient"', "not_json"),
        (b"\xff\xfe\x00\xd8", "not_json"),
        (b'{"resourceType": "Patient", "x": NaN}', "not_json"),
        (b'{"x": 1e99999999999999999999}', "not_json"),
        (b'{"x": ' + b"9" * 5000 + b"}", "not_json"),
        (b"[]", "not_a_resource"),
        (b"42", "not_a_resource"),
        (b"null", "not_a_resource"),
        (b"{}", "no_resource_type"),
        (b'{"resourceType": 5}', "no_resource_type"),
        (b'{"resourceType": "MedicationDispenze"}', "unknown_resource_type"),
        (b'{"resourceType": "SupplyDelivery", "status": "completed"}', "no_item"),
        (b'{"resourceType": "Patient", "id": "\\ud800"}', "bad_text"),
        (b"[" * 100_000, "too_deep"),
        (b'{"a":' * (DEPTH_MAX + 1) + b"1" + b"}" * (DEPTH_MAX + 1), "too_deep"),
        (b'{"resourceType": "Bundle", "entry": {}}', "invalid_resource"),
        (b'{"resourceType": "Bundle", "entry": [5]}', "invalid_resource"),
    ],
)
def test_a_body_that_holds_no_usable_resource_is_refused_by_name(body: bytes, code: str) -> None:
    assert refused(body).code == code


def test_nesting_up_to_the_limit_is_read() -> None:
    inner: dict[str, Any] = {}
    for _ in range(DEPTH_MAX - 5):
        inner = {"a": inner}
    (result,) = mapped(bundle({"resourceType": "Basic", "a": inner}))
    assert isinstance(result, NoEffect)
    (result,) = mapped(bundle({"resourceType": "Basic", "a": {"a": inner}}))
    assert isinstance(result, Refused)
    assert result.code == "too_deep"


def test_a_body_over_the_limit_is_refused_without_reading_it() -> None:
    assert refused(b"{" + b" " * BODY_BYTES_MAX).code == "too_large"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_every_unicode_encoding_of_json_is_read(encoding: str) -> None:
    body = json.dumps(dispense()).encode(encoding)
    assert event(body).event_key == "fhir|MedicationDispense|md-1"


def test_more_items_than_the_limit_are_refused_as_a_whole() -> None:
    body = b'{"resourceType":"Bundle","entry":[' + b",".join([b"{}"] * (ITEMS_MAX + 1)) + b"]}"
    assert refused(body).code == "too_many_items"
    assert refused(b"{}\n" * (ITEMS_MAX + 1)).code == "too_many_items"


def test_ndjson_over_the_limit_in_sum_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.fhir.mapper.ITEMS_MAX", 3)
    line = json.dumps(bundle({"resourceType": "Patient"}, {"resourceType": "Patient"}))
    assert refused(f"{line}\n{line}\n".encode()).code == "too_many_items"
    assert len(mapped(f"{line}\n".encode())) == 2
    assert body_module.ITEMS_MAX == ITEMS_MAX


def test_ndjson_is_one_item_a_line_and_a_bad_line_spoils_no_other() -> None:
    lines = [json.dumps(dispense(id="1")), "{broken", "", json.dumps({"resourceType": "Patient"}), json.dumps(dispense(id="2"))]
    results = mapped("\r\n".join(lines).encode())
    assert [type(one) for one in results] == [StockEvent, Refused, NoEffect, StockEvent]
    assert "Line 2" in results[1].reason  # type: ignore[union-attr]
    assert results[3].raw.index == 3  # type: ignore[union-attr]


def test_a_broken_indented_document_is_one_refusal_and_no_ndjson() -> None:
    broken = json.dumps(bundle(dispense(), dispense()), indent=2)[:-3]
    assert refused(broken.encode()).code == "not_json"


def test_a_bad_entry_spoils_no_other() -> None:
    results = mapped(
        bundle(dispense(subject=5), administration(), {"resourceType": "Nonsense"}, {"resourceType": "MessageHeader"})
    )
    assert [getattr(one, "code", "event") for one in results] == [
        "invalid_resource",
        "event",
        "unknown_resource_type",
        "no_stock_meaning",
    ]


def test_bundles_inside_bundles_are_counted_by_their_entries() -> None:
    inner = bundle(dispense(id="1"), dispense(id="2"))
    results = mapped(bundle({"resourceType": "Patient"}, inner, {"resourceType": "Bundle", "type": "searchset"}))
    assert [type(one) for one in results] == [NoEffect, StockEvent, StockEvent, NoEffect]
    assert [one.raw.index for one in results if isinstance(one, StockEvent)] == [1, 2]


def test_an_empty_bundle_is_one_item_without_effect() -> None:
    (result,) = mapped({"resourceType": "Bundle", "type": "collection"})
    assert isinstance(result, NoEffect)
    assert result.code == "empty_bundle"


def test_reasons_name_fhir_paths_and_never_the_value() -> None:
    found = refused(administration(subject=None, performer=[{"actor": {"display": 5, "surname": "Duck"}}]))
    assert found.code == "invalid_resource"
    assert "MedicationAdministration.subject is required and missing" in found.reason
    assert "MedicationAdministration.performer[0].actor.surname is no element of FHIR R4B" in found.reason
    assert "Duck" not in found.reason


def test_many_faults_are_counted_and_long_names_cut() -> None:
    found = refused(administration(**{f"{'x' * 10_000}{number}": 1 for number in range(9)}))
    assert "and 4 more" in found.reason
    assert len(found.reason) < 2_000


def test_a_missing_status_is_refused() -> None:
    assert "MedicationDispense.status" in refused(dispense(status=None)).reason


def test_codes_and_names_of_absurd_length_are_refused() -> None:
    concept = {"coding": [{"code": "1" * (EVENT_CHARACTERS_MAX + 1)}]}
    assert refused(dispense(medicationCodeableConcept=concept)).code == "too_long"


def test_an_unknown_contained_type_is_a_sentence() -> None:
    found = refused(dispense(contained=[{"resourceType": "Medikation"}]))
    assert found.code == "invalid_resource"
    assert "'Medikation'" in found.reason


def test_a_site_with_an_unknown_zone_is_refused_where_the_zone_matters() -> None:
    class Lost(Context):
        zone = "Mars/Olympus"

    assert refused(dispense(whenHandedOver="2026-03-02"), context=Lost()).code == "unknown_zone"
    assert event(dispense(), context=Lost()).site == "main-site"


def test_types_named_for_a_reason_are_known_types() -> None:
    assert R5_ONLY | STATUS_OPTIONAL < RESOURCE_TYPES
    assert {"Patient", "MedicationUsage"} & RESOURCE_TYPES == {"Patient"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from(
    [
        "id", "identifier", "status", "medicationCodeableConcept", "medicationReference", "medication", "subject", "context",
        "encounter", "effectiveDateTime", "effectivePeriod", "occurenceDateTime", "occurrencePeriod", "performer", "request",
        "dosage", "quantity", "whenHandedOver", "location", "destination", "contained", "extension", "meta", "supportingInformation",
        "authorizingPrescription", "recorded", "entry", "timestamp",
    ]
)  # fmt: skip
TYPES = st.sampled_from(["MedicationAdministration", "MedicationDispense", "MedicationRequest", "Bundle", "Patient"])
RELAXED = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@RELAXED
@given(st.binary(max_size=200))
def test_arbitrary_bytes_never_raise(data: bytes) -> None:
    assert mapped(data)


@RELAXED
@given(JSON)
def test_arbitrary_json_never_raises(value: object) -> None:
    assert mapped(value)


@RELAXED
@given(TYPES, st.dictionaries(NAMES, JSON, max_size=3))
def test_arbitrary_elements_in_place_of_valid_ones_never_raise(resource_type: str, changes: dict[str, Any]) -> None:
    base = dispense() if resource_type == "MedicationDispense" else administration()
    resource = base | {"resourceType": resource_type} | changes
    assert mapped(resource)
    assert mapped(bundle(resource, {"resourceType": resource_type, **changes}))


HELPERS = st.fixed_dictionaries({}, optional={"id": st.just("x") | JSON, "identifier": JSON, "location": JSON, "batch": JSON, "code": JSON,
                                              "partOf": JSON, "managingOrganization": JSON, "serviceProvider": JSON, "name": JSON})  # fmt: skip


@RELAXED
@given(st.sampled_from(["Medication", "Location", "Encounter", "Patient"]), HELPERS)
def test_arbitrary_neighbours_in_a_bundle_never_raise(resource_type: str, members: dict[str, Any]) -> None:
    neighbour = {"resourceType": resource_type, "id": "x", **members}
    given_ = administration(
        medicationCodeableConcept=None,
        medicationReference={"reference": "Medication/x"},
        subject={"reference": "Patient/x"},
        context={"reference": "Encounter/x"},
        supportingInformation=[{"reference": "Location/x"}],
    )
    assert len(mapped(bundle(neighbour, given_))) == 2
