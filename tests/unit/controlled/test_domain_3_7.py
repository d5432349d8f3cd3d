"""Every numeric case of domain §3.7 (controlled substances), and the pains behind it (36, 37, 38), by the name of its section.

Opened containers, business days, the 45 days and the two years are numbers of pure rules: they are tested beside these rules
(`test_inventory.py`, `tests/unit/streams/test_losses.py`) under the same name.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from schemas.topics import CASES
from sinks.controlled.model import RETENTION_YEARS
from sinks.sql.controlled import balance, evidence_of
from tests.support.facts import START, decision, minutes, told
from tests.support.hub import SiteHub
from tests.support.world import POCKET, item, site
from tests.unit.controlled.support import PEOPLE, tables

WINDOW = 480
"""A shift: the site's own window for closing a removal."""


def hub() -> SiteHub:
    """Tablets of schedule II counted as tablets, 20 in the pocket."""
    tablets: dict[str, Any] = {"schedule": 2, "strength_amount": None, "strength_unit": None}
    made = SiteHub(site(closure_minutes=WINDOW, lateness_minutes=0), item(**tablets), *PEOPLE)
    made.tick(minutes(-100))
    made.tell(told("load", 20, place=POCKET, at=minutes(-60), actor="tech", key="load"))
    return made


def of(kind: str, quantity: int, minute: float, **more: Any) -> Any:
    return told(kind, quantity, **{"place": POCKET, "at": minutes(minute), "patient": "A", "witness": "nurse-2", **more})


def open_amounts(made: SiteHub) -> list[str]:
    made.tick(minutes(WINDOW + 1))
    return [case.facts["open"] for case in made.open_cases("unaccounted_removal")]


@pytest.mark.parametrize(("returned", "left"), [(2, []), (0, ["2"])])
def test_domain_3_7_removed_is_administered_and_wasted_and_returned(returned: int, left: list[str]) -> None:
    """6 = 3 + 1 + 2 is closed; 6 = 3 + 1 leaves 2 unaccounted."""
    made = hub()
    made.hear(of("vend", 6, 0), of("administer", 3, 10), of("waste", 1, 20))
    if returned:
        made.tell(of("return", returned, 30))
    assert open_amounts(made) == left


@pytest.mark.parametrize(("witness", "flagged"), [(None, True), ("nurse-1", True), ("nurse-2", False)])
def test_domain_3_7_a_waste_needs_a_second_distinct_user_and_is_never_dropped(witness: str | None, flagged: bool) -> None:
    """Without a valid witness the waste is flagged, and it still closes what was removed."""
    made = hub()
    made.hear(of("vend", 1, 0), of("waste", 1, 5, witness=witness))
    assert bool(made.open_cases("unwitnessed_waste")) == flagged
    assert open_amounts(made) == []


def test_domain_3_7_a_count_that_differs_opens_a_discrepancy_with_both_accessors_and_the_balance_follows_it() -> None:
    """20 − 2 = 18 expected, 17 counted back: a case that names who was there before and who counted; the ledger says 17, then 16."""
    made = hub()
    made.tell(of("vend", 2, 0, actor="ann", key="before"))
    made.tell(of("vend", 1, 60, actor="bea", key="now", begin_count=17, begin_count_verified=True))
    made.tick(minutes(200))
    assert made.on_hand(POCKET) == 16
    [case] = made.open_cases("discrepancy")
    assert case.facts["difference"] == -1
    with tables(made) as connection:
        found = evidence_of(connection, case.case_id)
    assert found is not None
    assert found["previous_accessor"]["user"] == "ann"
    assert {one["person"] for one in found["people"]} >= {"ann", "bea"}


def test_domain_3_7_the_reason_is_kept_with_the_case_and_evidence_for_five_years() -> None:
    made = hub()
    made.hear(of("vend", 1, 0))
    made.tick(minutes(WINDOW + 1))
    [case] = made.open_cases("unaccounted_removal")
    made.say(decision(case.case_id, "close", "pia", START, reason="patient took it home"))
    [kept] = [one for one in made.latest(CASES) if one.case_id == case.case_id]
    assert (kept.state, kept.decisions[0].reason, RETENTION_YEARS) == ("closed", "patient took it home", 5)


def test_domain_3_7_each_removal_matches_a_dose_waste_or_return_within_the_window() -> None:
    """The window is the site's: a dose 480 minutes after its removal closes it, one that is told later finds the case open."""
    made = hub()
    made.hear(of("vend", 1, 0), of("administer", 1, WINDOW))
    assert open_amounts(made) == []
    late = hub()
    late.tell(of("vend", 1, 0))
    late.tick(minutes(WINDOW + 1))
    assert len(late.open_cases("unaccounted_removal")) == 1


def test_domain_3_7_a_pharmacist_addresses_a_discrepancy_within_one_business_day() -> None:
    made = hub()
    made.tell(of("count", 19, 0))
    made.tick(minutes(1))
    [case] = made.open_cases("discrepancy")
    assert case.facts["address_by"] == (minutes(1) + timedelta(days=1)).isoformat()


def test_pain_38_a_running_balance_at_the_level_of_the_pill() -> None:
    made = hub()
    made.hear(of("vend", 2, 0), of("vend", 1, 10), of("return", 1, 20))
    with tables(made) as connection:
        lines = balance(connection, location=POCKET, lines=True)
    assert [line["balance"] for line in lines if line["line"] == "entry"] == [20, 18, 17, 18]
