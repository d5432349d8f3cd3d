"""What the OpenAPI document says of the feeds. Documentation only: no request is validated by it.

A body is stored whatever it holds: the schema of a request body says what the hub understands, not what it takes.
"""

from __future__ import annotations

from typing import Any, Final

from connectors.barcode.mapper import SCANS_MAX
from connectors.cabinet.mapper import TRANSACTIONS_MAX
from connectors.erp.mapper import ANSWERS_MAX, DECISIONS_MAX
from connectors.fhir.body import ITEMS_MAX
from connectors.fhir.readers import READERS
from connectors.http.fhir import FHIR_MEDIA_TYPE, VERSION_CHARACTERS_MAX, VERSION_HEADER
from connectors.http.idempotency import KEY_CHARACTERS_MAX
from connectors.http.intake import KEY_HEADER, NAME_CHARACTERS_MAX, SITE_HEADER, SOURCE_HEADER
from connectors.http.openapi_parts import JSON, RETRY_AFTER, Json, answer, body, components_of, parameter, ref
from schemas.cabinet import CABINET_TRANSACTION
from schemas.counting import COUNT_ALL_SCAN
from schemas.erp import ERP_ANSWER, PERSON_DECISION
from schemas.preparation import TRANSFORM_SCAN, UNDO_SCAN
from schemas.scan import SCAN_EVENT

FHIR_NDJSON: Final = "application/fhir+ndjson"
FEEDS: Final = {"name": "feeds", "description": "Transactions, scans, ERP answers and decisions in the hub's own schemas."}
FHIR: Final = {"name": "fhir", "description": "FHIR R4, R4B and R5 resources, Bundles and notifications."}

_NAME: Final = {"type": "string", "maxLength": NAME_CHARACTERS_MAX}
_KEY: Final = {"type": "string", "maxLength": KEY_CHARACTERS_MAX, "pattern": "^[ -~]*$"}
_NAMES: Final = (
    parameter("query", "source", _NAME, f"The feed's name; goes before {SOURCE_HEADER}. Printable text."),
    parameter("query", "site", _NAME, f"The site when a message names none; goes before {SITE_HEADER}. Printable text."),
    parameter("header", SOURCE_HEADER, _NAME, "The feed's name; the endpoint has a default."),
    parameter("header", SITE_HEADER, _NAME, "The site when a message names none."),
    parameter("header", KEY_HEADER, _KEY, "What the sender calls this request (a UUID): sent again, it is not stored again."),
)
_RELEASE: Final = {"type": "string", "maxLength": VERSION_CHARACTERS_MAX, "pattern": "^[^;]*$", "examples": ["4.0", "4.3", "5.0"]}
_RELEASES: Final = (
    parameter("query", "fhirVersion", _RELEASE, "The FHIR release. As a parameter of Content-Type it goes before this one."),
    parameter("header", VERSION_HEADER, _RELEASE, "The FHIR release when neither Content-Type nor the query names it."),
)
_PREFER: Final = parameter("header", "Prefer", {"type": "string"}, "`return=minimal`: no word on each item in the answer.")
_TYPE: Final = parameter(
    "path", "resource_type", {"type": "string", "minLength": 1, "examples": sorted(READERS)}, "A FHIR resource type."
)
_ID: Final = parameter("path", "id", {"type": "string", "minLength": 1}, "The resource's logical id.")
_SCANS: Final = (SCAN_EVENT.name, COUNT_ALL_SCAN.name, TRANSFORM_SCAN.name, UNDO_SCAN.name)
_EPCIS: Final = {"anyOf": [{"type": "object"}, {"type": "array", "items": {"type": "object"}}]}
_REFUSALS: Final = {
    "400": "Nothing was stored: the body is empty or incomplete, or a name can't be used.",
    "409": "Nothing was stored: the first request under this Idempotency-Key is still being stored.",
    "413": "Nothing was stored: the body is over the hub's limit.",
    "415": "Nothing was stored: a Content-Encoding is not supported.",
    "422": "Nothing was stored: the Idempotency-Key was used for another request.",
    "503": "Nothing was stored: the hub can't store now. Send the same request again.",
}


