"""Closure of controlled substances: what was removed is administered, wasted or returned, in dose units (domain §3.7)."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.events import StockEvent
from schemas.kinds import Feed
from schemas.topics import ALERTS, CASES
from streams.site.doses import matched
from tests.support.facts import minutes, reversal, told
from tests.support.world import POCKET, WARD, item, site
from tests.unit.verify.logs import RecordedHub
from topology.verify.run import verify

CLOSURE = ("unaccounted_removal", "dose_without_removal")
WINDOW, LATE = 120, 60
"""Minutes: the site's window for closing a removal, and its time for late events."""


def hub(**changes: Any) -> RecordedHub:
    """Vials of 100 mcg, schedule II, in a cabinet and on a ward."""
    vial = {"schedule": 2, "base_unit": "vial", "strength_amount": Decimal(100), "strength_unit": "mcg"}
    made = RecordedHub(site(closure_minutes=WINDOW, lateness_minutes=LATE), item(**{**vial, **changes}))
    made.hear(
        told("count", 50, place=POCKET, unit="vial", at=minutes(-900)),
        told("count", 50, place=WARD, unit="vial", at=minutes(-900)),
    )
    return made


def of(kind: str, quantity: int | str, at: float = 0, **changes: Any) -> StockEvent:
    """Something done to patient A's doses."""
    unit = "vial" if kind in ("vend", "return") else "mcg"
    return told(
        kind, quantity, at=minutes(at), **{"place": POCKET, "patient": "A", "unit": unit, "witness": "nurse-2", **changes}
    )


def later(site_hub: RecordedHub, after: float = WINDOW + LATE + 100) -> list[Any]:
    """Open cases of closure when the window has passed."""
    site_hub.tick(minutes(after))
    return [case for case in site_hub.open_cases() if case.kind in CLOSURE]


@pytest.mark.parametrize(
    ("given", "wasted", "returned", "left"),
    [(300, 100, 2, 0), (300, 100, 0, 200), (600, 0, 0, 0), (0, 0, 0, 600), (550, 50, 0, 0), (550, 0, 0, 50), (0, 0, 6, 0)],
)
def test_removed_is_administered_and_wasted_and_returned(given: int, wasted: int, returned: int, left: int) -> None:
    """Domain §3.7: 6 = 3 + 1 + 2 is closed; 6 = 3 + 1 leaves 2 unaccounted. In vials of 100 mcg, doses in mcg."""
    site_hub = hub()
    site_hub.hear(of("vend", 6))
    for kind, amount in (("administer", given), ("waste", wasted), ("return", returned)):
        if amount:
            site_hub.hear(of(kind, amount, 10))
    found = later(site_hub)
    assert [case.facts["open"] for case in found] == ([str(left)] if left else [])
    if left:
        assert found[0].kind == "unaccounted_removal"
        assert f"of 600 mcg of amox 250 mg tablet (schedule 2) removed at {POCKET} by nurse-1, {left} mcg" in found[0].text


def test_the_rest_of_a_container_is_to_be_wasted_before_a_witness() -> None:
    """50 mcg from a vial of 100 mcg use the vial; its other 50 mcg are wasted, and nothing leaves the pocket a second time."""
    site_hub = hub()
    site_hub.hear(of("vend", 1), of("administer", 50, 5), of("waste", 50, 9))
    assert site_hub.on_hand(POCKET) == 49
    assert site_hub.outcomes()[-1] == "part_wasted"
    assert later(site_hub) == []
    assert verify(site_hub.logs()).differences == []
    assert site_hub.accounts_total() == 0

    site_hub = hub()
    site_hub.hear(of("vend", 1), of("administer", 50, 5), of("waste", 50, 9, witness="nurse-1"))
    assert [case.kind for case in site_hub.open_cases()] == ["unwitnessed_waste"]


def test_where_the_administration_moves_the_stock_its_rest_is_open_as_well() -> None:
    site_hub = hub()
    site_hub.hear(of("administer", 50, place=WARD, quantity_is_dose=True))
    assert site_hub.on_hand(WARD) == 49
    [case] = later(site_hub)
    assert (case.facts["removed"], case.facts["open"]) == ("100", "50")
    site_hub.hear(of("waste", 50, 20, place=WARD))
    [case] = later(site_hub, 2_000)
    assert (case.state, case.facts["open"]) == ("open", "0")
    assert "accounted for now, later than they should be" in case.text


def test_nothing_is_said_before_the_window_and_the_time_for_late_events_have_passed() -> None:
    site_hub = hub()
    site_hub.hear(of("vend", 1))
    assert later(site_hub, WINDOW + LATE - 1) == []
    assert len(later(site_hub, WINDOW + LATE)) == 1


