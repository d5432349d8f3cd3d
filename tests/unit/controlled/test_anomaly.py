"""Scores of users: the stated rate of false signals holds, a diverter is found in the stated time, and nobody is named."""

from __future__ import annotations

from decimal import Decimal
from math import log
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.reference import Role
from schemas.topics import ALERTS, CASES
from sinks.controlled.anomaly import CONCERNS, RUN_LENGTH, Removal, standings, steps, threshold
from sinks.sql.scores import removals, scores, users
from tests.support.facts import minutes, reversal
from tests.support.world import SITE
from tests.unit.controlled.support import done, hub, tables
from topology.controlled.staff import opened, pseudonym, staff_key
from topology.errors import InputRefusedError
from topology.vault.access_log import read_log
from topology.vault.store import Vault

HONEST = {"unaccounted": 0.02, "cancelled": 0.03, "wasted": 0.10, "override": 0.05}
UNITS = {"icu": 1.0, "surgery": 2.0, "ward": 0.5}
"""Units differ by their nature: what goes on in surgery is no sign against those who work there."""


def worked(random: Random, user: str, count: int, unit: str, **rates: float) -> list[Removal]:
    """So many removals of one user in one unit, with the honest rates of the unit unless told."""
    found = []
    for number in range(count):
        has = {name for name in CONCERNS if random.random() < rates.get(name, HONEST[name] * UNITS[unit])}
        found.append(Removal(user, (f"{number:06}", user), (unit, "morphine"), frozenset(has)))
    return found


def crew(random: Random, each: int = 500) -> list[Removal]:
    """Thirty honest users, ten in each unit."""
    return [one for number in range(30) for one in worked(random, f"n{number:02}", each, list(UNITS)[number % 3])]


def test_the_step_and_the_threshold_are_the_log_likelihood_ratio() -> None:
    """Peers' rate 2 %, three times the odds: p1 = 0.06 / 1.04; ln(p1 / 0.02) and ln((1 - p1) / 0.98), rounded down."""
    with_, without = steps(Decimal("0.02"))
    p1 = 0.06 / 1.04
    assert float(with_) == pytest.approx(log(p1 / 0.02), abs=1e-6)
    assert float(without) == pytest.approx(log((1 - p1) / 0.98), abs=1e-6)
    assert float(with_) <= log(p1 / 0.02)
    assert float(threshold()) == pytest.approx(log(4 * RUN_LENGTH), abs=1e-9)


@given(st.integers(1, 9_999))
def test_the_expected_likelihood_ratio_of_an_honest_removal_is_at_most_one(rate: int) -> None:
    """What the bound rests on (Ville): E[exp(step)] ≤ 1 under the peers' rate, rounding included."""
    p = Decimal(rate) / 10_000
    with_, without = steps(p)
    assert p * with_.exp() + (1 - p) * without.exp() <= 1 + Decimal("1e-12")


@pytest.mark.parametrize(("run_length", "each", "crews"), [(250, 100, 20), (500, 100, 20), (2_000, 200, 10)])
def test_the_realised_rate_of_false_signals_is_within_the_stated_bound(run_length: int, each: int, crews: int) -> None:
    """An honest user with n removals signals with probability at most n / run length: here 40 %, 20 % and 10 %.

    Seeded crews of 30, with the peers' rates estimated as in use. Each user's probability is below the bound, so the share is.
    """
    made = [one for seed in range(crews) for one in standings(crew(Random(seed), each), run_length=run_length)]
    signalled = sum(any(score.signals for score in one.scores) for one in made)
    assert len(made) == 30 * crews
    assert signalled / len(made) <= each / run_length


def test_honest_users_do_signal_where_the_threshold_is_low() -> None:
    """The test above can fail: with a short run length there are false signals."""
    made = [one for seed in range(20) for one in standings(crew(Random(seed), 100), run_length=25)]
    assert sum(any(score.signals for score in one.scores) for one in made) > 10


def test_at_the_run_length_in_use_honest_users_do_not_signal() -> None:
    """500 removals each: at most 500 / 100,000 = 0.5 % of users may."""
    signalled = [one.user for seed in range(6) for one in standings(crew(Random(seed))) if any(score.signals for score in one.scores)]
    assert len(signalled) <= 5, "binomial(180, 0.005): P(more than 5) < 0.1 %"


def test_a_diverter_with_a_stated_rate_is_found_within_a_stated_time() -> None:
    """One of 31 whose removals stay unaccounted for ten times as often as the unit's (20 % against 2 %).

    Stated: within 150 removals (two to three weeks of shifts) in at least 95 of 100 runs, and ranked first; 40 seeded ones.
    """
    found = first = 0
    for seed in range(40):
        random = Random(1_000 + seed)
        made = standings([*crew(random, 120), *worked(random, "diverter", 150, "icu", unaccounted=0.20)])
        standing = next(one for one in made if one.user == "diverter")
        unaccounted = next(score for score in standing.scores if score.concern == "unaccounted")
        found += bool(unaccounted.signals)
        first += made[0].user == "diverter"
    assert found >= 38
    assert first >= 38


