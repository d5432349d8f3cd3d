"""FHIR MedicationAdministration: bytes to StockEvent, beside bare validation by fhir.resources, which it contains.

The ceiling is the model validation of fhir.resources; the difference is JSON, references, identity and the event itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from time import perf_counter
from typing import Any

from fhir.resources.medicationadministration import MedicationAdministration as AdministrationR5
from fhir.resources.R4B.medicationadministration import MedicationAdministration as AdministrationR4B

from connectors.fhir.mapper import map_fhir
from schemas.events import StockEvent
from schemas.raw import RawRef
from tests.unit.fhir.samples import UCUM, Context, administration, raw

MESSAGES = 1_000
ROUNDS = 3


def rows() -> list[dict[str, Any]]:
    """One row a release: resources a second of ours and of bare validation, best of `ROUNDS`, taken in turn in one run."""
    medication = {
        "resourceType": "Medication",
        "id": "m",
        "code": {"coding": [{"system": "http://hl7.org/fhir/sid/ndc", "code": "0409-4713-02", "display": "Lidocaine 1 %"}]},
        "batch": {"lotNumber": "K77", "expirationDate": "2027-02-28"},
    }
    shared = {
        "contained": [medication],
        "identifier": [{"system": "https://ehr.example/mar", "value": "MAR-1"}],
        "dosage": {"dose": {"value": 5, "unit": "mg", "system": UCUM, "code": "mg"}},
        "medicationCodeableConcept": None,
    }
    r4b = administration(**shared, medicationReference={"reference": "#m"}, performer=[{"actor": {"reference": "Practitioner/1"}}])
    r5 = administration(**shared, effectiveDateTime=None, medication={"reference": {"reference": "#m"}})
    r5["occurenceDateTime"] = r4b["effectiveDateTime"]
    return [
        _row("FHIR R4B MedicationAdministration → StockEvent", r4b, AdministrationR4B),
        _row("FHIR R5 MedicationAdministration → StockEvent", r5, AdministrationR5),
    ]


def _row(name: str, resource: dict[str, Any], model: Any) -> dict[str, Any]:
    body = json.dumps(resource).encode()
    message, ref, context = raw(body), RawRef(partition=0, offset=0), Context()
    if not isinstance(map_fhir(message, ref, context)[0], StockEvent):
        msg = f"{name}: the sample is not mapped, so there is nothing to measure"
        raise TypeError(msg)
    ours, peer = 0.0, 0.0
    for _ in range(ROUNDS):
        ours = max(ours, _rate(lambda: map_fhir(message, ref, context)))
        peer = max(peer, _rate(lambda: model.model_validate_json(body)))
    return {
        "name": name,
        "ours_per_second": ours,
        "peer": "fhir.resources, validation alone",
        "peer_per_second": peer,
        "limit": "the peer itself, which ours contains: the models of fhir.resources",
    }


def _rate(work: Callable[[], object]) -> float:
    started = perf_counter()
    for _ in range(MESSAGES):
        work()
    return MESSAGES / (perf_counter() - started)
