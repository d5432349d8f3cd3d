"""Structure-aware mutations of valid resources of every type that is read: never an error, and every event is a valid one.

A place anywhere in the document is replaced, left out, doubled or moved; WARDSTOCK_FHIR_MUTATIONS sets how many.
"""

from __future__ import annotations

import copy
import json
import os
from datetime import UTC, datetime
from random import Random
from typing import Any, Final

import pytest

from connectors.http.fhir_answers import answer_to
from schemas.events import STOCK_EVENT, StockEvent
from tests.unit.fhir.samples import administration, bundle, dispense, mapped, raw
from tests.unit.fhir.test_notifications import BACKPORT, R5, URL, notification
from tests.unit.fhir.test_supply import counted, delivery, of_lot, report

MUTATIONS: Final = int(os.environ.get("WARDSTOCK_FHIR_MUTATIONS", "4000"))
SEEDS: Final = [
    administration(meta={"versionId": "3"}, performer=[{"actor": {"reference": "Practitioner/1"}}], identifier=[{"system": "s", "value": "v"}]),
    dispense(location={"reference": "Location/c"}, destination={"reference": "Location/w"}, contained=[{"resourceType": "Location", "id": "c"}]),
    delivery(), delivery("R5"), report(counted(3), counted(1, reference={"reference": "#A"}), contained=[of_lot("A")]),
    report(counted(2), countType="difference", operationType={"coding": [{"code": "addition"}]}),
    {
        "resourceType": "DeviceDispense", "id": "d", "status": "completed", "subject": {"reference": "Patient/p"},
        "device": {"concept": {"text": "x"}}, "quantity": {"value": 1}, "whenHandedOver": "2026-03-02T08:00:00Z",
    },
    {
        "resourceType": "SupplyRequest", "id": "r", "status": "active", "quantity": {"value": 1}, "authoredOn": "2026-03-02",
        "item": {"concept": {"text": "x"}}, "deliverTo": {"display": "Ward"},
    },
    {
        "resourceType": "MedicationRequest", "id": "m", "status": "active", "intent": "order", "subject": {"reference": "Patient/p"},
        "medicationCodeableConcept": {"text": "x"}, "dispenseRequest": {"quantity": {"value": 3, "unit": "TAB"}},
    },
    notification(R5, {"fullUrl": URL, "resource": dispense(), "request": {"method": "PUT", "url": "MedicationDispense/md-1"}}),
    notification(BACKPORT),
    {
        "resourceType": "Bundle", "type": "transaction", "timestamp": "2026-03-02T08:00:00Z", "entry": [
            {"request": {"method": "DELETE", "url": "MedicationDispense/md-1"}}, {"resource": {"resourceType": "Patient", "id": "p"}},
            {"resource": bundle(administration())},
        ],
    },
]  # fmt: skip
ODD: Final = [
    None, True, 0, -1, 1e300, "", " ", "x", "#A", "Location/", "2026-13-45", "9999-12-31T23:59:60Z", "\u0000", "é" * 40, [], {}, [[]], [None],
    {"reference": "#A"}, {"coding": [None, {"code": 5}]}, {"value": "1"}, ["x"], "entered-in-error", "completed", "R5", {"versionId": "0"},
]  # fmt: skip


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document."""
    found = [path] if path else []
    members = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for name, child in members:
        found += places(child, (*path, name))
    return found


def mutated(document: Any, pick: Random) -> Any:
    """A copy with one to three places changed."""
    changed = copy.deepcopy(document)
    for _ in range(pick.randint(1, 3)):
        path = pick.choice(places(changed) or [("x",)])
        holder = changed
        for step in path[:-1]:
            holder = holder[step]
        if not isinstance(holder, (dict, list)) or (isinstance(holder, list) and not isinstance(path[-1], int)):
            continue
        how = pick.randrange(4)
        if how == 0 or path[-1:] == ("x",):
            holder[path[-1]] = copy.deepcopy(pick.choice(ODD))
        elif how == 1:
            del holder[path[-1]]
        elif how == 2 and isinstance(holder, list):
            holder.append(copy.deepcopy(holder[path[-1]]))
        else:
            holder[path[-1]] = copy.deepcopy(_at(changed, pick.choice(places(changed))))
    return changed


def _at(document: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        document = document[step]
    return document


@pytest.mark.parametrize("seed", range(4))
def test_no_mutation_of_a_valid_resource_raises_or_makes_an_invalid_event(seed: int) -> None:
    pick = Random(seed)
    for _ in range(MUTATIONS // 4):
        document = mutated(pick.choice(SEEDS), pick)
        results = mapped(document)
        assert results, document
        for number, one in enumerate(results):
            if isinstance(one, StockEvent):
                STOCK_EVENT.check(one)
                assert one.raw.index == number
                assert datetime(1970, 1, 1, tzinfo=UTC) < one.occurred < datetime(2200, 1, 1, tzinfo=UTC)
        keys = [one.event_key for one in results if isinstance(one, StockEvent)]
        assert all(keys), document


def test_every_mutation_gets_an_answer() -> None:
    pick = Random(99)
    for _ in range(MUTATIONS // 8):
        document = mutated(pick.choice(SEEDS), pick)
        body = json.dumps(document).encode()
        assert answer_to(raw(body))["resourceType"] in ("OperationOutcome", "Bundle")
