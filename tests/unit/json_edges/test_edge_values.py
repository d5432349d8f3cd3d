"""The values that a JSON edge must stop by name, because nothing behind it could write them down or place them in time.

Half a surrogate pair is legal JSON and no character (RFC 8259 §8.2); an instant at the calendar's end may have no time in UTC; a
number may have an exponent that no decimal holds. Every edge is given each of them at every place of a whole item.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.barcode.mapper import map_scan
from connectors.cabinet.mapper import map_cabinet
from connectors.epcis.mapper import map_epcis
from connectors.erp.mapper import map_decision, map_erp_answer
from connectors.fhir.mapper import map_fhir
from connectors.json_text import DEPTH_MAX
from schemas.codec import encode
from schemas.mapping import Mapped, NoEffect, Refused, SiteFacts
from schemas.raw import RawMessage, RawRef

AT = "2026-05-31T10:00:00-05:00"
TRANSACTION = {
    "transaction_id": "t1", "occurred": AT, "device": "cab1", "pocket": "d1/p1", "action": "vend", "quantity": 1, "unit": "tablet",
    "product_code": "123", "code_system": "local", "user": "u", "witness": "w", "lot": "L", "serial": "s", "expiry": "2027-01-01",
    "patient_id": "p", "patient_authority": "a", "order_id": "o", "facility": "f", "reverses": "t0",
}  # fmt: skip
SCAN = {
    "event_id": "e1", "session": "s1", "occurred": AT, "activity": "put_away", "barcode": "(01)00304094713021", "location": "main",
    "to_location": "icu", "user": "u", "facility": "f", "lot": "L", "unit": "tablet", "quantity": 1, "expiry": "2027-01-01",
}  # fmt: skip
ANSWER = {
    "answer_id": "a1", "site": "north", "command_id": "c", "status": "acknowledged", "at": AT, "expected_at": AT, "document": "d",
    "reason": "r", "quantity": 1,
}  # fmt: skip
DECISION = {
    "decision_id": "d1", "site": "north", "target": "t", "action": "approve", "actor": "pat", "at": AT, "reason": "r",
}  # fmt: skip
EVENT = {
    "eventID": "urn:uuid:1", "type": "ObjectEvent", "action": "ADD", "bizStep": "commissioning", "eventTime": AT,
    "eventTimeZoneOffset": "-05:00", "recordTime": AT, "epcList": ["urn:epc:id:sgtin:030409.0471302.S1"],
    "parentID": "urn:epc:id:sscc:0614141.1234567890", "ilmd": {"lotNumber": "L", "itemExpirationDate": "2027-01-01"},
    "quantityList": [{"epcClass": "urn:epc:class:lgtin:030409.0471302.L", "quantity": 1}],
    "bizTransactionList": [{"type": "po", "bizTransaction": "urn:x"}], "errorDeclaration": {"declarationTime": AT},
    "destinationList": [{"type": "owning_party", "destination": "urn:epc:id:pgln:0614141.12345"}],
}  # fmt: skip
RESOURCE = {
    "resourceType": "MedicationAdministration", "id": "m1", "status": "completed", "effectiveDateTime": AT,
    "identifier": [{"system": "urn:mar", "value": "1"}], "subject": {"reference": "Patient/p"},
    "medicationCodeableConcept": {"coding": [{"system": "http://hl7.org/fhir/sid/ndc", "code": "0409-4713-02"}], "text": "t"},
    "dosage": {"dose": {"value": 1, "unit": "tablet"}}, "note": [{"text": "n"}],
}  # fmt: skip


@dataclass(frozen=True)
class Edge:
    """A mapper, a whole item of it, and the fields that hold the item's instants."""

    map: Callable[..., Any]
    item: dict[str, Any]
    instants: tuple[str, ...]


EDGES = {
    "cabinet": Edge(map_cabinet, TRANSACTION, ("occurred",)),
    "scan": Edge(map_scan, SCAN, ("occurred",)),
    "erp answer": Edge(map_erp_answer, ANSWER, ("at", "expected_at")),
    "decision": Edge(map_decision, DECISION, ("at",)),
    "epcis": Edge(map_epcis, EVENT, ("eventTime",)),
    "epcis observation": Edge(map_epcis, {**EVENT, "action": "OBSERVE", "bizStep": "receiving"}, ()),
    "epcis aggregation": Edge(map_epcis, {**EVENT, "type": "AggregationEvent"}, ("eventTime",)),
    "fhir": Edge(map_fhir, RESOURCE, ("effectiveDateTime",)),
}


class Network:
    """One site for every facility."""

    def site(self, facility_codes: Any, default: str | None) -> SiteFacts | None:
        return SiteFacts(id="north", zone="America/New_York")

    def knows_facility(self, facility_codes: Any) -> bool:
        return True

    def profile(self, name: str) -> None:
        return None

    def patient_hash(self, identifier: str, authority: str) -> str:
        return "hash"


def mapped(edge: Edge, value: object) -> list[Mapped]:
    """Results of a body, each of which can be written down. One EPCIS event is given in a list: alone it is known by its type."""
    if edge.map is map_epcis and isinstance(value, dict):
        value = [value]
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    received = datetime(2026, 6, 1, tzinfo=UTC)
    message = RawMessage(body=body, source="s", connector="c", content_type="t", received_at=received)
    results = list(edge.map(message, RawRef(partition=0, offset=1), Network()))
    for one in results:
        encode(one)
    return results


