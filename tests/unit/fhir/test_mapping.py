"""What each resource type becomes: kind, amount, place, time, people (rules: connectors/fhir/*.py docstrings)."""

from __future__ import annotations

import copy
import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from connectors.fhir.validation import R4, check
from schemas.codes import Code
from schemas.events import STOCK_EVENT, StockEvent
from schemas.kinds import EventKind, Feed
from schemas.mapping import NoEffect
from tests.unit.fhir.samples import DATA, NDC, RECEIVED, administration, bundle, dispense, event, mapped, refused


def test_a_completed_administration_is_a_dose_given_at_its_time_and_in_its_ucum_unit() -> None:
    found = event(administration())
    assert (found.kind, found.feed) == (EventKind.ADMINISTER, Feed.ADMINISTRATION)
    assert (found.quantity, found.unit, found.quantity_is_dose) == (Decimal(5), "mg", True)
    assert found.occurred == datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
    assert found.zone_assumed is False
    assert found.no_effect is None
    assert found.codes == (Code(system="ndc", value="0409-4713-02"),)
    assert (found.site, found.source, found.received_at) == ("main-site", "ehr", RECEIVED)
    assert (found.raw.partition, found.raw.offset, found.raw.index) == (3, 70, 0)


def test_a_completed_dispense_is_an_amount_handed_out_from_its_location_to_its_destination() -> None:
    found = event(
        dispense(
            location={"reference": "Location/central", "display": "Central pharmacy"},
            destination={"reference": "https://ehr.example/fhir/Location/ward-4"},
            authorizingPrescription=[{"reference": "MedicationRequest/rx-5"}],
        )
    )
    assert (found.kind, found.feed) == (EventKind.DISPENSE, Feed.DISPENSE)
    assert (found.quantity, found.unit, found.quantity_is_dose) == (Decimal(12), "vial", False)
    assert found.location_codes == ("central", "Central pharmacy")
    assert found.to_location_codes == ("ward-4",)
    assert found.order_id == "rx-5"


def test_a_request_is_an_order_and_moves_nothing() -> None:
    order = {
        "resourceType": "MedicationRequest",
        "identifier": [{"system": "https://ehr.example/rx", "value": "RX-1"}],
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": {"text": "Aspirin 81 mg tablet"},
        "subject": {"reference": "Patient/p-1"},
        "authoredOn": "2026-03-01",
        "dispenseRequest": {"quantity": {"value": 30, "unit": "TAB"}},
    }
    found = event(order)
    assert (found.kind, found.feed, found.order_id) == (EventKind.ORDER, Feed.ORDER, "RX-1")
    assert (found.quantity, found.unit) == (Decimal(30), "TAB")
    assert found.codes == (Code(system="text", value="Aspirin 81 mg tablet", text="Aspirin 81 mg tablet"),)
    assert found.occurred == datetime(2026, 3, 1, 6, 0, tzinfo=UTC), "midnight in Chicago, standard time, is 06:00 UTC"
    assert found.zone_assumed is True
    stopped = event({**order, "status": "stopped"})
    assert stopped.event_key != found.event_key, "each state of an order is a fact of its own"


@pytest.mark.parametrize("status", ["in-progress", "on-hold", "unknown", "stopped", "not-done"])
def test_an_administration_that_did_not_take_place_moves_nothing_and_says_why(status: str) -> None:
    found = event(administration(status=status, effectiveDateTime="2026-03"))
    assert found.kind is EventKind.ADMINISTER
    assert found.no_effect
    assert found.occurred == RECEIVED, "what moves nothing may go without a usable time"


@pytest.mark.parametrize("status", ["preparation", "in-progress", "on-hold", "unknown", "cancelled", "declined", "stopped"])
def test_a_dispense_that_did_not_take_place_moves_nothing_and_says_why(status: str) -> None:
    found = event(dispense(status=status))
    assert found.kind is EventKind.DISPENSE
    assert found.no_effect


@pytest.mark.parametrize("make", [administration, dispense])
def test_entered_in_error_takes_the_same_resource_back(make) -> None:  # type: ignore[no-untyped-def]
    given, taken_back = event(make()), event(make(status="entered-in-error"))
    assert taken_back.kind is EventKind.REVERSAL
    assert taken_back.feed is given.feed
    assert taken_back.reverses == given.event_key
    assert taken_back.event_key == f"rev|{given.event_key}"
    assert taken_back.no_effect is None


def test_a_status_that_fhir_does_not_know_is_refused_with_the_known_ones() -> None:
    found = refused(dispense(status="done"))
    assert found.code == "unknown_status"
    assert "'done'" in found.reason
    assert "completed" in found.reason


def test_an_amount_of_zero_moves_nothing() -> None:
    assert event(dispense(quantity={"value": 0, "unit": "vial"})).no_effect == "the amount is 0"