def test_a_diverter_who_begins_late_is_found_as_soon_as_one_who_began_at_once() -> None:
    """The sum never falls below zero: a good past buys nothing. 1,000 honest removals, then 150 at 20 %."""
    random = Random(7)
    past = worked(random, "late", 1_000, "icu")
    then = [Removal("late", (f"{9 * 10**5 + n}", "late"), one.stratum, one.concerns) for n, one in enumerate(worked(random, "late", 150, "icu", unaccounted=0.2))]
    made = standings([*crew(random, 300), *past, *then])
    late = next(one for one in made if one.user == "late")
    [score] = [one for one in late.scores if one.concern == "unaccounted"]
    assert score.signals
    assert score.signals[0] >= "900000"


@settings(max_examples=10, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_in_which_removals_are_read_changes_nothing(random: Any) -> None:
    removals_ = crew(Random(3), 30)
    mixed = list(removals_)
    random.shuffle(mixed)
    assert standings(mixed) == standings(removals_)


@pytest.mark.parametrize(("peers", "each"), [(5, 100), (30, 6)])
def test_too_few_peers_or_removals_give_no_score(peers: int, each: int) -> None:
    """Five other users and 200 removals of theirs are needed."""
    random = Random(1)
    few = [one for number in range(peers) for one in worked(random, f"p{number}", each, "icu")]
    assert all(one.scores == [] for one in standings(few))


# ---- from the ledger -------------------------------------------------------------------------------------------------


def lived() -> Any:
    """A removal of each kind by nurse-3, and good ones by her."""
    made = hub()
    made.tick(minutes(-60))
    made.hear(done("refill", 90, at=minutes(-50)))
    for number, patient in enumerate(("A", "B", "C", "D", "E")):
        at = 60 * number
        made.tell(done("vend", 1, at=minutes(at), actor="nurse-3", patient=patient, key=f"v{patient}", override=patient == "D"))
        if patient in "ADE":
            made.tell(done("administer", 100, at=minutes(at + 5), actor="nurse-3", patient=patient))
    made.hear(
        done("waste", 100, at=minutes(70), actor="nurse-3", witness="nurse-4", patient="B"), reversal("vC", at=minutes(130)),
        done("vend", 1, at=minutes(100), actor="nurse-3", patient="F"),
    )
    made.tick(minutes(1_000))
    return made


def test_what_counts_against_a_removal_is_taken_from_cases_reversals_wastes_and_overrides() -> None:
    with tables(lived()) as connection:
        found, clock = removals(connection, SITE)
        names = users(connection)
    assert clock is not None
    assert {one.user for one in found} == {"nurse-3"} == set(names)
    assert sorted(tuple(one.concerns) for one in found) == [(), (), ("cancelled",), ("override",), ("unaccounted",), ("wasted",)]
    assert {one.stratum for one in found} == {("icu/cab1", "amox")}


def test_a_removal_that_is_still_in_its_time_is_not_judged() -> None:
    made = hub()
    made.tick(minutes(0))
    made.hear(done("vend", 1, at=minutes(0), actor="nurse-3", patient="A"))
    made.tick(minutes(179))
    with tables(made) as connection:
        assert removals(connection, SITE)[0] == []


def test_scores_name_a_pseudonym_state_their_bound_and_open_no_case() -> None:
    made = lived()
    cases, alerts = len(made.all(CASES)), len(made.all(ALERTS))
    key = staff_key(b"k" * 32)
    with tables(made) as connection:
        rows = scores(connection, lambda person: pseudonym(key, person))
    [row] = rows
    assert row["user"] == pseudonym(key, "nurse-3")
    assert "nurse-3" not in str(rows)
    assert (row["removals"], row["false_signal_at_most"], row["run_length"]) == (6, "0.0001", RUN_LENGTH)
    assert "too few to compare with" in row["note"]
    assert (len(made.all(CASES)), len(made.all(ALERTS))) == (cases, alerts)


def test_pseudonyms_are_keyed_and_stable() -> None:
    one, other = staff_key(b"a" * 32), staff_key(b"b" * 32)
    assert pseudonym(one, "nurse-3") == pseudonym(one, "nurse-3") != pseudonym(other, "nurse-3")
    assert pseudonym(one, "nurse-3") != pseudonym(one, "nurse-4")
    assert one != b"a" * 32


def test_names_open_for_a_pharmacist_with_a_reason_and_the_log_says_so_before(tmp_path: Path) -> None:
    key = staff_key(b"k" * 32)
    rows: list[dict[str, Any]] = [{"site": SITE, "user": pseudonym(key, name), "score": "1.00"} for name in ("ann", "pia2")]
    roles = (Role(person="pia", role="pharmacist"), Role(person="pia2", role="pharmacist"), Role(person="nils", role="nurse"))

    def open_(vault: Vault, by: str, reason: str) -> list[dict[str, Any]]:
        return opened(vault, rows, ("ann", "pia2"), roles, key=key, by=by, reason=reason, at=minutes(0))

    with Vault(tmp_path) as vault:
        for by, reason, why in (("nils", "audit", "no pharmacist"), ("pia", " ", "say why"), ("pia2", "audit", "among those who are scored")):
            with pytest.raises(InputRefusedError, match=why):
                open_(vault, by, reason)
        assert read_log(vault) == ([], None)
        assert [row["person"] for row in open_(vault, "pia", "audit of March")] == ["ann", "pia2"]
        [line], fault = read_log(vault)
    assert fault is None
    assert (line["by"], line["reason"], line["notice"], line["staff"], line["patients"]) == ("pia", "audit of March", "scores of staff", 2, 0)
