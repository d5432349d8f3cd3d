"""References inside a message: what they find, in which order, and how far they are followed."""

from __future__ import annotations

import pytest

from connectors.fhir.bundle import Scope, is_test, type_and_id
from connectors.fhir.context import PART_OF_MAX, PERFORMERS_MAX
from connectors.fhir.validation import R4, R5, likely_release
from tests.unit.fhir.samples import administration, bundle, dispense, event

MEDICATION = {"resourceType": "Medication", "id": "m", "code": {"coding": [{"system": "x", "code": "OUTER"}]}}


def bundled(full_url: str, resource: dict[str, object]) -> Scope:
    return Scope({"resourceType": "Bundle", "entry": [{"fullUrl": full_url, "resource": resource}]})


@pytest.mark.parametrize(
    "reference",
    [
        "https://ehr.example/fhir/Medication/m",
        "https://other.example/fhir/Medication/m",
        "Medication/m",
        "Medication/m/_history/4",
    ],
)
def test_a_resource_of_the_bundle_is_found_by_full_url_and_by_type_and_id(reference: str) -> None:
    scope = bundled("https://ehr.example/fhir/Medication/m", MEDICATION)
    assert scope.resolve({"reference": reference}, {}) is MEDICATION


@pytest.mark.parametrize("reference", ["Medication/n", "Location/m", "m", "#m", "urn:uuid:m", ""])
def test_another_reference_finds_nothing(reference: str) -> None:
    scope = bundled("https://ehr.example/fhir/Medication/m", MEDICATION)
    assert scope.resolve({"reference": reference}, {}) == {}


def test_a_uuid_is_found_by_full_url() -> None:
    assert bundled("urn:uuid:1", MEDICATION).resolve({"reference": "urn:uuid:1"}, {}) is MEDICATION


def test_a_contained_resource_belongs_to_its_own_resource_only() -> None:
    inner = {**MEDICATION, "code": {"coding": [{"system": "x", "code": "INNER"}]}}
    with_it = dispense(id="1", medicationCodeableConcept=None, medicationReference={"reference": "#m"}, contained=[inner])
    without = dispense(id="2", medicationCodeableConcept=None, medicationReference={"reference": "#m"})
    from tests.unit.fhir.samples import mapped

    first, second, _ = mapped(bundle(with_it, without, MEDICATION))
    assert [code.value for code in first.codes] == ["INNER"]  # type: ignore[union-attr]
    assert second.codes == ()  # type: ignore[union-attr]


def test_the_first_of_two_resources_with_one_name_is_meant() -> None:
    one, two = {**MEDICATION}, {**MEDICATION}
    scope = Scope(bundle(one, two))
    assert scope.resolve({"reference": "Medication/m"}, {}) is one


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("Medication/1", "Medication/1"),
        ("http://a/b/Medication/1/_history/2", "Medication/1"),
        ("Medication?identifier=1", ""),
        ("medication/1", ""),
        ("1", ""),
        ("", ""),
    ],
)
def test_type_and_id_are_the_end_of_a_reference(reference: str, expected: str) -> None:
    assert type_and_id(reference) == expected


def test_places_are_followed_upwards_to_a_limit_even_in_a_circle() -> None:
    rooms = [
        {"resourceType": "Location", "id": f"l{number}", "partOf": {"reference": f"Location/l{(number + 1) % 3}"}}
        for number in range(3)
    ]
    from tests.unit.fhir.samples import mapped

    found = mapped(bundle(dispense(location={"reference": "Location/l0"}), *rooms))[0]
    assert found.location_codes == ("l0", "l1", "l2")  # type: ignore[union-attr]
    tower = [
        {"resourceType": "Location", "id": f"l{number}", "partOf": {"reference": f"Location/l{number + 1}"}}
        for number in range(20)
    ]
    found = mapped(bundle(dispense(location={"reference": "Location/l0"}), *tower))[0]
    assert found.location_codes == tuple(f"l{number}" for number in range(PART_OF_MAX))  # type: ignore[union-attr]


