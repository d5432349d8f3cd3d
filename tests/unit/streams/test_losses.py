"""Controlled cases: escalation by the site's policy, and the deadlines of a declared theft or significant loss (domain §3.7)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.controlled import ControlledInventory, ControlledPolicy
from schemas.partition import partition_of
from schemas.reference import Role
from schemas.topics import ALERTS
from streams.site.deadlines import form_106_us, months_later, one_business_day_us
from streams.times import from_us, to_us
from tests.support.facts import START, decision, minutes, told
from tests.support.hub import SiteHub
from tests.support.world import POCKET, SITE, ZONE, item, site

FRIDAY = datetime(2026, 3, 6, 20, 0, tzinfo=UTC)
"""15:00 at the site."""
PEOPLE = (Role(person="pia", role="pharmacist", sites=(SITE,)), Role(person="nils", role="nurse"))


def hub(*more: Any, at: datetime = START) -> SiteHub:
    """A discrepancy of a schedule II item, opened at an instant."""
    made = SiteHub(site(lateness_minutes=60), item(schedule=2), *PEOPLE, *more)
    made.tick(at - timedelta(minutes=200))
    made.hear(
        told("refill", 10, place=POCKET, at=at - timedelta(minutes=180)),
        told("count", 8, place=POCKET, at=at - timedelta(minutes=60)),
    )
    made.tick(at)
    return made


class ElsewhereHub(SiteHub):
    """A partition of other sites."""

    partition = 0


def only(made: SiteHub) -> Any:
    [case] = made.open_cases("discrepancy")
    return case


def alerts(made: SiteHub, kind: str) -> list[str]:
    return [one.text for one in made.all(ALERTS) if one.kind == kind]


def decide(made: SiteHub, action: str, actor: str = "pia", at: datetime = START, **more: Any) -> str:
    made.say(decision(only(made).case_id, action, actor, at, **more))
    return made.outcomes()[-1]


# ---- one business day ------------------------------------------------------------------------------------------------


def test_domain_3_7_one_business_day_is_the_next_weekday_at_the_same_hour() -> None:
    """Discovered on Friday 15:00 at the site: Monday 15:00 there, which is an hour earlier in UTC after the clocks changed."""
    policy = ControlledPolicy(site=SITE)
    assert from_us(one_business_day_us(to_us(FRIDAY), ZONE, policy)) == datetime(2026, 3, 9, 19, 0, tzinfo=UTC)
    assert from_us(one_business_day_us(to_us(START), ZONE, policy)) == START + timedelta(days=1)


def test_holidays_and_weekdays_are_the_sites_own() -> None:
    monday_off = ControlledPolicy(site=SITE, holidays=(date(2026, 3, 9),))
    assert from_us(one_business_day_us(to_us(FRIDAY), ZONE, monday_off)).day == 10
    assert from_us(one_business_day_us(to_us(FRIDAY), ZONE, ControlledPolicy(site=SITE, business_weekdays=()))).day == 7


@given(st.integers(1_577_836_800, 2_051_222_400).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)))
def test_a_business_day_is_never_before_a_day_and_never_after_a_long_weekend(at: datetime) -> None:
    us = to_us(at)
    by = one_business_day_us(us, ZONE, ControlledPolicy(site=SITE))
    assert 23 <= (by - us) / 3_600_000_000 <= 73, "three days, and the hour that clocks are moved by"


def test_domain_3_7_form_106_is_due_on_the_45th_day() -> None:
    """Discovered on 2 March: until the end of 16 April at the site (88 FR 40707)."""
    assert from_us(form_106_us(to_us(START), ZONE)) == datetime(2026, 4, 17, 4, 0, tzinfo=UTC)


# ---- escalation ------------------------------------------------------------------------------------------------------


def test_domain_3_7_a_discrepancy_states_the_business_day_by_which_a_pharmacist_addresses_it() -> None:
    assert only(hub()).facts["address_by"] == (START + timedelta(days=1)).isoformat()


@pytest.mark.parametrize(("hours", "said"), [((24, 72), [24, 72]), ((4, 8, 12), [4, 8, 12])])
def test_when_an_open_case_is_said_again_is_set_by_the_site(hours: tuple[int, ...], said: list[int]) -> None:
    made = hub(ControlledPolicy(site=SITE, escalation_hours=hours, business_weekdays=(6,)))
    for hour in range(74):
        made.tick(START + timedelta(hours=hour))
    assert [text.split()[2] for text in alerts(made, "case_overdue")] == [str(hour) for hour in said]


def test_over_a_weekend_the_business_day_is_a_step_of_its_own_unless_a_pharmacist_has_spoken() -> None:
    def after(made: SiteHub) -> list[str]:
        for hour in range(0, 100, 2):
            made.tick(FRIDAY + timedelta(hours=hour))
        return [text.split(":")[0] for text in alerts(made, "case_overdue")]

    policy = ControlledPolicy(site=SITE, escalation_hours=(24,))
    unsaid = "open for one business day and is not addressed by a pharmacist"
    assert after(hub(policy, at=FRIDAY)) == ["open for 24 hours", unsaid]
    for actor, steps in (("pia", ["open for 24 hours"]), ("nils", ["open for 24 hours", unsaid])):
        made = hub(policy, at=FRIDAY)
        decide(made, "note", actor, FRIDAY, reason="recounted with the charge nurse")
        assert after(made) == steps


# ---- a declared loss -------------------------------------------------------------------------------------------------


def test_a_declared_loss_has_both_deadlines_in_the_case() -> None:
    made = hub()
    assert decide(made, "loss", reason="two tablets are gone") == "loss"
    loss = only(made).facts["loss"]
    assert loss["notify_by"] == (START + timedelta(days=1)).isoformat()
    assert loss["report_by"] == "2026-04-17T04:00:00+00:00"
    assert [(one.actor, one.action, one.reason) for one in only(made).decisions] == [("pia", "loss", "two tablets are gone")]


@pytest.mark.parametrize(
    ("action", "actor", "code"),
    [("loss", "nils", "not_authorised"), ("loss", "nobody", "not_authorised"), ("notified", "pia", "no_loss_declared"),
     ("filed", "pia", "no_loss_declared"), ("note", "pia", "no_reason")],
)  # fmt: skip
def test_what_breaks_a_rule_is_refused_and_changes_nothing(action: str, actor: str, code: str) -> None:
    made = hub()
    before = only(made)
    assert decide(made, action, actor) == code
    assert only(made) == before


def test_the_field_office_deadline_is_said_before_it_ends_and_when_it_is_missed() -> None:
    made = hub()
    decide(made, "loss")
    made.tick(START + timedelta(hours=19))
    assert alerts(made, "dea_deadline_near") == []
    made.tick(START + timedelta(hours=20))
    assert len(alerts(made, "dea_deadline_near")) == 1
    made.tick(START + timedelta(hours=24))
    [missed] = alerts(made, "dea_deadline_missed")
    assert missed.startswith("the DEA field office must be told in writing")


def test_the_form_106_deadline_is_said_15_and_7_days_before_and_when_it_is_missed() -> None:
    made = hub()
    decide(made, "loss")
    assert decide(made, "notified", document="fax of 3 March") == "notified"
    by = datetime(2026, 4, 17, 4, 0, tzinfo=UTC)
    counts = []
    for days in (16, 15, 8, 7, 1, 0):
        made.tick(by - timedelta(days=days))
        counts.append((len(alerts(made, "dea_deadline_near")), len(alerts(made, "dea_deadline_missed"))))
    assert counts == [(0, 0), (1, 0), (1, 0), (2, 0), (2, 0), (2, 1)]


def test_what_was_done_in_time_is_not_said_and_lets_the_case_be_closed() -> None:
    made = hub()
    decide(made, "loss")
    assert decide(made, "close") == "loss_not_filed"
    assert decide(made, "notified", document="fax") == "notified"
    assert decide(made, "notified") == "already_done"
    assert decide(made, "filed") == "no_document"
    assert decide(made, "filed", document="106-77") == "filed"
    assert decide(made, "loss") == "already_declared"
    made.tick(START + timedelta(days=60))
    assert alerts(made, "dea_deadline_near") + alerts(made, "dea_deadline_missed") == []
    facts = only(made).facts["loss"]
    assert (facts["notice_reference"], facts["form_number"]) == ("fax", "106-77")
    assert decide(made, "close", reason="reported") == "closed"


def test_a_loss_that_is_declared_late_says_at_once_what_is_missed_already() -> None:
    made = hub()
    made.tick(START + timedelta(days=3))
    decide(made, "loss", at=START)
    made.tick(START + timedelta(days=3, minutes=1))
    assert len(alerts(made, "dea_deadline_missed")) == 1
    assert alerts(made, "dea_deadline_near") == []


def test_the_deadlines_stay_when_the_case_is_written_anew() -> None:
    """A removal's case is written into as its doses become known; what people decided stays in it."""
    made = SiteHub(site(closure_minutes=60, lateness_minutes=60), item(schedule=2), *PEOPLE)
    made.tick(START)
    made.hear(told("count", 9, place=POCKET), told("vend", 2, place=POCKET, at=minutes(1), patient="A", key="v"))
    made.tick(minutes(200))
    [case] = made.open_cases("unaccounted_removal")
    made.say(decision(case.case_id, "loss", "pia", minutes(200)))
    made.tell(told("administer", 1, at=minutes(5), place=POCKET, patient="A"))
    made.tick(minutes(400))
    [case] = made.open_cases("unaccounted_removal")
    assert case.facts["open"] == "250"
    assert set(case.facts) >= {"loss", "address_by"}