def test_a_mistake_is_taken_back_whatever_amount_it_states_now() -> None:
    taken_back = event(dispense(status="entered-in-error", quantity={"value": 0, "unit": "vial"}))
    assert (taken_back.kind, taken_back.no_effect) == (EventKind.REVERSAL, None)


def test_a_completed_dispense_without_a_quantity_is_kept_without_one() -> None:
    found = event(dispense(quantity=None))
    assert (found.quantity, found.unit, found.no_effect) == (None, None, None)


R5_MEDICATION = {"concept": {"coding": [{"system": "https://www.gs1.org/gtin", "code": "00304094713021"}]}}


@pytest.mark.parametrize("name", ["occurenceDateTime", "occurrenceDateTime"])
def test_r5_is_told_by_its_own_elements_in_both_spellings_of_occurrence(name: str) -> None:
    resource = administration(medicationCodeableConcept=None, effectiveDateTime=None, medication=R5_MEDICATION)
    found = event(
        resource | {name: "2026-03-02T08:00:00Z", "performer": [{"actor": {"reference": {"reference": "Practitioner/rn-1"}}}]}
    )
    assert found.codes == (Code(system="gtin", value="00304094713021"),)
    assert found.occurred == datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
    assert found.actor == "rn-1"


def test_r5_dispense_with_a_reference_reads_the_contained_medication() -> None:
    medication = {"resourceType": "Medication", "id": "m", "batch": {"lotNumber": "L1", "expirationDate": "2027-05-31"}}
    found = event(dispense(medicationCodeableConcept=None, medication={"reference": {"reference": "#m"}}, contained=[medication]))
    assert (found.lot, found.expiry) == ("L1", date(2027, 5, 31))


def test_an_element_of_the_other_release_is_refused_by_path() -> None:
    found = refused(administration(medication=R5_MEDICATION))
    assert found.code == "invalid_resource"
    assert "MedicationAdministration.medicationCodeableConcept is no element of FHIR R5" in found.reason


def test_a_period_counts_at_its_end_else_at_its_start() -> None:
    period = {"start": "2026-03-02T08:00:00Z", "end": "2026-03-02T12:00:00Z"}
    assert event(administration(effectiveDateTime=None, effectivePeriod=period)).occurred.hour == 12
    del period["end"]
    assert event(administration(effectiveDateTime=None, effectivePeriod=period)).occurred.hour == 8


def test_handed_over_comes_before_prepared_and_without_both_the_dispense_is_refused() -> None:
    prepared = {"whenPrepared": "2026-03-02T07:00:00Z"}
    assert event(dispense(**prepared)).occurred.hour == 14
    assert event(dispense(whenHandedOver=None, **prepared)).occurred.hour == 7
    found = refused(dispense(whenHandedOver=None))
    assert found.code == "no_time"
    assert "MedicationDispense.whenHandedOver" in found.reason


def test_a_date_is_local_midnight_of_the_site_and_utc_without_one() -> None:
    """Chicago is on daylight time on 1 July: midnight there is 05:00 UTC."""
    assert event(dispense(whenHandedOver="2026-07-01")).occurred == datetime(2026, 7, 1, 5, 0, tzinfo=UTC)
    unknown = event(dispense(whenHandedOver="2026-07-01"), site=None)
    assert (unknown.site, unknown.occurred, unknown.zone_assumed) == ("", datetime(2026, 7, 1, tzinfo=UTC), True)


@pytest.mark.parametrize(
    ("stated", "code"),
    [
        ("2026-03", "vague_time"),
        ("2026", "vague_time"),
        ("2026-02-30T08:00:00Z", "invalid_resource"),
        ("yesterday", "invalid_resource"),
        ("0001-01-01T00:00:00+14:00", "absurd_time"),
        ("9999-12-31T23:59:59-12:00", "absurd_time"),
    ],
)
def test_a_time_that_can_not_place_a_movement_is_refused(stated: str, code: str) -> None:
    assert refused(dispense(whenHandedOver=stated)).code == code


def test_a_vague_time_does_not_matter_when_nothing_moves() -> None:
    assert event(dispense(status="cancelled", whenHandedOver="2026-03")).occurred == RECEIVED


@pytest.mark.parametrize(
    ("quantity", "code"),
    [
        ({"value": -1, "unit": "vial"}, "negative_quantity"),
        ({"value": 10_000_001, "unit": "vial"}, "absurd_quantity"),
        ({"value": 1.2345678, "unit": "vial"}, "absurd_quantity"),
        ({"value": 5, "unit": "vial", "comparator": "<"}, "inexact_quantity"),
        ({"value": "many", "unit": "vial"}, "invalid_resource"),
        ({"value": True, "unit": "vial"}, "invalid_resource"),
    ],
)
def test_an_amount_that_can_not_be_one_is_refused_by_name(quantity: dict[str, object], code: str) -> None:
    assert refused(dispense(quantity=quantity)).code == code


