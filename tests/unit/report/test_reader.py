"""Files as they come: encodings, headers, lines that are no rows, quotes; what can't be read is refused whole, or by line."""

from __future__ import annotations

import pytest

from connectors.report.reader import RECORD_LINES_MAX
from schemas.mapping import NoEffect, Refused
from schemas.report import ROWS_MAX
from tests.unit.report.support import HEADER, PROFILE, by_shipped, event, events, mapped, refusal, report, row

GERMAN = row(who="Jörg Müßig")


def told(more: str) -> str:
    """The short profile with more settings of its report."""
    return PROFILE.replace("  format: delimited\n", f"  format: delimited\n  {more}\n")


# ---- encodings ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("encoding", "codec"),
    [
        ("utf-8", "utf-8"), ("utf-8", "utf-8-sig"), ("latin-1", "latin-1"), ("windows-1252", "cp1252"), ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"), ("utf-16-be", "utf-16-be"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_report_is_read_in_its_encoding_with_any_line_end(encoding: str, codec: str, end: str) -> None:
    body = report(GERMAN).replace("\n", end).encode(codec)
    assert event(body, told(f"encoding: {encoding}")).actor == "Jörg Müßig"


def test_a_mark_before_the_header_is_no_letter_of_it() -> None:
    assert event(("\ufeff" + report(GERMAN)).encode("utf-16-le"), told("encoding: utf-16-le")).actor == "Jörg Müßig"


@pytest.mark.parametrize(
    ("encoding", "body", "why"),
    [
        ("utf-8", report(GERMAN).encode("latin-1"), "is not utf-8, as the profile says: byte 84 (about line 2)"),
        ("windows-1252", report(row(who="\x81")).encode("latin-1"), "is not windows-1252"),
        ("utf-16", report(GERMAN).encode("utf-16-le"), "has no UTF-16 mark"),
        ("utf-16-le", report(GERMAN).encode("utf-16-le")[:-1], "is not utf-16-le"),
        ("utf-16-le", report("\ud800").encode("utf-16-le", "surrogatepass"), "is not utf-16-le"),
        ("utf-8", report("\ud800").encode("utf-8", "surrogatepass"), "is not utf-8"),
        ("latin-1", report(GERMAN).encode("utf-16-le"), "zero characters"),
    ],
)
def test_a_report_in_another_encoding_is_refused_whole(encoding: str, body: bytes, why: str) -> None:
    found = refusal(body, told(f"encoding: {encoding}"))
    assert (found.code, why in found.reason) == ("bad_encoding", True), found


# ---- headers ------------------------------------------------------------------------------------------------------


def test_columns_are_read_by_name_in_any_order_and_others_are_left_alone() -> None:
    names = HEADER.split(",")
    cells = row(id_="7").split(",")
    body = ",".join([*reversed(names), "Remark"]) + "\n" + ",".join([*reversed(cells), "-1"]) + "\n"
    assert event(body) == event(report(row(id_="7")))


@pytest.mark.parametrize(
    ("header", "why"),
    [
        (HEADER.replace("Qty", "Amount"), "no column 'Qty'; it has 'Cab', 'When', 'What', 'Slot', 'Drug', 'Amount', 'Who', 'Id'"),
        (HEADER.replace("Qty,", ""), "no column 'Qty'"),
        (HEADER.lower(), "no column 'Cab'"),
        (HEADER + ",Qty", "has 'Qty' twice"),
        ("\x1b[2J,,", "it has '\\x1b[2J'"),
        ('"Cab', "no column"),
    ],
)
def test_a_report_with_other_columns_is_one_refusal_of_the_whole(header: str, why: str) -> None:
    found = refusal(report(row(), row(), header=header))
    assert found.code == "other_header"
    assert why in found.reason
    assert "nothing of this report is taken" in found.reason


def test_an_empty_file_lacks_its_header_and_one_without_rows_moves_nothing() -> None:
    assert refusal("").reason.startswith("the report ends before its header")
    assert refusal("\n \n").code == "other_header"
    (found,) = mapped(report())
    assert isinstance(found, NoEffect)


FIXED = told("columns: {Cab: 1-9, When: 11-26, What: 28-33, Slot: 35-39, Drug: 41-46, Qty: 48-50, Who: 52-55, Id: 57-60}\n  header: true")
FIXED = FIXED.replace("delimited", "fixed")
FIXED_HEADER = "Cab       When             What   Slot  Drug   Qty Who  Id"
FIXED_ROW = "ICU-CAB1  2026-03-02 10:05 Remove d1/p1 amox-1   2 ann  7"


def test_a_fixed_report_has_its_columns_where_the_profile_says() -> None:
    assert event(f"{FIXED_HEADER}\n{FIXED_ROW}\n", FIXED) == event(report(row(id_="7")))
    moved = refusal(f"{FIXED_HEADER.replace('Slot ', 'Slot')}\n{FIXED_ROW}\n", FIXED)
    assert moved.code == "other_header"
    assert "instead of 'Drug'" in moved.reason


def test_a_tab_in_a_fixed_row_is_told() -> None:
    good, bad = mapped(f"{FIXED_HEADER}\n{FIXED_ROW}\n{FIXED_ROW.replace('  2', chr(9) + '2')}\n", FIXED)
    assert isinstance(bad, Refused)
    assert "line 3 holds a tab" in bad.reason
    assert not isinstance(good, Refused)


def test_without_a_header_columns_have_numbers() -> None:
    text = told("header: false\n  width: 8")
    for number, name in enumerate(HEADER.split(","), start=1):
        text = text.replace(f" {name}\n", f" {number}\n").replace(f"columns: {name},", f"columns: {number},")
    text = text.replace("[Cab, When, What, Slot, Drug, Qty, Who]", "[1, 2, 3, 4, 5, 6, 7]")
    assert event(row(id_="7") + "\n", text) == event(report(row(id_="7")))
    assert "has 7 cells for 8 columns" in refusal(row().rsplit(",", 1)[0] + "\n", text).reason


# ---- lines that are no rows ---------------------------------------------------------------------------------------


def test_titles_comments_totals_repeated_headers_and_empty_rows_are_no_rows() -> None:
    text = told("skip_lines: 2\n  ignore: [{matches: '#.*'}, {matches: 'Total,.*'}, {empty: Cab}]")
    body = f"Transactions\nprinted, today\n\n# comment\n{HEADER}\n{row(id_='1')}\n\n{HEADER}\n{row(id_='2')}\n,,,,,4,,\nTotal,2\n"
    assert [one.transaction_id for one in events(mapped(body, text))] == ["1", "2"]


def test_a_report_that_was_cut_off_is_refused_whole() -> None:
    text = told("ignore: {matches: 'End'}\n  ends_with: End")
    assert event(report(row(), "End"), text)
    found = refusal(report(row(), row()), text)
    assert (found.code, "cut off on its way" in found.reason) == ("cut_off", True)


def test_rows_without_what_is_needed_are_told_and_not_left_out() -> None:
    assert refusal(report(row(cab=""))).code == "missing"


# ---- quotes -------------------------------------------------------------------------------------------------------


def test_quoted_cells_may_hold_delimiters_quotes_and_line_ends() -> None:
    first, second = events(mapped(report(row(who='"ann\n""the nurse"", RN"', id_="1"), row(id_="2"))))
    assert first.actor == 'ann\n"the nurse", RN'
    assert second.transaction_id == "2"


def test_a_line_is_named_as_an_editor_counts_it() -> None:
    results = mapped(report(row(who='"ann\nthe nurse"'), row(qty="two")))
    assert isinstance(results[1], Refused)
    assert results[1].reason.startswith("line 4: ")


@pytest.mark.parametrize("who", ['"ann', '"ann" RN', '"'])
def test_a_quote_that_does_not_close_spoils_its_own_line_alone(who: str) -> None:
    results = mapped(report(row(id_="1"), row(who=who), row(id_="2"), row(id_="3")))
    assert [isinstance(one, Refused) for one in results] == [False, True, False, False]
    assert isinstance(results[1], Refused)
    assert "line 3 has a quote that does not close" in results[1].reason


def test_two_quotes_that_do_not_close_swallow_nothing_between_them() -> None:
    """From one to the other it would be one row: of the right number of cells when they stand in one column."""
    for closing in (row(who='bob"'), row(slot='p1"'), row(id_='"')):
        results = mapped(report(row(who='"ann'), row(id_="1"), row(id_="2"), closing, row(id_="3")))
        assert [isinstance(one, Refused) for one in results[:3]] == [True, False, False]
        assert len(results) == 5
        assert not isinstance(results[4], Refused)


def test_a_row_of_too_many_lines_is_no_row() -> None:
    results = mapped(report(row(who='"' + "\n" * RECORD_LINES_MAX + 'x"'), row(id_="1")))
    assert isinstance(results[0], Refused)
    assert not isinstance(results[-1], Refused)


def test_where_nothing_is_quoted_a_quote_is_a_letter() -> None:
    assert event(report(row(who='5" needle')), told("quote: ''")).actor == '5" needle'
    assert event(report(row()).replace(",", "\t"), told("delimiter: tab")).actor == "ann"


def test_empty_cells_behind_the_last_column_are_nothing() -> None:
    assert event(report(row(id_="7") + ",,")) == event(report(row(id_="7")))
    assert refusal(report(row(id_="7") + ",,x")).code == "bad_row"


def test_more_rows_than_a_report_may_have_are_one_refusal() -> None:
    full = report(*[row(id_=str(number)) for number in range(ROWS_MAX)])
    assert len(mapped(full)) == ROWS_MAX
    found = refusal(full + row() + "\n")
    assert (found.code, str(ROWS_MAX) in found.reason) == ("too_many_items", True)


def test_a_shipped_profile_says_what_is_missing_of_a_file_that_is_none() -> None:
    (found,) = by_shipped(b"MSH|^~\\&|A|B\rPID|1\r", "report-csv")
    assert isinstance(found, Refused)
    assert found.code == "other_header"