def test_a_loss_of_what_is_not_controlled_is_refused() -> None:
    made = SiteHub(site(), item(), *PEOPLE)
    made.tick(START)
    made.tell(told("vend", 2, place=POCKET))
    [case] = made.open_cases("negative_stock")
    made.say(decision(case.case_id, "loss", "pia"))
    assert made.outcomes()[-1] == "not_controlled"


# ---- inventories -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "months", "later"),
    [("2024-03-02", 24, "2026-03-02"), ("2024-02-29", 24, "2026-02-28"), ("2025-12-31", 2, "2026-02-28"), ("2025-11-30", 1, "2025-12-30")],
)
def test_domain_3_7_the_next_inventory_is_due_at_most_two_years_later(day: str, months: int, later: str) -> None:
    assert months_later(date.fromisoformat(day), months) == date.fromisoformat(later)


def taken(on: str) -> ControlledInventory:
    return ControlledInventory(site=SITE, taken_on=date.fromisoformat(on), moment="close", taken_by="pia", witness="paul")


def test_domain_3_7_an_inventory_is_said_before_it_is_due_is_a_case_when_overdue_and_closed_by_the_next() -> None:
    made = SiteHub(site(), taken("2024-04-10"))
    made.tick(START)
    assert alerts(made, "inventory_due") == []
    made.tick(datetime(2026, 3, 11, 12, tzinfo=UTC))
    assert len(alerts(made, "inventory_due")) == 1
    made.tick(datetime(2026, 4, 11, 3, 59, tzinfo=UTC))
    assert made.open_cases("inventory_due") == []
    made.tick(datetime(2026, 4, 11, 4, 0, tzinfo=UTC))
    [case] = made.open_cases("inventory_due")
    assert "was due on 2026-04-10" in case.text
    made.learn(taken("2026-04-09"))
    made.tick(datetime(2026, 4, 12, tzinfo=UTC))
    assert made.open_cases("inventory_due") == []