def test_a_dose_that_nobody_removed_is_asked_for() -> None:
    site_hub = hub()
    site_hub.hear(of("vend", 1), of("administer", 100, 5), of("administer", 100, 30))
    [case] = later(site_hub)
    assert (case.kind, case.facts["open"]) == ("dose_without_removal", "100")
    site_hub.hear(of("vend", 1, 29))
    assert [case.facts["open"] for case in later(site_hub, 3_000)] == ["0"], "still open, and it says what is known now"


def test_one_patients_dose_does_not_close_anothers_removal() -> None:
    site_hub = hub()
    site_hub.hear(of("vend", 1), of("administer", 100, 5, patient="B"))
    assert sorted(case.kind for case in later(site_hub)) == ["dose_without_removal", "unaccounted_removal"]


def test_a_removal_without_a_patient_is_nobodys_and_asked_for() -> None:
    site_hub = hub()
    site_hub.hear(of("vend", 1, patient=None), of("administer", 100, 5))
    assert sorted(case.kind for case in later(site_hub)) == ["dose_without_removal", "unaccounted_removal"]


@pytest.mark.parametrize("when", [20, 2_000], ids=["in time", "late"])
def test_an_administration_that_is_taken_back_opens_its_removal(when: int) -> None:
    site_hub = hub()
    site_hub.hear(of("vend", 1), of("administer", 100, 5, key="given"))
    if when > 100:
        assert later(site_hub) == []
        site_hub.tick(minutes(when))
    site_hub.hear(reversal("given", at=minutes(when)))
    assert [case.facts["open"] for case in later(site_hub, 3_000)] == ["100"]
    assert verify(site_hub.logs()).differences == []


def test_a_removal_that_is_taken_back_leaves_a_dose_without_one() -> None:
    site_hub = hub()
    site_hub.hear(of("vend", 1, key="taken"), of("administer", 100, 5), reversal("taken", at=minutes(6)))
    assert [case.kind for case in later(site_hub)] == ["dose_without_removal"]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_of_several_versions_of_an_administration_the_last_counts(order: tuple[int, ...]) -> None:
    versions = [of("administer", amount, 5, key=f"fact|v{number}", replaces="fact", version=number)
                for number, amount in ((1, 100), (2, 60), (3, 50))]  # fmt: skip
    site_hub = hub()
    site_hub.hear(of("vend", 1), *(versions[number] for number in order))
    assert [case.facts["open"] for case in later(site_hub)] == ["50"]
    site_hub.hear(told("administer", at=minutes(5), key="fact|v4", replaces="fact", version=4, no_effect="not done",
                       feed=Feed.ADMINISTRATION))  # fmt: skip
    site_hub.hear(reversal("fact", at=minutes(6)))
    assert [case.facts["open"] for case in later(site_hub, 3_000)] == ["100"]
    assert verify(site_hub.logs()).differences == []


def test_an_amount_that_does_not_convert_is_asked_for_and_closes_nothing() -> None:
    site_hub = hub()
    site_hub.hear(of("vend", 1), of("administer", 1, 5, unit="puff"))
    assert [case.kind for case in site_hub.open_cases()] == ["dose_unknown"]
    assert len(later(site_hub)) == 1


def test_what_is_not_controlled_needs_no_closure() -> None:
    site_hub = hub(schedule=None)
    site_hub.hear(of("vend", 1), of("waste", 30, 9))
    assert later(site_hub) == []


def test_a_case_that_nobody_closes_is_said_again_after_a_day_and_after_three() -> None:
    site_hub = hub()
    site_hub.hear(of("vend", 1))
    later(site_hub)
    site_hub.tick(minutes(WINDOW + LATE + 30 * 60))
    site_hub.tick(minutes(WINDOW + LATE + 80 * 60))
    said = [alert for alert in site_hub.all(ALERTS) if alert.kind == "case_overdue" and "not accounted" in alert.text]
    assert [alert.text.partition(":")[0] for alert in said] == ["open for 24 hours", "open for 72 hours"]


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(1, 9)), max_size=8),
    st.lists(st.tuples(st.integers(0, 50), st.integers(1, 9)), max_size=8),
    st.integers(0, 20),
)
def test_what_was_removed_is_what_ended_and_what_is_open(
    removed: list[tuple[int, int]], ended: list[tuple[int, int]], window: int
) -> None:
    removals = [(at, Fraction(amount)) for at, amount in sorted(removed)]
    ends = [(at, Fraction(amount)) for at, amount in sorted(ended)]
    open_removals, open_ends = matched(removals, ends, window)
    used = sum(amount for _, amount in removals) - sum(open_removals)
    assert used == sum(amount for _, amount in ends) - sum(open_ends)
    assert all(0 <= left <= amount for left, (_, amount) in zip(open_removals, removals, strict=True))
    assert all(0 <= left <= amount for left, (_, amount) in zip(open_ends, ends, strict=True))
    for left, (at, _) in zip(open_ends, ends, strict=True):
        if left:
            assert not any(open_removals[n] for n, (when, _) in enumerate(removals) if when <= at + window), (
                "all it may take is taken"
            )


