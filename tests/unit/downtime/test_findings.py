"""The comparison accounts for every line of either side, whatever stands on paper and whatever the ledger made of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.downtime import Downtime, DowntimeFinding, FindingState, PaperLine
from schemas.paper import PaperActivity
from topology.downtime.findings import Compared, compare, merged
from topology.downtime.ledger import Counted, Paper, device_lines, taken_back
from topology.downtime.matching import Line

START = datetime(2026, 3, 3, 7, 0, tzinfo=UTC)
NOW = START + timedelta(hours=5)
PERIOD = Downtime(
    id="d1", site="north", started_at=START, started_by="tim", reason="x", recorded_at=START, ended_at=START + timedelta(hours=4)
)
PLACES = ("icu/cab1/p1", "icu/cab1/p2", "med/cab1/p1")


def paper(number: int, minute: int, quantity: int, place: str, counted: Counted, *, is_count: bool = False) -> Paper:
    at = START + timedelta(minutes=minute)
    activity = PaperActivity.COUNT if is_count else PaperActivity.REMOVE
    keyed = PaperLine(
        period="d1", form="A", line=number, site="north", activity=activity, occurred=at, location=place, item="amox",
        quantity=Decimal(quantity), unit="tablet", person="kim", keyed_by="tim", keyed_at=NOW, event_id=f"e{number}",
    )  # fmt: skip
    line = Line(id=f"paper A/{number}", deed="removal", place=place, item="amox", quantity=quantity, occurred=at, person="kim")
    return Paper(keyed, counted, None if is_count else line, "no such code" if counted == "waiting" else "")


def device(number: int, minute: int, quantity: int, place: str) -> Line:
    at = START + timedelta(minutes=minute)
    return Line(id=f"d{number}", deed="removal", place=place, item="amox", quantity=quantity, occurred=at, person="kim7")


def compared(papers: list[Paper], devices: list[Line]) -> Compared:
    return compare(
        PERIOD, NOW, papers, devices, tolerance=timedelta(minutes=15), zone="America/New_York",
        registered=lambda path: path.rpartition("/")[0],
    )  # fmt: skip


@st.composite
def sides(draw: st.DrawFn) -> tuple[list[Paper], list[Line]]:
    times, amounts, places = st.integers(-30, 300), st.integers(1, 2), st.sampled_from(PLACES)
    papers = [
        paper(
            number, draw(times), draw(amounts), draw(places), draw(st.sampled_from(["counted", "taken_back", "waiting"])),
            is_count=draw(st.booleans()),
        )
        for number in range(1, draw(st.integers(0, 8)) + 1)
    ]  # fmt: skip
    return papers, [device(number, draw(times), draw(amounts), draw(places)) for number in range(draw(st.integers(0, 8)))]


@settings(max_examples=200, deadline=None)
@given(both=sides())
def test_every_line_of_either_side_ends_in_exactly_one_class(both: tuple[list[Paper], list[Line]]) -> None:
    papers, devices = both
    found = compared(papers, devices)
    assert sum(found.paper.values()) == len(papers)
    assert sum(found.device.values()) == len(devices)
    told = Counter(one.kind for one in found.findings)
    assert told == {kind: count for kind, count in (found.paper + found.device).items() if kind in told}
    assert len({one.subject for one in found.findings}) == len(found.findings), "one finding a line"
    quiet = {"agreed", "stands", "withdrawn", "paired", "not_compared"}
    assert sum(told.values()) == sum(count for kind, count in (found.paper + found.device).items() if kind not in quiet)


@settings(max_examples=100, deadline=None)
@given(both=sides(), data=st.data())
def test_the_order_of_the_lines_makes_no_difference(both: tuple[list[Paper], list[Line]], data: st.DataObject) -> None:
    papers, devices = both
    found = compared(papers, devices)
    again = compared(data.draw(st.permutations(papers)), data.draw(st.permutations(devices)))
    assert {one.facts for one in again.findings} == {one.facts for one in found.findings}
    assert (again.paper, again.device) == (found.paper, found.device)


@settings(max_examples=100, deadline=None)
@given(both=sides())
def test_comparing_again_writes_nothing_and_keeps_the_numbers(both: tuple[list[Paper], list[Line]]) -> None:
    found = compared(*both).findings
    stand, write = merged([], found)
    assert stand == write
    assert [one.number for one in stand] == list(range(1, len(stand) + 1))
    assert merged(stand, found) == (stand, [])


def kept(number: int, facts: str, **more: object) -> DowntimeFinding:
    (found,) = compared([paper(1, 10, 1, PLACES[0], "counted")], []).findings
    return replace(found, number=number, facts=facts, **more)


def test_what_is_found_no_more_is_gone_and_what_was_decided_stays() -> None:
    open_, approved, disputed = kept(1, "a"), kept(2, "b", state=FindingState.APPROVED), kept(3, "c", kind="disputed")
    stand, write = merged([open_, approved, disputed], [kept(1, "z")])
    assert [(one.number, one.facts) for one in stand] == [(4, "z"), (3, "c")], "what is disputed stands until it is decided"
    assert [(one.number, one.state.value) for one in write] == [(1, "gone"), (4, "open")]


@pytest.mark.parametrize(
    ("counted", "kind", "proposal"),
    [("counted", "paper_only", "keep"), ("waiting", "not_in_ledger", "mend"), ("taken_back", "not_counted", "keep")],
)
def test_paper_that_no_device_tells_of(counted: Counted, kind: str, proposal: str) -> None:
    (found,) = compared([paper(1, 10, 1, PLACES[0], counted)], []).findings
    assert (found.kind, found.proposal, found.people) == (kind, proposal, ("tim", "kim"))


@pytest.mark.parametrize(
    ("counted", "quantity", "kinds"),
    [
        ("counted", 1, ["counted_twice"]), ("counted", 2, ["differs"]), ("waiting", 1, ["counted_twice"]), ("taken_back", 1, []),
        ("taken_back", 2, []),
    ],
)  # fmt: skip
def test_paper_that_a_device_tells_of_too(counted: Counted, quantity: int, kinds: list[str]) -> None:
    """A waiting line would count again when its fact arrives; one that is taken back leaves the device's record alone."""
    found = compared([paper(1, 10, 1, PLACES[0], counted)], [device(1, 12, quantity, PLACES[0])])
    assert [one.kind for one in found.findings] == kinds
    assert all(one.proposal == "take_back" for one in found.findings)


