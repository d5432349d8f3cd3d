"""Times, dates and numbers: only what the stated format says, and never two readings."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.report.formats import FormatError, numbers, read_date, read_time, time_format
from schemas.report import NumberFormat


def time(text: str, *formats: str, years_from: int | None = None) -> datetime:
    return read_time(text, tuple(map(time_format, formats)), years_from)


@pytest.mark.parametrize(
    ("text", "form", "expected"),
    [
        ("2026-03-02 10:05", "%Y-%m-%d %H:%M", "2026-03-02T10:05:00"),
        ("3/2/2026  9:05:07", "%m/%d/%Y %H:%M:%S", "2026-03-02T09:05:07"),
        ("02.03.2026 10:05", "%d.%m.%Y %H:%M", "2026-03-02T10:05:00"),
        ("02-Mar-2026 10:05", "%d-%b-%Y %H:%M", "2026-03-02T10:05:00"),
        ("202603021005", "%Y%m%d%H%M", "2026-03-02T10:05:00"),
        ("3/2/2026 12:05 AM", "%m/%d/%Y %I:%M %p", "2026-03-02T00:05:00"),
        ("3/2/2026 12:05 pm", "%m/%d/%Y %I:%M %p", "2026-03-02T12:05:00"),
        ("2026-03-02T10:05:01.25Z", "%Y-%m-%dT%H:%M:%S.%f%z", "2026-03-02T10:05:01.250000+00:00"),
        ("2026-03-02 10:05 -0530", "%Y-%m-%d %H:%M %z", "2026-03-02T10:05:00-05:30"),
        ("100% 2026-03-02 10:05", "100%% %Y-%m-%d %H:%M", "2026-03-02T10:05:00"),
    ],
)  # fmt: skip
def test_a_time_is_read_as_its_format_says(text: str, form: str, expected: str) -> None:
    assert time(text, form).isoformat() == expected


@pytest.mark.parametrize(
    ("text", "form", "why"),
    [
        ("2026-03-02", "%Y-%m-%d %H:%M", "not written as"),
        ("20263021005", "%Y%m%d%H%M", "not written as"),  # one digit of a month has no sign on both sides
        ("2026-02-30 10:05", "%Y-%m-%d %H:%M", "day"),
        ("2026-13-01 10:05", "%Y-%m-%d %H:%M", "month"),
        ("2026-03-02 24:00", "%Y-%m-%d %H:%M", "hour"),
        ("3/2/2026 13:05 PM", "%m/%d/%Y %I:%M %p", "1..12"),
        ("2026-03-02 10:05 +1500", "%Y-%m-%d %H:%M %z", "offset"),
        ("٢٠٢٦-03-02 10:05", "%Y-%m-%d %H:%M", "not written as"),
    ],
)
def test_what_is_no_such_time_is_refused(text: str, form: str, why: str) -> None:
    with pytest.raises(FormatError, match=why):
        time(text, form)


def test_two_formats_that_both_read_a_text_are_told_and_not_chosen_from() -> None:
    both = ("%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M")
    with pytest.raises(FormatError, match="it can be 2026-03-02 10:05:00 or 2026-02-03 10:05:00"):
        time("3/2/2026 10:05", *both)
    assert time("3/22/2026 10:05", *both).isoformat() == "2026-03-22T10:05:00"
    assert time("3/3/2026 10:05", *both).isoformat() == "2026-03-03T10:05:00"


@pytest.mark.parametrize(("text", "year"), [("00", 2000), ("26", 2026), ("89", 2089), ("90", 1990), ("99", 1999)])
def test_a_year_of_two_digits_is_of_the_stated_hundred_years(text: str, year: int) -> None:
    assert time(f"03/02/{text} 10:05", "%m/%d/%y %H:%M", years_from=1990).year == year


def test_a_year_of_two_digits_is_refused_where_nothing_is_stated() -> None:
    with pytest.raises(FormatError, match="century"):
        time("03/02/26 10:05", "%m/%d/%y %H:%M")


def test_a_month_without_a_day_is_its_last_day() -> None:
    forms = tuple(map(time_format, ("%m/%Y", "%d.%m.%Y")))
    assert read_date("2/2028", forms, None) == date(2028, 2, 29)
    assert read_date("01.02.2028", forms, None) == date(2028, 2, 1)
    with pytest.raises(FormatError, match="month"):
        read_date("13/2028", forms, None)


@pytest.mark.parametrize(
    ("form", "why"),
    [("%Q", "no directive"), ("%Y-%Y", "twice"), ("%Y %y", "twice"), ("%H %I", "twice"), ("%m %b", "twice"), ("%", "no directive")],
)
def test_a_format_that_is_none_is_told(form: str, why: str) -> None:
    with pytest.raises(FormatError, match=why):
        time_format(form)


def number(text: str, decimal: str | None = None, thousands: str | None = None) -> Decimal:
    stated = NumberFormat(decimal=decimal, thousands=thousands)  # type: ignore[arg-type]  # of the parametrisation
    return numbers(stated).read(text)


@pytest.mark.parametrize(
    ("text", "decimal", "thousands", "expected"),
    [
        ("1234", None, None, "1234"), ("-2.50", ".", None, "-2.50"), (".5", ".", None, "0.5"), ("1,234", None, ",", "1234"), ("1,234.5", ".", ",", "1234.5"),
        ("1.234,5", ",", ".", "1234.5"), ("0,125", ",", None, "0.125"), ("1 234", ",", " ", "1234"), ("1\u202f234,5", ",", " ", "1234.5"),
        ("1'234'567.25", ".", "'", "1234567.25"), ("+3", None, None, "3"),
    ],
)  # fmt: skip
def test_a_number_is_exactly_what_is_written(text: str, decimal: str | None, thousands: str | None, expected: str) -> None:
    assert str(number(text, decimal, thousands)) == expected


@pytest.mark.parametrize(
    ("text", "decimal", "thousands"),
    [
        ("1,234", None, None), ("1.234", None, None), ("2.", None, None), ("1,5", ".", ","), ("12,34", ".", ","), ("1.234", ",", None), ("1,234,5", ".", ","), ("1e3", None, None),
        ("٣", None, None), ("NaN", None, None), ("", None, None), ("5-", None, None), ("1,2345", ".", ","), ("1 234", None, None),
        ("9" * 13, None, None), (".", None, None), ("(5)", None, None),
    ],
)  # fmt: skip
def test_what_is_not_written_so_is_no_number(text: str, decimal: str | None, thousands: str | None) -> None:
    with pytest.raises(FormatError):
        number(text, decimal, thousands)


def test_one_sign_can_not_mean_both() -> None:
    with pytest.raises(FormatError, match="can't stand before decimals and between thousands"):
        numbers(NumberFormat(decimal=",", thousands=","))


@given(st.datetimes(min_value=datetime.fromisoformat("1970-01-01"), max_value=datetime.fromisoformat("2199-12-31")))
def test_what_was_written_by_a_format_is_read_by_it(moment: datetime) -> None:
    """For every format that states all of it."""
    for form in ("%Y-%m-%d %H:%M:%S.%f", "%d.%m.%Y %I:%M:%S.%f %p", "%Y%m%d%H%M%S.%f"):
        assert time(moment.strftime(form), form) == moment
