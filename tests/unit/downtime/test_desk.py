"""A downtime from its start to the last disagreement, on a real hub's folder: paper counts once, and only what disagrees is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas.downtime import Downtime, DowntimeFinding
from schemas.raw import CABINET_JSON, RawMessage
from schemas.reference import Role, UnitFactor
from tests.support.world import ITEM, POCKET, SITE, hospital
from tests.unit.master.test_desk import named
from topology.downtime.desk import DowntimeDesk
from topology.downtime.hubs import FolderDowntime
from topology.errors import InputRefusedError, UnknownNameError
from topology.local import LocalHub

START = datetime(2026, 3, 3, 7, 0, tzinfo=UTC)
"""02:00 in New York."""
NOW = START + timedelta(hours=6)
PEOPLE = (
    Role(person="pia", role="pharmacist"), Role(person="paul", role="pharmacist"), Role(person="tim", role="technician"),
    Role(person="sue", role="pharmacist", sites=("south",)),
)  # fmt: skip


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[LocalHub]:
    """100 tablets of lot L1 in the pocket since before the downtime."""
    with LocalHub(tmp_path / "hub") as local:
        local.load_reference(named(*hospital(), *PEOPLE))
        cabinet(local, "load", -60, 100, "t0", lot="L1")
        yield local


@pytest.fixture
def desk(hub: LocalHub) -> DowntimeDesk:
    return DowntimeDesk(FolderDowntime(hub))


@pytest.fixture
def period(desk: DowntimeDesk) -> Downtime:
    desk.start(site=SITE, by="tim", reason="network", at=START, now=NOW)
    return desk.stop(site=SITE, by="tim", at=START + timedelta(hours=4), now=NOW)


def cabinet(hub: LocalHub, action: str, minute: int, quantity: int, number: str, **more: Any) -> None:
    """The cabinet's own record of something `minute` minutes after the start, received at the end."""
    body = {
        "device": "ICU-CAB1", "pocket": "d1/p1", "transaction_id": number, "action": action, "quantity": quantity, "unit": "tablet",
        "occurred": (START + timedelta(minutes=minute)).isoformat(), "product_code": "amox-1", "facility": "NGH", **more,
    }  # fmt: skip
    data = json.dumps(body).encode()
    message = RawMessage(body=data, source="cabinets", connector="cabinet", content_type=CABINET_JSON, received_at=NOW)
    list(hub.replay([message]))
    hub.project()


def row(line: int, time: str, quantity: int = 2, **more: str) -> dict[str, str]:
    """A removal at a time of New York's morning."""
    return {
        "form": "ICU-1", "line": str(line), "date": "2026-03-03", "time": time, "activity": "remove", "location": POCKET,
        "code": "amox", "quantity": str(quantity), "person": "kim", **more,
    }  # fmt: skip


def on_hand(hub: LocalHub) -> int:
    hub.project()
    return sum(one["quantity"] for one in hub.views.stock(site=SITE, location=POCKET))


def kinds(desk: DowntimeDesk, period: Downtime) -> list[tuple[str, str, str]]:
    found, _ = desk.reconcile(period.id, now=NOW)
    return [(one.kind, one.subject, one.state.value) for one in found.findings]


def only(desk: DowntimeDesk, period: Downtime) -> DowntimeFinding:
    (found,) = desk.reconcile(period.id, now=NOW)[0].findings
    return found


def test_paper_counts_at_the_time_that_was_written_and_a_form_keyed_twice_counts_once(
    hub: LocalHub, desk: DowntimeDesk, period: Downtime
) -> None:
    rows = [row(1, "02:10"), row(2, "03:00", 3)]
    assert [one["code"] for one in desk.enter(period.id, rows, by="tim", now=NOW)] == ["posted", "posted"]
    assert [one["outcome"] for one in desk.enter(period.id, rows, by="pia", now=NOW)] == ["duplicate", "duplicate"]
    assert on_hand(hub) == 95
    first, second = [one for one in hub.views.movements(site=SITE) if one["cause"].startswith("paper|")]
    assert (first["occurred"], first["actor"], first["cause"]) == ("2026-03-03T07:10:00Z", "kim", f"paper|{period.id}|ICU-1|1")
    assert (second["from_account"], second["to_account"], second["quantity"]) == (f"stock:{POCKET}", "patient", 3)