def test_the_last_stay_counts_when_none_is_active() -> None:
    stays = [{"location": {"reference": "Location/er"}, "status": "completed"}, {"location": {"reference": "Location/ward"}}]
    encounter = {"resourceType": "Encounter", "id": "e", "status": "finished", "class": {"code": "IMP"}, "location": stays}
    assert event(administration(context={"reference": "#e"}, contained=[encounter])).location_codes == ("ward",)


def test_a_context_that_is_no_encounter_says_nothing_about_the_place() -> None:
    episode = {"resourceType": "EpisodeOfCare", "id": "e", "status": "active", "patient": {"reference": "Patient/1"}}
    found = event(administration(context={"reference": "#e"}, contained=[episode]))
    assert (found.location_codes, found.facility) == ((), None)


def test_the_organisation_that_manages_the_location_names_the_site() -> None:
    location = {"resourceType": "Location", "id": "l", "managingOrganization": {"identifier": {"value": "NORTH-HOSPITAL"}}}
    found = event(dispense(location={"reference": "#l"}, contained=[location]))
    assert (found.site, found.facility_matched) == ("north", True)


def test_the_source_of_the_resource_names_the_site_last() -> None:
    found = event(dispense(meta={"source": "NORTH-HOSPITAL#run-5"}))
    assert (found.site, found.facility) == ("north", "NORTH-HOSPITAL")


def test_a_performer_is_known_by_identifier_or_by_the_practitioner_sent_along() -> None:
    practitioner = {"resourceType": "Practitioner", "id": "p", "identifier": [{"value": "RN-77"}]}
    assert event(dispense(performer=[{"actor": {"reference": "#p"}}], contained=[practitioner])).actor == "RN-77"
    assert event(dispense(performer=[{"actor": {"identifier": {"value": "RN-78"}}}])).actor == "RN-78"
    nobody = event(dispense(performer=[{"actor": {"display": "Nora Nurse"}}]))
    assert (nobody.actor, nobody.witness) == (None, None)


def test_a_verifier_is_neither_actor_nor_witness() -> None:
    performer = [
        {"function": {"coding": [{"code": "verifier"}]}, "actor": {"reference": "Practitioner/1"}},
        {"function": {"coding": [{"code": "performer"}]}, "actor": {"reference": "Practitioner/2"}},
        {"function": {"coding": [{"code": "WIT"}]}, "actor": {"reference": "Practitioner/3"}},
    ]
    found = event(administration(performer=performer))
    assert (found.actor, found.witness) == ("2", "3")


def test_performers_beyond_the_limit_are_not_looked_at() -> None:
    """Each is looked up among the contained resources: without a limit an absurd message would cost their product."""
    performer = [{"actor": {"display": "x"}}] * PERFORMERS_MAX + [{"actor": {"reference": "Practitioner/late"}}]
    assert event(dispense(performer=performer)).actor is None
    performer[PERFORMERS_MAX - 1] = {"actor": {"reference": "Practitioner/in-time"}}
    assert event(dispense(performer=performer)).actor == "in-time"


def test_test_labels_are_read_whatever_their_case() -> None:
    assert is_test({"meta": {"security": [{"code": "htest"}]}})
    assert not is_test({"meta": {"security": [{"code": "R"}]}})
    assert not is_test(None)


@pytest.mark.parametrize(
    ("members", "release"),
    [
        ({"medication": {}}, R5),
        ({"occurenceDateTime": "2026"}, R5),
        ({"occurrencePeriod": {}}, R5),
        ({"medicationReference": {}, "effectiveDateTime": "2026"}, R4),
        ({}, R4),
    ],
)
def test_the_release_is_told_by_the_elements(members: dict[str, object], release: str) -> None:
    assert likely_release(members, "MedicationAdministration") == release
