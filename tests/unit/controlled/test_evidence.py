"""The evidence of a case holds every fact about it that was told, and says what nobody has answered."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from schemas.topics import CASES
from sinks.sql.controlled import evidence_of, form_106
from tests.support.facts import decision, minutes, reversal
from tests.support.hub import SiteHub
from tests.unit.controlled.support import done, hub, tables
from topology.controlled.page import page


def story() -> SiteHub:
    """300 mcg removed for A by nurse-3; 100 given, 50 wasted alone; the pocket counted before and after; nurse-9 was there before."""
    made = hub()
    made.tick(minutes(-600))
    made.hear(
        done("refill", 20, at=minutes(-500), actor="tech-1", witness="tech-2", key="fill"),
        done("count", 20, at=minutes(-300), actor="nurse-8", witness="nurse-7", key="before"),
        done("vend", 1, at=minutes(-60), actor="nurse-9", patient="Z", key="earlier"),
        done("administer", 100, at=minutes(-50), actor="nurse-9", patient="Z", key="given-z"),
        done("vend", 3, at=minutes(0), actor="nurse-3", patient="A", order_id="O-1", key="taken"),
        done("administer", 100, at=minutes(5), actor="nurse-3", patient="A", key="given"),
        done("waste", 50, at=minutes(9), actor="nurse-3", patient="A", key="wasted"),
        done("count", 15, at=minutes(90), actor="nurse-8", witness="nurse-7", key="after"),
    )
    made.tick(minutes(400))
    return made


def document(made: SiteHub, kind: str = "unaccounted_removal") -> dict[str, Any]:
    [case] = [one for one in made.latest(CASES) if one.kind == kind]
    with tables(made) as connection:
        found = evidence_of(connection, case.case_id)
    assert found is not None
    return found


def about(found: dict[str, Any], what: str) -> list[dict[str, Any]]:
    return [one for one in found["timeline"] if one["about"] == what]


def test_the_removal_the_dose_the_waste_and_the_counts_on_either_side_are_there() -> None:
    found = document(story())
    [taken] = [one for one in about(found, "removal") if one["patient"] == "A"]
    assert (taken["user"], taken["change"], taken["balance"], taken["order_id"]) == ("nurse-3", -3, 16, "O-1")
    [given] = [one for one in about(found, "administration") if one["patient"] == "A"]
    assert (given["quantity"], given["unit"], given["change"]) == ("100", "mcg", None)
    [wasted] = about(found, "waste")
    assert (wasted["quantity"], wasted["user"], wasted["witness"]) == ("50", "nurse-3", None)
    assert (found["count_before"]["at"], found["count_after"]["at"]) == ("2026-03-02T07:00:00Z", "2026-03-02T13:30:00Z")
    assert (found["count_before"]["user"], found["count_before"]["witness"]) == ("nurse-8", "nurse-7")


def test_the_previous_accessor_the_people_and_the_messages_are_named() -> None:
    found = document(story())
    assert found["previous_accessor"]["user"] == "nurse-9"
    assert {one["person"] for one in found["people"]} >= {"nurse-3", "nurse-7", "nurse-8", "nurse-9"}
    assert {one["message"] for one in found["messages"]} == {one["source"] for one in found["timeline"]}
    assert all(one["feed"] == "feed-1" for one in found["messages"])
    assert {one["kind"] for one in found["other_cases"]} == {"discrepancy", "unwitnessed_waste"}


def test_open_questions_are_what_nobody_has_answered() -> None:
    questions = document(story())["open_questions"]
    assert "150 mcg are not accounted for: given, wasted before a witness, or returned?" in questions
    assert any(one.startswith("the waste at 2026-03-02T12:09:00") and "no second person" in one for one in questions)
    assert "the case is open: no decision has closed it" in questions


def test_decisions_stand_with_person_time_and_reason_and_a_close_without_one_is_asked_about() -> None:
    made = story()
    [case] = [one for one in made.latest(CASES) if one.kind == "unaccounted_removal"]
    made.say(decision(case.case_id, "note", "pia", minutes(410), reason="asked nurse-3"))
    made.say(decision(case.case_id, "close", "pia", minutes(420)))
    found = document(made)
    assert [(one["actor"], one["action"], one["reason"]) for one in found["decisions"]] == [
        ("pia", "note", "asked nurse-3"), ("pia", "close", None),
    ]  # fmt: skip
    assert "the case was closed without a stated reason" in found["open_questions"]
    assert next(one for one in found["people"] if one["person"] == "pia")["roles"] == ["pharmacist"]


def test_what_was_taken_back_says_so_and_late_facts_come_in() -> None:
    made = story()
    made.hear(
        reversal("given", at=minutes(500)), done("return", 1, at=minutes(20), actor="nurse-3", patient="A", witness="nurse-4", key="back")
    )
    made.tick(minutes(1_000))
    found = document(made)
    [given] = [one for one in about(found, "administration") if one["patient"] == "A"]
    assert given["taken_back"]
    assert about(found, "return")[0]["witness"] == "nurse-4"
    assert found["case"]["facts"]["open"] == "150", "300 removed, 100 returned, 50 wasted"


def test_a_discrepancy_names_who_accessed_before_and_now() -> None:
    made = story()
    found = document(made, "discrepancy")
    assert found["case"]["facts"]["difference"] == -1
    assert found["previous_accessor"]["user"] == "nurse-3"
    assert any("differs from the ledger by -1" in one for one in found["open_questions"])


def test_the_page_shows_all_of_it_and_lets_no_text_become_markup() -> None:
    made = story()
    made.hear(done("administer", 100, at=minutes(-40), actor="<b>x</b>", patient="Z", key="odd"))
    found = document(made)
    text = page(found)
    assert "&lt;b&gt;x&lt;/b&gt;" in text
    assert "<b>x</b>" not in text
    assert text.count("<h2>") == 8
    for needed in ("nurse-9", "150 mcg are not accounted for", found["case"]["case_id"], "keep at least 5 years", found["retain_until"]):
        assert needed in text
    assert json.loads(json.dumps(found)) == found


def test_retention_is_five_years_from_the_opening() -> None:
    assert document(story())["retain_until"] == "2031-03-02"


def test_form_106_has_what_the_ledger_knows_and_names_what_only_people_know() -> None:
    made = story()
    [case] = [one for one in made.latest(CASES) if one.kind == "discrepancy"]
    made.say(decision(case.case_id, "loss", "pia", minutes(400)))
    with tables(made) as connection:
        form = form_106(connection, case.case_id)
        assert form_106(connection, "none") is None
    assert form is not None
    [line] = form["items"]
    assert (line["ndc"], line["quantity"], line["unit"], line["purchase_value"]) == ("0409-4713-02", "1", "vial", "0.50")
    discovered = minutes(400)
    assert form["field_office_in_writing_by"] == (discovered + timedelta(days=1)).isoformat()
    assert form["file_by"].startswith("2026-04-17T04:00:00")
    assert (form["losses_in_past_24_months"], form["declared"]) == (0, True)
    assert {"type_of_theft_or_loss", "reported_to_police", "dea_number"} <= set(form["to_fill_in"])
