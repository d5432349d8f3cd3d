"""What the tower reads: once for all pages, bounded, in words, without what nobody needs to see."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from schemas import topics
from schemas.kinds import CommandState, Urgency
from schemas.raw import RawRef
from schemas.records import Case, Quarantined
from sinks.sql import Projection, Views
from sinks.tower.snapshot import ATTENTION_ROWS_MAX, ITEM_ROWS_MAX, Reader, Scope
from tests.browser.hospital import NOW, Log, network


@pytest.fixture
def written() -> Projection:
    return Projection("sqlite://")


def reader(written: Projection, now: datetime | None = None, keep_seconds: float = 0) -> Reader:
    return Reader(views=Views(written.engine), now=lambda: now, keep_seconds=keep_seconds)


def test_the_overview_is_read_once_while_nothing_changes(written: Projection) -> None:
    log = Log()
    written.apply(network(log))
    reads = reader(written)
    first = reads.overview()
    assert reads.overview() is first
    written.apply([log.position("mercy", "main", "HEP5000", 1)])
    assert reads.overview() is not first


def test_a_busy_hub_is_not_read_more_often_than_asked_and_the_old_overview_says_so(written: Projection) -> None:
    """The kept overview bears the stamp it was read at, so that a page knows to look again."""
    log = Log()
    written.apply(network(log))
    reads = reader(written, keep_seconds=3_600)
    first = reads.overview()
    written.apply([log.position("mercy", "main", "HEP5000", 1)])
    assert reads.overview() is first
    assert first.stamp != reads.stamp()


def test_the_hub_clock_stands_before_the_newest_event(written: Projection) -> None:
    written.apply(network(Log()))
    later = NOW + timedelta(hours=2)
    assert reader(written).overview().as_of == NOW
    assert reader(written, later).overview().as_of == later


def test_tab_counts_follow_the_site(written: Projection) -> None:
    written.apply(network(Log()))
    tabs = reader(written).overview().tabs
    assert tabs[""] == {"commands": 4, "cases": 1, "held": 2, "expiring": 3, "recalls": 0}
    assert tabs["mercy"] == {"commands": 4, "cases": 1, "held": 0, "expiring": 3, "recalls": 0}
    assert tabs["stluke"] == {"commands": 0, "cases": 0, "held": 2, "expiring": 0, "recalls": 0}


def test_the_attention_lists_are_bounded_and_count_what_they_leave_out(written: Projection) -> None:
    log = Log()
    for number in range(ATTENTION_ROWS_MAX + 4):
        state = CommandState.AWAITING_APPROVAL
        written.apply([log.command(f"c{number:02d}", "mercy", "main", "HEP5000", state=state, urgency=Urgency.CRITICAL)])
    case = Case(case_id="k", site="mercy", kind="negative_stock", state="open", text="below zero", opened_at=NOW, updated_at=NOW)
    written.apply([log.record(topics.CASES, ("k",), case)])
    seen = reader(written).overview()
    assert (len(seen.decisions.rows), seen.decisions.total) == (ATTENTION_ROWS_MAX, ATTENTION_ROWS_MAX + 5)
    assert (len(seen.short.rows), seen.short.total) == (ATTENTION_ROWS_MAX, ATTENTION_ROWS_MAX + 4)
    assert all(row["item"] == "HEP5000" for row in seen.short.rows), "an item without a record goes by its id"


def test_the_items_of_a_site_are_bounded_by_the_named_limit(written: Projection) -> None:
    log = Log()
    written.apply(log.position("mercy", f"p{number:04d}", "HEP5000", number) for number in range(ITEM_ROWS_MAX + 1))
    listing = reader(written).items(Scope(site="mercy", order="usable", descending=True))
    assert (len(listing.rows), listing.total) == (ITEM_ROWS_MAX, ITEM_ROWS_MAX + 1)
    assert listing.rows[0]["usable"] == ITEM_ROWS_MAX


def test_movements_show_people_at_work_and_never_a_patient(written: Projection) -> None:
    log = Log()
    written.apply([log.movement(1, patient="f3a9c0ffee", witness="PharmTech Roe")])
    rows = reader(written).movements(Scope(site="mercy", item="HEP5000"), "America/New_York").rows
    assert (rows[0]["occurred"], rows[0]["actor"], rows[0]["witness"]) == ("2026-03-10 09:55", "RN Cole", "PharmTech Roe")
    assert "f3a9c0ffee" not in repr(rows)


def test_the_chosen_place_comes_first_among_the_lots(written: Projection) -> None:
    written.apply(network(Log()))
    rows = reader(written).lots(Scope(site="mercy", item="HEP5000", place="main")).rows
    assert rows[0]["place"] == "main"
    assert [row["status"] for row in rows].count("Expired") == 1


def test_rows_of_a_list_have_ids_of_their_own(written: Projection) -> None:
    """The table on the page keeps unfolded rows by id."""
    written.apply(network(Log()))
    reads = reader(written)
    seen = reads.overview()
    scope = Scope(site="mercy", item="HEP5000")
    everywhere = Scope()
    for listing in (
        reads.items(scope),
        reads.lots(scope),
        reads.places(scope),
        reads.movements(scope, "UTC"),
        reads.commands(everywhere, seen),
        reads.cases(everywhere, seen),
        reads.holds(everywhere, seen),
        reads.quarantine(everywhere, seen),
        reads.expiring(everywhere, seen),
    ):
        ids = [row["id"] for row in listing.rows]
        assert ids
        assert len(set(ids)) == len(ids)


def test_a_message_refused_without_site_or_name_is_named_by_its_place_in_the_raw_log(written: Projection) -> None:
    log = Log()
    refused = Quarantined(
        raw=RawRef(partition=2, offset=41, index=0),
        source="mllp",
        code="not_hl7",
        reason="the bytes do not begin with MSH",
        at=NOW,
        content_type="application/octet-stream",
        profile="standard",
        body_base64="",
    )
    written.apply([log.record(topics.QUARANTINE, (2, 41, 0), refused)])
    reads = reader(written)
    rows = reads.quarantine(Scope(), reads.overview()).rows
    assert [(row["name"], row["site"], row["code"]) for row in rows] == [("raw 2@41, item 1", "–", "Not hl7")]
