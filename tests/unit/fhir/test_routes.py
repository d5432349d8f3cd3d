"""The same fact by another route is the same event; the same bytes are the same results (design: counted once)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import encode
from schemas.events import STOCK_EVENT, StockEvent
from schemas.mapping import NoEffect, Refused
from tests.unit.fhir.samples import DATA, SHARED, administration, bundle, dispense, event, mapped

RESOURCES = [
    administration(),
    dispense(),
    dispense(id="md-2", status="in-progress"),
    administration(id="ma-2", status="entered-in-error"),
]


def essence(found: object) -> tuple[object, ...]:
    assert isinstance(found, StockEvent)
    return found.event_id, found.event_key, found.kind, found.quantity, found.unit, found.occurred, found.codes, found.no_effect


@pytest.mark.parametrize("resource", RESOURCES)
def test_alone_in_a_bundle_and_in_ndjson_a_resource_is_the_same_event(resource: dict[str, Any]) -> None:
    alone = essence(event(resource))
    assert essence(event(bundle(resource, type="transaction"))) == alone
    lines = json.dumps({"resourceType": "Patient"}) + "\n" + json.dumps(resource)
    assert essence(mapped(lines.encode())[1]) == alone


@settings(max_examples=30, deadline=None)
@given(st.permutations(RESOURCES))
def test_the_order_of_the_entries_changes_nothing_but_their_numbers(resources: list[dict[str, Any]]) -> None:
    results = mapped(bundle(*resources))
    assert [one.raw.index for one in results if isinstance(one, StockEvent)] == list(range(len(RESOURCES)))
    assert {essence(one) for one in results} == {essence(event(resource)) for resource in RESOURCES}


def test_how_the_json_is_written_changes_nothing() -> None:
    plain = json.dumps(dispense()).encode()
    pretty = json.dumps(dict(reversed(dispense().items())), indent=3, ensure_ascii=True).encode("utf-16")
    assert essence(event(pretty)) == essence(event(plain))


def test_the_same_bytes_give_the_same_results() -> None:
    body = (DATA / "transaction.json").read_bytes()
    assert mapped(body) == mapped(body)


def test_a_site_has_its_own_events_under_the_same_key() -> None:
    one, two = event(dispense(), site="a"), event(dispense(), site="b")
    assert one.event_key == two.event_key
    assert one.event_id != two.event_id


def test_every_event_survives_the_log_and_the_published_contract() -> None:
    if not SHARED.is_dir():
        pytest.skip("PUBLISHED FHIR EXAMPLES ARE ABSENT: THE CONTRACT WAS NOT TRIED ON THEM")
    checked = 0
    for file in sorted(SHARED.rglob("Medication*.json")):
        for found in mapped(file.read_bytes()):
            if isinstance(found, StockEvent):
                assert STOCK_EVENT.decode(encode(found)) == found
                assert STOCK_EVENT.validate(found) == found
                checked += 1
            else:
                assert isinstance(found, NoEffect | Refused)
                assert found.code
                assert found.reason
    assert checked > 100