def feed_paths() -> Json:
    """Path items of all HTTP feeds."""
    return {
        "/cabinet": _own("take_cabinet", "Transactions of dispensing cabinets", CABINET_TRANSACTION.name, TRANSACTIONS_MAX),
        "/scans": _own("take_scans", "Barcode scans, counts of a place, transforms, what takes them back", _SCANS, SCANS_MAX),
        "/erp/answers": _own("take_erp_answers", "An ERP's answers to commands", ERP_ANSWER.name, ANSWERS_MAX),
        "/decisions": _own("take_decisions", "People's decisions on commands and cases", PERSON_DECISION.name, DECISIONS_MAX),
        "/epcis": _taken("take_epcis", "EPCIS 2.0 documents and events (JSON-LD)", _EPCIS, "A document, or events."),
        **_fhir_paths(),
    }


def feed_components() -> Json:
    """The schemas that `feed_paths` refers to: the published contracts, and the forms of the answers."""
    contracts = (CABINET_TRANSACTION, SCAN_EVENT, COUNT_ALL_SCAN, TRANSFORM_SCAN, UNDO_SCAN, ERP_ANSWER, PERSON_DECISION)
    return {**components_of((codec.name, codec.json_schema()) for codec in contracts), **_ANSWERS, **_FHIR_FORMS}


def _own(operation: str, summary: str, contract: str | tuple[str, ...], items_max: int) -> Json:
    one = ref(contract) if isinstance(contract, str) else {"oneOf": [ref(name) for name in contract]}
    schema = {"oneOf": [one, {"type": "array", "items": one, "maxItems": items_max}]}
    return _taken(operation, summary, schema, f"One object, or a list of at most {items_max}.")


def _taken(operation: str, summary: str, schema: Json, words: str) -> Json:
    refusals = {
        status: answer(text, ref("NotStored"), headers=RETRY_AFTER if status == "503" else None)
        for status, text in _REFUSALS.items()
    }
    stored = answer("Durable. Whether it is understood stands in the hub's outcomes.", ref("Stored"))
    return {
        "post": {
            "operationId": operation,
            "tags": [FEEDS["name"]],
            "summary": summary,
            "description": "One object or a list of them. Other bodies are stored as well, and refused by name.",
            "parameters": list(_NAMES),
            "requestBody": body({JSON: schema}, words),
            "responses": {"202": stored, **refusals},
        }
    }


_ANSWERS: Final[Json] = {
    "Stored": {
        "type": "object",
        "description": "The body is durable.",
        "properties": {
            "stored": {"const": True},
            "items": {"type": "integer", "minimum": 1, "description": "how many items it declares; not told of large bodies"},
            "warning": {"type": "string"},
        },
        "required": ["stored"],
        "additionalProperties": False,
    },
    "NotStored": {
        "type": "object",
        "properties": {"stored": {"const": False}, "reason": {"type": "string", "description": "a sentence"}},
        "required": ["stored", "reason"],
        "additionalProperties": False,
    },
}


# ---- FHIR ------------------------------------------------------------------------------------------------------------


def _fhir_paths() -> Json:
    capabilities = {
        "operationId": "fhir_capabilities",
        "tags": [FHIR["name"]],
        "summary": "The CapabilityStatement: of R5 when Accept asks for fhirVersion=5.0, else of R4B",
        "responses": {"200": answer("What the endpoint does.", ref("FhirCapabilityStatement"), FHIR_MEDIA_TYPE)},
    }
    token = parameter("query", "identifier", {"type": "string"}, "`system|value` of the resource that is taken back.")
    types, resource = (_TYPE,), (_TYPE, _ID)
    return {
        "/fhir/metadata": {"get": capabilities},
        "/fhir": {"post": _fhir("fhir_take", "A resource, a Bundle, NDJSON, or a Subscription's notification", ())},
        "/fhir/{resource_type}": {
            "post": _fhir("fhir_create", "A resource of this type, or several as NDJSON", types),
            "delete": _fhir("fhir_delete_by_identifier", "The resource with an identifier is taken back", (*types, token)),
        },
        "/fhir/{resource_type}/{id}": {
            "put": _fhir("fhir_update", "The whole resource in its newest version", resource),
            "delete": _fhir("fhir_delete", "The resource is taken back", resource),
        },
    }


