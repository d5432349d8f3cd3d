"""Every published example is read: never an error, one result for each declared item, and known figures for a dozen of them."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from schemas.events import StockEvent
from schemas.kinds import EventKind
from schemas.mapping import NoEffect, Refused
from tests.unit.fhir.samples import SHARED, mapped

EXAMPLES = 410


@pytest.fixture(scope="module")
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip("PUBLISHED FHIR EXAMPLES ARE ABSENT: NOTHING OF THEM WAS TESTED")
    return SHARED


def declared_items(document: dict[str, object]) -> int:
    """Counted independently: entries, and the entries of Bundles inside in place of those; an empty Bundle is one.

    A SupplyDelivery of R5 declares as many as it has supplied items.
    """
    entries = document.get("entry") if document.get("resourceType") == "Bundle" else None
    if document.get("resourceType") != "Bundle":
        supplied = document.get("suppliedItem")
        return len(supplied) if isinstance(supplied, list) else 1
    if not entries:
        return 1
    assert isinstance(entries, list)
    return sum(declared_items(entry.get("resource") or {}) for entry in entries)


def test_every_example_gives_one_result_for_each_item(shared: Path) -> None:
    files = sorted(shared.rglob("*.json"))
    assert len(files) == EXAMPLES
    outcomes: Counter[str] = Counter()
    for file in files:
        body = file.read_bytes()
        results = mapped(body)
        assert len(results) == declared_items(json.loads(body)), file.name
        folder = file.relative_to(shared).parts[0]
        for one in results:
            outcomes[f"{folder} {type(one).__name__} {one.code if isinstance(one, Refused) else ''}".strip()] += 1
    refusals = {name: count for name, count in outcomes.items() if "Refused" in name}
    # Counted in the files: example 008 of MedicationDispense and the one of DeviceDispense are completed at no time; 16 Japanese
    # requests have a list for Timing.code; one notification of a Subscription is empty.
    assert refusals == {
        "r4 Refused no_time": 1,
        "r4b Refused no_time": 1,
        "r5 Refused no_time": 2,
        "r5 Refused notification_without_content": 1,
        "jp_pairs_r4 Refused invalid_resource": 16,
    }


@pytest.mark.parametrize("release", ["r4", "r4b", "r5"])
@pytest.mark.parametrize(
    ("name", "quantity", "unit", "codes", "occurred"),
    [
        ("MedicationAdministration-medadmin0302", "20", "meq", None, "2015-01-15T13:30"),
        ("MedicationAdministration-medadmin0304", "3", "mg", ("rxnorm", "1594660"), "2015-01-15T13:30"),
        ("MedicationAdministration-medadmin0307", "7", "mg", ("local", "400621001"), "2015-01-15T13:30"),
        ("MedicationAdministration-medadmin0308", "20", "U", ("rxnorm", "285018"), "2015-01-15T13:30"),
        ("MedicationAdministration-medadmin0309", "1000", "mL", None, "2015-01-16T01:03"),
        ("MedicationAdministration-medadmin0310", "6", "mg", ("ndc", "76388-713-25"), "2015-01-16T01:03"),
        ("MedicationAdministration-medadmin0311", "1", "TAB", ("rxnorm", "308047"), "2015-01-16T01:03"),
        ("MedicationAdministration-medadmin0312", "1", "patch", ("local", "333919005"), "2015-01-16T01:03"),
        ("MedicationDispense-meddisp0314", "1", "415818005", ("rxnorm", "206819"), "2015-06-26T02:13"),
        ("MedicationDispense-meddisp0322", "360", "ml", ("ndc", "0071-2214-20"), "2015-01-18T02:13"),
        ("MedicationDispense-meddisp0324", "30", "g", ("rxnorm", "884375"), "2015-01-15T16:20"),
        ("MedicationDispense-meddisp0327", "30", "ml", ("rxnorm", "746763"), "2015-01-15T16:20"),
        ("MedicationDispense-meddisp0329", "30", "g", None, "2015-01-15T16:20"),
    ],
)
def test_completed_examples_read_as_a_person_reads_them(
    shared: Path, release: str, name: str, quantity: str, unit: str, codes: tuple[str, str] | None, occurred: str
) -> None:
    """Amount, unit, first code and instant, read off the published files by hand (offsets +01:00 and +05:00 taken to UTC)."""
    (found,) = mapped((shared / release / f"{name}.json").read_bytes())
    assert isinstance(found, StockEvent)
    assert found.kind is (EventKind.ADMINISTER if "Administration" in name else EventKind.DISPENSE)
    assert (found.quantity, found.unit) == (Decimal(quantity), unit)
    if codes is not None:
        assert (found.codes[0].system, found.codes[0].value) == codes
    assert found.occurred == datetime.fromisoformat(occurred).replace(tzinfo=UTC)
    assert found.no_effect is None
    assert found.patient == "hash(pat1@Patient)"
    assert found.test is (release != "r4"), "the R4B and R5 files bear the label HTEST, the R4 files do not"


@pytest.mark.parametrize("release", ["r4", "r4b", "r5"])
def test_lot_expiry_and_people_of_the_examples(shared: Path, release: str) -> None:
    (given,) = mapped((shared / release / "MedicationAdministration-medadmin0309.json").read_bytes())
    assert isinstance(given, StockEvent)
    assert (given.lot, given.expiry) == ("123455", date(2016, 7, 9))
    assert given.actor == "f007"
    (mistake,) = mapped((shared / release / "MedicationAdministration-medadmin0303.json").read_bytes())
    assert isinstance(mistake, StockEvent)
    assert (mistake.kind, mistake.reverses) == (EventKind.REVERSAL, "fhir|MedicationAdministration|medadmin0303")


def test_the_same_example_is_the_same_fact_in_every_release(shared: Path) -> None:
    for name in ("MedicationAdministration-medadmin0312", "MedicationDispense-meddisp0322"):
        keys = {mapped((shared / release / f"{name}.json").read_bytes())[0].event_key for release in ("r4", "r4b", "r5")}  # type: ignore[union-attr]
        assert len(keys) == 1


def test_a_message_header_that_is_not_valid_does_not_spoil_the_orders_beside_it(shared: Path) -> None:
    results = mapped((shared / "jp_pairs_r4" / "injection_example_01.json").read_bytes())
    assert isinstance(results[0], NoEffect)
    orders = [one for one in results if isinstance(one, StockEvent)]
    assert orders
    assert all(one.kind is EventKind.ORDER for one in orders)
    assert len({one.event_key for one in orders}) == len(orders)
