"""The OpenAPI document against the hub: it is valid and complete, and what the hub answers to whatever comes is what it says.

schemathesis makes requests from the document, good and bad ones, and judges the answers; the hub is a real one on a folder. At the
end every message that it took must have ended in exactly one way. `WARDSTOCK_API_EXAMPLES` makes the run longer: examples an
operation.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.core.parameters import ParameterLocation
from schemathesis.python.asgi import get_client
from schemathesis.specs.openapi import checks

from connectors.contract import TooLarge, Unavailable
from connectors.http.app import feeds_router
from schemas.reference import REFERENCE_KINDS, Role
from schemas.topics import RAW
from tests.contract.test_http_feeds import NOW, OWN, Hub
from tests.simulation import promises
from tests.simulation.small_hospital import small_hospital
from topology import live as live_module
from topology.live import LiveHub
from topology.local import LocalHub
from topology.master.desk import MasterDesk
from topology.master.hubs import RunningMaster
from topology.openapi import document
from topology.query import FILTERS
from topology.settings import Settings
from topology.web import hub_app

TOKEN = "the-token-of-this-test"
EXAMPLES = int(os.environ.get("WARDSTOCK_API_EXAMPLES", "10"))
STORING = {"feeds", "fhir"}
RECORDS = ("POST /api/v1/reference", "POST /api/v1/master")
STEWARDS = ("sam", "sue")
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.unsupported_method,
    checks.allow_header_conformance,
    checks.missing_required_header,
    checks.ignored_auth,
]


@dataclass
class Served:
    """A hub at work, and what was answered."""

    live: LiveHub
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    replayed: int = 0
    """Answers 202 to a request under an Idempotency-Key that was stored before."""


class Door:
    """Stands for the hub's application, which there is only while tests run."""

    app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A running hub with some reference data and two stewards, whose tables follow quickly."""
    settings = Settings(data=tmp_path_factory.mktemp("hub") / "hub")
    with pytest.MonkeyPatch.context() as patch, LocalHub(settings.data) as local:
        patch.setattr(live_module, "PROJECTION_PERIOD_SECONDS", 0.01)
        live = LiveHub(local, timedelta(seconds=5))
        DOOR.app = hub_app(live, settings, TOKEN, MasterDesk(RunningMaster(live)))
        live.start()
        roles: list[Any] = [("role", f"{one}|steward", Role(person=one, role="steward")) for one in STEWARDS]
        live.load_reference([*small_hospital(7, messages=5).reference, *roles])
        yield Served(live)
        live.stop()


def with_short_lists(whole: dict[str, Any]) -> dict[str, Any]:
    """The document, its feeds' limits of items lower: twenty faulty items say as much as a thousand."""
    for path in OWN:
        schema = whole["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
        (schema.get("oneOf") or schema["anyOf"])[1]["maxItems"] = 20
    return whole


@schemathesis.serializer("application/fhir+ndjson", "application/x-ndjson")
def lines(context: Any, value: Any) -> dict[str, Any]:
    """Text as it is; what is no text as JSON."""
    return {"data": value.encode("utf-8", "surrogatepass") if isinstance(value, str) else json.dumps(value).encode()}


DOOR = Door()
SCHEMA = schemathesis.openapi.from_dict(
    with_short_lists(document("Wardstock")),
    config=SchemathesisConfig.from_dict(
        {
            "seed": 20260303,
            "generation": {"deterministic": True, "max-examples": EXAMPLES, "with-security-parameters": False},
            "phases": {"stateful": {"enabled": False}},
        }
    ),
)
SCHEMA.app = DOOR


def made_likely(case: Any) -> None:
    """Put in what no schema can say, so that some requests come through: ids that fit their records, people, changes."""
    label, given = case.operation.label, case.body
    rows = given if isinstance(given, list) else given.get("records") if isinstance(given, dict) else None
    for row in rows if label in RECORDS and isinstance(rows, list) else ():
        with contextlib.suppress(Exception):
            kind = REFERENCE_KINDS[row["kind"]]
            row["id"] = kind.id_of(kind.codec.validate(row["record"]))
            if row["kind"] == "master_policy":
                row["record"]["governed"] = False
    if "/master" in label and isinstance(given, dict) and isinstance(given.get("by"), str) and given["by"].strip():
        given["by"] = STEWARDS["{change_id}" in label]
    if "/downtime/" in label and isinstance(given, dict) and isinstance(given.get("by"), str) and given["by"].strip():
        given.update(by=STEWARDS[0], **({"site": "north"} if "site" in given else {}))
    if "{change_id}" in label and not case.meta.is_negative_at(ParameterLocation.PATH):
        case.path_parameters["change_id"] = f"m{len(str(given)) % 5}"


@SCHEMA.parametrize()
def test_the_hub_answers_as_its_document_says(case: Any, served: Served) -> None:
    operation = case.operation
    made_likely(case)
    wanted = list(CHECKS)
    # A feed's body is stored whatever it holds, and its outcomes tell whether it is understood: being accepted is right there.
    # Reference records are read as those of files are, where 0 is false and "5" a number. All else that is wrong is refused.
    takes_any_body = bool(STORING & set(operation.tags)) or operation.label in RECORDS
    if not (takes_any_body and case.meta.is_negative_at(ParameterLocation.BODY)):
        wanted.append(checks.negative_data_rejection)
    headers = {"Authorization": f"Bearer {TOKEN}"} if operation.definition.raw.get("security") else None
    answer = case.call_and_validate(headers=headers, checks=wanted)
    served.answers[operation.label, answer.status_code] += 1
    served.replayed += "idempotency-replayed" in {name.lower() for name in answer.headers}


def test_afterwards_the_hub_lives_nothing_is_lost_and_the_counts_add_up(served: Served) -> None:
    live = served.live
    live.stop()  # nothing says the time any more
    assert live.failing is None
    engine = live.hub.engine
    engine.run_until_idle()
    assert engine.faults == [], engine.faults[:3]
    stored = [one for one in promises.records(engine, RAW) if dict(one.headers)["ce_type"] == "RawMessage"]
    outcomes = promises.check_all(engine)
    taken = sum(count for (_, status), count in served.answers.items() if status == 202)
    assert len(stored) >= taken - served.replayed, "what was answered with 202 is stored"
    assert sum(outcomes.values()) >= len(stored)
    assert {status for _, status in served.answers} <= {200, 202, 400, 404, 405, 422}, served.answers
    assert served.answers["POST /api/v1/reference", 200], "some loads came through"
    assert served.answers["POST /api/v1/ingest", 200]


def test_the_document_is_valid_openapi_3_1() -> None:
    SCHEMA.validate()
    assert SCHEMA.raw_schema["openapi"].startswith("3.1")


def test_every_operation_has_an_id_of_its_own_a_tag_that_is_explained_and_a_summary() -> None:
    whole = document("Wardstock")
    operations = [one for item in whole["paths"].values() for one in item.values()]
    ids = [one["operationId"] for one in operations]
    assert len(set(ids)) == len(ids)
    assert all(one.isidentifier() for one in ids)
    assert all(one["summary"] for one in operations)
    assert {tag for one in operations for tag in one["tags"]} == {tag["name"] for tag in whole["tags"]}


def test_every_reference_in_the_document_leads_somewhere_and_no_schema_is_left_over() -> None:
    whole = document("Wardstock")
    named = {part.split('"')[0] for part in json.dumps(whole).split("#/components/schemas/")[1:]}
    assert named == set(whole["components"]["schemas"])
    assert "$defs" not in json.dumps(whole)


@pytest.mark.filterwarnings("ignore:Duplicate Operation ID")  # FastAPI's own ids, which the document doesn't use
def test_every_route_is_documented_and_nothing_else(served: Served) -> None:
    """The routes are taken from FastAPI's own reading of them."""
    documented = operations_of(document("Wardstock")["paths"])
    views = {("get", f"/api/v1/view/{view}") for view in FILTERS}
    found = operations_of(get_openapi(title="routes", version="0", routes=DOOR.app.routes)["paths"])
    # HEAD comes with GET; some FHIR interactions are answered with a word on what to do instead.
    told = {
        (method, path) for method, path in found if method in ("head", "patch") or (method == "get" and "{resource_type}" in path)
    }
    assert {(method, path.replace("{id_}", "{id}")) for method, path in found - told} - {("get", "/api/v1/view/{view}")} == (
        documented - views
    )


def operations_of(paths: dict[str, Any]) -> set[tuple[str, str]]:
    return {(method, path) for path, item in paths.items() for method in item}


def test_the_hub_serves_the_document_under_its_own_title(served: Served) -> None:
    answer = get_client(DOOR).get("/openapi.json")
    assert answer.json() == json.loads(json.dumps(document(Settings(data=Path("x")).title)))


@pytest.mark.parametrize(
    ("failure", "options", "status"),
    [
        (Unavailable("the disk is full"), {}, 503),
        (TooLarge("too large for the log"), {}, 413),
        (None, {"headers": {"Content-Encoding": "gzip"}}, 415),
    ],
)
def test_refusals_that_no_schema_provokes_are_as_documented_too(failure: Any, options: dict[str, Any], status: int) -> None:
    app = FastAPI()
    app.include_router(feeds_router(Hub(failure).publish, lambda: NOW))
    resource = {"resourceType": "MedicationDispense", "id": "1"}
    judged = 0
    for found in SCHEMA.get_all_operations():
        operation = found.ok()
        if STORING & set(operation.tags) and operation.method != "get":
            names = {"resource_type": resource["resourceType"], "id": resource["id"]}
            case = operation.Case(path_parameters=names, body=resource, media_type="application/json")
            answer = case.call(app=app, **options)
            assert answer.status_code == status
            case.validate_response(answer, checks=CHECKS[1:5])
            judged += 1
    assert judged == 10