def test_a_removal_that_the_cabinet_tells_late_is_taken_back_on_paper_and_then_all_agree(
    hub: LocalHub, desk: DowntimeDesk, period: Downtime
) -> None:
    desk.enter(period.id, [row(1, "02:10")], by="pia", now=NOW)
    cabinet(hub, "vend", 12, 2, "t1", user="kim7")
    assert on_hand(hub) == 96, "both have it"
    finding = only(desk, period)
    assert (finding.kind, finding.proposal) == ("counted_twice", "take_back")
    assert "02:10 by kim; the device's log has removed 2 of amox at icu/cab1/d1/p1, 2026-03-03 02:12 by kim7" in finding.text
    with pytest.raises(InputRefusedError, match="pia keyed, did or witnessed it: another pharmacist approves"):
        desk.approve(period.id, finding.number, by="pia", now=NOW)
    with pytest.raises(InputRefusedError, match=r"tim is no pharmacist of site north: .* the line tim,pharmacist,north"):
        desk.approve(period.id, finding.number, by="tim", now=NOW)
    with pytest.raises(InputRefusedError, match="sue has no role at site north"):
        desk.approve(period.id, finding.number, by="sue", now=NOW)
    assert desk.approve(period.id, finding.number, by="paul", now=NOW).decided_by == "paul"
    assert on_hand(hub) == 98
    assert kinds(desk, period) == []
    (back,) = [one for one in hub.views.movements(site=SITE) if one["kind"] == "reversal"]
    assert (back["actor"], back["cause"], back["quantity"]) == ("paul", f"paper|{period.id}|ICU-1|1|back|1", 2)
    with pytest.raises(InputRefusedError, match="finding 1 is approved by paul"):
        desk.approve(period.id, 1, by="paul", now=NOW)


def test_exactly_the_lines_that_disagree_are_told(hub: LocalHub, desk: DowntimeDesk, period: Downtime) -> None:
    """Line 1 agrees once it is taken back; 2 differs in quantity, 3 in lot; 4 is on paper alone; t9 in the cabinet alone."""
    rows = [row(1, "02:10"), row(2, "02:40", 3), row(3, "03:10", lot="L9"), row(4, "03:40")]
    desk.enter(period.id, rows, by="tim", now=NOW)
    for number, (minute, lot) in enumerate([(10, "L1"), (41, "L1"), (75, "L1"), (200, "L1")], start=1):
        cabinet(hub, "vend", minute, 2, f"t{number}", lot=lot)
    found, _ = desk.reconcile(period.id, now=NOW)
    assert [(one.kind, one.subject) for one in found.findings[:4]] == [
        ("counted_twice", "ICU-1/1"), ("differs", "ICU-1/2"), ("differs", "ICU-1/3"), ("paper_only", "ICU-1/4"),
    ]  # fmt: skip
    assert [one.kind for one in found.findings[4:]] == ["device_only"]
    assert sum(found.paper.values()) == 4
    assert (found.device["paired"], found.device["device_only"]) == (3, 1)
    again, _ = desk.reconcile(period.id, now=NOW)
    assert again == found, "running it again changes nothing"
    for one in found.findings:
        desk.approve(period.id, one.number, by="pia", now=NOW)
    assert kinds(desk, period) == [("paper_only", "ICU-1/4", "approved"), ("device_only", found.findings[4].subject, "approved")]
    assert on_hand(hub) == 100 - 4 * 2 - 2


def test_what_was_decided_is_asked_anew_when_the_facts_change(hub: LocalHub, desk: DowntimeDesk, period: Downtime) -> None:
    """On paper alone, and approved so; then the cabinet's backlog has it after all."""
    desk.enter(period.id, [row(1, "02:10")], by="tim", now=NOW)
    desk.approve(period.id, only(desk, period).number, by="pia", now=NOW)
    cabinet(hub, "vend", 10, 2, "t1")
    assert only(desk, period).kind == "counted_twice"
    assert only(desk, period).number == 2


def test_a_proposal_whose_facts_have_changed_is_not_carried_out(hub: LocalHub, desk: DowntimeDesk, period: Downtime) -> None:
    """The cabinet cancels its record after the comparison: taking the paper line back as well would lose the removal."""
    desk.enter(period.id, [row(1, "02:10")], by="tim", now=NOW)
    cabinet(hub, "vend", 10, 2, "t1")
    finding = only(desk, period)
    cabinet(hub, "null", 11, 2, "t2", reverses="t1")
    with pytest.raises(InputRefusedError, match="have changed since"):
        desk.approve(period.id, finding.number, by="pia", now=NOW)
    assert [one[:2] for one in kinds(desk, period)] == [("paper_only", "ICU-1/1")]
    assert on_hand(hub) == 98


