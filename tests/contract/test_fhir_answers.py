"""The FHIR endpoints: what each interaction stores, and that answers name every entry and the element at fault.

The judge of our answers is fhir.resources; the rules are FHIR's (http.html, operationoutcome.html).
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.fhir.mapper import map_fhir
from connectors.http.fhir import ANSWERED_BYTES_MAX
from schemas.events import StockEvent
from schemas.kinds import EventKind
from schemas.raw import FHIR_JSON, RawRef
from tests.contract.test_http_feeds import Hub, call, model
from tests.unit.fhir.samples import Context, administration, dispense, mapped

PATIENT = {"resourceType": "Patient", "id": "p"}


def entry(resource: dict[str, Any], method: str = "POST", url: str = "") -> dict[str, Any]:
    return {"resource": resource, "request": {"method": method, "url": url or resource["resourceType"]}}


def issues(answer: Any) -> list[dict[str, Any]]:
    model("OperationOutcome")(answer.json())
    return list(answer.json()["issue"])


@pytest.mark.parametrize("kind", ["batch", "transaction"])
def test_a_batch_or_transaction_is_answered_entry_by_entry(kind: str) -> None:
    hub = Hub()
    inner = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": dispense(id="in")}]}
    wrong = dispense(quantity={"value": "many"}, status="completed")
    entries = [entry(PATIENT), entry(dispense()), entry(wrong), entry(inner), entry(dispense(status="on-hold"))]
    answer = call(hub, "POST", "/fhir", json={"resourceType": "Bundle", "type": kind, "entry": entries})
    assert answer.status_code == 202
    response = answer.json()
    model("Bundle")(response)
    assert response["type"] == f"{kind}-response"
    statuses = [one["response"]["status"].split()[0] for one in response["entry"]]
    assert statuses == ["202", "202", "422", "202", "202"]
    outcomes = [one["response"]["outcome"]["issue"] for one in response["entry"]]
    assert outcomes[2][0]["expression"] == ["Bundle.entry[2].resource.quantity.value"]
    assert outcomes[2][0]["severity"] == "error"
    assert "Taken up as dispense." in outcomes[1][0]["diagnostics"]
    assert "on hold" in outcomes[4][0]["diagnostics"]
    assert len(hub.stored) == 1


def test_other_bundles_and_lines_are_answered_with_one_outcome() -> None:
    document = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": dispense(status="maybe")}, {"resource": PATIENT}],
    }
    found = issues(call(Hub(), "POST", "/fhir", json=document))
    assert found[1]["expression"] == ["Bundle.entry[0].resource.status"]
    assert found[2]["expression"] == ["Bundle.entry[1].resource"]
    lines = "\n".join(json.dumps(one) for one in (dispense(), {"resourceType": "Medikation"})).encode()
    found = issues(call(Hub(), "POST", "/fhir/MedicationDispense", content=lines))
    assert [one["severity"] for one in found] == ["information", "information", "error"]


def test_a_patients_data_is_never_in_an_answer() -> None:
    wrong = administration(
        subject={"reference": "Patient/p", "display": "Donald Duck", "identifier": {"value": "MRN-77", "use": 5}}
    )
    answer = call(Hub(), "POST", "/fhir", json=wrong)
    assert "Duck" not in answer.text
    assert "MRN-77" not in answer.text


def test_an_update_by_address_is_stored_with_its_address_and_its_bytes() -> None:
    hub = Hub()
    body = json.dumps(dispense(), indent=3).encode()
    answer = call(hub, "PUT", "/fhir/MedicationDispense/md-1", content=body)
    assert answer.status_code == 202
    (message,) = hub.stored
    assert body in message.body
    (event,) = map_fhir(message, RawRef(partition=0, offset=1), Context())
    assert isinstance(event, StockEvent)
    assert (event.replaces, event.kind) == ("fhir|MedicationDispense|md-1", EventKind.DISPENSE)
    assert event.version > 0


@pytest.mark.parametrize("changed", [{"id": "other"}, {"id": None}, {"resourceType": "MedicationAdministration"}])
def test_an_update_of_another_resource_than_the_address_names_is_refused(changed: dict[str, Any]) -> None:
    hub = Hub()
    answer = call(hub, "PUT", "/fhir/MedicationDispense/md-1", json=dispense(**changed))
    assert answer.status_code == 400
    assert "address" in issues(answer)[0]["diagnostics"]
    assert hub.stored == []


def test_an_update_with_half_a_character_is_stored_and_refused_by_name() -> None:
    hub = Hub()
    body = b'{"resourceType": "MedicationDispense", "id": "md-1", "note": "\xed\xa0\x80"}'
    answer = call(hub, "PUT", "/fhir/MedicationDispense/md-1", content=body)
    assert answer.status_code == 202
    assert issues(answer)[1]["details"] == {"text": "not_json"}
    assert body in hub.stored[0].body


@pytest.mark.parametrize("body", [b"{", b"[1]", b"\xff\xfe"])
def test_an_update_that_is_no_json_object_is_stored_as_it_is(body: bytes) -> None:
    hub = Hub()
    assert call(hub, "PUT", "/fhir/MedicationDispense/md-1", content=body).status_code == 202
    assert hub.stored[0].body == body


@pytest.mark.parametrize(
    ("address", "reverses"),
    [
        ("/fhir/MedicationDispense/md-1", "fhir|MedicationDispense|md-1"),
        (
            "/fhir/MedicationDispense?identifier=https%3A%2F%2Fehr.example%2Frx%7CRX-7",
            "fhir|MedicationDispense|https://ehr.example/rx|RX-7",
        ),
    ],
)
def test_a_deletion_takes_the_fact_back(address: str, reverses: str) -> None:
    hub = Hub()
    assert call(hub, "DELETE", address).status_code == 202
    (event,) = map_fhir(hub.stored[0], RawRef(partition=0, offset=1), Context())
    assert isinstance(event, StockEvent)
    assert (event.kind, event.reverses) == (EventKind.REVERSAL, reverses)


def test_a_deletion_by_id_finds_the_resource_that_is_known_by_its_identifier() -> None:
    (event,) = mapped(dispense(identifier=[{"system": "https://ehr.example/rx", "value": "RX-7"}]))
    assert isinstance(event, StockEvent)
    assert event.alias == "fhir|MedicationDispense|md-1"


def test_a_deletion_that_can_not_be_followed_says_so() -> None:
    for address in ("/fhir/MedicationDispense?status=completed", "/fhir/SupplyDelivery/sd-1"):
        found = issues(call(Hub(), "DELETE", address))
        assert (found[1]["severity"], found[1]["code"]) == ("error", "not-supported")
        assert found[1]["expression"] == [address[6:].split("?")[0].split("/")[0]]


@pytest.mark.parametrize(
    ("method", "path"), [("PATCH", "/fhir/MedicationDispense/1"), ("GET", "/fhir/MedicationDispense/1"), ("GET", "/fhir/Patient")]
)
def test_what_the_hub_does_not_do_is_told_in_fhirs_words(method: str, path: str) -> None:
    hub = Hub()
    answer = call(hub, method, path)
    assert answer.status_code == 405
    assert answer.headers["Allow"]
    assert issues(answer)[0]["code"] == "not-supported"
    assert hub.stored == []


@pytest.mark.parametrize(
    "options",
    [
        {"headers": {"Content-Type": "application/fhir+json; fhirVersion=5.0"}},
        {"headers": {"X-FHIR-Version": "5.0"}},
        {"params": {"fhirVersion": "5.0"}},
    ],
)
def test_the_sender_states_the_release_and_the_resource_is_held_against_it(options: dict[str, Any]) -> None:
    hub = Hub()
    answer = call(hub, "POST", "/fhir", content=json.dumps(dispense()).encode(), **options)
    assert hub.stored[0].content_type == f"{FHIR_JSON}; fhirVersion=5.0"
    assert "is no element of FHIR R5" in issues(answer)[1]["diagnostics"]


def test_a_release_that_is_no_version_is_refused() -> None:
    assert call(Hub(), "POST", "/fhir?fhirVersion=" + "5" * 40, json=dispense()).status_code == 400


def test_a_sender_may_want_a_short_answer_and_gets_one_for_large_messages() -> None:
    little = call(Hub(), "POST", "/fhir", json=dispense(status="maybe"), headers={"Prefer": "return=minimal"})
    assert len(issues(little)) == 1
    large = {"resourceType": "Bundle", "type": "batch", "entry": [entry(dispense(note=[{"text": "x" * ANSWERED_BYTES_MAX}]))]}
    assert len(issues(call(Hub(), "POST", "/fhir", json=large))) == 1
