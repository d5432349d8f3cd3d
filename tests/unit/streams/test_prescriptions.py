"""MIMIC-III demo prescriptions through the site processor: every row is resolved, held or refused with a reason.

The check is the hospital's own: each row says the dose and, beside it, how many units were dispensed. What the hub makes of the dose
must be that number, rounded up to whole containers. The shares stand in docs/benchmarks.md.
"""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from math import ceil

import pytest

from schemas.topics import MOVEMENTS, OUTCOMES
from tests.support.hub import SiteHub
from tests.support.world import places, site
from tests.unit.streams.prescriptions import FILE, contents, dispense, master, rows

pytestmark = pytest.mark.skipif(
    not FILE.is_file(), reason="THE MIMIC-III DEMO PRESCRIPTIONS (../shared/data/stock) ARE NOT HERE: NOTHING OF THEM WAS TESTED"
)
SHARES = {
    "posted": 4_419,
    "unknown_code": 1_052,
    "ambiguous_code": 835,
    "unknown_unit": 623,
    "refused": 481,
}
CONTRADICTIONS = {
    ("1000mL Bag", "1000", "mL", "1", "mL"): 60,
    ("500mL Bag", "1000", "mL", "500", "mL"): 1,
    ("500mL Bag", "250", "mL", "500", "mL"): 1,
    ("10g Bulk vial", "2", "gm", "1", "g"): 1,
    ("100mg UD Cup", "0", "mg", "2", "UDCUP"): 1,
}
"""The only rows whose amount is another: they contradict themselves (strength, dose, its unit; dispensed, its unit)."""


@pytest.fixture(scope="module")
def told() -> tuple[Counter[str], Counter[tuple[str, ...]]]:
    """How each row ended, and the rows whose amount is not the hospital's."""
    prescriptions = rows()
    hub = SiteHub(reference=[site(), *places(), *master(prescriptions)])
    by_event: dict[str, dict[str, str]] = {}
    ended: Counter[str] = Counter()
    for row in prescriptions:
        event = dispense(row)
        if isinstance(event, str):
            ended["refused"] += 1
        else:
            by_event[event.event_id] = row
            hub.tell(event)
    outcomes = {record.event_ids[0]: record for record in hub.all(OUTCOMES)}
    assert outcomes.keys() == by_event.keys(), "each row that was told ended once"
    assert all(record.reason for record in outcomes.values())
    ended.update(record.code for record in outcomes.values())
    moved: Counter[str] = Counter()
    for movement in hub.all(MOVEMENTS):
        moved[movement.event_id] += movement.quantity
    other: Counter[tuple[str, ...]] = Counter()
    for event_id, record in outcomes.items():
        row = by_event[event_id]
        if record.code == "posted" and moved[event_id] != ceil(Decimal(row["form_val_disp"])):
            other[row["prod_strength"], row["dose_val_rx"], row["dose_unit_rx"], row["form_val_disp"], row["form_unit_disp"]] += 1
    return ended, other


def test_every_row_is_resolved_held_or_refused(told: tuple[Counter[str], Counter[tuple[str, ...]]]) -> None:
    assert told[0] == SHARES
    assert sum(SHARES.values()) == len(rows()) == 7_410


def test_a_dose_comes_to_as_many_containers_as_the_hospital_dispensed(
    told: tuple[Counter[str], Counter[tuple[str, ...]]],
) -> None:
    assert told[1] == CONTRADICTIONS


@pytest.mark.parametrize(
    ("strength", "unit", "mass", "mass_unit", "volume"),
    [
        ("40mg/4mL Vial", "vial", "40", "mg", "4"),
        ("25mcg/0.5mL Vial", "vial", "25", "mcg", "0.5"),
        ("5000 Units / mL- 1mL Vial", "vial", "5000", "unit", "1"),
        ("20mEq/50mL Premix", "mL", "0.4", "mEq", "1"),
        ("25mg Tablet", "tablet", "25", "mg", None),
        ("1000mL Bag", "bag", None, None, "1000"),
        ("5mg/325mg Tablet", "tablet", None, None, None),
        ("50mg/mL Vial", "vial", None, None, None),
        ("Send Vial", "vial", None, None, None),
    ],
)
def test_what_a_strength_says_is_in_a_container(
    strength: str, unit: str, mass: str | None, mass_unit: str | None, volume: str | None
) -> None:
    found = contents(strength, unit)
    assert (found.mass, found.volume) == (mass and Decimal(mass), volume and Decimal(volume))
    assert found.mass_unit == mass_unit