def _fhir(operation: str, summary: str, parameters: tuple[Json, ...]) -> Json:
    stored = {"anyOf": [ref("FhirOperationOutcome"), ref("FhirResponseBundle")]}
    refusals = {
        status: answer(text, ref("FhirOperationOutcome"), FHIR_MEDIA_TYPE, RETRY_AFTER if status == "503" else None)
        for status, text in _REFUSALS.items()
    }
    found: Json = {
        "operationId": operation,
        "tags": [FHIR["name"]],
        "summary": summary,
        "parameters": [*parameters, *_RELEASES, _PREFER, *_NAMES],
        "responses": {"202": answer("Durable, and what becomes of each item.", stored, FHIR_MEDIA_TYPE), **refusals},
    }
    if "delete" not in operation:
        resource, lines = ref("FhirResource"), {"type": "string", "description": "one resource a line"}
        media = {FHIR_MEDIA_TYPE: resource, JSON: resource, FHIR_NDJSON: lines}
        if operation == "fhir_update":
            del media[FHIR_NDJSON]
        note = f"At most {ITEMS_MAX} items. Content-Type may name the release: `{FHIR_MEDIA_TYPE}; fhirVersion=4.3`."
        found["requestBody"] = body(media, note)
    return found


def _form(resource_type: str, properties: Json, required: tuple[str, ...]) -> Json:
    return {
        "type": "object",
        "properties": {"resourceType": {"const": resource_type}, **properties},
        "required": ["resourceType", *required],
    }


_TEXT: Final = {"type": "string", "minLength": 1}
_ISSUE: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "severity": {"enum": ["error", "information"]},
        "code": {**_TEXT, "description": "of the value set issue-type"},
        "details": {"type": "object", "properties": {"text": {**_TEXT, "description": "the stable name of the reason"}}},
        "diagnostics": {**_TEXT, "description": "a sentence"},
        "expression": {"type": "array", "minItems": 1, "items": _TEXT, "description": "FHIRPath of the elements meant"},
    },
    "required": ["severity", "code", "diagnostics"],
    "additionalProperties": False,
}
_ENTRY: Final = {
    "type": "object",
    "properties": {
        "response": {
            "type": "object",
            "properties": {"status": {"type": "string", "pattern": "^(202|422) "}, "outcome": ref("FhirOperationOutcome")},
            "required": ["status", "outcome"],
        }
    },
    "required": ["response"],
}
_FHIR_FORMS: Final[Json] = {
    "FhirResource": {
        "type": "object",
        "description": "A resource in the form its FHIR release defines.",
        "properties": {"resourceType": {"type": "string", "examples": ["Bundle", *sorted(READERS)]}},
        "required": ["resourceType"],
    },
    "FhirOperationOutcome": _form("OperationOutcome", {"issue": {"type": "array", "minItems": 1, "items": _ISSUE}}, ("issue",)),
    "FhirResponseBundle": _form(
        "Bundle",
        {"type": {"enum": ["batch-response", "transaction-response"]}, "entry": {"type": "array", "items": _ENTRY}},
        ("type", "entry"),
    ),
    "FhirCapabilityStatement": _form(
        "CapabilityStatement",
        {"status": {"const": "active"}, "kind": {"const": "instance"}, "fhirVersion": {"enum": ["4.3.0", "5.0.0"]}},
        ("status", "kind", "date", "fhirVersion", "format", "rest"),
    ),
}
