"""FHIR R4B resources of the simulated infusion clinic: MedicationRequest, MedicationDispense, MedicationAdministration.

Owns the JSON layout (HL7 FHIR R4B, medication modules): NDC codings, a contained Medication with its batch, a contained
Location or Encounter that names the place, and one business identifier a resource.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

NDC_SYSTEM: Final = "http://hl7.org/fhir/sid/ndc"
UCUM: Final = "http://unitsofmeasure.org"
BASE: Final = "https://ehr.example.org"
_ENCODE: Final = msgspec.json.Encoder(decimal_format="number").encode


def encode_resource(resource: dict[str, Any]) -> bytes:
    """A resource as JSON text."""
    return _ENCODE(resource)


def identifier(kind: str, value: str) -> dict[str, str]:
    """A business identifier of the clinic's record system."""
    return {"system": f"{BASE}/{kind}", "value": value}


def medication(code: dict[str, str], text: str, lot: tuple[str, str] | None) -> dict[str, Any]:
    """A contained Medication; `lot` is number and ISO expiry."""
    resource: dict[str, Any] = {"resourceType": "Medication", "id": "med", "code": {"coding": [code], "text": text}}
    if lot is not None:
        resource["batch"] = {"lotNumber": lot[0], "expirationDate": lot[1]}
    return resource


def subject(mrn: str) -> dict[str, Any]:
    """The patient, by medical record number."""
    return {"identifier": identifier("mrn", mrn)}


def request(number: str, mrn: str, code: dict[str, str], text: str, at: str) -> dict[str, Any]:
    """What was prescribed."""
    return {
        "resourceType": "MedicationRequest",
        "id": number.lower(),
        "identifier": [identifier("medication-request", number)],
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": {"coding": [code], "text": text},
        "subject": subject(mrn),
        "authoredOn": at,
    }


def dispense(
    number: str, order: str, mrn: str, med: dict[str, Any], quantity: dict[str, Any], place: str, actor: str, at: str
) -> dict[str, Any]:
    """What the pharmacy handed out, and from where."""
    location = {"resourceType": "Location", "id": "loc", "identifier": [identifier("location", place)], "name": place}
    return {
        "resourceType": "MedicationDispense",
        "id": number.lower(),
        "contained": [med, location],
        "identifier": [identifier("medication-dispense", number)],
        "status": "completed",
        "medicationReference": {"reference": "#med"},
        "subject": subject(mrn),
        "performer": [{"actor": {"identifier": identifier("staff", actor)}}],
        "location": {"reference": "#loc", "identifier": identifier("location", place), "display": place},
        "authorizingPrescription": [{"identifier": identifier("medication-request", order)}],
        "quantity": quantity,
        "whenHandedOver": at,
    }


def administration(
    number: str, order: str, mrn: str, med: dict[str, Any], dose: dict[str, Any], place: str, actor: str, at: str
) -> dict[str, Any]:
    """What the patient received, during an encounter at a place."""
    encounter = {
        "resourceType": "Encounter",
        "id": "enc",
        "status": "in-progress",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "location": [{"location": {"identifier": identifier("location", place), "display": place}}],
    }
    return {
        "resourceType": "MedicationAdministration",
        "id": number.lower(),
        "contained": [med, encounter],
        "identifier": [identifier("medication-administration", number)],
        "status": "completed",
        "medicationReference": {"reference": "#med"},
        "subject": subject(mrn),
        "context": {"reference": "#enc"},
        "effectiveDateTime": at,
        "performer": [{"actor": {"identifier": identifier("staff", actor)}}],
        "request": {"identifier": identifier("medication-request", order)},
        "dosage": {"dose": dose},
    }