def test_bad_rows_are_refused_with_the_reason_and_the_others_are_taken(hub: LocalHub, desk: DowntimeDesk, period: Downtime) -> None:
    rows = [row(1, "02:10"), row(2, "02:20", location="nowhere"), row(3, "02:30", code="aspirin"), row(4, "02:40", quantity="-1")]
    answers = desk.enter(period.id, rows, by="tim", now=NOW)
    assert [one["outcome"] for one in answers] == ["accepted", "refused", "refused", "refused"]
    assert answers[1]["reason"] == "location: nowhere is no place of the site: write a place as it stands on the stock list"
    assert on_hand(hub) == 98
    changed = desk.enter(period.id, [row(1, "02:10", 5)], by="tim", now=NOW)
    assert changed[0]["reason"].startswith("form ICU-1 line 1 was keyed before by tim, and quantity was 2, not 5: that one stands")
    other = desk.enter(period.id, [row(1, "02:10", order="O9")], by="pia", now=NOW)
    assert "was keyed before by tim, and order_id was not stated, not O9" in other[0]["reason"], "else the order is lost in silence"


def test_a_line_keyed_wrong_is_disputed_taken_back_and_keyed_anew(hub: LocalHub, desk: DowntimeDesk, period: Downtime) -> None:
    desk.enter(period.id, [row(1, "02:10", 20)], by="tim", now=NOW)
    finding = desk.dispute(period.id, "ICU-1", 1, by="tim", reason="it says 2", now=NOW)
    assert desk.dispute(period.id, "ICU-1", 1, by="tim", reason="it says 2", now=NOW) == finding
    desk.approve(period.id, finding.number, by="pia", now=NOW)
    desk.enter(period.id, [row(101, "02:10", 2)], by="tim", now=NOW)
    assert on_hand(hub) == 98
    assert kinds(desk, period) == [("paper_only", "ICU-1/101", "open")]


def test_a_count_on_paper_stands_and_is_compared_with_nothing(hub: LocalHub, desk: DowntimeDesk, period: Downtime) -> None:
    desk.enter(period.id, [row(1, "02:10", 90, activity="count")], by="tim", now=NOW)
    cabinet(hub, "vend", 20, 1, "t1")
    assert on_hand(hub) == 89
    assert [one[0] for one in kinds(desk, period)] == ["device_only"]


def test_a_device_is_compared_only_where_paper_was_used_and_only_in_the_period(
    hub: LocalHub, desk: DowntimeDesk, period: Downtime
) -> None:
    cabinet(hub, "vend", 20, 1, "t1")
    assert kinds(desk, period) == [], "nobody used paper"
    cabinet(hub, "vend", 300, 1, "t2")
    desk.enter(period.id, [row(1, "02:21", 1)], by="tim", now=NOW)
    assert [one[:2] for one in kinds(desk, period)] == [("counted_twice", "ICU-1/1")]


def test_a_waste_names_no_place_and_is_still_found_twice(hub: LocalHub, desk: DowntimeDesk, period: Downtime) -> None:
    desk.enter(period.id, [row(1, "02:10", 1, activity="waste", witness="lee")], by="tim", now=NOW)
    cabinet(hub, "waste", 11, 1, "t1", user="kim", witness="lee")
    finding = only(desk, period)
    assert finding.kind == "counted_twice"
    desk.approve(period.id, finding.number, by="pia", now=NOW)
    assert kinds(desk, period) == []


def test_periods_follow_each_other_and_say_who(desk: DowntimeDesk, period: Downtime) -> None:
    assert (period.id, period.started_by, period.ended_by, period.reason) == ("d1", "tim", "tim", "network")
    with pytest.raises(InputRefusedError, match="site north is in no downtime"):
        desk.stop(site=SITE, by="tim", now=NOW)
    assert desk.start(site=SITE, by="pia", reason="again", now=NOW).id == "d2"
    with pytest.raises(InputRefusedError, match="downtime d2 of north goes on since"):
        desk.start(site=SITE, by="pia", reason="again", now=NOW)
    with pytest.raises(InputRefusedError, match="it can't end before"):
        desk.stop(site=SITE, by="pia", at=START, now=NOW)
    with pytest.raises(InputRefusedError, match="has not been yet"):
        desk.stop(site=SITE, by="pia", at=NOW + timedelta(days=1), now=NOW)
    with pytest.raises(UnknownNameError, match="there is no site mars"):
        desk.start(site="mars", by="pia", reason="x", now=NOW)
    with pytest.raises(UnknownNameError, match="there is no downtime d9"):
        desk.reconcile("d9", now=NOW)
    with pytest.raises(InputRefusedError, match="kim has no role at site north"):
        desk.enter("d1", [row(1, "02:10")], by="kim", now=NOW)