def test_inventories_count_by_their_date_in_any_order_and_future_ones_are_not_believed() -> None:
    for order in (("2022-01-01", "2025-01-01", "2030-01-01"), ("2030-01-01", "2025-01-01", "2022-01-01")):
        made = SiteHub(site(), *(taken(on) for on in order))
        made.tick(START)
        assert made.open_cases("inventory_due") == []
        made.tick(datetime(2027, 1, 3, tzinfo=UTC))
        assert "2025-01-01: the next was due on 2027-01-01" in made.open_cases("inventory_due")[0].text


def test_a_policy_without_any_recorded_inventory_asks_for_one_and_a_site_without_either_is_left_alone() -> None:
    made = SiteHub(site(), item(schedule=2))
    made.tick(START)
    assert made.open_cases("inventory_due") == []
    made.learn(ControlledPolicy(site=SITE))
    assert len(made.open_cases("inventory_due")) == 1
    made.learn(taken("2026-03-01"))
    assert made.open_cases("inventory_due") == []


def test_only_the_partition_of_the_site_asks_for_its_inventory() -> None:
    """Every partition hears of a policy; the site's cases and key figures are of one."""
    assert partition_of(SITE) != 0
    made = ElsewhereHub(site(), ControlledPolicy(site=SITE))
    made.tick(START)
    assert made.open_cases("inventory_due") == []
