"""Rows without a number: two equal rows of one report are two, and the same two in every report that covers their time.

Reports are mapped and told to the site processor; what is counted is what the published movements say.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.report.edges import BEGINNING, END
from schemas.kinds import EventKind
from schemas.topics import MOVEMENTS
from tests.support.hub import SiteHub
from tests.unit.report.support import PROFILE, at, events, mapped, report, row

MARKED = PROFILE.replace("  facts:", "  ignore: {matches: '#.*'}\n  facts:", 1)
"""The short report with a line of its own number at its end: two reports are never the same bytes."""


class Cabinet:
    """A site that hears reports, one after the other."""

    def __init__(self) -> None:
        self.hub = SiteHub()
        self.reports = 0

    def hear(self, *rows: str, number: int | None = None) -> list[str]:
        """Take a report; returns how its rows ended. Reports of one `number` are the same bytes."""
        self.reports += 1
        body = report(*rows) + f"# report {self.reports if number is None else number}\n"
        before = len(self.hub.outcomes())
        self.hub.hear(*at(mapped(body, MARKED), self.reports))
        return ["counted" if one != "duplicate" else one for one in self.hub.outcomes()[before:]]

    @property
    def vends(self) -> int:
        return sum(one.kind == EventKind.VEND for one in self.hub.all(MOVEMENTS))

    @property
    def cases(self) -> list[str]:
        return [case.text for case in self.hub.open_cases("ambiguous_duplicate")]


def vend(minute: int, qty: str = "1") -> str:
    return row(when=f"2026-03-02 10:{minute:02d}", qty=qty)


def test_two_equal_rows_of_one_report_are_two() -> None:
    first, second = events(mapped(report(vend(5), vend(5))))
    assert first.event_key != second.event_key
    assert (first.transaction_id, second.transaction_id) == (None, None)


def test_the_same_report_twice_counts_once_and_asks_nobody() -> None:
    cabinet = Cabinet()
    assert cabinet.hear(vend(5), vend(5), vend(6), number=1) == ["counted"] * 3
    assert cabinet.hear(vend(5), vend(5), vend(6), number=1) == ["duplicate"] * 3
    assert cabinet.hear(vend(7), number=2) == ["counted"]
    assert cabinet.hear(vend(7), number=2) == ["duplicate"]
    assert (cabinet.vends, cabinet.cases) == (4, [])


def test_rows_of_yesterday_that_come_again_count_once_and_ask_nobody() -> None:
    """The last minute of the first report was not over when it was made."""
    cabinet = Cabinet()
    cabinet.hear(vend(1), vend(5), vend(5), vend(9))
    assert cabinet.hear(vend(5), vend(5), vend(9), vend(9), vend(30)) == ["duplicate"] * 3 + ["counted"] * 2
    assert (cabinet.vends, cabinet.cases) == (6, [])


def test_a_report_that_grows_through_the_day_asks_nobody() -> None:
    cabinet = Cabinet()
    cabinet.hear(vend(1), vend(5))
    cabinet.hear(vend(1), vend(5))
    cabinet.hear(vend(1), vend(5), vend(5))
    cabinet.hear(vend(1), vend(5), vend(5), vend(6))
    assert (cabinet.vends, cabinet.cases) == (4, [])


def test_other_amounts_in_one_minute_are_other_rows() -> None:
    cabinet = Cabinet()
    cabinet.hear(vend(1), vend(5, "1"))
    cabinet.hear(vend(5, "2"), vend(6))
    assert (cabinet.vends, cabinet.cases) == (4, [])


def test_where_one_report_ends_and_another_begins_in_one_minute_it_counts_once_and_a_person_is_asked() -> None:
    """A report cut within the minute: the row may be the same, or a second vend that looks like it."""
    cabinet = Cabinet()
    cabinet.hear(vend(1), vend(5))
    assert cabinet.hear(vend(5), vend(9)) == ["duplicate", "counted"]
    assert cabinet.vends == 3
    (case,) = cabinet.cases
    assert f"came in two messages, {END} and {BEGINNING}, with no transaction number" in case
    assert "if it happened twice, count the place" in case


def test_an_order_does_not_tell_two_removals_apart_at_an_edge() -> None:
    hub = SiteHub()
    ordered = PROFILE.replace("    user: Who", "    order_id: Who")
    for offset, rows in enumerate(((vend(1), vend(5)), (vend(5), vend(9)))):
        hub.hear(*at(mapped(report(*rows), ordered), offset))
    assert len(hub.open_cases("ambiguous_duplicate")) == 1


def test_a_backlog_that_comes_late_into_the_middle_counts() -> None:
    cabinet = Cabinet()
    cabinet.hear(vend(1), vend(5), vend(9))
    assert cabinet.hear(vend(1), vend(5), vend(5), vend(9)) == ["duplicate", "duplicate", "counted", "duplicate"]
    assert (cabinet.vends, cabinet.cases) == (4, [])


def test_a_number_is_an_identity_and_edges_do_not_matter() -> None:
    cabinet = Cabinet()
    cabinet.hear(vend(1), row(when="2026-03-02 10:05", id_="1"))
    assert cabinet.hear(row(when="2026-03-02 10:05", id_="1"), row(when="2026-03-02 10:05", id_="2")) == ["duplicate", "counted"]
    assert (cabinet.vends, cabinet.cases) == (3, [])


def test_rows_of_other_cabinets_are_not_numbered_together() -> None:
    """Else a report of one cabinet alone would number its rows otherwise."""
    text = PROFILE.replace("key: [Cab, ", "key: [")
    both = events(mapped(report(row(cab="A"), row(cab="ICU-CAB1")), text))
    (alone,) = events(mapped(report(row(cab="ICU-CAB1")), text))
    assert alone.event_key == both[1].event_key != both[0].event_key


def test_only_rows_without_a_number_say_where_they_stand_in_their_report() -> None:
    rows = events(mapped(report(row(id_="1"), vend(6), vend(7), vend(8), row(id_="2", when="2026-03-02 10:08"))))
    assert [one.control_id for one in rows] == [None, None, None, END, None]


def test_what_was_there_before_tells_two_vends_apart() -> None:
    """With a begin count among the columns of the key nothing is ambiguous at an edge."""
    text = PROFILE.replace("    user: Who", "    begin_count: Who")
    first, second = (events(mapped(report(*rows), text)) for rows in ((row(who="9"),), (row(who="8"),)))
    assert first[0].event_key != second[0].event_key


HISTORY = st.lists(st.tuples(st.integers(0, 3), st.sampled_from("12")), max_size=8).map(sorted)
WINDOWS = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=1, max_size=5)


@settings(max_examples=150, deadline=None)
@given(history=HISTORY, windows=WINDOWS, again=st.booleans())
def test_however_reports_are_cut_nothing_counts_twice_and_what_is_missing_is_a_case(
    history: list[tuple[int, str]], windows: list[tuple[int, int]], again: bool
) -> None:
    """What happened is a list; each report is a piece of it, cut anywhere. Every row told is counted, or somebody is asked."""
    cabinet = Cabinet()
    told: set[int] = set()
    for number, (first, last) in enumerate(windows):
        piece = range(min(first, last), min(max(first, last), len(history)))
        for _ in range(1 + again):
            if piece:
                cabinet.hear(*(vend(*history[place]) for place in piece), number=number)
        told.update(piece)
    assert cabinet.vends <= len(told)
    assert cabinet.vends == len(told) or cabinet.cases


@settings(max_examples=100, deadline=None)
@given(history=HISTORY, windows=WINDOWS)
def test_a_report_that_only_grows_counts_exactly_and_asks_nobody_about_what_it_grew_by(
    history: list[tuple[int, str]], windows: list[tuple[int, int]]
) -> None:
    """All begin with the same row; only a report of that row alone has no other side."""
    cabinet = Cabinet()
    longest = 0
    for _, last in windows:
        piece = [vend(minute + 1, qty) for minute, qty in history[:last]]
        cabinet.hear(vend(0, "7"), *piece)
        longest = max(longest, len(piece))
    assert cabinet.vends == longest + 1
    assert not [case for case in cabinet.cases if " 7 " not in case]
