"""`wardstock schemas DIR`, and the proof that the schemas are kept: every record of a real run validates against its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from jsonschema.validators import validator_for

from schemas.golive import GoLive, SiteMode
from schemas.raw import CABINET_JSON, SCAN_JSON, RawMessage
from schemas.reference import RecallNotice
from schemas.topics import RAW, TOPICS
from tests.cli.running import Answer, run_here
from tests.simulation import promises
from topology.local import LocalHub

SCHEMAS = "*.schema.json"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("schemas") / "deep" / "folder"
    answer = run_here("schemas", str(path))
    assert answer.code == 0
    assert answer.out == f"wrote {len(list(path.glob('*.schema.json')))} schemas and openapi.json to {path}\n"
    return path


@pytest.fixture(scope="module")
def validators(folder: Path) -> dict[str, Any]:
    """A validator of each exported schema by contract name, formats checked."""
    return {
        path.name.removesuffix(".schema.json"): Draft202012Validator(
            json.loads(path.read_text()), format_checker=Draft202012Validator.FORMAT_CHECKER
        )
        for path in sorted(folder.glob(SCHEMAS))
    }


def test_every_schema_is_valid_2020_12_and_says_so(folder: Path) -> None:
    for path in sorted(folder.glob(SCHEMAS)):
        schema = json.loads(path.read_text())
        assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
        assert validator_for(schema) is Draft202012Validator
        Draft202012Validator.check_schema(schema)
        assert schema["type"] == "object"


def test_the_contracts_of_the_hub_are_all_there(folder: Path) -> None:
    names = {path.name.removesuffix(".schema.json") for path in folder.glob(SCHEMAS)}
    assert names >= {
        "StockEvent", "Command", "Position", "Balance", "Movement", "Alert", "Case", "Kpi", "Hold", "Quarantined", "ItemOutcome",
        "ReferenceChange", "Tick", "Watermark", "Decision", "OrderAnswer", "Proposal", "Site", "Location", "Item", "Product",
        "UnitFactor", "ConsumptionRule", "ParPolicy", "Supplier", "SupplierItem", "Role", "CabinetTransaction", "ScanEvent",
    }  # fmt: skip
    assert {topic.value.name for topic in TOPICS.values() if topic.value is not None} <= names


def test_the_openapi_document_holds_the_schemas_of_what_others_send(folder: Path) -> None:
    whole = json.loads((folder / "openapi.json").read_text())
    assert whole["openapi"] == "3.1.0"
    for name in ("CabinetTransaction", "ScanEvent", "ErpAnswer", "PersonDecision"):
        published = json.loads((folder / f"{name}.schema.json").read_text())
        assert whole["components"]["schemas"][name]["required"] == published["required"]
        assert whole["components"]["schemas"][name]["properties"].keys() == published["properties"].keys()


def test_writing_the_schemas_twice_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    run_here("schemas", str(tmp_path))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        path.name: path.read_bytes() for path in tmp_path.iterdir()
    }


def test_a_schema_refuses_what_is_not_its_contract(validators: dict[str, Any]) -> None:
    """A validator that accepts everything would prove nothing below."""
    assert not validators["Balance"].is_valid({})
    assert not validators["Movement"].is_valid({"quantity": "many"})
    assert not validators["Command"].is_valid({"revision": 0})


def test_every_record_of_every_topic_validates_against_its_schema(
    ingested: tuple[Path, Answer], validators: dict[str, Any]
) -> None:
    """The type header names the contract of each record; raw holds the senders' bytes, everything else is the hub's own.

    The sites go to shadow at the end and read a recall, so that what they say then is there as well.
    """
    seen: dict[str, set[str]] = {}
    with LocalHub(ingested[0]) as hub:
        hub.project()
        sites = [str(row["id"]) for row in hub.views.sites()]
        hub.load_reference([("go_live", site, GoLive(site=site, mode=SiteMode.SHADOW, changes=())) for site in sites])
        product = str(hub.views.reference("product")[0]["id"])
        notice = RecallNotice(id="R1", classification="III", products=(product,), lots=("NONE",))
        hub.load_reference([("recall", "R1", notice)])
        for topic in TOPICS:
            for record in promises.records(hub.engine, topic):
                name = dict(record.headers)["ce_type"]
                if name == RawMessage.__name__ or record.value is None:
                    continue
                seen.setdefault(topic, set()).add(name)
                check(validators[name], record.value, f"{topic}[{record.partition}]@{record.offset}")
    assert set(seen) >= set(TOPICS) - {"quarantine"}, f"nothing was written to {set(TOPICS) - set(seen)}"




def check(validator: Any, data: bytes, place: str) -> None:
    error = next(validator.iter_errors(json.loads(data)), None)
    assert error is None, f"{place}: {error.json_path}: {error.message}"


def test_what_the_simulated_devices_send_validates_against_the_published_inbound_schemas(
    ingested: tuple[Path, Answer], validators: dict[str, Any]
) -> None:
    names = {CABINET_JSON: "CabinetTransaction", SCAN_JSON: "ScanEvent"}
    judged = 0
    with LocalHub(ingested[0]) as hub:
        for record in promises.records(hub.engine, RAW):
            name = names.get(dict(record.headers).get("content_type", ""))
            if name is None:
                continue
            value = json.loads(record.value or b"")
            for row in value if isinstance(value, list) else [value]:
                check(validators[name], json.dumps(row).encode(), "raw")
                judged += 1
    assert judged > 100


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    answer = run_here("schemas", str(tmp_path / "file" / "folder"))
    assert answer.code == 1
    assert answer.err.startswith("wardstock: ")
    assert str(tmp_path / "file") in answer.err
