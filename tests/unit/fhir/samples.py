"""Small valid resources for the FHIR tests, and a context that answers visibly."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connectors.fhir.mapper import map_fhir
from schemas.events import StockEvent
from schemas.mapping import Mapped, Refused, SiteFacts
from schemas.raw import FHIR_JSON, RawMessage, RawRef

DATA = Path(__file__).resolve().parents[2] / "data" / "fhir"
SHARED = Path(__file__).resolve().parents[4] / "shared" / "data" / "fhir"
RECEIVED = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
UCUM = "http://unitsofmeasure.org"
NDC = "http://hl7.org/fhir/sid/ndc"


class Context:
    """One site, `north`, in Chicago, named by the facility code NORTH-HOSPITAL; patient hashes show what was hashed."""

    zone = "America/Chicago"

    def site(self, facility_codes: Sequence[str], default: str | None) -> SiteFacts | None:
        name = "north" if self.knows_facility(facility_codes) else default
        return SiteFacts(id=name, zone=self.zone) if name else None

    def knows_facility(self, facility_codes: Sequence[str]) -> bool:
        return "NORTH-HOSPITAL" in facility_codes

    def profile(self, name: str) -> None:
        return None

    def patient_hash(self, identifier: str, authority: str) -> str:
        return f"hash({identifier}@{authority})"


def raw(body: bytes, site: str | None = "main-site") -> RawMessage:
    return RawMessage(body=body, source="ehr", connector="fhir", content_type=FHIR_JSON, received_at=RECEIVED, site=site)


def mapped(document: object, *, site: str | None = "main-site", context: Context | None = None) -> list[Mapped]:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return map_fhir(raw(body, site), RawRef(partition=3, offset=70), context or Context())


def event(document: object, **options: Any) -> StockEvent:
    (result,) = mapped(document, **options)
    assert isinstance(result, StockEvent), result
    return result


def refused(document: object, **options: Any) -> Refused:
    (result,) = mapped(document, **options)
    assert isinstance(result, Refused), result
    assert result.reason.endswith("."), "a reason is a sentence"
    return result


def administration(**changes: Any) -> dict[str, Any]:
    """R4B; a change to None leaves the element out."""
    resource: dict[str, Any] = {
        "resourceType": "MedicationAdministration",
        "id": "ma-1",
        "status": "completed",
        "medicationCodeableConcept": {"coding": [{"system": NDC, "code": "0409-4713-02"}]},
        "subject": {"reference": "Patient/p-1"},
        "effectiveDateTime": "2026-03-02T08:00:00-06:00",
        "dosage": {"dose": {"value": 5, "system": UCUM, "code": "mg", "unit": "milligram"}},
    } | changes
    return {name: value for name, value in resource.items() if value is not None}


def dispense(**changes: Any) -> dict[str, Any]:
    """R4B; a change to None leaves the element out."""
    resource: dict[str, Any] = {
        "resourceType": "MedicationDispense",
        "id": "md-1",
        "status": "completed",
        "medicationCodeableConcept": {"coding": [{"system": NDC, "code": "0409-4713-02"}]},
        "subject": {"reference": "Patient/p-1"},
        "quantity": {"value": 12, "unit": "vial"},
        "whenHandedOver": "2026-03-02T08:00:00-06:00",
    } | changes
    return {name: value for name, value in resource.items() if value is not None}


def bundle(*resources: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in resources], **members}
