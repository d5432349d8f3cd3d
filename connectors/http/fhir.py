"""The FHIR face of the hub: answers as OperationOutcome, and a CapabilityStatement that promises no more than it does."""

from __future__ import annotations

from typing import Any, Final

FHIR_MEDIA_TYPE: Final = "application/fhir+json"
RESOURCES: Final = ("MedicationAdministration", "MedicationDispense", "MedicationRequest")
"""Resource types the hub reads closely."""
STATEMENT_DATE: Final = "2026-01-01"
"""When the statement last changed."""


def outcome(severity: str, code: str, sentence: str) -> dict[str, Any]:
    """An OperationOutcome with one issue. `code` is of the value set issue-type."""
    return {"resourceType": "OperationOutcome", "issue": [{"severity": severity, "code": code, "diagnostics": sentence}]}


def capability_statement() -> dict[str, Any]:
    """What the endpoint does (FHIR R4B CapabilityStatement): it takes resources and Bundles in, and gives none out."""
    note = "Stored as received before it is answered; understood or refused by name afterwards."
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": STATEMENT_DATE,
        "kind": "capability",
        "software": {"name": "Wardstock"},
        "implementation": {"description": "Pharmacy stock hub: takes medication events in."},
        "fhirVersion": "4.3.0",
        "format": ["json", FHIR_MEDIA_TYPE],
        "rest": [
            {
                "mode": "server",
                "documentation": note,
                "resource": [{"type": name, "interaction": [{"code": "create"}]} for name in RESOURCES],
                "interaction": [{"code": "transaction"}, {"code": "batch"}],
            }
        ],
    }
