"""What makes two resources the same fact (design: identity; rule: connectors/fhir/identity.py)."""

from __future__ import annotations

import pytest

from connectors.fhir.identity import deleted_key, key_of
from schemas.ids import derived_id
from tests.unit.fhir.samples import administration, bundle, dispense, event

IDENTIFIER = {"system": "https://ehr.example/rx", "value": "RX-7"}


def test_the_key_is_the_first_identifier_with_a_value() -> None:
    found = event(dispense(identifier=[{"system": "https://ehr.example/none"}, IDENTIFIER, {"value": "later"}]))
    assert found.event_key == "fhir|MedicationDispense|https://ehr.example/rx|RX-7"
    assert found.event_id == derived_id("event", "main-site", found.event_key)


def test_without_an_identifier_the_key_is_the_id_whatever_the_server_and_version() -> None:
    """The same resource by subscription (alone), by export (in a Bundle) and as a later version is one fact."""
    alone = event(dispense()).event_key
    assert alone == "fhir|MedicationDispense|md-1"
    entry = {"fullUrl": "https://ehr.example/fhir/MedicationDispense/md-1", "resource": dispense()}
    assert event({"resourceType": "Bundle", "type": "searchset", "entry": [entry]}).event_key == alone
    later = event(dispense(meta={"versionId": "2"}))
    assert (later.event_key, later.replaces, later.version) == (f"{alone}|v2", alone, 2)


def test_without_an_id_the_key_is_the_full_url() -> None:
    def key(full_url: str) -> str:
        entry = {"fullUrl": full_url, "resource": dispense(id=None)}
        return event({"resourceType": "Bundle", "type": "collection", "entry": [entry]}).event_key

    assert key("https://ehr.example/fhir/MedicationDispense/md-1/_history/3") == "fhir|MedicationDispense|md-1|v3"
    assert key("https://ehr.example/fhir/MedicationDispense/md-1") == "fhir|MedicationDispense|md-1"
    assert key("urn:uuid:1") == "fhir|MedicationDispense|urn:uuid:1"


def test_without_any_name_the_key_is_what_bears_on_stock() -> None:
    same, again = event(dispense(id=None)), event(dispense(id=None, note=[{"text": "a remark"}]))
    other = event(dispense(id=None, quantity={"value": 13, "unit": "vial"}))
    assert same.event_key == again.event_key
    assert same.event_key != other.event_key


def test_a_state_before_the_fact_is_another_fact_and_a_state_that_ends_it_is_the_same_one() -> None:
    """In progress, then completed: the completed one must post. Completed, then declined: that must be seen as a contradiction."""
    completed = event(dispense()).event_key
    assert event(dispense(status="in-progress")).event_key == f"{completed}|in-progress"
    assert event(dispense(status="declined")).event_key == completed
    assert event(administration(status="not-done")).event_key == event(administration()).event_key


def test_an_administration_and_a_dispense_of_one_number_are_two_facts() -> None:
    assert event(dispense(identifier=[IDENTIFIER])).event_key != event(administration(identifier=[IDENTIFIER])).event_key


def test_a_number_of_the_order_does_not_identify_a_dispense_of_it() -> None:
    """JP Core: RP number and order-in-RP stand on every dispense of a prescription, first in the list."""
    numbers = [
        {"system": "urn:oid:1.2.392.100495.20.3.81", "value": "1"},
        {"system": "urn:oid:1.2.392.100495.20.3.82", "value": "1"},
    ]
    assert event(dispense(identifier=numbers)).event_key == "fhir|MedicationDispense|md-1"
    assert event(dispense(identifier=[*numbers, IDENTIFIER])).event_key == "fhir|MedicationDispense|https://ehr.example/rx|RX-7"


def test_orders_of_one_prescription_are_told_apart_by_all_their_identifiers() -> None:
    def order(line: str) -> str:
        resource = {
            "resourceType": "MedicationRequest",
            "identifier": [{"system": "rx", "value": "1"}, {"system": "line", "value": line}],
            "status": "active",
            "intent": "order",
            "medicationCodeableConcept": {"text": "x"},
            "subject": {"reference": "Patient/1"},
        }
        return event(resource).event_key

    assert order("1") != order("2")


@pytest.mark.parametrize(
    ("one", "two"),
    [(("a|b", "c"), ("a", "b|c")), (("a%7C", "b"), ("a|", "b")), (("", "a"), ("a",))],
)
def test_different_parts_never_make_the_same_key(one: tuple[str, ...], two: tuple[str, ...]) -> None:
    assert key_of(*one) != key_of(*two)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("MedicationDispense/7", ("MedicationDispense", "fhir|MedicationDispense|7")),
        ("https://ehr.example/fhir/MedicationDispense/7", ("MedicationDispense", "fhir|MedicationDispense|7")),
        ("MedicationDispense?identifier=s|v", ("MedicationDispense", "fhir|MedicationDispense|s|v")),
        ("MedicationDispense?identifier=s%7Cv", ("MedicationDispense", "fhir|MedicationDispense|s|v")),
        ("MedicationDispense?identifier=v", None),
        ("MedicationDispense?identifier=s|v&status=completed", None),
        ("MedicationDispense", None),
        ("", None),
    ],
)
def test_a_delete_names_one_resource_or_none(url: str, expected: tuple[str, str] | None) -> None:
    assert deleted_key(url) == expected


def test_items_of_one_message_with_different_names_have_different_keys() -> None:
    from tests.unit.fhir.samples import mapped

    first, second = mapped(bundle(dispense(id="1"), dispense(id="2")))
    assert first.event_key != second.event_key  # type: ignore[union-attr]