@pytest.mark.parametrize("seed", range(40))
def test_any_order_of_arrival_within_the_time_for_late_events_says_the_same(seed: int) -> None:
    random = Random(seed)
    told_: list[StockEvent] = []
    for number in range(14):
        kind = random.choice(["vend", "vend", "administer", "waste", "return"])
        amount = random.randint(1, 2) if kind in ("vend", "return") else random.choice([25, 50, 100])
        patient = random.choice("AB")
        told_.append(of(kind, amount, random.randint(0, 50), patient=patient, key=f"e{number}"))
    told_ += [reversal(f"e{random.randint(0, 13)}", at=minutes(55), key=f"r{number}") for number in range(3)]
    found = []
    for _ in range(3):
        random.shuffle(told_)
        site_hub = hub()
        site_hub.hear(*told_)
        later(site_hub, 3_000)
        found.append(
            sorted((c.kind, c.case_id, c.facts.get("open"), c.state) for c in site_hub.latest(CASES) if c.kind in CLOSURE)
        )
        assert verify(site_hub.logs()).differences == []
        assert site_hub.accounts_total() == 0
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("seed", range(60))
def test_what_is_left_alone_as_balanced_is_what_a_whole_recomputation_finds_balanced(seed: int) -> None:
    """Over days, with late events, reversals and time passing in between: each amount said open is that of matching everything anew."""
    random = Random(seed)
    site_hub = hub()
    facts: dict[str, tuple[int, str, Fraction]] = {}
    gone: set[str] = set()
    now = 0
    for number in range(60):
        now += random.randint(1, 90)
        if random.random() < 0.15 and facts:
            key = random.choice(sorted(facts))
            gone.add(key)
            site_hub.hear(reversal(key, at=minutes(now), key=f"r{number}"))
            continue
        kind = random.choice(["vend", "vend", "administer", "administer", "waste"])
        at = now - random.choice([0, 0, 0, 30, 400])
        amount = 1 if kind == "vend" else random.choice([50, 100])
        facts[f"e{number}"] = (at, kind, Fraction(100 if kind == "vend" else amount))
        site_hub.hear(of(kind, amount, at, key=f"e{number}"))
        if random.random() < 0.5:
            site_hub.tick(minutes(now))
    later(site_hub, now + 5_000)
    standing = sorted((at, key, kind, amount) for key, (at, kind, amount) in facts.items() if key not in gone)
    removals = [one for one in standing if one[2] == "vend"]
    ends = [one for one in standing if one[2] != "vend"]
    patience = (WINDOW + LATE) * 60_000_000
    amounts = [[(at * 60_000_000, amount) for at, _, _, amount in some] for some in (removals, ends)]
    left = matched(*amounts, patience)
    wanted = {
        told_[1]: amount
        for some, amounts_ in zip((removals, ends), left, strict=True)
        for told_, amount in zip(some, amounts_, strict=True)
    }
    said = {case.event_id: case.facts["open"] for case in site_hub.latest(CASES) if case.kind in CLOSURE}
    for key, amount in wanted.items():
        event_id = of("vend", 1, key=key).event_id
        assert said.get(event_id, "0") == str(amount), key


def test_the_case_of_a_removal_that_is_taken_back_says_so() -> None:
    site_hub = hub()
    site_hub.hear(of("vend", 1, key="taken"))
    assert len(later(site_hub)) == 1
    site_hub.hear(reversal("taken", at=minutes(400)))
    [case] = later(site_hub, 900)
    assert "100 mcg of amox 250 mg tablet removed at icu/cab1/d1/p1 was taken back" in case.text
    assert (case.state, case.facts["open"]) == ("open", "0")


def test_an_overdue_case_is_told_as_it_stands_when_much_falls_due_at_once() -> None:
    """Between the two looks at the account its case became overdue: what was given by then is in the alert."""
    h = hub()
    h.hear(of("vend", 1, 0))
    h.tick(minutes(181))
    h.hear(of("administer", 100, 1400), of("vend", 1, 1500))
    h.tick(minutes(1700))
    [alert] = [alert.text for alert in h.all(ALERTS) if alert.kind == "case_overdue" and "removed" in alert.text]
    assert "are accounted for now, later than they should be" in alert
