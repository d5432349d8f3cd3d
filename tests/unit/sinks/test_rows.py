"""Stored text keeps the order of the values it stands for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.sql.filters import shown
from sinks.sql.rows import instant_text

INSTANTS = st.datetimes(
    min_value=datetime(1970, 1, 2),  # noqa: DTZ001 the strategy adds the zone
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=-5))]),
)


@given(INSTANTS, INSTANTS)
def test_text_order_of_instants_is_time_order(one: datetime, other: datetime) -> None:
    assert (instant_text(one) < instant_text(other)) == (one < other)


@given(INSTANTS)
def test_a_stored_instant_is_the_same_instant_when_read(instant: datetime) -> None:
    text = shown({"at": instant_text(instant)})["at"]
    assert datetime.fromisoformat(text) == instant


def test_an_instant_has_one_width_and_ends_in_z() -> None:
    assert instant_text(datetime(2026, 3, 10, 9, 5, tzinfo=timezone(timedelta(hours=-5)))) == "2026-03-10T14:05:00.000000Z"


def test_an_instant_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        instant_text(datetime(2026, 3, 10))  # noqa: DTZ001 the point of the test


def test_only_a_fraction_of_zero_is_left_out_when_shown() -> None:
    row = {"a": "2026-03-10T14:05:00.000000Z", "b": "2026-03-10T14:05:00.250000Z", "c": "lot .000000Z", "d": 5}
    assert shown(row) == {**row, "a": "2026-03-10T14:05:00Z"}
