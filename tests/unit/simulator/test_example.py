"""The example network of the documentation is what the generator writes, and its samples tell a story that holds together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from connectors.simulator.catalogue import load_catalogue
from connectors.simulator.example import samples, write_example
from connectors.simulator.reference_csv import FILE_NAMES

EXAMPLE = Path(__file__).resolve().parents[3] / "docs" / "example"


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("example")
    write_example(folder)
    return folder


def test_docs_example_equals_what_the_generator_writes(written) -> None:
    expected = {str(path.relative_to(written)): path.read_bytes() for path in written.rglob("*") if path.is_file()}
    found = {str(path.relative_to(EXAMPLE)): path.read_bytes() for path in EXAMPLE.rglob("*") if path.is_file()}
    del found["README.md"]
    assert found.keys() == expected.keys()
    assert [name for name in expected if found[name] != expected[name]] == []


def test_it_has_three_named_sites_and_sixty_items() -> None:
    assert [line.split(",")[0] for line in (EXAMPLE / "sites.csv").read_text().splitlines()[1:]] == ["north", "south", "river"]
    assert len((EXAMPLE / "items.csv").read_text().splitlines()) - 1 == len(load_catalogue()) >= 60


def test_the_readme_explains_every_file() -> None:
    text = (EXAMPLE / "README.md").read_text(encoding="utf-8")
    for name in (*FILE_NAMES.values(), *samples()):
        assert f"`{name}`" in text, name


def test_the_sample_lot_is_received_then_loaded_then_vended_and_the_dose_is_given_to_the_patient_who_was_admitted() -> None:
    bodies = samples()
    vend = json.loads(bodies["05-vend.cabinet.json"])
    load = json.loads(bodies["02-load.cabinet.json"])
    receipt = json.loads(bodies["01-receive.scan.json"])
    assert vend["lot"] == load["lot"]
    assert vend["lot"] in receipt["barcode"]
    assert receipt["occurred"] < load["occurred"] < vend["occurred"]
    for name in ("03-admission-adt-a01.hl7", "04-order-rde-o11.hl7", "06-administration-ras-o17.hl7"):
        assert vend["patient_id"].encode() in bodies[name]
    for name in ("04-order-rde-o11.hl7", "06-administration-ras-o17.hl7"):
        assert vend["order_id"].encode() in bodies[name]


def test_every_sample_that_takes_stock_comes_after_the_receipt_of_its_lot() -> None:
    bodies = samples()
    for receipt, taken in (
        ("07-receive.scan.json", "08-dispense-rds-o13.hl7"),
        ("09-receive.scan.json", "12-medication-administration.fhir.json"),
        ("13-receive.scan.json", "14-medication-dispense.fhir.json"),
    ):
        barcode = json.loads(bodies[receipt])["barcode"]
        lot = barcode.split("\x1d")[0][20:] if "\x1d" in barcode else barcode[28:]
        assert lot.removeprefix("0").encode() in bodies[taken] or lot.encode() in bodies[taken]
