"""HL7 time stamps as UTC instants, expiry dates as dates."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.hl7.timestamps import TimeError, parse_expiry, parse_instant, zone_of

NEW_YORK = ZoneInfo("America/New_York")


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026", utc(2026, 1, 1, 5)),
        ("202606", utc(2026, 6, 1, 4)),
        ("20260601", utc(2026, 6, 1, 4)),
        ("2026060110", utc(2026, 6, 1, 14)),
        ("202606011015", utc(2026, 6, 1, 14, 15)),
        ("20260601101530", utc(2026, 6, 1, 14, 15, 30)),
        ("20260601101530.25", utc(2026, 6, 1, 14, 15, 30, 250_000)),
        ("20260601101530.1234", utc(2026, 6, 1, 14, 15, 30, 123_400)),
        ("20260601101530637", utc(2026, 6, 1, 14, 15, 30, 637_000)),
        ("2026-06-01T10:15:30", utc(2026, 6, 1, 14, 15, 30)),
        ("2026-06-01", utc(2026, 6, 1, 4)),
    ],
)
def test_a_stamp_without_an_offset_is_in_the_sites_zone(text: str, at: datetime) -> None:
    assert parse_instant(text, NEW_YORK) == (at, True)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("20260601101530+0000", utc(2026, 6, 1, 10, 15, 30)),
        ("20260601101530-0500", utc(2026, 6, 1, 15, 15, 30)),
        ("202606011015+0215", utc(2026, 6, 1, 8, 0)),
        ("20260601101530.5-0430", utc(2026, 6, 1, 14, 45, 30, 500_000)),
        ("20260601+0100", utc(2026, 5, 31, 23)),
        ("2026-06-01T10:15:30-05:00", utc(2026, 6, 1, 15, 15, 30)),
        ("2026-06-01T10:15:30Z", utc(2026, 6, 1, 10, 15, 30)),
    ],
)
def test_a_stamp_with_an_offset_needs_no_zone(text: str, at: datetime) -> None:
    assert parse_instant(text, NEW_YORK) == (at, False)


def test_in_the_autumn_fold_the_first_of_the_two_times_is_meant() -> None:
    """On 2026-11-01 in New York 01:30 happens at 05:30 UTC (EDT) and again at 06:30 UTC (EST)."""
    assert parse_instant("202611010130", NEW_YORK).at == utc(2026, 11, 1, 5, 30)


def test_a_time_the_spring_jump_leaves_out_is_read_with_the_offset_before_it() -> None:
    """On 2026-03-08 in New York 02:30 does not exist; with EST it is 07:30 UTC (PEP 495, fold=0)."""
    assert parse_instant("202603080230", NEW_YORK).at == utc(2026, 3, 8, 7, 30)


@pytest.mark.parametrize(
    "text",
    [
        "20261301",
        "20260230",
        "20260601250000",
        "202606011060",
        "0000",
        "00010101+1400",
        "99991231235959-1400",
        "01/15/2026",
        "yesterday",
        "2026061",
        "20260601101530+2500",
        "20260601101530+0099",
        "20260601 1015",
        "２０２６",
        "1" * 5000,
    ],
)
def test_an_impossible_stamp_is_refused_with_a_reason(text: str) -> None:
    with pytest.raises(TimeError, match=r"time|offset") as caught:
        parse_instant(text, UTC)
    assert len(str(caught.value)) < 200


@given(st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1)))  # noqa: DTZ001  # Hypothesis wants naive bounds
def test_a_full_stamp_in_utc_is_read_exactly(moment: datetime) -> None:
    text = moment.strftime("%Y%m%d%H%M%S.%f+0000")
    assert parse_instant(text, NEW_YORK).at == moment.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20270630", date(2027, 6, 30)),
        ("20270630235900", date(2027, 6, 30)),
        ("202702", date(2027, 2, 28)),
        ("202802", date(2028, 2, 29)),
        ("20270600", date(2027, 6, 30)),
        ("2027-06-30", date(2027, 6, 30)),
    ],
)
def test_an_expiry_is_a_date_and_a_month_means_its_last_day(text: str, expected: date) -> None:
    assert parse_expiry(text) == expected


@pytest.mark.parametrize("text", ["2027", "20270631", "202713", "never"])
def test_an_impossible_expiry_is_refused(text: str) -> None:
    with pytest.raises(TimeError):
        parse_expiry(text)


@pytest.mark.parametrize("name", ["Nowhere/City", "", "../etc/passwd", "\x00"])
def test_an_unknown_zone_reads_as_utc(name: str) -> None:
    assert zone_of(name) is UTC