def test_decimals_are_exact_and_trailing_zeros_are_harmless() -> None:
    body = json.dumps(dispense()).replace('"value": 12', '"value": 0.1000000000000').encode()
    assert event(body).quantity == Decimal("0.1")


def test_a_unit_is_the_ucum_code_else_the_unit_else_any_code() -> None:
    """A code of another system is not used as long as there is a unit in words (FHIR Quantity)."""
    assert (
        event(dispense(quantity={"value": 1, "unit": "Vial", "system": "http://snomed.info/sct", "code": "733026001"})).unit
        == "Vial"
    )
    assert event(dispense(quantity={"value": 1, "system": "http://example.org/forms", "code": "TAB"})).unit == "TAB"
    assert event(dispense(quantity={"value": 1})).unit is None


def test_every_coding_becomes_a_code_in_the_order_sent() -> None:
    concept = {
        "text": "Lidocaine 1 %",
        "coding": [
            {"system": "http://example.org/formulary", "code": "LIDO1"},
            {"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "1010033", "display": "lidocaine"},
            {"system": "urn:oid:2.16.840.1.113883.6.69", "code": "00409471302"},
            {"system": "http://www.gs1.org/gtin/", "code": "00304094713021"},
            {"system": NDC, "display": "no code at all"},
        ],
    }
    assert event(dispense(medicationCodeableConcept=concept)).codes == (
        Code(system="local", value="LIDO1", text="Lidocaine 1 %"),
        Code(system="rxnorm", value="1010033", text="lidocaine"),
        Code(system="ndc", value="00409471302", text="Lidocaine 1 %"),
        Code(system="gtin", value="00304094713021", text="Lidocaine 1 %"),
    )


def test_a_medication_that_was_not_sent_along_is_known_by_identifier_reference_and_name() -> None:
    reference = {
        "reference": "https://ehr.example/fhir/Medication/123/_history/2",
        "identifier": {"system": NDC, "value": "0409-4713-02"},
        "display": "Lidocaine",
    }
    found = event(dispense(medicationCodeableConcept=None, medicationReference=reference))
    assert [(code.system, code.value) for code in found.codes] == [
        ("ndc", "0409-4713-02"),
        ("reference", "Medication/123"),
        ("text", "Lidocaine"),
    ]
    assert found.lot is None


def test_a_medication_without_a_code_is_known_by_its_only_ingredient() -> None:
    ingredient = {"itemCodeableConcept": {"coding": [{"system": "urn:oid:1.2.392.100495.20.2.74", "code": "100558502"}]}}
    reference = {"medicationCodeableConcept": None, "medicationReference": {"reference": "#m"}}
    one = {"resourceType": "Medication", "id": "m", "ingredient": [ingredient]}
    assert event(dispense(**reference, contained=[one])).codes == (Code(system="local", value="100558502"),)
    two = {**one, "ingredient": [ingredient, ingredient]}
    assert event(dispense(**reference, contained=[two])).codes == (), "a mixture is none of its ingredients"


@pytest.mark.parametrize(
    ("stated", "expiry"),
    [
        ("2027-05-31", date(2027, 5, 31)),
        ("2028-02", date(2028, 2, 29)),
        ("2027", date(2027, 12, 31)),
        ("2027-05-31T00:00:00+02:00", date(2027, 5, 31)),
    ],
)
def test_an_expiry_without_a_day_is_the_last_day_and_a_date_is_as_printed(stated: str, expiry: date) -> None:
    medication = {"resourceType": "Medication", "id": "m", "batch": {"lotNumber": "L1", "expirationDate": stated}}
    found = event(dispense(medicationCodeableConcept=None, medicationReference={"reference": "#m"}, contained=[medication]))
    assert (found.lot, found.expiry) == ("L1", expiry)


def test_a_transaction_is_one_result_for_every_entry_with_references_followed_inside_it() -> None:
    results = mapped((DATA / "transaction.json").read_bytes())
    assert [type(one) for one in results] == [NoEffect] * 5 + [StockEvent] * 3 + [NoEffect] * 2
    given = results[5]
    assert isinstance(given, StockEvent)
    assert given.raw.index == 5
    assert [code.value for code in given.codes] == ["0409-4713-02"]
    assert (given.lot, given.expiry) == ("K77", date(2027, 2, 28))
    assert (given.quantity, given.unit) == (Decimal("2.5"), "mL")
    assert given.patient == "hash(0815@https://hospital.example/mrn)", "the medical record number comes before other identifiers"
    assert given.location_codes == ("icu-3", "ICU-BED-3", "Bed 3", "icu", "Intensive care"), (
        "the active location, then what it is part of"
    )
    assert (given.facility, given.facility_matched, given.site) == ("north", True, "north")
    assert (given.actor, given.witness, given.order_id) == ("rn-1", "rn-2", "ord-9")
    assert (given.control_id, given.transaction_id) == ("evening-round", "MAR-1")


def test_a_delete_takes_back_what_its_url_names_at_the_time_of_the_bundle() -> None:
    results = mapped((DATA / "transaction.json").read_bytes())
    by_id, by_identifier = results[6], results[7]
    assert isinstance(by_id, StockEvent)
    assert isinstance(by_identifier, StockEvent)
    assert (by_id.kind, by_id.feed) == (EventKind.REVERSAL, Feed.DISPENSE)
    assert by_id.reverses == event(dispense(id="d-7")).event_key
    identified = dispense(identifier=[{"system": "https://ehr.example/rx", "value": "RX-7"}])
    assert by_identifier.reverses == event(identified).event_key
    assert by_id.occurred == datetime(2026, 3, 3, 2, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "request_",
    [
        {"method": "PATCH", "url": "MedicationDispense/d-1"},
        {"method": "DELETE", "url": "MedicationDispense?status=completed"},
        {"method": "DELETE", "url": "MedicationDispense?identifier=RX-7"},
    ],
)
def test_a_change_that_can_not_be_followed_is_refused_with_the_way_out(request_: dict[str, str]) -> None:
    found = refused({"resourceType": "Bundle", "type": "transaction", "entry": [{"request": request_}]})
    assert found.code == "unsupported_change"
    assert "entered-in-error" in found.reason


def test_the_place_of_an_administration_is_the_event_location_before_the_encounter() -> None:
    extension = [
        {"url": "http://hl7.org/fhir/StructureDefinition/event-location", "valueReference": {"reference": "Location/or-2"}}
    ]
    encounter = {
        "resourceType": "Encounter",
        "id": "e",
        "status": "in-progress",
        "class": {"code": "AMB"},
        "location": [{"location": {"identifier": {"value": "CLINIC"}}}],
    }
    inside = {"context": {"reference": "#e"}, "contained": [encounter]}
    assert event(administration(extension=extension, **inside)).location_codes == ("or-2",)
    assert event(administration(supportingInformation=[{"reference": "Location/or-3"}], **inside)).location_codes == ("or-3",)
    assert event(administration(**inside)).location_codes == ("CLINIC",)
    assert event(administration()).location_codes == ()


def test_the_encounters_service_provider_names_the_site_else_the_feeds_default_does() -> None:
    encounter = {
        "resourceType": "Encounter",
        "id": "e",
        "status": "finished",
        "class": {"code": "IMP"},
        "serviceProvider": {"identifier": {"value": "NORTH-HOSPITAL"}},
    }
    inside = {"context": {"reference": "#e"}, "contained": [encounter]}
    named = event(administration(**inside))
    assert (named.site, named.facility, named.facility_matched) == ("north", "NORTH-HOSPITAL", True)
    plain = event(administration())
    assert (plain.site, plain.facility, plain.facility_matched) == ("main-site", None, False)
    assert event(administration(), site=None).site == ""


@pytest.mark.parametrize("label", [{"security": [{"code": "HTEST"}]}, {"tag": [{"code": "test"}]}])
def test_test_data_is_marked_on_the_resource_or_on_the_bundle(label: dict[str, object]) -> None:
    assert event(administration(meta=label)).test is True
    assert event(bundle(administration(), meta=label)).test is True
    assert event(administration(meta={"tag": [{"code": "routine"}]})).test is False


def test_no_name_of_a_person_leaves_the_mapper() -> None:
    performer = [{"actor": {"reference": "Practitioner/rn-1", "display": "Nora Nurse"}}]
    found = event(administration(performer=performer, subject={"reference": "Patient/p-1", "display": "Donald Duck"}))
    written = repr(found)
    assert "Nora" not in written
    assert "Duck" not in written
    assert found.patient == "hash(p-1@Patient)"


def test_a_patients_identifier_is_hashed_with_its_authority() -> None:
    subject = {"identifier": {"system": "https://hospital.example/mrn", "value": "0815"}}
    assert event(administration(subject=subject)).patient == "hash(0815@https://hospital.example/mrn)"
    assert (
        event(
            administration(subject={"reference": "#p", "display": "x"}, contained=[{"resourceType": "Patient", "id": "p"}])
        ).patient
        is None
    )


def test_events_are_valid_by_the_published_contract() -> None:
    for result in mapped((DATA / "transaction.json").read_bytes()):
        if isinstance(result, StockEvent):
            assert STOCK_EVENT.validate(result) == result


def test_validation_leaves_the_resource_as_it_was() -> None:
    resource = administration(contained=[{"resourceType": "Medication", "id": "m"}])
    before = copy.deepcopy(resource)
    check(resource, "MedicationAdministration", R4)
    assert resource == before