def codes(edge: Edge, value: object) -> list[str]:
    return [getattr(one, "code", "mapped") for one in mapped(edge, value)]


def spoilt(value: Any, half: str) -> Iterator[Any]:
    """Copies of a value, each with one text or one name of a member replaced by half a character."""
    if isinstance(value, str):
        yield half
        yield f"{value}{half}"
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from ({**value, name: other} for other in spoilt(inner, half))
        yield {**value, half: 1}
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from ([*value[:place], other, *value[place + 1 :]] for other in spoilt(inner, half))


@pytest.fixture(params=sorted(EDGES))
def edge(request: pytest.FixtureRequest) -> Edge:
    return EDGES[request.param]


def test_the_whole_items_are_read(edge: Edge) -> None:
    assert not [one for one in mapped(edge, edge.item) if isinstance(one, Refused)]


@pytest.mark.parametrize("half", [chr(0xD800), chr(0xDFFF)])
def test_half_a_character_anywhere_is_bad_text(edge: Edge, half: str) -> None:
    copies = list(spoilt(edge.item, half))
    assert len(copies) > len(edge.item)
    assert [copy for copy in copies if codes(edge, copy) != ["bad_text"]] == []


def test_a_whole_pair_is_a_character(edge: Edge) -> None:
    body = json.dumps({**edge.item, "x": "1"}).replace('"x": "1"', '"x": "\\ud83d\\ude00"').encode()
    assert codes(edge, body) != ["bad_text"]


@pytest.mark.parametrize("name", ["cabinet", "scan", "erp answer", "decision", "epcis"])
def test_one_item_with_it_spoils_no_other(name: str) -> None:
    found = EDGES[name]
    good, bad = copy.deepcopy(found.item), next(spoilt(found.item, "\ud800"))
    assert [code == "bad_text" for code in codes(found, [good, bad, good])] == [False, True, False]


def test_the_reason_names_the_fields_and_never_what_stands_in_them() -> None:
    (one,) = mapped(EDGES["cabinet"], {**TRANSACTION, "user": "sue\ud800", "facility": "\udfff", "\ud800x": 1})
    assert isinstance(one, Refused)
    half = r"half a UTF-16 surrogate pair (\ud800 to \udfff): no character"
    assert one.reason == rf"user: holds {half}; facility: holds {half}; '\ud800x': holds {half}."


def test_a_scan_is_refused_under_its_own_identity_as_long_as_that_is_text() -> None:
    def key(**changes: str) -> str | None:
        (one,) = mapped(EDGES["scan"], {**SCAN, **changes})
        assert isinstance(one, Refused)
        return one.event_key

    assert key(lot="\ud800") == "scan|s1|e1"
    assert (key(session="\ud800"), key(event_id="\ud800")) == (None, None)


@pytest.mark.parametrize("stated", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z"])
def test_an_instant_at_the_calendars_end_is_absurd(edge: Edge, stated: str) -> None:
    assert [name for name in edge.instants if codes(edge, {**edge.item, name: stated}) != ["absurd_time"]] == []


def test_a_local_time_of_epcis_at_the_calendars_end_is_absurd_as_well() -> None:
    assert codes(EDGES["epcis"], {**EVENT, "eventTime": "9999-12-31T23:59:59"}) == ["absurd_time"]


def test_when_an_error_was_declared_is_not_read() -> None:
    declared = {"declarationTime": "9999-12-31T23:59:59-12:00"}
    assert codes(EDGES["epcis"], {**EVENT, "errorDeclaration": declared}) == ["mapped"]


@pytest.mark.parametrize("number", ["1e99999999999999999999", "-1E-99999999999999999999", "1" * 5_000])
def test_a_number_that_no_decimal_holds_is_not_json_that_can_be_read(edge: Edge, number: str) -> None:
    body = json.dumps({**edge.item, "x": 0}).replace('"x": 0', f'"x": {number}').encode()
    assert codes(edge, body) == ["not_json"]


def test_nesting_is_followed_to_a_limit_and_never_faults(edge: Edge) -> None:
    """Near the parser's own limit a value can still be read and no longer be written; EPCIS and FHIR stop long before."""
    item = {name: value for name, value in edge.item.items() if name != "eventID"}
    found = set()
    for depth in range(DEPTH_MAX, 1_000):
        body = json.dumps(item)[:-1] + ', "x": ' + "[" * depth + "]" * depth + "}"
        found.update(codes(edge, body.encode()))
    assert found <= {"too_deep", "not_json", "invalid_fields"}


def test_epcis_takes_nesting_up_to_the_limit() -> None:
    def nested(depth: int) -> dict[str, Any]:
        return {**EVENT, "x": json.loads("[" * depth + "]" * depth)}

    assert codes(EDGES["epcis"], nested(DEPTH_MAX - 1)) == ["mapped"]
    assert codes(EDGES["epcis"], nested(DEPTH_MAX)) == ["too_deep"]
    assert isinstance(mapped(EDGES["epcis observation"], EVENT | {"action": "OBSERVE", "bizStep": "receiving"})[0], NoEffect)
