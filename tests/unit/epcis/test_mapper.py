"""EPCIS documents as notices: each event one result, read or refused by name."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.epcis.mapper import EVENTS_MAX, map_epcis
from schemas.mapping import Mapped, NoEffect, Refused, SiteFacts
from schemas.notices import NOTICE, AnnouncedPackage, Notice
from schemas.raw import EPCIS_JSON, RawMessage, RawRef

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
GLN = "0614141123452"
SGTIN = "urn:epc:id:sgtin:030409.0471302."
GTIN = "00304094713021"
SSCC = "106141412345678908"


class Context:
    """One site, known by its GLN."""

    def site(self, facility_codes: Any, default: str | None) -> SiteFacts | None:
        return SiteFacts(id="north", zone="America/New_York") if GLN in facility_codes or default == "north" else None

    def knows_facility(self, facility_codes: Any) -> bool:
        return GLN in facility_codes

    def profile(self, name: str) -> None:
        return None

    def patient_hash(self, identifier: str, authority: str) -> str:
        return ""


def mapped(value: object, site: str | None = None) -> list[Mapped]:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    message = RawMessage(body=body, source="mck", connector="epcis", content_type=EPCIS_JSON, received_at=AT, site=site)
    return map_epcis(message, RawRef(partition=1, offset=7), Context())


def document(*events: Any) -> dict[str, Any]:
    return {
        "@context": ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"], "type": "EPCISDocument", "schemaVersion": "2.0",
        "creationDate": "2026-03-01T12:00:00Z", "epcisBody": {"eventList": list(events)},
    }  # fmt: skip


def event(**changes: Any) -> dict[str, Any]:
    fields = {
        "eventID": "urn:uuid:1", "type": "ObjectEvent", "action": "OBSERVE", "bizStep": "shipping", "epcList": [f"{SGTIN}S1"],
        "eventTime": "2026-03-01T08:00:00.000-05:00", "eventTimeZoneOffset": "-05:00",
        "destinationList": [{"type": "owning_party", "destination": "urn:epc:id:pgln:0614141.12345"}],
    }  # fmt: skip
    return {name: value for name, value in {**fields, **changes}.items() if value is not None}


def only(value: object, site: str | None = None) -> Any:
    (one,) = mapped(value, site)
    return one


def test_a_shipping_event_says_what_comes_where_and_by_which_documents() -> None:
    bought = [{"type": "po", "bizTransaction": "urn:epcglobal:cbv:bt:0614141000000:PO-7"}]
    found = only(document(event(bizTransactionList=bought)))
    assert (found.step, found.site, found.notice_key, found.source, found.raw) == (
        "ship", "north", "epcis|urn:uuid:1", "mck", RawRef(partition=1, offset=7),
    )  # fmt: skip
    assert found.at == datetime(2026, 3, 1, 13, tzinfo=UTC)
    assert found.packages == (AnnouncedPackage(gtin=GTIN, serial="S1"),)
    assert found.documents == ("urn:epcglobal:cbv:bt:0614141000000:PO-7",)
    NOTICE.check(found)


def test_commissioning_gives_lot_and_expiry_from_the_master_data_of_the_event() -> None:
    ilmd = {"cbvmda:lotNumber": "L1", "cbvmda:itemExpirationDate": "2027-05-31"}
    found = only(event(action="ADD", bizStep="commissioning", ilmd=ilmd, destinationList=None), "north")
    assert (found.step, found.packages) == (
        "commission",
        (AnnouncedPackage(gtin=GTIN, serial="S1", lot="L1", expiry=date(2027, 5, 31)),),
    )


def test_lots_are_announced_with_their_quantity() -> None:
    classes = [{"epcClass": "urn:epc:class:lgtin:030409.0471302.L9", "quantity": 24}]
    found = only(event(epcList=None, quantityList=classes))
    assert found.packages == (AnnouncedPackage(gtin=GTIN, lot="L9", quantity=24),)


def test_an_aggregation_says_what_is_in_a_container() -> None:
    found = only(event(type="AggregationEvent", action="ADD", bizStep="packing", parentID="urn:epc:id:sscc:0614141.1234567890",
                       epcList=None, childEPCs=[f"{SGTIN}S1", "urn:epc:id:sscc:0614141.1234567891"]))  # fmt: skip
    assert (found.step, found.container, len(found.packages), len(found.containers)) == ("pack", SSCC, 1, 1)
    assert only(event(type="AggregationEvent", action="DELETE", parentID="urn:epc:id:sscc:0614141.1234567890")).step == "unpack"


@pytest.mark.parametrize(
    ("changes", "step"),
    [
        ({"bizStep": "urn:epcglobal:cbv:bizstep:shipping"}, "ship"),
        ({"bizStep": "https://ref.gs1.org/cbv/BizStep-shipping"}, "ship"),
        ({"bizStep": "cbv:BizStep-departing"}, "ship"),
        ({"bizStep": "void_shipping"}, "end"),
        ({"action": "DELETE", "bizStep": "decommissioning"}, "end"),
        ({"action": "DELETE", "bizStep": None}, "end"),
        ({"action": "ADD", "bizStep": None}, "commission"),
        ({"type": "TransactionEvent", "action": "ADD", "bizStep": "accepting"}, "link"),
        ({"type": "TransactionEvent", "action": "ADD", "bizStep": "shipping"}, "ship"),
        ({"bizStep": "receiving"}, None),
        ({"bizStep": None}, None),
        ({"type": "TransformationEvent", "action": None}, None),
        ({"type": "AssociationEvent"}, None),
        ({"epcList": []}, None),
        ({"type": "AggregationEvent", "action": "ADD", "parentID": None}, None),
        ({"type": "AggregationEvent", "action": "ADD", "parentID": f"{SGTIN}S9"}, None),
    ],
)
def test_the_step_of_an_event(changes: dict[str, Any], step: str | None) -> None:
    found = only(event(**changes))
    assert isinstance(found, NoEffect) if step is None else found.step == step


def test_unpacking_without_naming_anything_is_unpacking_everything() -> None:
    """EPCIS 2.0, AggregationEvent: children left out of a DELETE are all children."""
    found = only(event(type="AggregationEvent", action="DELETE", parentID="urn:epc:id:sscc:0614141.1234567890", epcList=None))
    assert (found.step, found.container, found.packages) == ("unpack", SSCC, ())


def test_an_event_that_is_taken_back_keeps_its_id_and_says_so() -> None:
    found = only(event(errorDeclaration={"declarationTime": "2026-03-02T08:00:00Z", "reason": "incorrect_data"}))
    assert (found.notice_key, found.void) == ("epcis|urn:uuid:1", True)


def test_without_an_event_id_the_content_is_the_identity_and_record_time_is_not_part_of_it() -> None:
    keys = {only(event(eventID=None, recordTime=at)).notice_key for at in ("2026-03-01T09:00:00Z", "2026-03-01T10:00:00Z", None)}
    assert len(keys) == 1
    assert keys != {only(event(eventID=None, epcList=[f"{SGTIN}S2"])).notice_key}


def test_the_site_is_that_of_the_destination_else_the_documents_only_one_else_the_feeds() -> None:
    elsewhere = [{"type": "location", "destination": "urn:epc:id:sgln:0614141.99999.0"}]
    made = event(eventID="urn:uuid:2", action="ADD", bizStep="commissioning", destinationList=None)
    assert [one.site for one in mapped(document(event(), made))] == ["north", "north"]  # type: ignore[union-attr]
    assert [one.site for one in mapped(document(event(destinationList=elsewhere), made))] == ["", ""]  # type: ignore[union-attr]
    assert only(made, "north").site == "north"
    assert (only(made).site, only(event(destinationList=elsewhere)).facility) == ("", "0614141999996")


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (b"<epcis/>", "not_json"), (b"", "not_json"), ({"resourceType": "Patient"}, "not_epcis"), (7, "not_epcis"),
        (document(7), "not_an_object"), (event(type="SensorEvent"), "unknown_event"), (event(action="MAYBE"), "invalid_fields"),
        (event(eventTime="yesterday"), "invalid_fields"), (event(eventTime="2026-03-01T08:00:00", eventTimeZoneOffset=None), "invalid_fields"),
        (event(eventTime="1026-03-01T08:00:00Z"), "absurd_time"), (event(epcList="x"), "invalid_fields"),
        (event(epcList=["urn:epc:id:sgtin:1.2.3"]), "unreadable_epc"), (event(epcList=[None]), "unreadable_epc"),
        (event(epcList=["urn:epc:idpat:sgtin:030409.0471302.*"]), "no_lot"),
        (event(quantityList=[{"epcClass": "urn:epc:class:lgtin:030409.0471302.L9", "quantity": 1.5}]), "invalid_fields"),
        (event(quantityList=[{"epcClass": "urn:epc:class:lgtin:030409.0471302.L9", "quantity": 2, "uom": "KGM"}]), "invalid_fields"),
        (event(quantityList=[{"epcClass": "urn:epc:class:lgtin:030409.0471302.L9", "quantity": True}]), "invalid_fields"),
        (event(quantityList=[{"epcClass": "urn:epc:class:lgtin:030409.0471302.L9", "quantity": []}]), "invalid_fields"),
        (event(action="ADD", bizStep=None, ilmd={"x:itemExpirationDate": "soon"}), "invalid_fields"),
        ([event()] * (EVENTS_MAX + 1), "too_many_items"),
    ],
)  # fmt: skip
def test_what_can_not_be_read_is_refused_by_name(value: object, code: str) -> None:
    found = only(value)
    assert isinstance(found, Refused)
    assert found.code == code


def test_one_bad_event_does_not_hold_up_the_others() -> None:
    assert [type(one) for one in mapped(document(event(), event(action="?"), event(eventID="3")))] == [Notice, Refused, Notice]


def test_query_results_lists_and_an_empty_document() -> None:
    query = {"type": "EPCISQueryDocument", "epcisBody": {"queryResults": {"resultsBody": {"eventList": [event()]}}}}
    assert only(query).step == "ship"
    assert len(mapped([event(), event(eventID="2")])) == 2
    assert only(document()).code == "empty_list"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from([f"{SGTIN}S1", "shipping", "ADD", GLN]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*event(), "ilmd", "parentID", "childEPCs", "quantityList"]), inner, max_size=5),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([*event(), "ilmd", "parentID", "childEPCs", "quantityList", "bizTransactionList"]), JSON, max_size=6
    )
)
def test_whatever_comes_has_one_result_and_no_exception(changes: dict[str, Any]) -> None:
    (one,) = mapped(json.dumps({**event(), **changes, "type": changes.get("type") or "ObjectEvent"}).encode())
    assert isinstance(one, Notice | NoEffect | Refused)