def test_a_device_alone_is_told_in_the_period_and_at_cabinets_with_paper_only() -> None:
    used = [paper(1, 10, 1, PLACES[0], "counted")]
    devices = [device(1, 100, 1, PLACES[1]), device(2, 100, 1, PLACES[2]), device(3, 250, 1, PLACES[0]), device(4, -20, 1, PLACES[0])]
    found = compared(used, devices)
    assert [one.subject for one in found.findings if one.kind == "device_only"] == ["d1"], "the other pocket of the same cabinet"
    assert found.device == {"device_only": 1, "not_compared": 3}


def moved(event_id: str, kind: str, source: str, target: str, **more: object) -> dict[str, object]:
    return {
        "event_id": event_id, "kind": kind, "item": "amox", "quantity": 1, "from_account": source, "to_account": target, "lot": "L1",
        "occurred": "2026-03-03T07:10:00Z", "actor": "kim", "cause": "cab|x", "corrects": None, **more,
    }  # fmt: skip


def test_movements_become_deeds_once_with_all_their_lots_and_without_what_was_taken_back() -> None:
    rows = [
        moved("a", "vend", "stock:p1", "patient"), moved("a", "vend", "stock:p1", "patient", lot="L2", quantity=2),
        moved("b", "load", "variance", "stock:p1", quantity=7), moved("b", "load", "stock:main", "stock:p1", quantity=5),
        moved("c", "vend", "stock:p1", "patient"), moved("x", "reversal", "patient", "stock:p1", corrects="c"),
        moved("d", "count", "variance", "stock:p1"), moved("e", "waste", "patient", "waste"),
        moved("f", "vend", "stock:p1", "patient", cause="paper|d1|A|1"),
    ]  # fmt: skip
    lines = {line.id: line for line in device_lines(rows, taken_back(rows))}
    assert set(lines) == {"a", "b", "e"}
    assert (lines["a"].deed, lines["a"].place, lines["a"].quantity, lines["a"].lots) == ("removal", "p1", 3, frozenset({"L1", "L2"}))
    assert (lines["b"].deed, lines["b"].place, lines["b"].quantity) == ("refill", "p1", 5)
    assert (lines["e"].deed, lines["e"].place) == ("waste", "")
