"""Local time texts and midnights, checked against the standard library."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.simulator.clock import LocalClock, instant, utc_text

ZONES = ["America/New_York", "America/Phoenix", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC"]
SECONDS = st.integers(min_value=1_700_000_000, max_value=1_900_000_000)


@given(SECONDS)
def test_utc_text_is_rfc_3339_to_the_second(t) -> None:
    assert datetime.fromisoformat(utc_text(t)) == datetime.fromtimestamp(t, UTC)


@pytest.mark.parametrize("zone", ZONES)
@given(t=SECONDS)
def test_hl7_and_iso_texts_name_the_same_instant(zone, t) -> None:
    """Zones with odd offsets and half-hour daylight saving included."""
    clock = LocalClock(zone, with_offset=True)
    wanted = datetime.fromtimestamp(t, UTC)
    assert datetime.strptime(clock.hl7(t), "%Y%m%d%H%M%S%z") == wanted
    assert datetime.fromisoformat(clock.iso(t)) == wanted


@given(SECONDS)
def test_without_offset_the_hl7_text_is_wall_time_unless_the_hour_happens_twice(t) -> None:
    """A text without offset must lead back to its instant by fold 0; where it would not, the offset is written."""
    clock = LocalClock("America/New_York", with_offset=False)
    text = clock.hl7(t)
    if len(text) == 14:
        local = datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=ZoneInfo("America/New_York"))
        assert local.timestamp() == t
    else:
        assert datetime.strptime(text, "%Y%m%d%H%M%S%z").timestamp() == t


def test_in_the_repeated_hour_of_november_the_offset_is_written() -> None:
    """2026-11-01 01:30 happens twice in New York: at 05:30 and 06:30 UTC."""
    clock = LocalClock("America/New_York", with_offset=False)
    first = int(datetime(2026, 11, 1, 5, 30, tzinfo=UTC).timestamp())
    assert clock.hl7(first) == "20261101013000-0400"
    assert clock.hl7(first + 3600) == "20261101013000-0500"
    assert clock.hl7(first + 7200) == "20261101023000"


@pytest.mark.parametrize("zone", ZONES)
def test_midnight_is_the_start_of_the_local_day_and_is_recognised(zone) -> None:
    clock = LocalClock(zone, with_offset=False)
    for offset in range(0, 400, 7):
        day = date(2026, 1, 5) + timedelta(days=offset)
        t = clock.midnight(day)
        assert clock.is_midnight(t)
        assert not clock.is_midnight(t + 900)
        assert not clock.is_midnight(t + 1)
        assert clock.local_date(t) == day
        assert clock.local_date(t - 1) == day - timedelta(days=1)


def test_instants_keep_their_milliseconds() -> None:
    assert instant(1_767_600_000_123) == datetime(2026, 1, 5, 8, 0, 0, 123_000, tzinfo=UTC)