def test_periods_of_a_site_never_overlap(desk: DowntimeDesk, period: Downtime) -> None:
    """d1 is from 0 to 4 hours. One may begin when it ends, or be recorded afterwards when it ended before d1 began."""
    with pytest.raises(InputRefusedError, match=r"downtime d1 of north went from .* another can't begin within it"):
        desk.start(site=SITE, by="tim", reason="again", at=START + timedelta(hours=2), now=NOW)
    with pytest.raises(InputRefusedError, match="another can't begin within it"):
        desk.start(site=SITE, by="tim", reason="again", at=START, now=NOW)
    assert desk.start(site=SITE, by="tim", reason="earlier", at=START - timedelta(hours=3), now=NOW).id == "d2"
    with pytest.raises(InputRefusedError, match=r"downtime d1 of north began .*: say with --at when d2 ended before it"):
        desk.stop(site=SITE, by="tim", now=NOW)
    desk.stop(site=SITE, by="tim", at=START, now=NOW)
    assert desk.start(site=SITE, by="tim", reason="then", at=START + timedelta(hours=4), now=NOW).id == "d3"


def test_a_form_keyed_under_two_periods_counts_once(hub: LocalHub, desk: DowntimeDesk, period: Downtime) -> None:
    """Both periods take 06:10 by the two hours that people may be early or late."""
    desk.enter(period.id, [row(1, "06:10")], by="tim", now=NOW)
    desk.start(site=SITE, by="tim", reason="again", at=START + timedelta(hours=4, minutes=30), now=NOW)
    again, other = desk.enter("d2", [row(1, "06:10"), row(2, "06:10", 1)], by="pia", now=NOW)
    assert (again["outcome"], other["outcome"]) == ("refused", "accepted")
    assert again["reason"].startswith("form ICU-1 line 1 is in downtime d1, keyed by tim: it counts there; another sheet needs")
    assert on_hand(hub) == 97


def test_what_is_disputed_stays_listed_and_can_not_be_kept_meanwhile(hub: LocalHub, desk: DowntimeDesk, period: Downtime) -> None:
    desk.enter(period.id, [row(1, "02:10", 20)], by="tim", now=NOW)
    keep = only(desk, period)
    dispute = desk.dispute(period.id, "ICU-1", 1, by="tim", reason="it says 2", now=NOW)
    both = [("paper_only", "ICU-1/1", "open"), ("disputed", "ICU-1/1", "open")]
    assert kinds(desk, period) == both
    assert kinds(desk, period) == both
    with pytest.raises(InputRefusedError, match=r"ICU-1/1 is disputed: .* says tim: it says 2. Decide finding 2 first"):
        desk.approve(period.id, keep.number, by="pia", now=NOW)
    desk.approve(period.id, dispute.number, by="pia", now=NOW)
    assert kinds(desk, period) == []
    assert on_hand(hub) == 100


def test_a_dispute_ends_when_the_line_is_taken_back_for_another_finding(
    hub: LocalHub, desk: DowntimeDesk, period: Downtime
) -> None:
    desk.enter(period.id, [row(1, "02:10")], by="tim", now=NOW)
    cabinet(hub, "vend", 10, 2, "t1")
    twice = only(desk, period)
    dispute = desk.dispute(period.id, "ICU-1", 1, by="tim", reason="it says 3", now=NOW)
    desk.approve(period.id, twice.number, by="pia", now=NOW)
    with pytest.raises(InputRefusedError, match="ICU-1/1 was taken back for finding 1"):
        desk.approve(period.id, dispute.number, by="pia", now=NOW)
    assert kinds(desk, period) == []
    with pytest.raises(InputRefusedError, match="nothing left to dispute"):
        desk.dispute(period.id, "ICU-1", 1, by="tim", reason="it says 3", now=NOW)
    assert on_hand(hub) == 98


def test_the_waste_of_part_of_a_container_stands(hub: LocalHub, desk: DowntimeDesk, period: Downtime) -> None:
    """It moves nothing, so it is in the ledger as it should be."""
    hub.load_reference(named(UnitFactor(item=ITEM, unit="drop", numerator=1, denominator=50)))
    wasted = row(1, "02:10", 20, unit="drop", activity="waste", witness="lee")
    (answer,) = desk.enter(period.id, [wasted], by="tim", now=NOW)
    assert answer["code"] == "part_wasted"
    found, _ = desk.reconcile(period.id, now=NOW)
    assert (found.findings, dict(found.paper)) == ((), {"stands": 1})
    dispute = desk.dispute(period.id, "ICU-1", 1, by="tim", reason="it says 10", now=NOW)
    desk.approve(period.id, dispute.number, by="pia", now=NOW)
    found, _ = desk.reconcile(period.id, now=NOW)
    assert (found.findings, dict(found.paper)) == ((), {"withdrawn": 1})
    assert on_hand(hub) == 100
